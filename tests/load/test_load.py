from __future__ import annotations

from pathlib import Path

import pytest

from tests.load.harness import Load, Run


@pytest.mark.thorough
def test_nothing_that_was_answered_is_lost_and_nothing_is_half_written_while_clients_and_servers_are_killed(
    empty_database_url: str, tmp_path: Path
) -> None:
    load = Load(requests=12, cut_percent=10, kill_at=6, demands=7)
    report = Run(load, empty_database_url, tmp_path).report()
    assert not report.wrong, "\n".join(report.wrong)[:5000]
    assert report.counted["clients killed"] == 6
    assert report.counted["servers killed"] >= 1
    assert report.counted["never answered"] >= 6
    assert report.counted["sign-in 303"] >= 1
