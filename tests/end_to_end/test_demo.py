"""What `make demo` starts."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

import core
from tests.end_to_end.product import SIQ
from tests.peers.peers import free_port, running
from tests.website import post, text_of


@pytest.mark.thorough
def test_the_demo_lets_its_admin_in_beside_a_practice_provider_and_touches_no_database_but_its_own(
    tmp_path: Path,
) -> None:
    port, practice_port = free_port(), free_port()
    in_use = tmp_path / "in-use.db"
    environment = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(Path(core.__file__).parents[1]),
        "SIQ_DATABASE_URL": f"sqlite:///{in_use}",
    }
    command = [SIQ, "demo", "--port", str(port), "--practice-port", str(practice_port)]
    command += ["--data-dir", str(tmp_path / "data")]
    with running(command, environment, tmp_path, f"http://localhost:{port}/healthz"):
        practice = httpx.get(f"http://127.0.0.1:{practice_port}/", trust_env=False)
        assert "a test instrument, not Amazon Web Services" in text_of(practice)
        link = re.search(r"http://localhost:\d+/signin/link/\S+", (tmp_path / "server.log").read_text())
        assert link
        with httpx.Client(trust_env=False, timeout=30) as admin:
            assert post(admin, link[0]).status_code == httpx.codes.SEE_OTHER
            assert "Amazon AWS" in text_of(admin.get(f"http://localhost:{port}/settings/integrations/catalog"))
    assert not in_use.exists()
