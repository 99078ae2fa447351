"""Which account a verified identity is: one that was pushed, the one it is linked to, the one with its address, or a new
one.
"""

from __future__ import annotations

from sqlalchemy import case, or_, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import SignInRefused
from core.flows import audit
from core.flows.prepared import PreparedConnection
from core.flows.sessions import may_come_in
from core.plugin_api import Identity
from core.refusals import PERSON_AMBIGUOUS, PERSON_INACTIVE, PERSON_UNKNOWN
from core.store.comparable import comparable, email_key
from core.store.provisioning_tables import Departure, ProvisioningRules, PushedUser
from core.store.tables import LinkedIdentity, Role, User
from core.store.tokens import new_id


def match_or_create(session: Session, connection: PreparedConnection, identity: Identity) -> User:
    """The account of ``identity``, in the caller's transaction. The rules, in order:

    1. the account that this connection's directory pushed with the subject as ``userName`` or ``externalId``. It is
       asked before the link: a user name that was given to somebody else is theirs from then on;
    2. the account that this connection's stable subject is linked to;
    3. the account that was pushed with the identity's user name;
    4. the account of somebody whom this connection's directory removed under that user name (or that ``externalId``), which
       is suspended until it is deleted, whatever its address is;
    5. the account with the same e-mail address (the organization's own provider vouches for it), unless another
       subject of this connection is linked to it already;
    6. a new account with the role Viewer, unless this connection makes none at sign-in.

    Raises ``SignInRefused`` where the account is suspended (SSO-203), the address belongs to somebody else (SSO-204), or
    there is no account and none is made (SSO-205).
    """
    user = (
        _pushed(session, connection, identity, identity.subject)
        or _linked(session, connection, identity)
        or _pushed(session, connection, identity, identity.user_name)
        or _removed(session, connection, identity)
        or _by_address(session, connection, identity)
        or _new(session, connection, identity)
    )
    if not may_come_in(session, user):
        raise SignInRefused(PERSON_INACTIVE, f"{user.email or user.user_name} is suspended")
    if user.source_connection_id == connection.id and session.get(PushedUser, user.id) is None:
        _refresh(session, user, identity)  # of a pushed person the directory knows more
    return user


def _pushed(session: Session, connection: PreparedConnection, identity: Identity, name: str) -> User | None:
    """The account that the directory of this connection pushed under ``name``, linked to the identity's subject."""
    is_name = PushedUser.user_name_key == comparable(name, exact=False)
    is_external = PushedUser.external_id == comparable(name, exact=True)
    user = session.scalar(
        select(User)
        .join(PushedUser, PushedUser.user_id == User.id)
        .where(PushedUser.connection_id == connection.id, or_(is_name, is_external))
        .order_by(case((is_name, 0), else_=1))
        .limit(1)
    )
    if user is None:
        return None
    link = session.get(LinkedIdentity, (connection.id, identity.subject))
    if link is not None and link.user_id == user.id:
        return user
    if link is None:
        _link(session, connection, identity, user)
    else:
        link.user_id = user.id
    _audit_link(session, connection, identity, user, "the directory")
    return user


def _removed(session: Session, connection: PreparedConnection, identity: Identity) -> User | None:
    names = {comparable(name, exact=False) for name in (identity.subject, identity.user_name)}
    either = or_(Departure.user_name_key.in_(names), Departure.external_id == comparable(identity.subject, exact=True))
    query = select(User).join(Departure, Departure.user_id == User.id)
    return session.scalars(query.where(Departure.connection_id == connection.id, either).limit(1)).first()


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
    linked = session.scalars(
        select(LinkedIdentity.subject).where(
            LinkedIdentity.connection_id == connection.id, LinkedIdentity.user_id == user.id
        )
    ).all()
    if identity.subject in linked:  # a first sign-in at the same time has made the account since the last question
        return user
    if linked:
        raise SignInRefused(
            PERSON_AMBIGUOUS,
            f"{user.email} is the account of another subject of {connection.title}",
            expected=linked[0],
            received=identity.subject,
        )
    _link(session, connection, identity, user)
    _audit_link(session, connection, identity, user, "e-mail address")
    return user


def _new(session: Session, connection: PreparedConnection, identity: Identity) -> User:
    rules = session.get(ProvisioningRules, connection.id)
    if rules is not None and not rules.create_at_sign_in:
        raise SignInRefused(PERSON_UNKNOWN, f"there is no account for {identity.email or identity.user_name}")
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


def _audit_link(
    session: Session, connection: PreparedConnection, identity: Identity, user: User, matched_by: str
) -> None:
    audit.record(
        session,
        audit.Event.USER_LINKED,
        organization_id=user.organization_id,
        actor=identity.email or identity.user_name,
        subject=user.email or user.user_name,
        details={"integration": connection.title, "matched by": matched_by, "provider subject": identity.subject},
    )


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
