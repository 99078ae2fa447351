"""Bearer tokens of directories (RFC 6750): two live at once, so that one can be exchanged without a gap.

A token is shown once; its hash is kept. It opens one connection and nothing else. A wrong one learns nothing: unknown,
disabled and mistyped are the same answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, NotFound, SiqError
from core.flows import audit
from core.flows.actors import Actor
from core.flows.connections import connection_id, plugin_of
from core.flows.services import Services
from core.store import directory
from core.store.provisioning_tables import ProvisioningToken
from core.store.tables import Connection, ConnectionState, PasswordFailure
from core.store.tokens import hashed, new_id, new_token

_PREFIX = "siq_scim_"  # so that scanners for leaked secrets can tell what they found
_WINDOW = timedelta(minutes=15)
_MOST_WRONG = 60  # wrong tokens from one address in the window; a right one is never held up
_USED_EVERY = timedelta(minutes=1)  # one write a minute is enough for "last used"
_UNUSED = timedelta(days=30)  # after which a token that nothing uses is said to be one
_SHOWN = 5  # tokens that ended and are still listed


class TokenRefused(SiqError):
    """No token, or one that opens nothing here. The sentence is the same whatever is wrong (RFC 6750 3.1)."""

    def __init__(self) -> None:
        super().__init__("Send the bearer token of this connection.")


class TooManyTokens(TokenRefused):
    """Too many wrong tokens from this address; ``retry_after`` is in seconds."""

    retry_after = int(_WINDOW.total_seconds())


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as administrators see it: its last four characters, and ``ends_at`` (rotated and revoked ones end early).

    ``state`` is live, ending (rotated, still accepted) or ended. ``unused``: it works, and nothing used it for 30 days.
    """

    id: str
    ending: str
    created_at: datetime
    created_by: str
    ends_at: datetime
    last_used_at: datetime | None
    last_used_address: str
    state: Literal["live", "ending", "ended"]
    unused: bool


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new token: ``secret`` is shown once. ``replaces`` is the rotated one, with the moment when it ends."""

    secret: str
    token: TokenView
    replaces: TokenView | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a right token opens."""

    organization_id: str
    connection_id: str
    plugin_id: str
    title: str


def create_token(services: Services, actor: Actor, plugin_id: str) -> NewToken:
    """A new token of a plugin's connection. Raises ``Conflict`` where two are live, ``NotFound`` where the plugin takes
    no directory or was never set up here, ``Forbidden`` for people who do not manage integrations.
    """
    connection = scim_connection(services, actor, plugin_id)

    def make(session: Session) -> NewToken:
        made, secret = _add(services, session, actor, connection)
        _audit(session, audit.Event.TOKEN_CREATED, actor, plugin_of(services, plugin_id).tile.title, made)
        return NewToken(secret, view(made))

    return _in_one_of_two_slots(services, actor, make)


def rotate_token(services: Services, actor: Actor, plugin_id: str, token_id: str) -> NewToken:
    """A new token; the old one still works for ``SIQ_SCIM_OVERLAP_HOURS`` and then ends."""
    connection = scim_connection(services, actor, plugin_id)

    def make(session: Session) -> NewToken:
        old = _live(session, connection, token_id)
        made, secret = _add(services, session, actor, connection)
        ends_at = clock.now() + timedelta(hours=services.settings.scim_overlap_hours)
        old.expires_at = min(old.expires_at, ends_at)
        old.replaced = True
        _audit(session, audit.Event.TOKEN_ROTATED, actor, plugin_of(services, plugin_id).tile.title, old)
        return NewToken(secret, view(made), view(old))

    return _in_one_of_two_slots(services, actor, make)


def revoke_token(services: Services, actor: Actor, plugin_id: str, token_id: str) -> None:
    """End a token now. Raises ``NotFound`` for one that has ended."""
    connection = scim_connection(services, actor, plugin_id)
    with services.database.writing(actor.organization_id) as session:
        token = _live(session, connection, token_id)
        token.revoked_at, token.slot = clock.now(), None
        _audit(session, audit.Event.TOKEN_REVOKED, actor, plugin_of(services, plugin_id).tile.title, token)


def tokens(session: Session, connection: str) -> tuple[TokenView, ...]:
    """The tokens of a connection: those that work, then the latest that have ended."""
    found = session.scalars(
        select(ProvisioningToken)
        .where(ProvisioningToken.connection_id == connection)
        .order_by(ProvisioningToken.created_at.desc())
    )
    views = [view(token) for token in found]
    ended = [each for each in views if each.state == "ended"]
    return (*(each for each in views if each.state != "ended"), *ended[:_SHOWN])


def view(token: ProvisioningToken) -> TokenView:
    """A token as administrators see it."""
    ends_at = min(token.expires_at, token.revoked_at or token.expires_at)
    now = clock.now()
    ended = ends_at <= now
    return TokenView(
        id=token.id,
        ending=token.ending,
        created_at=token.created_at,
        created_by=token.created_by,
        ends_at=ends_at,
        last_used_at=token.last_used_at,
        last_used_address=token.last_used_address,
        state="ended" if ended else "ending" if token.replaced else "live",
        unused=not ended and now - (token.last_used_at or token.created_at) >= _UNUSED,
    )


def scim_connection(services: Services, actor: Actor, plugin_id: str) -> str:
    """The id of the actor's connection of a plugin that takes a directory. Raises ``Forbidden`` or ``NotFound``."""
    actor.require_integrations()
    if not plugin_of(services, plugin_id).form.scim:
        raise NotFound("This integration takes no people from a directory.")
    connection = connection_id(actor.organization_id, plugin_id)
    with services.database.reading(actor.organization_id) as session:
        if session.get(Connection, connection) is None:
            raise NotFound("This integration is not set up yet. Save it first.")
    return connection


# -- opening -----------------------------------------------------------------------------------------------------------


def open_connection(services: Services, connection: str, token: str, address: str) -> Opened:
    """What ``token`` opens: this connection, where it is active and takes a directory.

    Raises ``TokenRefused``, the same for everything that is wrong; ``TooManyTokens`` after many wrong ones.
    """
    opened = _opened(services, connection, token, address)
    if opened is None:
        _count_wrong(services, address)
        raise TokenRefused
    return opened


def _opened(services: Services, connection: str, token: str, address: str) -> Opened | None:
    if not connection.isprintable():  # NUL, which no database looks up
        return None
    given, now = hashed(token), clock.now()
    live = [pair for pair in directory.opened_by_tokens(services.database, connection) if pair[1].expires_at > now]
    fitting = [pair for pair in live if hmac.compare_digest(pair[1].token_hash, given)]
    if not fitting:
        return None
    row, used = fitting[0]
    plugin = services.plugins.plugins.get(row.plugin_id)
    if row.state is not ConnectionState.ACTIVE or plugin is None or not plugin.form.scim:
        return None
    stale = used.last_used_at is None or now - used.last_used_at >= _USED_EVERY
    if stale or used.last_used_address != address[:64]:
        with services.database.writing(row.organization_id) as session:
            session.execute(
                update(ProvisioningToken)
                .where(ProvisioningToken.id == used.id)
                .values(last_used_at=now, last_used_address=address[:64])
            )
    return Opened(row.organization_id, connection, row.plugin_id, plugin.tile.title)


def _accepted(session: Session, connection: str, now: datetime) -> list[ProvisioningToken]:
    """The tokens of a connection that work: two at most."""
    return list(
        session.scalars(
            select(ProvisioningToken).where(
                ProvisioningToken.connection_id == connection,
                ProvisioningToken.slot.is_not(None),
                ProvisioningToken.revoked_at.is_(None),
                ProvisioningToken.expires_at > now,
            )
        )
    )


def _count_wrong(services: Services, address: str) -> None:
    key, now = hashed(f"scim:{address}"), clock.now()
    lately = (PasswordFailure.key_hash == key, PasswordFailure.at > now - _WINDOW)
    with services.database.looking_up() as session:
        wrong = session.scalar(select(func.count()).select_from(PasswordFailure).where(*lately)) or 0
    if wrong >= _MOST_WRONG:
        raise TooManyTokens
    with services.database.unscoped() as session:
        session.add(PasswordFailure(key_hash=key, at=now))


# -- making ------------------------------------------------------------------------------------------------------------


def _in_one_of_two_slots(services: Services, actor: Actor, make: Callable[[Session], NewToken]) -> NewToken:
    try:
        with services.database.writing(actor.organization_id) as session:
            return make(session)
    except IntegrityError:  # somebody else took the slot at the same moment
        raise _two_already() from None


def _two_already() -> Conflict:
    return Conflict("Two tokens work already. Revoke one of them first.")


def _add(services: Services, session: Session, actor: Actor, connection: str) -> tuple[ProvisioningToken, str]:
    now = clock.now()
    session.execute(
        update(ProvisioningToken)
        .where(
            ProvisioningToken.connection_id == connection,
            or_(ProvisioningToken.expires_at <= now, ProvisioningToken.revoked_at.is_not(None)),
        )
        .values(slot=None)
    )
    taken = {one.slot for one in _accepted(session, connection, now)}
    slot = next((each for each in (1, 2) if each not in taken), None)
    if slot is None:
        raise _two_already()
    secret = _PREFIX + new_token()
    token = ProvisioningToken(
        id=new_id(),
        organization_id=actor.organization_id,
        connection_id=connection,
        slot=slot,
        token_hash=hashed(secret),
        ending=secret[-4:],
        created_at=now,
        created_by=actor.display_name,
        expires_at=now + timedelta(days=services.settings.scim_token_days),
        replaced=False,
        last_used_address="",
    )
    session.add(token)
    session.flush()
    return token, secret


def _live(session: Session, connection: str, token_id: str) -> ProvisioningToken:
    token = session.get(ProvisioningToken, token_id)
    if token is None or token.connection_id != connection or view(token).state == "ended":
        raise NotFound("This token has ended.")
    return token


def _audit(session: Session, event: audit.Event, actor: Actor, title: str, token: ProvisioningToken) -> None:
    ends = view(token).ends_at
    audit.record(
        session,
        event,
        organization_id=actor.organization_id,
        actor=actor.display_name,
        subject=title,
        details={"token": f"…{token.ending}", "ends": f"{ends:%d %B %Y %H:%M} UTC"},
    )
