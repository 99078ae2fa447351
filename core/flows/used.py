"""What may be used once: an assertion, a LogoutRequest. The primary key of one table decides, in whatever process."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import SignInRefused
from core.flows.prepared import PreparedConnection
from core.refusals import Refusal
from core.store.tables import UsedAssertion
from core.store.tokens import hashed


def remember(session: Session, connection: PreparedConnection, name: str, until: datetime) -> None:
    """Keep a name for :func:`remembered`, in the caller's transaction. Raises IntegrityError where somebody else keeps it at
    this moment: it is there when the transaction runs once more.
    """
    if not remembered(session, connection, name):
        session.add(_row(connection, name, until))
        session.flush()


def remembered(session: Session, connection: PreparedConnection, name: str) -> bool:
    """Whether a name was used or kept at a connection, and not too long ago."""
    return session.get(UsedAssertion, (connection.id, hashed(name))) is not None


def use_once(session: Session, connection: PreparedConnection, name: str, until: datetime, replayed: Refusal) -> None:
    """Use up a name at a connection, in the caller's transaction. It is remembered at least until ``until``.

    Raises SignInRefused with ``replayed`` where it was used before.
    """
    session.add(_row(connection, name, until))
    try:
        session.flush()
    except IntegrityError:
        raise SignInRefused(replayed, "It was used before", received=name) from None


def _row(connection: PreparedConnection, name: str, until: datetime) -> UsedAssertion:
    return UsedAssertion(
        organization_id=connection.organization_id,
        connection_id=connection.id,
        assertion_hash=hashed(name),
        expires_at=until,
    )
