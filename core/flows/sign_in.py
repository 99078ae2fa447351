"""Signing in by SAML, from the click to the session.

    begin    a pending request, keyed by an opaque RelayState, bound to the browser by a cookie; on to the provider
    finish   form → verified assertion → identity → account → session

``finish`` ends in **one transaction**: the request is consumed, the assertion's id recorded, the account matched or
made, the session opened, attempt and audit written; or none of it. The primary key of ``used_assertions`` decides
which of two deliveries of one assertion opens the session, in whatever process they arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import clock
from core.errors import NotFound, PluginMisbehaved, SignInRefused
from core.flows import attempts, audit, metrics, pending
from core.flows.attempts import Delivery, Observed
from core.flows.connections import active_connection, login_path
from core.flows.local_path import local_path
from core.flows.people_matching import match_or_create
from core.flows.prepared import PreparedConnection
from core.flows.refused import SignInFailed, on_record
from core.flows.services import Services
from core.flows.sessions import AtProvider, OpenedSession, open_session
from core.flows.used import remembered, use_once
from core.plugin_api import Identity, Unsolicited, VerifiedAssertion
from core.refusals import INTERNAL, PLUGIN_FAILED, REPLAYED, REQUEST_UNKNOWN, SESSION_OVER
from core.saml import logout, requests, response
from core.store.tables import LoginRequest
from core.store.tokens import new_token

log = structlog.get_logger()

HOME = "/"


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes (where there are ``fields``, by posting them), and the secret that binds it to the pending
    request for ``lifetime``. ``provider`` is its name for people.
    """

    url: str
    fields: Mapping[str, str]
    provider: str
    browser_token: str
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session was opened; ``location`` is a path of this site."""

    session: OpenedSession
    location: str


@dataclass(frozen=True, slots=True)
class Bounced:
    """A click at the provider, taken as a hint: the browser starts a sign-in of ours at ``location``."""

    location: str


@dataclass(frozen=True, slots=True)
class _Accepted:
    """What passed every check: the assertion, whom it is about, and the request that it answers (none: unsolicited)."""

    assertion: VerifiedAssertion
    identity: Identity
    asked: LoginRequest | None


def begin(services: Services, connection_id: str, next_path: str | None, browser_token: str | None) -> Begun:
    """Store a pending request and answer the provider's URL with the AuthnRequest in it (SAML Bindings 3.4).

    ``next_path`` is where the person wants to go; anything but a local path is dropped. ``browser_token`` is the
    value of the binding cookie, if the browser has one: two tabs then wait side by side. Raises ``NotFound`` for an
    unknown connection and ``SignInFailed`` for one that is not active.
    """
    connection = _ready(services, connection_id)
    saml, _ = connection.trust
    relay_state, browser_token = new_token(), browser_token or new_token()
    request = requests.login_request(
        sign_in_url=saml.sign_in_url,
        issuer=connection.site.audience,
        acs_url=connection.site.acs_url,
        relay_state=relay_state,
        binding=saml.request_binding,
        key=connection.own.signing if connection.own and saml.sign_requests else None,
    )
    path = local_path(next_path) or HOME
    lifetime = pending.wait(services, connection, LoginRequest, request.id, relay_state, browser_token, next_path=path)
    return Begun(request.url, request.fields, connection.title, browser_token, lifetime)


def finish(services: Services, connection_id: str, delivery: Delivery) -> SignedIn | Bounced:
    """Take what a browser delivered and open a session.

    Raises ``NotFound`` for an unknown connection and ``SignInFailed`` for every refusal, which is then on record.
    """
    connection = _ready(services, connection_id)
    observed = Observed(connection, delivery)
    try:
        with metrics.sign_in_duration.time():
            result = _finish(services, observed)
    except SignInRefused as refused:
        raise _refuse(services, observed, refused) from refused
    metrics.count_sign_in(connection.plugin_id, "bounced" if isinstance(result, Bounced) else "signed_in")
    return result


def _finish(services: Services, observed: Observed) -> SignedIn | Bounced:
    connection, delivery = observed.connection, observed.delivery
    saml, keys = connection.trust
    asked = pending.waiting(services, connection, LoginRequest, delivery.relay_state, delivery.browser_token)
    observed.started_here = asked is not None
    assertion = response.read(
        delivery.form_value,
        keys,
        response.Expected(
            issuer=saml.issuer,
            audience=connection.site.audience,
            acs_url=connection.site.acs_url,
            request_id=asked.request_id if asked else None,
            unsolicited_allowed=saml.unsolicited is not Unsolicited.REFUSE,
            skew=timedelta(seconds=services.settings.clock_skew_seconds),
        ),
        clock.now(),
        connection.decryption,
    )
    observed.assertion, observed.who = assertion, assertion.name_id.value
    if assertion.in_response_to is None:
        if saml.unsolicited is Unsolicited.BOUNCE:
            return _bounce(connection, delivery, asked)
        asked, observed.started_here = None, False
    identity = _identity(services, connection, assertion)
    observed.who = identity.email or identity.user_name
    location = asked.next_path if asked else local_path(delivery.relay_state) or HOME
    return SignedIn(_store(services, observed, _Accepted(assertion, identity, asked)), location)


def _bounce(connection: PreparedConnection, delivery: Delivery, asked: LoginRequest | None) -> Bounced:
    """Begin a sign-in of ours. Refuses an answer to one that does not name it: the next one would not, either, and the
    browser would go round for ever.
    """
    if asked:
        raise SignInRefused(
            REQUEST_UNKNOWN, "It answers a request of ours, but does not name it", expected=asked.request_id
        )
    return Bounced(login_path(connection.id, local_path(delivery.relay_state) or ""))


def _identity(services: Services, connection: PreparedConnection, assertion: VerifiedAssertion) -> Identity:
    try:
        return services.plugins.handle_acs(connection.plugin_id, connection.config, assertion)
    except PluginMisbehaved as broken:
        log.exception("a plugin failed", plugin=connection.plugin_id)
        raise SignInRefused(PLUGIN_FAILED, str(broken)) from None


def _store(services: Services, observed: Observed, accepted: _Accepted) -> OpenedSession:
    try:
        return services.database.transact(
            observed.connection.organization_id,
            lambda session: _in_one_transaction(services, session, observed, accepted),
        )
    except IntegrityError:
        raise SignInRefused(INTERNAL, "the account was changed by others at the same time") from None


def _in_one_transaction(services: Services, session: Session, observed: Observed, accepted: _Accepted) -> OpenedSession:
    connection, assertion = observed.connection, accepted.assertion
    if accepted.asked:
        _consume(session, accepted.asked)
    # Until then the time checks would let the assertion through again; one minute more costs nothing.
    until = assertion.not_on_or_after + timedelta(seconds=services.settings.clock_skew_seconds + 60)
    use_once(session, connection, assertion.id, until, REPLAYED)
    at_provider = _at_provider(connection, assertion)
    if at_provider and remembered(session, connection, at_provider.over):
        raise SignInRefused(SESSION_OVER, "The provider has signed the person out since")
    user = match_or_create(session, connection, accepted.identity)
    observed.user_id = user.id
    opened = open_session(
        services,
        session,
        user,
        connection_id=connection.id,
        not_after=assertion.session_not_on_or_after,
        at_provider=at_provider,
    )
    session.flush()
    attempts.record(services, session, observed)
    audit.record(
        session,
        audit.Event.SIGNED_IN,
        organization_id=connection.organization_id,
        actor=user.display_name or user.email,
        subject=connection.title,
        details={"e-mail": user.email, "started": "here" if observed.started_here else "at the provider"},
    )
    return opened


def _at_provider(connection: PreparedConnection, assertion: VerifiedAssertion) -> AtProvider | None:
    """What single logout needs to know of a session; nothing where the connection takes no part in it."""
    saml, _ = connection.trust
    if not saml.single_logout_url:
        return None
    key = logout.subject_key(assertion.name_id, saml.issuer, connection.site.audience)
    return AtProvider(assertion.name_id, key, assertion.session_index or "")


def _consume(session: Session, asked: LoginRequest) -> None:
    consumed = session.execute(
        update(LoginRequest)
        .where(LoginRequest.relay_state_hash == asked.relay_state_hash, LoginRequest.consumed_at.is_(None))
        .values(consumed_at=clock.now())
        .returning(LoginRequest.request_id)
    ).first()
    if consumed is None:
        raise SignInRefused(REPLAYED, "the request was answered before")


def _ready(services: Services, connection_id: str) -> PreparedConnection:
    """An active connection that signs people in."""
    try:
        connection = active_connection(services, connection_id)
    except SignInRefused as refused:
        metrics.count_sign_in("", "failed", refused.refusal.code)
        log.warning("sign-in refused", connection=connection_id, code=refused.refusal.code, detail=refused.detail)
        raise SignInFailed(refused, provider="", connection_id=connection_id) from refused
    if connection.activation.saml is None:
        raise NotFound("This integration does not sign people in.")
    return connection


def _refuse(services: Services, observed: Observed, refused: SignInRefused) -> SignInFailed:
    """Put a refusal on record and answer the error for its page."""
    connection = observed.connection
    metrics.count_sign_in(connection.plugin_id, "failed", refused.refusal.code)
    log.warning("sign-in refused", connection=connection.id, code=refused.refusal.code, check=refused.refusal.check)
    return on_record(services, observed, refused, audit.Event.SIGN_IN_FAILED)
