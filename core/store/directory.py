"""The look-ups that find the organization in the first place. Each answers an organization's id and no more than is
needed to go on in a session of that organization.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select

from core.store.database import Database
from core.store.provisioning_tables import ProvisioningToken
from core.store.tables import (
    Connection,
    ConnectionState,
    OneTimeLink,
    Organization,
    ServiceProviderKey,
    SignInSession,
    User,
)
from core.store.tokens import hashed


def organization_by_slug(database: Database, slug: str) -> Organization | None:
    """The organization of this slug (the name in its portal's address)."""
    with database.looking_up() as session:
        return session.scalar(select(Organization).where(Organization.slug == slug))


def organization_by_id(database: Database, organization_id: str) -> Organization | None:
    """The organization of this id."""
    with database.looking_up() as session:
        return session.get(Organization, organization_id)


def only_organization(database: Database) -> Organization | None:
    """The organization of an installation that has just one; none where there are none or several."""
    with database.looking_up() as session:
        found = session.scalars(select(Organization).limit(2)).all()
        return found[0] if len(found) == 1 else None


def of_connection(database: Database, connection_id: str) -> str | None:
    """The organization of a connection. One that nobody has saved yet is known by its key, which its dialog has made."""
    saved = select(Connection.organization_id).where(Connection.id == connection_id)
    opened = (
        select(ServiceProviderKey.organization_id).where(ServiceProviderKey.connection_id == connection_id).limit(1)
    )
    with database.looking_up() as session:
        return session.scalar(saved) or session.scalar(opened)


class FoundConnection(NamedTuple):
    """What tells whether a connection that was prepared before still is as it was."""

    organization_id: str
    plugin_id: str
    state: ConnectionState
    revision: int


def connection(database: Database, connection_id: str) -> FoundConnection | None:
    """The connection of this id, as far as every sign-in asks for it."""
    with database.looking_up() as session:
        row = session.execute(
            select(Connection.organization_id, Connection.plugin_id, Connection.state, Connection.revision).where(
                Connection.id == connection_id
            )
        ).one_or_none()
        return FoundConnection(*row) if row else None


def opened_by_tokens(database: Database, connection_id: str) -> list[tuple[Connection, ProvisioningToken]]:
    """A connection with each of its bearer tokens that was not revoked: two at most, and none for an unknown id."""
    with database.looking_up() as session:
        found = session.execute(
            select(Connection, ProvisioningToken)
            .join(ProvisioningToken, ProvisioningToken.connection_id == Connection.id)
            .where(
                Connection.id == connection_id,
                ProvisioningToken.slot.is_not(None),
                ProvisioningToken.revoked_at.is_(None),
            )
        )
        return [(connection, token) for connection, token in found]


def of_session(database: Database, token: str) -> str | None:
    """The organization of a session's token."""
    with database.looking_up() as session:
        return session.scalar(select(SignInSession.organization_id).where(SignInSession.id_hash == hashed(token)))


def of_link(database: Database, token: str) -> str | None:
    """The organization of a one-time link's token."""
    with database.looking_up() as session:
        return session.scalar(select(OneTimeLink.organization_id).where(OneTimeLink.token_hash == hashed(token)))


def with_password(database: Database, email_key: str, limit: int = 5) -> list[tuple[str, str, str]]:
    """(organization id, user id, password hash) of the active accounts with this address that have a password."""
    with database.looking_up() as session:
        rows = session.execute(
            select(User.organization_id, User.id, User.password_hash)
            .where(User.email_key == email_key, User.password_hash != "", User.active.is_(True))
            .order_by(User.created_at)
            .limit(limit)
        )
        return [(row[0], row[1], row[2]) for row in rows]
