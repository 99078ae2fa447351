"""A connection that a directory pushes into, on each database. One database serves many tests: each test has an
organization of its own, and with it everything that it can see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy.orm import Session

from core import clock
from core.flows.pushed_people import DirectoryAccounts
from core.scim.storage import Storage
from core.settings import Settings
from core.store import schema
from core.store.database import Database
from core.store.tables import Connection, ConnectionState, Organization
from core.store.tokens import new_id
from tests.databases import empty_database


@dataclass(frozen=True)
class Directory:
    """One connection of a new organization."""

    database: Database
    organization_id: str
    connection_id: str

    def storage(self, session: Session) -> Storage:
        """Its storage in a session."""
        accounts = DirectoryAccounts(Settings(), session, self.organization_id, self.connection_id, "Amazon AWS")
        return Storage(session, accounts, organization_id=self.organization_id, connection_id=self.connection_id)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of each kind for a whole module."""
    with empty_database(request.param, tmp_path_factory.mktemp("scim")) as url:
        database = Database(url)
        schema.upgrade(database)
        yield database
        database.close()


@pytest.fixture
def directory(shared_database: Database) -> Directory:
    """A connection of a new organization."""
    return new_directory(shared_database)


def new_directory(database: Database) -> Directory:
    """A connection of a new organization."""
    organization_id, connection_id = new_id(), "c-" + new_id()
    now = clock.now()
    with database.unscoped() as session:
        session.add(Organization(id=organization_id, slug=organization_id, name="Northwind", created_at=now))
        session.flush()
        session.add(
            Connection(
                id=connection_id,
                organization_id=organization_id,
                plugin_id="aws_sso",
                state=ConnectionState.ACTIVE,
                created_at=now,
                changed_at=now,
            )
        )
    return Directory(database, organization_id, connection_id)
