from __future__ import annotations

from pathlib import Path

import pytest

from tests.website import plugins_folder, running

TOKEN = "a token of the operator"


def test_there_are_no_metrics_without_a_token_of_the_operator(tmp_path: Path) -> None:
    with running(tmp_path) as site, site.browser() as browser:
        assert browser.get("/metrics", headers={"Authorization": "Bearer"}).status_code == 404


def test_the_metrics_need_the_token_and_count_the_plugins_that_are_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIQ_METRICS_TOKEN", TOKEN)
    with running(tmp_path, plugins_folder(tmp_path)) as site, site.browser() as browser:
        assert browser.get("/metrics").status_code == 401
        assert browser.get("/metrics", headers={"Authorization": "Bearer another"}).status_code == 401
        page = browser.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert page.status_code == 200
        assert "siq_plugins_quarantined 1.0" in page.text.splitlines()
