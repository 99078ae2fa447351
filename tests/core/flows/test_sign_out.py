"""Single logout at a connection of Custom SAML 2.0, on both databases."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from sqlalchemy import select, text

from core import clock, correlation, refusals
from core.errors import NotFound
from core.flows import activation, housekeeping, integration, key_rotation, organizations, sessions, sign_in, sign_out
from core.flows.activation import Activated
from core.flows.actors import Actor, actor_of
from core.flows.attempts import Delivery, Visitor
from core.flows.refused import SignInFailed
from core.flows.services import Services
from core.flows.sign_in import SignedIn
from core.flows.sign_out import Answered, AtTheProvider, LogoutDelivery, SignedOut
from core.refusals import Refusal
from core.store.database import Database
from core.store.tables import Attempt, AuditEntry, LogoutRequest, SignInSession, UsedAssertion
from core.testing import logout as theirs
from core.testing.identity_provider import ASSERTION, PERSISTENT, PROTOCOL, REQUESTER, SUCCESS, IdentityProvider

PLUGIN = "custom_saml"
THERE = "https://idp.example.test/slo"
LEAVE = "https://intranet.example.test/bye"
ADA, EVE = "ada@example.test", "eve@example.test"


@dataclass(frozen=True)
class Everybody:
    """A connection that takes part in single logout, and its provider."""

    services: Services
    actor: Actor
    activated: Activated
    provider: IdentityProvider

    def signs_in(self, subject: str = ADA, **changes: Any) -> tuple[str, str]:
        """A new session: its token, and its SessionIndex."""
        site = self.activated.site
        minted = self.provider.response(site.acs_url, site.audience, subject=subject, **changes)
        correlation.begin()
        done = sign_in.finish(
            self.services, self.activated.connection_id, Delivery(minted.form_value, "", None, Visitor())
        )
        assert isinstance(done, SignedIn)
        found = re.search(rb'SessionIndex="([^"]*)"', minted.xml)
        assert found
        return done.session.token, found[1].decode()

    def request(self, subject: str = ADA, **changes: Any) -> str:
        """A LogoutRequest of the provider."""
        url = self.activated.site.single_logout_url
        return theirs.logout_request(self.provider, changes.pop("destination", url), subject, **changes)

    def brings(
        self,
        xml: str,
        name: str = "SAMLRequest",
        relay_state: str = "",
        token: str | None = None,
        *,
        signed: bool = True,
    ) -> Any:
        """What the flow answers to a message that the provider signed."""
        correlation.begin()
        query = theirs.query(name, xml, relay_state, self.provider if signed else None)
        delivery = LogoutDelivery(query=query, browser_token=token)
        return sign_out.receive(self.services, self.activated.connection_id, delivery)

    def answered(self, xml: str, **more: Any) -> theirs.Read:
        """What we send to the provider for a message of its own."""
        result = self.brings(xml, **more)
        assert isinstance(result, Answered)
        assert result.url.startswith(f"{THERE}?")
        return self.read(result.url)

    def read(self, url: str) -> theirs.Read:
        own = key_rotation.keys(self.services, self.actor, PLUGIN)
        received = theirs.read(url, [x509.load_der_x509_certificate(key.certificate.der) for key in own])
        assert received.signed
        return received

    def alive(self, *tokens: str) -> list[bool]:
        return [sessions.current_actor(self.services, token) is not None for token in tokens]

    def rows(self, table: type[Any]) -> list[Any]:
        with self.services.database.reading(self.actor.organization_id) as session:
            return list(session.scalars(select(table)))

    def codes(self) -> list[str]:
        return sorted(row.code for row in self.rows(Attempt) if row.code)


def everybody_of(services: Services, actor: Actor, provider: IdentityProvider, **more: str) -> Everybody:
    values: dict[str, str | bytes] = {
        "sso.issuer": provider.entity_id,
        "sso.sign_in_url": provider.sign_in_url,
        "sso.certificate": provider.certificate_pem,
        "sso.unsolicited": "accept",
        "sso.single_logout_url": THERE,
        **{f"sso.{name}": value for name, value in more.items()},
    }
    return Everybody(services, actor, activation.set_values(services, actor, PLUGIN, values), provider)


@pytest.fixture
def everybody(services: Services, admin: Actor, provider: IdentityProvider) -> Everybody:
    return everybody_of(services, admin, provider)


@pytest.fixture
def other_organization(services: Services) -> Actor:
    made = organizations.create_organization(services, "fabrikam", "Fabrikam")
    return actor_of(organizations.create_admin(services, made, "bo@fabrikam.example", "Bo"), made)


def refused(because: Refusal, act: Callable[[], object]) -> None:
    with pytest.raises(SignInFailed) as caught:
        act()
    assert caught.value.refusal is because


# The provider asks


def test_a_request_ends_every_session_of_that_person_and_of_nobody_else(everybody: Everybody) -> None:
    ada = [everybody.signs_in()[0] for _ in range(2)]
    eve, _ = everybody.signs_in(EVE)
    received = everybody.answered(everybody.request(identifier="_l1"), relay_state="rs-1")
    assert everybody.alive(*ada, eve) == [False, False, True]
    assert (received.statuses, received.relay_state) == (["Success"], "rs-1")
    assert received.root.get("InResponseTo") == "_l1"
    (entry,) = [row for row in everybody.rows(AuditEntry) if row.event == "sso.sign_out"]
    assert (entry.actor, entry.subject, entry.details) == (ADA, "Custom SAML 2.0", {"sessions": 2})


def test_a_request_with_a_session_index_ends_that_session_alone(everybody: Everybody) -> None:
    (first, index), (second, _) = everybody.signs_in(), everybody.signs_in()
    everybody.answered(everybody.request(session_indexes=[index, "_unknown"]))
    assert everybody.alive(first, second) == [False, True]


def test_that_nobody_is_signed_in_is_success(everybody: Everybody) -> None:
    token, _ = everybody.signs_in()
    for xml in (everybody.request(EVE), everybody.request(session_indexes=["_unknown"])):
        assert everybody.answered(xml).statuses == ["Success"]
    assert everybody.alive(token) == [True]


def test_the_format_of_the_name_id_counts(everybody: Everybody) -> None:
    token, _ = everybody.signs_in()
    everybody.answered(everybody.request(name_id_format=PERSISTENT))
    assert everybody.alive(token) == [True]


def test_a_request_is_taken_once(everybody: Everybody) -> None:
    xml = everybody.request()
    assert everybody.answered(xml).statuses == ["Success"]
    token, _ = everybody.signs_in()
    received = everybody.answered(xml)
    assert (received.statuses, received.message) == (["Requester"], "SSO-409 logout_replayed")
    assert everybody.alive(token) == [True]
    assert everybody.codes() == ["SSO-409"]


def test_of_a_request_that_comes_twice_at_once_one_is_taken(everybody: Everybody) -> None:
    everybody.signs_in()
    xml, statuses = everybody.request(), []
    start = threading.Barrier(6)

    def bring() -> None:
        start.wait()
        statuses.extend(everybody.answered(xml).statuses)

    threads = [threading.Thread(target=bring) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == ["Requester"] * 5 + ["Success"]
    assert everybody.rows(SignInSession) == []


def test_a_sign_in_that_arrives_after_its_sign_out_is_refused(everybody: Everybody) -> None:
    """SAML Core 3.7.3.2: the request is about a session whose assertion is still on its way."""
    site = everybody.activated.site
    minted = everybody.provider.response(site.acs_url, site.audience)
    found = re.search(rb'SessionIndex="([^"]*)"', minted.xml)
    assert found
    for _ in range(2):
        everybody.answered(everybody.request(session_indexes=[found[1].decode()]))
    delivery = Delivery(minted.form_value, "", None, Visitor())
    correlation.begin()
    refused(
        refusals.SESSION_OVER,
        lambda: sign_in.finish(everybody.services, everybody.activated.connection_id, delivery),
    )
    assert everybody.rows(SignInSession) == []
    everybody.signs_in()


def test_a_sign_in_that_commits_while_its_sign_out_runs_is_ended(everybody: Everybody) -> None:
    everybody.signs_in(EVE)
    database = everybody.services.database
    leaving = threading.Thread(target=everybody.answered, args=[everybody.request(EVE)])
    with database.writing(everybody.actor.organization_id) as session:
        row = session.scalars(select(SignInSession)).one()
        columns = {column.key: getattr(row, column.key) for column in SignInSession.__mapper__.column_attrs}
        session.add(SignInSession(**(columns | {"id_hash": "late"})))  # as a sign-in adds it before it commits
        session.flush()
        leaving.start()
        while leaving.is_alive() and not somebody_waits(database):
            pass
    leaving.join()
    assert everybody.rows(SignInSession) == []


def somebody_waits(database: Database) -> bool:
    """Whether a transaction waits for a lock of another. SQLite lets one write at a time anyway."""
    if database.engine.dialect.name == "sqlite":
        return True
    with database.engine.connect() as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_a_request_that_is_the_providers_and_cannot_be_done_is_answered(everybody: Everybody) -> None:
    token, _ = everybody.signs_in()
    received = everybody.answered(everybody.request(destination="https://elsewhere.example.test/slo"))
    assert (received.statuses, received.message) == (["Requester"], "SSO-404 logout_destination")
    assert everybody.alive(token) == [True]


def test_a_stranger_gets_a_page_and_no_signature(everybody: Everybody) -> None:
    token, _ = everybody.signs_in()
    stranger = replace(everybody, provider=everybody.provider.rotate())
    refused(refusals.LOGOUT_SIGNATURE, lambda: stranger.brings(everybody.request()))
    refused(refusals.LOGOUT_SIGNATURE, lambda: everybody.brings(everybody.request(), signed=False))
    assert everybody.alive(token) == [True]


def test_the_same_person_at_another_organization_stays_signed_in(
    everybody: Everybody, other_organization: Actor
) -> None:
    others = everybody_of(everybody.services, other_organization, everybody.provider)
    (mine, _), (theirs_too, _) = everybody.signs_in(), others.signs_in()
    everybody.answered(everybody.request())
    assert everybody.alive(mine, theirs_too) == [False, True]


def test_a_refused_request_has_a_trace_that_says_what_was_checked(everybody: Everybody) -> None:
    everybody.answered(everybody.request(destination=None))
    (attempt,) = everybody.rows(Attempt)
    trace = integration.trace(everybody.services, everybody.actor, PLUGIN, attempt.id)
    assert [step.state for step in trace.steps] == ["ok", "ok", "ok", "fail"]
    assert "LogoutRequest" in trace.xml
    assert trace.attempt.expected == everybody.activated.site.single_logout_url
    shown = integration.integration(everybody.services, everybody.actor, PLUGIN)
    assert shown.failed_count == 0  # of sign-ins


def test_used_requests_are_forgotten_when_they_are_too_old_to_come_again(
    everybody: Everybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody.answered(everybody.request(session_indexes=["_s1"]))
    assert len(everybody.rows(UsedAssertion)) == 2
    later = clock.now() + timedelta(minutes=10)
    monkeypatch.setattr(clock, "now", lambda: later)
    housekeeping.prune(everybody.services)
    assert everybody.rows(UsedAssertion) == []


# We ask


def leaves(everybody: Everybody, **changes: Any) -> tuple[SignedOut, theirs.Read]:
    token, index = everybody.signs_in(**changes)
    done = sign_out.sign_out(everybody.services, token, None)
    assert (everybody.alive(token), done.at_provider) == ([False], AtTheProvider.ASKING)
    received = everybody.read(done.url)
    assert [each.text for each in received.root.iter(f"{{{PROTOCOL}}}SessionIndex")] == [index]
    return done, received


def response(everybody: Everybody, received: theirs.Read, **changes: Any) -> str:
    url = everybody.activated.site.single_logout_url
    return theirs.logout_response(everybody.provider, url, changes.pop("in_response_to", received.id), **changes)


@pytest.mark.parametrize(
    ("status", "means"),
    [
        ((SUCCESS,), AtTheProvider.ENDED),
        ((SUCCESS, theirs.PARTIAL_LOGOUT), AtTheProvider.PARTIAL),
        ((REQUESTER,), AtTheProvider.UNCERTAIN),
    ],
)
def test_signing_out_asks_the_provider_and_says_what_it_answered(
    everybody: Everybody, status: tuple[str, ...], means: AtTheProvider
) -> None:
    done, received = leaves(everybody)
    (name_id,) = received.root.iter(f"{{{ASSERTION}}}NameID")
    assert name_id.text == ADA
    xml = response(everybody, received, status=status)
    back = everybody.brings(xml, "SAMLResponse", received.relay_state, done.browser_token)
    assert (back.at_provider, back.provider, back.organization_slug) == (means, "Custom SAML 2.0", "northwind")
    assert everybody.codes() == (["SSO-408"] if means is AtTheProvider.UNCERTAIN else [])


def test_people_land_on_the_page_that_is_set_whatever_the_provider_says(
    services: Services, admin: Actor, provider: IdentityProvider
) -> None:
    everybody = everybody_of(services, admin, provider, logout_url=LEAVE)
    done, received = leaves(everybody)
    stranger = replace(everybody, provider=everybody.provider.rotate())
    back = stranger.brings(response(everybody, received), "SAMLResponse", received.relay_state, done.browser_token)
    assert (back.at_provider, back.url) == (AtTheProvider.UNCERTAIN, LEAVE)
    back = everybody.brings(response(everybody, received), "SAMLResponse", received.relay_state, done.browser_token)
    assert (back.at_provider, back.url) == (AtTheProvider.ENDED, LEAVE)


def test_an_answer_counts_once_in_the_browser_that_asked_and_not_for_ever(
    everybody: Everybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, received = leaves(everybody)
    xml, relay_state = response(everybody, received), received.relay_state
    wrong: list[tuple[str, str | None]] = [(relay_state, None), (relay_state, "other"), ("other", done.browser_token)]
    for brought in wrong:
        refused(refusals.LOGOUT_UNKNOWN, partial(everybody.brings, xml, "SAMLResponse", *brought))
    assert everybody.brings(xml, "SAMLResponse", relay_state, done.browser_token).at_provider is AtTheProvider.ENDED
    refused(refusals.LOGOUT_UNKNOWN, lambda: everybody.brings(xml, "SAMLResponse", relay_state, done.browser_token))
    done, received = leaves(everybody)
    later = clock.now() + timedelta(minutes=everybody.services.settings.login_request_minutes)
    monkeypatch.setattr(clock, "now", lambda: later)
    xml = response(everybody, received)
    refused(
        refusals.LOGOUT_UNKNOWN,
        lambda: everybody.brings(xml, "SAMLResponse", received.relay_state, done.browser_token),
    )
    monkeypatch.setattr(clock, "now", lambda: later + timedelta(minutes=1))
    housekeeping.prune(everybody.services)
    assert everybody.rows(LogoutRequest) == []


def test_an_answer_to_another_request_of_ours_is_none(everybody: Everybody) -> None:
    (_, first), (done, second) = leaves(everybody), leaves(everybody)
    xml = response(everybody, second, in_response_to=first.id)
    back = everybody.brings(xml, "SAMLResponse", second.relay_state, done.browser_token)
    assert back.at_provider is AtTheProvider.UNCERTAIN
    assert everybody.codes() == ["SSO-407"]


def test_two_tabs_share_the_secret_of_the_browser(everybody: Everybody) -> None:
    token, _ = everybody.signs_in()
    assert sign_out.sign_out(everybody.services, token, "kept").browser_token == "kept"


def test_a_connection_that_was_disabled_since_asks_nobody(everybody: Everybody) -> None:
    token, _ = everybody.signs_in()
    activation.disable(everybody.services, everybody.actor, PLUGIN)
    assert sign_out.sign_out(everybody.services, token, None) == SignedOut("northwind")
    assert everybody.alive(token) == [False]


def test_without_single_logout_nothing_is_kept_asked_or_taken(
    services: Services, admin: Actor, provider: IdentityProvider
) -> None:
    everybody = everybody_of(services, admin, provider, single_logout_url="", logout_url=LEAVE)
    token, _ = everybody.signs_in()
    (row,) = everybody.rows(SignInSession)
    assert (row.subject, row.subject_hash, row.session_index) == ("", "", "")
    with pytest.raises(NotFound, match="no part in single logout"):
        everybody.brings(everybody.request())
    done = sign_out.sign_out(services, token, None)
    assert (done.at_provider, done.url) == (AtTheProvider.NOT_ASKED, LEAVE)
    assert sign_out.sign_out(services, token, None) == SignedOut()


def test_a_session_from_before_single_logout_was_set_up_just_ends(
    services: Services, admin: Actor, provider: IdentityProvider
) -> None:
    before = everybody_of(services, admin, provider, single_logout_url="")
    token, _ = before.signs_in()
    everybody_of(services, admin, provider)
    assert sign_out.sign_out(services, token, None).at_provider is AtTheProvider.NOT_ASKED


def test_a_connection_that_is_not_active_says_so(everybody: Everybody) -> None:
    activation.disable(everybody.services, everybody.actor, PLUGIN)
    refused(refusals.CONNECTION_INACTIVE, lambda: everybody.brings(everybody.request()))
