"""Signing in without a provider: administrators with a password, and one-time links. So a new installation can
start, and an Admin gets in when the provider is down.

Passwords are hashed by argon2id (OWASP ASVS 2.4.1). Guessing is throttled by account and by address; an account that
does not exist costs the same time and gives the same answer.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, NotFound, SiqError
from core.flows import audit, metrics
from core.flows.services import Services
from core.flows.sessions import OpenedSession, may_come_in, open_session
from core.store import directory
from core.store.comparable import email_key
from core.store.tables import OneTimeLink, PasswordFailure, User
from core.store.tokens import hashed, new_token

SHORTEST = 12  # characters (OWASP ASVS 2.1.1)
LONGEST = 128  # characters (OWASP ASVS 2.1.2)
LINK_LIFETIME = timedelta(minutes=30)

_WINDOW = timedelta(minutes=15)
_WRONG = "The email address or the password is not right."
_MOST_PER_ACCOUNT = 10
_MOST_PER_ADDRESS = 100  # an office of many people has one address

_hasher = PasswordHasher()


@cache
def _nobodys_hash() -> str:
    """Verified where there is no such account, so that the answer takes as long."""
    return _hasher.hash(new_token())


class PasswordRefused(SiqError):
    """E-mail address and password do not fit; the sentence is the same whatever is wrong."""


class Throttled(SiqError):
    """Too many wrong passwords; ``retry_after`` is the number of seconds after which trying again makes sense."""

    def __init__(self) -> None:
        super().__init__("Too many tries. Wait 15 minutes, or use a one-time link from your operator.")
        self.retry_after = int(_WINDOW.total_seconds())


def hash_password(password: str) -> str:
    """The argon2id hash of a password. Raises ``Conflict`` for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Conflict(f"Choose a password of {SHORTEST} to {LONGEST} characters.")
    return _hasher.hash(password)


def sign_in(services: Services, email: str, password: str, address: str) -> OpenedSession:
    """Open a session by password. Raises ``PasswordRefused`` or ``Throttled``."""
    keys = ((f"account:{email_key(email)}", _MOST_PER_ACCOUNT), (f"address:{address}", _MOST_PER_ADDRESS))
    _count_failure_first(services, keys)
    for organization_id, user_id, password_hash in directory.with_password(services.database, email_key(email)) or [
        ("", "", _nobodys_hash())
    ]:
        if _fits(password_hash, password) and user_id:
            return _open(services, organization_id, user_id, audit.Event.PASSWORD_SIGN_IN, keys)
    metrics.count_password_sign_in("failed")
    for organization_id, _, _ in directory.with_password(services.database, email_key(email)):
        with services.database.writing(organization_id) as session:
            audit.record(session, audit.Event.PASSWORD_FAILED, organization_id=organization_id, actor=email[:320])
    raise PasswordRefused(_WRONG)


def create_link(services: Services, organization_id: str, user_id: str) -> str:
    """A one-time link for this person, valid for 30 minutes: an absolute URL. Earlier links stay valid until used."""
    token = new_token()
    with services.database.writing(organization_id) as session:
        user = session.get_one(User, user_id)
        session.add(
            OneTimeLink(
                token_hash=hashed(token),
                organization_id=organization_id,
                user_id=user_id,
                expires_at=clock.now() + LINK_LIFETIME,
            )
        )
        audit.record(
            session, audit.Event.LINK_CREATED, organization_id=organization_id, actor="operator", subject=user.email
        )
    return f"{services.settings.public_url}/signin/link/{token}"


def link_is_valid(services: Services, token: str) -> bool:
    """Whether this one-time link would sign somebody in. Changes nothing, so a link preview costs nothing."""
    organization_id = directory.of_link(services.database, token)
    if organization_id is None:
        return False
    with services.database.reading(organization_id) as session:
        link = session.get_one(OneTimeLink, hashed(token))
        return link.used_at is None and link.expires_at > clock.now()


def redeem_link(services: Services, token: str) -> OpenedSession:
    """Open a session by a one-time link, which is then used up. Raises ``NotFound`` for any link that is not valid."""
    refused = NotFound("This link was used or has expired. Ask the operator for a new one.")
    organization_id = directory.of_link(services.database, token)
    if organization_id is None:
        raise refused
    with services.database.writing(organization_id) as session:
        user_id = session.scalar(
            update(OneTimeLink)
            .where(
                OneTimeLink.token_hash == hashed(token),
                OneTimeLink.used_at.is_(None),
                OneTimeLink.expires_at > clock.now(),
            )
            .values(used_at=clock.now())
            .returning(OneTimeLink.user_id)
        )
        user = session.get(User, user_id) if user_id else None
        if user is None or not may_come_in(session, user):
            raise refused
        audit.record(
            session, audit.Event.LINK_SIGN_IN, organization_id=organization_id, actor=user.display_name or user.email
        )
        return open_session(services, session, user)


def _open(
    services: Services, organization_id: str, user_id: str, event: audit.Event, keys: tuple[tuple[str, int], ...]
) -> OpenedSession:
    metrics.count_password_sign_in("signed_in")
    with services.database.unscoped() as session:
        for row in session.scalars(select(PasswordFailure).where(PasswordFailure.key_hash == hashed(keys[0][0]))):
            session.delete(row)
    with services.database.writing(organization_id) as session:
        user = session.get(User, user_id)
        if user is None or not may_come_in(session, user):  # suspended while the password was looked at
            raise PasswordRefused(_WRONG)
        audit.record(session, event, organization_id=organization_id, actor=user.display_name or user.email)
        return open_session(services, session, user)


def _count_failure_first(services: Services, keys: tuple[tuple[str, int], ...]) -> None:
    """Count the try as a failure before the password is looked at; a success takes the account's count back.

    The count is committed before it is compared with the limit: of many tries at once, the one that is written as the
    eleventh sees eleven, in whatever process it is.
    """
    now = clock.now()
    failures = [PasswordFailure(key_hash=hashed(key), at=now) for key, _ in keys]
    with services.database.unscoped() as session:
        session.add_all(failures)
        session.flush()
        counted = [failure.id for failure in failures]
    with services.database.unscoped() as session:
        throttled = any(_tries(session, key, now) > most for key, most in keys)
        if throttled:
            session.execute(delete(PasswordFailure).where(PasswordFailure.id.in_(counted)))
    if throttled:
        metrics.count_password_sign_in("throttled")
        raise Throttled


def _tries(session: Session, key: str, now: datetime) -> int:
    counted = select(func.count()).select_from(PasswordFailure)
    return session.scalars(
        counted.where(PasswordFailure.key_hash == hashed(key), PasswordFailure.at > now - _WINDOW)
    ).one()


def _fits(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password[:LONGEST])
    except (VerifyMismatchError, InvalidHashError):
        return False
