"""What every test may use: both databases, a host with its services, an organization with an administrator."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import settings as hypothesis_settings
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from core.flows import organizations, passwords
from core.flows import services as starting
from core.flows.actors import Actor, actor_of
from core.flows.services import Services
from core.plugin_host import PluginHost
from core.settings import Settings
from core.store import schema
from core.store.database import Base, Database
from core.store.tables import Organization
from core.store.tokens import new_id
from tests.databases import drop_database

POSTGRESQL = "SIQ_TEST_POSTGRESQL_URL"
PUBLIC_URL = "http://localhost:8000"


hypothesis_settings.register_profile("the same in each run", derandomize=True)
if "SIQ_TEST_RANDOM" not in os.environ:
    hypothesis_settings.load_profile("the same in each run")

PRODUCTION_HASHER = passwords._hasher


@pytest.fixture(scope="session", autouse=True)
def cheap_password_hashes() -> Iterator[None]:
    """argon2id with the least memory: what it costs in production is a tenth of a second for each password."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "siq.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> URL:
    """The PostgreSQL server of the environment; the test is skipped where none is named."""
    address = os.environ.get(POSTGRESQL)
    if not address:
        pytest.skip(
            f"install with: apt-get install postgresql; then set {POSTGRESQL} to a database of a role that may "
            "create databases"
        )
    return make_url(address).set(drivername="postgresql+psycopg")


@pytest.fixture(scope="session")
def postgresql_url(postgresql_server: URL) -> Iterator[str]:
    """A migrated database of this process, emptied before each test that uses it."""
    with new_database(postgresql_server) as url:
        migrate(url)
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> str:
    """A database with every table and no row, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'siq.db')}"
    url: str = request.getfixturevalue("postgresql_url")
    with administration(make_url(url)) as run:
        run("; ".join(str(table.delete()) for table in reversed(Base.metadata.sorted_tables)))
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a single table, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with new_database(request.getfixturevalue("postgresql_server")) as url:
        yield url


@contextmanager
def new_database(server: URL) -> Iterator[str]:
    """A new database on a PostgreSQL server, gone at the end."""
    name = f"siq_test_{new_id()}"
    with administration(server) as run:
        run(f"CREATE DATABASE {name}")
        yield server.set(database=name).render_as_string(hide_password=False)
        drop_database(run, name)


def migrate(url: str) -> None:
    """Bring a database to the newest schema and let go of it."""
    database = Database(url)
    schema.upgrade(database)
    with database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


@contextmanager
def administration(server: URL) -> Iterator[Callable[[str], object]]:
    """Runs statements on the server outside of a transaction."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def run(statement: str) -> object:
        with engine.connect() as connection:
            return connection.execute(text(statement))

    yield run
    engine.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a development host on a new database."""
    return Settings(public_url=PUBLIC_URL, data_dir=tmp_path / "var", database_url=database_url)


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    """The built-in plugins, which nothing changes once they are loaded."""
    return PluginHost.load()


@pytest.fixture
def services(settings: Settings, plugins: PluginHost) -> Iterator[Services]:
    """A host with the built-in plugins."""
    started = starting.start(settings, plugins)
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
