"""Two independent testers of SCIM servers find nothing to say about ours, served as it is in production."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from core.flows.services import Services
from tests.core.scim.conftest import THOROUGH_ON_POSTGRESQL, Directory, new_directory
from tests.serving import serving


@pytest.fixture
def served(host: Services) -> Iterator[tuple[Directory, str]]:
    """A directory, and the base URL of its endpoint on a real server."""
    directory = new_directory(host)
    with serving(lambda _origin: directory.app) as origin:
        yield directory, f"{origin}/scim/v2/{directory.connection_id}"


@THOROUGH_ON_POSTGRESQL
def test_scim2_tester_finds_no_failure(served: tuple[Directory, str]) -> None:
    directory, url = served
    headers = {"Authorization": f"Bearer {directory.token}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
        results = check_server(SyncSCIMClient(client))
    bad = [result for result in results if result.status not in (Status.SUCCESS, Status.ACCEPTABLE)]
    assert not bad, "\n".join(f"{one.status.name} {one.resource_type} {one.title}: {one.reason}" for one in bad)
    assert len(results) > 50


def test_scim_sanity_finds_no_failure_in_strict_mode(served: tuple[Directory, str]) -> None:
    directory, url = served
    program = Path(sys.executable).with_name("scim-sanity")
    arguments = ["probe", url, "--token", directory.token, "--strict", "--i-accept-side-effects", "--json-output"]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=300, check=False)  # noqa: S603  a program of ours
    report = json.loads(done.stdout[done.stdout.index("{") :])
    # Agents are a draft that no directory of ours pushes; scim-sanity skips what a server does not say it has.
    wrong = [one for one in report["results"] if one["status"] != "pass" and not one["name"].startswith("Agent")]
    assert not wrong, json.dumps(wrong, indent=1)
    assert done.returncode == 0
