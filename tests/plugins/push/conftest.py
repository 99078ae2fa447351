"""What these tests use: AWS, SiQ, and a sender between them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from plugins.aws_sso.push.handler import Work, run
from tests.plugins.push import events
from tests.plugins.push.directory import REGION, STORE, Directory, directory
from tests.plugins.push.endpoints import Endpoint, Proxy, product, proxy_before
from tests.website import Website, running


class PatientClock:
    """Time that passes only when somebody sleeps, or says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.slept: list[float] = []
        self.lock = Lock()

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        with self.lock:
            self.slept.append(seconds)
            self.now += seconds


@dataclass
class World:
    """AWS, SiQ, and what runs between them."""

    aws: Directory
    siq: Endpoint
    proxy: Proxy
    clock: PatientClock
    settings: dict[str, str]

    def full_pass(self, *, deadline: float = float("inf"), **more: Any) -> dict[str, Any]:
        """Its summary."""
        return run(self.settings, [{"pass": "full", **more}], deadline=deadline, clock=self.clock)[0]

    def push(self, *details: dict[str, Any]) -> dict[str, Any]:
        """The summary of a batch of events."""
        return run(self.settings, [events.wrapped(detail) for detail in details], clock=self.clock)[0]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Directory]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(Work, "last_full_pass", 0.0)
    with directory() as made:
        yield made


@pytest.fixture(scope="module")
def website(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Website]:
    folder = tmp_path_factory.mktemp("siq")
    with running(folder, database_url=f"sqlite:///{shutil.copy(sqlite_template, folder / 'siq.db')}") as site:
        yield site


@pytest.fixture
def siq(website: Website) -> Endpoint:
    """Of an organization that no other test has."""
    return product(website)


@pytest.fixture
def world(aws: Directory, siq: Endpoint) -> Iterator[World]:
    with proxy_before(siq) as proxy:
        settings = {
            "SIQ_SCIM_BASE_URL": proxy.base_url,
            "SIQ_SCIM_TOKEN": siq.token,
            "SIQ_IDENTITY_STORE_ID": STORE,
        }
        yield World(aws, siq, proxy, PatientClock(), settings)
