"""Each invariant sees what it is for: the tables are broken by hand, past the constraints of the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, create_engine, text

from core import clock
from core.flows import passwords, provisioning
from core.flows import services as starting
from core.flows.pushed_people import RoleRule
from core.flows.services import Services
from core.flows.sessions import open_session
from core.settings import Settings
from core.store.tables import LinkedIdentity, Role, User
from tests.core.scim.conftest import PLUGIN, new_directory
from tests.databases import empty_database
from tests.load.invariants import INVARIANTS, broken

_UNIQUE = re.compile(r",\s+(CONSTRAINT \w+ )?UNIQUE \([^)]+\)")
FILE = "the database finds nothing wrong with itself"

BREAKS = {
    "a member that names a person of the connection is that person": "UPDATE scim_members SET user_id = NULL",
    "a member that names a group of the connection is that group": "UPDATE scim_members SET subgroup_id = NULL",
    "a member is a person or a group of the connection that owns the group": (
        "UPDATE scim_groups SET connection_id = :other_connection WHERE id = :group"
    ),
    "a pushed person's account is of the connection that pushed": "UPDATE users SET source_connection_id = NULL",
    "an address belongs to one account of an organization": (
        "UPDATE users SET email = 'ADA@example.test' WHERE id = :bob"
    ),
    "a user name belongs to one pushed person of a connection": (
        "UPDATE scim_users SET user_name_key = 'ada@example.test' WHERE user_id = :bob"
    ),
    "who is suspended has no session": "UPDATE sessions SET user_id = :gone",
    "who is suspended has no one-time link": "UPDATE one_time_links SET user_id = :gone",
    "who is suspended has a departure": "UPDATE users SET active = FALSE WHERE id = :ada",
    "who has a departure is suspended": "UPDATE users SET active = TRUE WHERE id = :gone",
    "nobody whom a directory pushes is about to be deleted": "UPDATE departures SET user_id = :ada",
    "a suspended person of a directory that no longer pushes them has a day of deletion": (
        "UPDATE departures SET delete_at = NULL"
    ),
    "who has no departure and was pushed once is pushed still": "UPDATE users SET active = TRUE WHERE id = :gone",
    "a version counts changes since the creation": "UPDATE scim_users SET version = 0 WHERE user_id = :ada",
    "a connection has two live tokens at most": "UPDATE scim_tokens SET connection_id = :connection",
    "a request that was served has a status that HTTP has": "UPDATE scim_requests SET status = 0",
    "what a row names is there": "UPDATE scim_members SET group_id = 'no-group'",
    "a row names nothing of another organization": (
        "UPDATE scim_users SET organization_id = :other_organization WHERE user_id = :bob"
    ),
    "the account says what the directory says": "UPDATE users SET given_name = 'Eve' WHERE id = :ada",
    "what is compared is what was sent": "UPDATE scim_users SET user_name_key = 'eve' WHERE user_id = :ada",
    "each address of a person has its row": "DELETE FROM scim_emails WHERE user_id = :ada",
    "a role by a rule is the one that the rules give": "UPDATE users SET role = 'Viewer' WHERE id = :ada",
    FILE: "UPDATE scim_members SET group_id = 'no-group'",
}


@dataclass(frozen=True)
class World:
    """Two organizations in which everything is as it should be. ``ids`` are what the statements name."""

    url: str
    ids: dict[str, str]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("invariants")
    with empty_database(request.param, folder) as url:
        services = starting.start(Settings(database_url=url, data_dir=folder))
        ids = _filled(services)
        services.database.close()
        _without_constraints(url)
        yield World(url, ids)


def _filled(services: Services) -> dict[str, str]:
    here, other = new_directory(services), new_directory(services)
    provisioning.create_token(services, other.admin, PLUGIN)
    provisioning.set_rules(services, here.admin, PLUGIN, [RoleRule("Everyone", Role.IT)])
    ada, bob, gone = (
        here.push(f"{name}@example.test", emails=[{"value": f"{name}@example.test"}])["id"]
        for name in ("ada", "bob", "gone")
    )
    inner = here.group("Inner", bob)["id"]
    group = here.group("Everyone", ada, inner)["id"]
    other.group("Theirs", other.push("eve@example.test")["id"])
    here.send("DELETE", f"/Users/{gone}")
    passwords.create_link(services, here.organization_id, bob)
    with services.database.writing(here.organization_id) as session:
        user = session.get_one(User, ada)
        open_session(services, session, user, connection_id=here.connection_id)
        session.add(
            LinkedIdentity(
                organization_id=here.organization_id,
                connection_id=here.connection_id,
                subject="ada",
                user_id=ada,
                created_at=clock.now(),
            )
        )
    return {
        "ada": ada,
        "bob": bob,
        "gone": gone,
        "group": group,
        "connection": here.connection_id,
        "other_connection": other.connection_id,
        "other_organization": other.organization_id,
    }


def _without_constraints(url: str) -> None:
    """SQLite checks no foreign keys unless it is told to; the tables with unique keys are made anew without them."""
    engine = create_engine(url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(
                text("PRAGMA legacy_alter_table = ON")
            )  # others keep naming the table, not its former self
            for table in ("scim_users", "scim_tokens"):
                made = text("SELECT sql FROM sqlite_master WHERE name = :table").bindparams(table=table)
                statement = _UNIQUE.sub("", connection.execute(made).scalar_one())
                connection.execute(text(f"ALTER TABLE {table} RENAME TO former"))
                connection.execute(text(statement))
                connection.execute(text(f"INSERT INTO {table} SELECT * FROM former"))  # noqa: S608  two names of ours
                connection.execute(text("DROP TABLE former"))
        else:
            named = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
            of_tables = text(f"{named} AND conrelid <> 0 ORDER BY contype")
            for table, constraint in connection.execute(of_tables).all():
                connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint} CASCADE"))
    engine.dispose()


@pytest.fixture
def tables(world: World) -> Iterator[Connection]:
    """The tables, which are as before afterwards."""
    engine = create_engine(world.url)
    with engine.connect() as connection:
        yield connection
        connection.rollback()
    engine.dispose()


def test_every_invariant_is_seen_to_fail() -> None:
    assert BREAKS.keys() == INVARIANTS.keys()


def test_every_invariant_holds_where_nothing_is_wrong(tables: Connection) -> None:
    assert {name: rows for name, rows in broken(tables).items() if name != FILE} == {}


@pytest.mark.parametrize("name", BREAKS)
def test_an_invariant_sees_what_is_against_it(world: World, tables: Connection, name: str) -> None:
    if name == FILE and tables.dialect.name == "postgresql":
        assert FILE not in broken(tables)  # PostgreSQL has nothing to ask; see the references
        return
    statement = text(BREAKS[name])
    tables.execute(statement.bindparams(**{key: world.ids[key] for key in statement.compile().params}))
    assert name in broken(tables)
