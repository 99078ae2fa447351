"""Signing out: here always, and at the provider where the connection takes part in single logout (SAML Profiles 4.4).

    sign_out   the session here ends first, whatever happens at the provider; then the browser carries a LogoutRequest there
    receive    what the provider sends: a LogoutRequest, which ends sessions here and is answered; or the answer to ours

A LogoutRequest ends the sessions that it names, in the database and in one transaction with its id: the browser that brings
it is not asked who is signed in there.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound, SignInRefused
from core.flows import audit, metrics, pending, portal, sessions
from core.flows.attempts import Delivery, Observed, Visitor
from core.flows.connections import active_connection
from core.flows.prepared import PreparedConnection
from core.flows.refused import SignInFailed, on_record
from core.flows.services import Services
from core.flows.sessions import Ended
from core.flows.used import remember, use_once
from core.refusals import LOGOUT_REPLAYED, LOGOUT_UNKNOWN
from core.saml import logout
from core.saml.document import Element
from core.saml.redirect import Name
from core.store import directory
from core.store.tables import Connection, LogoutRequest, SignInSession, User
from core.store.tokens import hashed, new_token

log = structlog.get_logger()


class AtTheProvider(StrEnum):
    """What is known of the session at the provider once the one here has ended."""

    NOT_ASKED = "not asked"
    ASKING = "asking"
    """The browser goes there with our request."""
    ENDED = "ended"
    PARTIAL = "partial"
    """Ended, but not everywhere that it led to."""
    UNCERTAIN = "uncertain"
    """The provider refused, or its answer was not accepted."""


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Nobody is signed in in this browser any more. ``provider`` is the provider's name and ``url`` where the browser goes on;
    both are empty where it stays. ``browser_token`` binds it to a request that waits for ``lifetime``.
    """

    organization_slug: str = ""
    at_provider: AtTheProvider = AtTheProvider.NOT_ASKED
    provider: str = ""
    url: str = ""
    browser_token: str | None = None
    lifetime: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Answered:
    """A LogoutRequest was dealt with; ``url`` is the provider's and carries our answer."""

    url: str


@dataclass(frozen=True, slots=True)
class LogoutDelivery:
    """What a browser brings: a query as it was sent; or, where ``form_name`` says which, a field of a form with its
    RelayState. And the secret of its binding cookie, and itself.
    """

    query: str = ""
    form_name: Name | None = None
    form_value: str = ""
    relay_state: str = ""
    browser_token: str | None = None
    visitor: Visitor = field(default_factory=Visitor)


def sign_out(services: Services, token: str | None, browser_token: str | None) -> SignedOut:
    """End the session of a token. What follows leads on to the provider, where there is anything to do."""
    ended = sessions.end_session(services, token)
    if ended is None:
        return SignedOut()
    return _ask_provider(services, ended, browser_token) or _page_after(services, ended)


def receive(services: Services, connection_id: str, delivery: LogoutDelivery) -> Answered | SignedOut:
    """Take a message of single logout.

    Raises ``NotFound`` for a connection that is unknown or takes no part in it, and ``SignInFailed`` for a message that is not
    the provider's, or is nobody's in this browser. A request that is the provider's and still cannot be done is answered
    with that. An answer that is not accepted leaves the person signed out, as they are.
    """
    connection = _ready(services, connection_id)
    observed = Observed(connection, Delivery(delivery.form_value, delivery.relay_state, None, delivery.visitor))
    try:
        received = _received(delivery)
        observed.delivery = Delivery(
            base64.b64encode(received.xml).decode("ascii"), received.relay_state, None, delivery.visitor
        )
        if received.name == "SAMLRequest":
            return _answer(services, observed, received)
    except SignInRefused as refused:
        raise _failed(services, observed, refused) from refused
    return _returned(services, observed, received, delivery.browser_token)


# -- ours: the provider is asked, and answers -----------------------------------------------------------------------


def _ask_provider(services: Services, ended: Ended, browser_token: str | None) -> SignedOut | None:
    """Store a pending request and answer the provider's URL with the LogoutRequest in it; none where nobody is asked."""
    connection = _connection_of(services, ended)
    if connection is None or connection.own is None or ended.name_id is None:
        return None
    saml, _ = connection.trust
    if not saml.single_logout_url:
        return None
    relay_state, browser_token = new_token(), browser_token or new_token()
    sent = logout.request(
        saml.single_logout_url,
        connection.site.audience,
        ended.name_id,
        ended.session_index,
        relay_state,
        connection.own.signing,
    )
    lifetime = pending.wait(services, connection, LogoutRequest, sent.id, relay_state, browser_token)
    metrics.count_sign_out(connection.plugin_id, "asked")
    slug = ended.actor.organization_slug
    return SignedOut(slug, AtTheProvider.ASKING, connection.title, sent.url, browser_token, lifetime)


def _page_after(services: Services, ended: Ended) -> SignedOut:
    """The provider's page after signing out, where one is set."""
    title, url = portal.after_sign_out(services, ended.actor.connection_id) or ("", "")
    return SignedOut(ended.actor.organization_slug, provider=title, url=url)


def _connection_of(services: Services, ended: Ended) -> PreparedConnection | None:
    if ended.actor.connection_id is None:
        return None
    try:
        connection = active_connection(services, ended.actor.connection_id)
    except (NotFound, SignInRefused):
        return None  # disabled since, or its plugin is broken: the session here has ended all the same
    return connection if connection.activation.saml else None


def _returned(
    services: Services, observed: Observed, received: logout.Received, browser_token: str | None
) -> SignedOut:
    """The browser is back from the provider. The session here ended before it went there."""
    connection = observed.connection
    observed.started_here = True
    waiting = pending.waiting(services, connection, LogoutRequest, received.relay_state, browser_token)
    try:
        root = logout.verified(received, connection.trust[1], clock.now())
        asked = waiting.request_id if waiting else None
        status = logout.read_response(root, _expected(services, connection), asked, clock.now())
        _consume(services, connection, asked)
    except SignInRefused as refused:
        failed = _failed(services, observed, refused)
        if waiting is None:
            raise failed from refused
        at_provider = AtTheProvider.UNCERTAIN
    else:
        partial = status is logout.Status.PARTIAL
        metrics.count_sign_out(connection.plugin_id, "partial" if partial else "confirmed")
        at_provider = AtTheProvider.PARTIAL if partial else AtTheProvider.ENDED
    organization = directory.organization_by_id(services.database, connection.organization_id)
    _, url = portal.after_sign_out(services, connection.id) or ("", "")
    return SignedOut(organization.slug if organization else "", at_provider, connection.title, url)


def _consume(services: Services, connection: PreparedConnection, request_id: str | None) -> None:
    with services.database.writing(connection.organization_id) as session:
        consumed = session.execute(
            delete(LogoutRequest)
            .where(LogoutRequest.connection_id == connection.id, LogoutRequest.request_id == request_id)
            .returning(LogoutRequest.request_id)
        ).first()
    if consumed is None:
        raise SignInRefused(LOGOUT_UNKNOWN, "It was answered before", received=request_id or "")


# -- the provider's: sessions here end, and it is answered -----------------------------------------------------------


def _answer(services: Services, observed: Observed, received: logout.Received) -> Answered:
    """Raises SignInRefused where the request is not the provider's: strangers are answered by a page, never by a signature."""
    connection = observed.connection
    saml, keys = connection.trust
    assert connection.own
    root = logout.verified(received, keys, clock.now())
    status, words = logout.Status.SUCCESS, ""
    try:
        _end(services, observed, root)
    except SignInRefused as refused:
        _failed(services, observed, refused)
        status, words = logout.Status.REFUSED, f"{refused.refusal.code} {refused.refusal.name}"
    url = logout.answer(
        saml.single_logout_url,
        connection.site.audience,
        root,
        status,
        received.relay_state,
        connection.own.signing,
        words,
    )
    return Answered(url)


def _end(services: Services, observed: Observed, root: Element) -> None:
    connection = observed.connection
    request = logout.read_request(root, _expected(services, connection), clock.now(), connection.decryption)
    observed.who = request.name_id.value
    count = services.database.transact(
        connection.organization_id, lambda session: _in_one_transaction(session, connection, request)
    )
    metrics.count_sign_out(connection.plugin_id, "ended")
    log.info("signed out by the provider", connection=connection.id, sessions=count)


def _in_one_transaction(session: Session, connection: PreparedConnection, request: logout.Request) -> int:
    """Use the request up, and end the sessions of exactly this connection and person; answers how many. That there are none
    is no failure: afterwards there are none.

    Sign-ins at the connection that are about to commit are waited for, and those that come wait for this: each holds its
    connection's row since it recorded its assertion (a foreign key does), and reads what is over after that.
    """
    session.execute(select(Connection.id).where(Connection.id == connection.id).with_for_update())
    use_once(session, connection, f"logout {request.id}", request.remember_until, LOGOUT_REPLAYED)
    key = logout.subject_key(request.name_id, connection.trust[0].issuer, connection.site.audience)
    for index in request.session_indexes:  # one whose assertion is still on its way is over, too (Core 3.7.3.2)
        remember(session, connection, sessions.over(key, index), request.remember_until)
    rows = session.execute(
        select(SignInSession.id_hash, SignInSession.session_index, User.display_name, User.email)
        .join(User, User.id == SignInSession.user_id)
        .where(SignInSession.connection_id == connection.id, SignInSession.subject_hash == hashed(key))
    ).all()
    ended = [row for row in rows if not request.session_indexes or row.session_index in request.session_indexes]
    if ended:
        session.execute(delete(SignInSession).where(SignInSession.id_hash.in_([row.id_hash for row in ended])))
        audit.record(
            session,
            audit.Event.SIGNED_OUT_BY_PROVIDER,
            organization_id=connection.organization_id,
            actor=ended[0].display_name or ended[0].email,
            subject=connection.title,
            details={"sessions": len(ended)},
        )
    return len(ended)


# -- both -----------------------------------------------------------------------------------------------------------


def _ready(services: Services, connection_id: str) -> PreparedConnection:
    """An active connection that takes part in single logout."""
    try:
        connection = active_connection(services, connection_id)
    except SignInRefused as refused:
        metrics.count_sign_out("", "failed", refused.refusal.code)
        raise SignInFailed(refused, provider="", connection_id=connection_id) from refused
    if connection.activation.saml is None or not connection.activation.saml.single_logout_url:
        raise NotFound("This integration takes no part in single logout. Sign out in SiQ itself.")
    return connection


def _received(delivery: LogoutDelivery) -> logout.Received:
    if delivery.form_name:
        return logout.from_form(delivery.form_name, delivery.form_value, delivery.relay_state)
    return logout.from_query(delivery.query)


def _expected(services: Services, connection: PreparedConnection) -> logout.Expected:
    skew = timedelta(seconds=services.settings.clock_skew_seconds)
    return logout.Expected(connection.trust[0].issuer, connection.site.single_logout_url, skew)


def _failed(services: Services, observed: Observed, refused: SignInRefused) -> SignInFailed:
    connection = observed.connection
    metrics.count_sign_out(connection.plugin_id, "failed", refused.refusal.code)
    log.warning("sign-out refused", connection=connection.id, code=refused.refusal.code, check=refused.refusal.check)
    return on_record(services, observed, refused, audit.Event.SIGN_OUT_FAILED)
