"""Signed-in browsers. The cookie holds a random token, the database its hash."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core import clock
from core.flows import audit
from core.flows.actors import Actor, actor_of
from core.flows.services import Services
from core.plugin_api import NameId
from core.store import directory
from core.store.tables import Organization, SignInSession, User
from core.store.tokens import hashed, new_token

_SEEN_EVERY = timedelta(minutes=1)  # one write a minute is enough for an idle limit of minutes


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session: the secret for the cookie, and when it ends at the latest."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AtProvider:
    """Whose a session is at the provider that opened it: the NameID as it was sent, the ``key`` by which it is found, and
    the SessionIndex (empty where there was none).
    """

    name_id: NameId
    key: str
    session_index: str

    @property
    def over(self) -> str:
        """What is remembered once the provider has said that this session is over."""
        return over(self.key, self.session_index)


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was ended: whose it was, and the NameID and SessionIndex at the provider, where they were kept."""

    actor: Actor
    name_id: NameId | None
    session_index: str


def over(key: str, session_index: str) -> str:
    """What is remembered of a session at a provider that is over, by the key of its person and its SessionIndex."""
    return f"over {session_index} {key}"


def may_come_in(session: Session, user: User) -> bool:
    """Whether a person is active, and stays so until the caller's transaction ends: whoever ends their access meanwhile
    waits for it, and ends the session that it opens.
    """
    return bool(session.scalar(select(User.active).where(User.id == user.id).with_for_update()))


def open_session(
    services: Services,
    session: Session,
    user: User,
    *,
    connection_id: str | None = None,
    not_after: datetime | None = None,
    at_provider: AtProvider | None = None,
) -> OpenedSession:
    """Open a session in the caller's transaction, which has asked :func:`may_come_in`. It ends no later than
    ``not_after``, the provider's own limit (SessionNotOnOrAfter, SAML Core 2.7.2). ``at_provider`` is kept for single logout.
    """
    now = clock.now()
    expires_at = now + timedelta(hours=services.settings.session_hours)
    if not_after is not None:
        expires_at = min(expires_at, not_after)
    token = new_token()
    session.add(
        SignInSession(
            id_hash=hashed(token),
            organization_id=user.organization_id,
            user_id=user.id,
            connection_id=connection_id,
            created_at=now,
            last_seen_at=now,
            expires_at=expires_at,
            **_columns(at_provider),
        )
    )
    user.last_sign_in_at = now
    return OpenedSession(token, expires_at)


def _columns(at_provider: AtProvider | None) -> dict[str, str]:
    if at_provider is None:
        return {}
    one = at_provider.name_id
    return {
        "subject": json.dumps([one.value, one.format, one.name_qualifier, one.sp_name_qualifier]),
        "subject_hash": hashed(at_provider.key),
        "session_index": at_provider.session_index,
    }


def current_actor(services: Services, token: str | None) -> Actor | None:
    """The person of a session token; none where there is no such session, it has ended, or the account is suspended."""
    if not token:
        return None
    organization_id = directory.of_session(services.database, token)
    if organization_id is None:
        return None
    now = clock.now()
    with services.database.reading(organization_id) as session:
        row = session.execute(
            select(SignInSession, User, Organization)
            .join(User, User.id == SignInSession.user_id)
            .join(Organization, Organization.id == SignInSession.organization_id)
            .where(SignInSession.id_hash == hashed(token))
        ).one_or_none()
        if row is None:
            return None
        signed_in, user, organization = row
        idle_limit = signed_in.last_seen_at + timedelta(minutes=services.settings.session_idle_minutes)
        if now >= signed_in.expires_at or now >= idle_limit or not user.active:
            return None
        actor = actor_of(user, organization, signed_in.connection_id)
        seen_at = signed_in.last_seen_at
    if now - seen_at >= _SEEN_EVERY:
        with services.database.writing(organization_id) as session:
            session.execute(
                update(SignInSession).where(SignInSession.id_hash == hashed(token)).values(last_seen_at=now)
            )
    return actor


def end_session(services: Services, token: str | None) -> Ended | None:
    """End a session and answer whose it was; none where it had ended before."""
    actor = current_actor(services, token)
    if actor is None or token is None:
        return None
    mine = SignInSession.id_hash == hashed(token)
    with services.database.writing(actor.organization_id) as session:
        kept = session.execute(select(SignInSession.subject, SignInSession.session_index).where(mine)).one_or_none()
        session.execute(delete(SignInSession).where(mine))
        audit.record(session, audit.Event.SIGNED_OUT, organization_id=actor.organization_id, actor=actor.display_name)
    subject, index = kept or ("", "")
    return Ended(actor, NameId(*json.loads(subject)) if subject else None, index)
