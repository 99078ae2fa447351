"""What every test may use: both databases, a host with its services, an organization with an administrator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from core.flows import organizations
from core.flows import services as starting
from core.flows.actors import Actor, actor_of
from core.flows.services import Services
from core.settings import Settings
from core.store.tables import Organization
from core.store.tokens import new_id

POSTGRESQL = "SIQ_TEST_POSTGRESQL_URL"
PUBLIC_URL = "http://localhost:8000"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new, empty database, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'siq.db'}"
        return
    server = os.environ.get(POSTGRESQL)
    if not server:
        pytest.skip(f"install with: apt-get install postgresql; then set {POSTGRESQL} to a database of a role that may create databases")
    url = make_url(server).set(drivername="postgresql+psycopg")
    name = f"siq_test_{new_id()}"
    administration = create_engine(url, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield url.set(database=name).render_as_string(hide_password=False)
    with administration.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    administration.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a development host on a new database."""
    return Settings(public_url=PUBLIC_URL, data_dir=tmp_path / "var", database_url=database_url)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """A host with the built-in plugins."""
    started = starting.start(settings)
    yield started
    started.database.close()


@pytest.fixture
def organization(services: Services) -> Organization:
    """A sample company."""
    return organizations.create_organization(services, "northwind", "Northwind Robotics", "it@northwind.example")


@pytest.fixture
def admin(services: Services, organization: Organization) -> Actor:
    """Its first administrator."""
    user = organizations.create_admin(services, organization, "maya.okafor@northwind.example", "Maya Okafor")
    return actor_of(user, organization)
