"""Which account a verified identity is: the one it is linked to, the one with its address, or a new one."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import SignInRefused
from core.flows import audit
from core.flows.prepared import PreparedConnection
from core.plugin_api import Identity
from core.refusals import PERSON_AMBIGUOUS, PERSON_INACTIVE
from core.store.tables import LinkedIdentity, Role, User
from core.store.tokens import new_id


def email_key(address: str) -> str:
    """The form in which two spellings of an address are the same account."""
    return address.strip().casefold()


def match_or_create(session: Session, connection: PreparedConnection, identity: Identity) -> User:
    """The account of ``identity``, in the caller's transaction. The rules, in order:

    1. the account that this connection's stable subject is linked to;
    2. the account with the same e-mail address (the organization's own provider vouches for it), unless another
       subject of this connection is linked to it already;
    3. a new account with the role Viewer.

    Raises ``SignInRefused`` where the account is suspended (SSO-203) or the address belongs to somebody else (SSO-204).
    """
    user = (
        _linked(session, connection, identity)
        or _by_address(session, connection, identity)
        or _new(session, connection, identity)
    )
    if not user.active:
        raise SignInRefused(PERSON_INACTIVE, f"{user.email} is suspended")
    if user.source_connection_id == connection.id:
        _refresh(session, user, identity)
    return user


def _linked(session: Session, connection: PreparedConnection, identity: Identity) -> User | None:
    return session.scalar(
        select(User)
        .join(LinkedIdentity, LinkedIdentity.user_id == User.id)
        .where(LinkedIdentity.connection_id == connection.id, LinkedIdentity.subject == identity.subject)
    )


def _by_address(session: Session, connection: PreparedConnection, identity: Identity) -> User | None:
    user = session.scalar(select(User).where(User.email_key == email_key(identity.email)))
    if user is None:
        return None
    other = session.scalar(
        select(LinkedIdentity.subject).where(
            LinkedIdentity.connection_id == connection.id, LinkedIdentity.user_id == user.id
        )
    )
    if other is not None:
        raise SignInRefused(
            PERSON_AMBIGUOUS,
            f"{user.email} is the account of another subject of {connection.title}",
            expected=other,
            received=identity.subject,
        )
    _link(session, connection, identity, user)
    audit.record(
        session,
        audit.Event.USER_LINKED,
        organization_id=user.organization_id,
        actor=identity.email,
        subject=user.email,
        details={"integration": connection.title, "matched by": "e-mail address", "provider subject": identity.subject},
    )
    return user


def _new(session: Session, connection: PreparedConnection, identity: Identity) -> User:
    user = User(
        id=new_id(),
        organization_id=connection.organization_id,
        email=identity.email,
        email_key=email_key(identity.email),
        user_name=identity.user_name,
        given_name=identity.given_name,
        family_name=identity.family_name,
        display_name=_display_name(identity),
        role=Role.VIEWER,
        active=True,
        source_connection_id=connection.id,
        created_at=clock.now(),
    )
    session.add(user)
    session.flush()
    _link(session, connection, identity, user)
    audit.record(
        session,
        audit.Event.USER_CREATED,
        organization_id=user.organization_id,
        actor=connection.title,
        subject=user.email,
        details={"role": user.role.value, "provider subject": identity.subject},
    )
    return user


def _link(session: Session, connection: PreparedConnection, identity: Identity, user: User) -> None:
    session.add(
        LinkedIdentity(
            organization_id=user.organization_id,
            connection_id=connection.id,
            subject=identity.subject,
            user_id=user.id,
            created_at=clock.now(),
        )
    )


def _refresh(session: Session, user: User, identity: Identity) -> None:
    """Take over what the provider says now. An address that another account has is left as it was."""
    user.user_name = identity.user_name
    user.given_name = identity.given_name
    user.family_name = identity.family_name
    user.display_name = _display_name(identity)
    key = email_key(identity.email)
    if key != user.email_key and session.scalar(select(User.id).where(User.email_key == key)) is None:
        user.email, user.email_key = identity.email, key


def _display_name(identity: Identity) -> str:
    full = " ".join(name for name in (identity.given_name, identity.family_name) if name)
    return identity.display_name or full or identity.user_name
