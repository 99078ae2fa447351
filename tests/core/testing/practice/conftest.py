from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette

from core.testing.practice import create_practice
from core.testing.practice.state import Application, Practice
from tests.core.testing.practice.visitor import ACS, AUDIENCE, PRIYA
from tests.serving import serving


@pytest.fixture(scope="module")
def app() -> Iterator[Starlette]:
    made: list[Starlette] = []

    def create(origin: str) -> Starlette:
        made.append(create_practice(origin))
        return made[0]

    with serving(create):
        yield made[0]


@pytest.fixture
def practice(app: Starlette) -> Practice:
    fresh = Practice(app.state.practice.origin)
    app.state.practice = fresh
    return fresh


@pytest.fixture
def client(practice: Practice) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=practice.origin, trust_env=False) as made:
        yield made


@pytest.fixture
def application(practice: Practice) -> Application:
    made = practice.add_application()
    made.name, made.acs_url, made.audience, made.assigned = "SiQ", ACS, AUDIENCE, {PRIYA}
    return made
