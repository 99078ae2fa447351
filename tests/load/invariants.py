"""What is always so in the tables of provisioning, whatever was asked of the service and whatever was killed.

Each invariant has a name, and a query (or a function) that answers the rows against it. They read the tables past the rule
that a session sees one organization, and past the constraints of the database: they would see what those let through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Table, and_, literal, select, text

from core.scim.accounts import person_of
from core.scim.resources import keys_of, model_named
from core.store.comparable import comparable, email_key
from core.store.database import Base
from core.store.provisioning_tables import ProvisioningRules, PushedEmail, PushedGroup, PushedUser
from core.store.tables import Role, User

Check = Callable[[Connection], list[Any]]

_QUERIES = {
    "a member that names a person of the connection is that person": """
        SELECT m.group_id, m.member_id FROM scim_members m
        JOIN scim_groups g ON g.id = m.group_id
        JOIN scim_users u ON u.user_id = m.member_id AND u.connection_id = g.connection_id
        WHERE m.user_id IS NULL OR m.user_id <> m.member_id""",
    "a member that names a group of the connection is that group": """
        SELECT m.group_id, m.member_id FROM scim_members m
        JOIN scim_groups g ON g.id = m.group_id
        JOIN scim_groups s ON s.id = m.member_id AND s.connection_id = g.connection_id
        WHERE m.subgroup_id IS NULL OR m.subgroup_id <> m.member_id""",
    "a member is a person or a group of the connection that owns the group": """
        SELECT m.group_id, m.member_id FROM scim_members m
        JOIN scim_groups g ON g.id = m.group_id
        LEFT JOIN scim_users u ON u.user_id = m.user_id
        LEFT JOIN scim_groups s ON s.id = m.subgroup_id
        WHERE u.connection_id <> g.connection_id OR s.connection_id <> g.connection_id
           OR (m.user_id IS NOT NULL AND m.subgroup_id IS NOT NULL)""",
    "a pushed person's account is of the connection that pushed": """
        SELECT p.user_id FROM scim_users p LEFT JOIN users u ON u.id = p.user_id
        WHERE u.id IS NULL OR u.source_connection_id IS NULL OR u.source_connection_id <> p.connection_id""",
    "an address belongs to one account of an organization": """
        SELECT organization_id, lower(email), count(*) FROM users WHERE email <> ''
        GROUP BY organization_id, lower(email) HAVING count(*) > 1""",
    "a user name belongs to one pushed person of a connection": """
        SELECT connection_id, user_name_key, count(*) FROM scim_users
        GROUP BY connection_id, user_name_key HAVING count(*) > 1""",
    "who is suspended has no session": """
        SELECT s.id_hash FROM sessions s JOIN users u ON u.id = s.user_id WHERE NOT u.active""",
    "who is suspended has no one-time link": """
        SELECT l.token_hash FROM one_time_links l JOIN users u ON u.id = l.user_id WHERE NOT u.active""",
    "who is suspended has a departure": """
        SELECT u.id FROM users u LEFT JOIN departures d ON d.user_id = u.id WHERE NOT u.active AND d.user_id IS NULL""",
    "who has a departure is suspended": """
        SELECT d.user_id FROM departures d LEFT JOIN users u ON u.id = d.user_id WHERE u.id IS NULL OR u.active""",
    "nobody whom a directory pushes is about to be deleted": """
        SELECT d.user_id FROM departures d JOIN scim_users p ON p.user_id = d.user_id WHERE d.delete_at IS NOT NULL""",
    "a suspended person of a directory that no longer pushes them has a day of deletion": """
        SELECT d.user_id FROM departures d LEFT JOIN scim_users p ON p.user_id = d.user_id
        WHERE p.user_id IS NULL AND d.connection_id IS NOT NULL AND d.delete_at IS NULL AND NOT d.decided""",
    "who has no departure and was pushed once is pushed still": """
        SELECT u.id FROM users u LEFT JOIN scim_users p ON p.user_id = u.id
        LEFT JOIN linked_identities l ON l.user_id = u.id
        WHERE u.source_connection_id IS NOT NULL AND u.active AND p.user_id IS NULL AND l.user_id IS NULL""",
    "a version counts changes since the creation": """
        SELECT user_id FROM scim_users WHERE version < 1 OR changed_at < created_at
           OR (version = 1 AND changed_at <> created_at)
        UNION ALL SELECT id FROM scim_groups WHERE version < 1 OR changed_at < created_at
           OR (version = 1 AND changed_at <> created_at)""",
    "a connection has two live tokens at most": """
        SELECT connection_id, count(*) FROM scim_tokens WHERE slot IS NOT NULL AND revoked_at IS NULL
        GROUP BY connection_id HAVING count(*) > 2""",
    "a request that was served has a status that HTTP has": """
        SELECT id FROM scim_requests WHERE status < 200 OR status > 599 OR correlation_id = ''""",
}


def _query(statement: str) -> Check:
    return lambda connection: list(connection.execute(text(statement)))


def references(connection: Connection) -> list[Any]:
    """Rows whose foreign key names nothing. A database that enforces them has none."""
    wrong = []
    for table, key, other in _keys():
        theirs = key.column.table.alias("other")
        named = select(literal(1)).where(theirs.c[key.column.name] == table.c[key.parent.name]).exists()
        query = select(table.c[key.parent.name]).where(table.c[key.parent.name].is_not(None), ~named).limit(10)
        wrong += [(table.name, key.parent.name, other.name, value) for (value,) in connection.execute(query)]
    return wrong


def organizations(connection: Connection) -> list[Any]:
    """Rows that belong to another organization than what they name."""
    wrong = []
    for table, key, other in _keys():
        if "organization_id" not in table.c or "organization_id" not in other.c:
            continue
        theirs = other.alias("other")
        same = and_(
            theirs.c[key.column.name] == table.c[key.parent.name],
            theirs.c.organization_id != table.c.organization_id,
        )
        query = select(table.c[key.parent.name]).join(theirs, same).limit(10)
        wrong += [(table.name, key.parent.name, other.name, value) for (value,) in connection.execute(query)]
    return wrong


def _keys() -> Iterator[tuple[Table, Any, Table]]:
    for table in Base.metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda each: each.parent.name):
            yield table, key, key.column.table


def accounts(connection: Connection) -> list[Any]:
    """Pushed people whose account does not say what their resource says."""
    users = connection.execute(
        select(User.__table__, PushedUser.resource).join(PushedUser, PushedUser.user_id == User.id)
    )
    wrong = []
    for user in users:
        person = person_of(user.resource, active=None)
        says = (person.user_name, person.given_name, person.family_name, person.display_name, person.email)
        is_ = (user.user_name, user.given_name, user.family_name, user.display_name, user.email)
        if says != is_ or user.email_key != (email_key(person.email) or f"no-address:{user.id}"):
            wrong.append((user.id, says, is_))
    return wrong


def keys(connection: Connection) -> list[Any]:
    """Resources whose form for comparisons is another one than that of what was sent."""
    wrong = []
    for kind, table in (("User", PushedUser), ("Group", PushedGroup)):
        model = model_named(kind)
        name = "userName" if kind == "User" else "displayName"
        column = PushedUser.user_name_key if kind == "User" else PushedGroup.display_name_key
        rows = connection.execute(select(table.resource, table.keys, table.external_id, column))
        for resource, kept, external_id, own in rows:
            wanted = keys_of(model, resource)
            if (kept, external_id, own) != (wanted, wanted.get("externalId"), wanted[name]):
                wrong.append((kind, resource, kept))
    return wrong


def emails(connection: Connection) -> list[Any]:
    """People whose rows of addresses are others than their resource has."""
    columns = (PushedEmail.value_key, PushedEmail.type_key, PushedEmail.display_key, PushedEmail.primary_key)
    rows = defaultdict(list)
    for user_id, *row in connection.execute(
        select(PushedEmail.user_id, *columns).order_by(PushedEmail.user_id, PushedEmail.position)
    ):
        rows[user_id].append(tuple(row))
    wrong = []
    for user_id, kept in connection.execute(select(PushedUser.user_id, PushedUser.keys)):
        wanted = [
            tuple(each.get(name) for name in ("value", "type", "display", "primary")) for each in kept.get("emails", ())
        ]
        if wanted != rows.pop(user_id, []):
            wrong.append(user_id)
    return [*wrong, *rows]


def roles(connection: Connection) -> list[Any]:
    """Pushed people who do not have the role that the first fitting rule gives, or have one that no rule gives."""
    rules = {
        row.connection_id: row.role_rules
        for row in connection.execute(select(ProvisioningRules.connection_id, ProvisioningRules.role_rules))
    }
    groups = defaultdict(set)
    for user_id, name in connection.execute(
        text("SELECT m.user_id, g.display_name_key FROM scim_members m JOIN scim_groups g ON g.id = m.group_id")
    ):
        groups[user_id].add(name)
    query = select(User.id, User.role, PushedUser.role_by_rule, PushedUser.connection_id)
    wrong = []
    for user_id, role, by_rule, of in connection.execute(query.join(PushedUser, PushedUser.user_id == User.id)):
        given = (Role(role) for name, role in rules.get(of, ()) if comparable(name, exact=False) in groups[user_id])
        wanted = next(given, None)
        if (wanted is not None) != by_rule or (by_rule and role != wanted):
            wrong.append((user_id, role, wanted))
    return wrong


def file(connection: Connection) -> list[Any]:
    """What SQLite itself finds wrong with the file."""
    if connection.dialect.name != "sqlite":
        return []
    found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check") if row[0] != "ok"]
    return found + [tuple(row) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]


INVARIANTS: dict[str, Check] = {
    **{name: _query(statement) for name, statement in _QUERIES.items()},
    "what a row names is there": references,
    "a row names nothing of another organization": organizations,
    "the account says what the directory says": accounts,
    "what is compared is what was sent": keys,
    "each address of a person has its row": emails,
    "a role by a rule is the one that the rules give": roles,
    "the database finds nothing wrong with itself": file,
}


def broken(connection: Connection) -> dict[str, list[Any]]:
    """The invariants that do not hold, each with the rows against it."""
    found = {name: check(connection) for name, check in INVARIANTS.items()}
    return {name: rows for name, rows in found.items() if rows}
