from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from core import clock
from core.errors import NotFound
from core.flows import activation, housekeeping, organizations, sign_in
from core.flows.actors import Actor, actor_of
from core.flows.attempts import Delivery, Visitor
from core.flows.connections import active_connection
from core.flows.people_matching import _by_address
from core.flows.refused import SignInFailed
from core.flows.services import Services
from core.flows.sessions import current_actor, end_session
from core.plugin_api import Identity
from core.refusals import (
    CONNECTION_INACTIVE,
    ISSUER_MISMATCH,
    PERSON_AMBIGUOUS,
    PERSON_INACTIVE,
    REPLAYED,
    REQUEST_UNKNOWN,
    SIGNATURE_INVALID,
)
from core.store.tables import (
    Attempt,
    AuditEntry,
    LinkedIdentity,
    Organization,
    Outcome,
    SignInSession,
    UsedAssertion,
    User,
)
from core.testing.identity_provider import IdentityProvider
from tests.core.flows.conftest import ADDRESS, Browser, activate


def count(services: Services, organization: Organization, table: type) -> int:
    with services.database.reading(organization.id) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_sign_in_that_started_here_ends_where_the_person_was_going(services: Services, browser: Browser) -> None:
    asked = browser.begin("/users?q=ada")
    signed_in = asked.deliver(asked.mint(attributes={"email": ["ada@example.test"], "name": ["Ada Lovelace"]}))
    assert signed_in.location == "/users?q=ada"
    actor = current_actor(services, signed_in.session.token)
    assert actor
    assert (actor.email, actor.role.value, actor.connection_id) == (
        "ada@example.test",
        "Viewer",
        browser.activated.connection_id,
    )


def test_a_tile_click_signs_in_and_goes_home(services: Services, browser: Browser) -> None:
    signed_in = browser.deliver(browser.mint())
    assert signed_in.location == "/"
    assert current_actor(services, signed_in.session.token)


@pytest.mark.parametrize(
    ("relay_state", "location"),
    [("/users", "/users"), ("https://evil.example/", "/"), ("//evil.example", "/"), ("anything", "/")],
)
def test_the_relay_state_of_a_tile_click_is_followed_only_within_this_site(
    browser: Browser, relay_state: str, location: str
) -> None:
    assert browser.deliver(browser.mint(), relay_state).location == location


def test_an_answer_that_does_not_name_our_request_is_not_bounced_for_ever(
    services: Services, admin: Actor, browser: Browser
) -> None:
    activate(services, admin, browser.provider, tile_clicks="bounce")
    asked = browser.begin()
    with pytest.raises(SignInFailed) as failed:
        asked.deliver(asked.mint(in_response_to=None))
    assert failed.value.refusal is REQUEST_UNKNOWN


def test_the_next_path_is_followed_only_within_this_site(browser: Browser) -> None:
    asked = browser.begin("https://evil.example/")
    assert asked.deliver(asked.mint()).location == "/"


def test_two_tabs_of_one_browser_sign_in_side_by_side(browser: Browser) -> None:
    first = browser.begin("/first")
    second = first.begin("/second")
    assert first.token == second.token
    assert first.deliver(first.mint()).location == "/first"
    assert second.deliver(second.mint()).location == "/second"


# -- who it is -----------------------------------------------------------------------------------------------------


def test_the_same_subject_is_the_same_account_after_a_change_of_address(
    services: Services, organization: Organization, browser: Browser
) -> None:
    for address in ("ada@example.test", "ada.lovelace@example.test"):
        browser.deliver(browser.mint(subject="ada", name_id_format="", attributes={"email": [address]}))
    with services.database.reading(organization.id) as session:
        user = session.scalars(select(User).where(User.user_name == "ada")).one()
    assert user.email == "ada.lovelace@example.test"


def test_an_account_with_the_same_address_is_linked_and_keeps_its_role(
    services: Services, admin: Actor, browser: Browser
) -> None:
    signed_in = browser.deliver(browser.mint(subject="MAYA.okafor@northwind.example"))
    actor = current_actor(services, signed_in.session.token)
    assert actor
    assert (actor.user_id, actor.role.value) == (admin.user_id, "Admin")
    with services.database.reading(admin.organization_id) as session:
        events = session.scalars(select(AuditEntry.event)).all()
    assert "user.linked" in events


def test_another_subject_cannot_take_over_an_account_by_its_address(
    services: Services, organization: Organization, browser: Browser
) -> None:
    victim = {"email": ["ada@example.test"]}
    browser.deliver(browser.mint(subject="ada", name_id_format="", attributes=victim))
    with pytest.raises(SignInFailed) as failed:
        browser.deliver(browser.mint(subject="mallory", name_id_format="", attributes=victim))
    assert failed.value.refusal is PERSON_AMBIGUOUS
    assert count(services, organization, SignInSession) == 1


def test_a_suspended_person_is_refused_and_an_open_session_ends(
    services: Services, organization: Organization, browser: Browser
) -> None:
    signed_in = browser.deliver(browser.mint())
    with services.database.writing(organization.id) as session:
        session.scalars(select(User).where(User.email_key == "ada@example.test")).one().active = False
    assert current_actor(services, signed_in.session.token) is None
    with pytest.raises(SignInFailed) as failed:
        browser.deliver(browser.mint())
    assert failed.value.refusal is PERSON_INACTIVE


def test_two_first_sign_ins_of_one_person_at_once_make_one_account(
    services: Services, organization: Organization, browser: Browser
) -> None:
    results = at_once([lambda: browser.deliver(browser.mint()) for _ in range(6)])
    assert [type(result).__name__ for result in results] == ["SignedIn"] * 6
    with services.database.reading(organization.id) as session:
        assert len(session.scalars(select(User).where(User.email_key == "ada@example.test")).all()) == 1


def test_an_account_made_by_a_first_sign_in_at_the_same_time_is_no_stranger(
    services: Services, organization: Organization, browser: Browser
) -> None:
    """PostgreSQL shows what others have committed since the statement before: no link yet, but then the account."""
    browser.deliver(browser.mint())
    connection = active_connection(services, browser.activated.connection_id)
    ada = Identity("ada@example.test", "ada@example.test", "ada@example.test")
    with services.database.writing(organization.id) as session:
        user = _by_address(session, connection, ada)
        assert user
        assert user.email_key == "ada@example.test"


# -- once, and in one transaction ----------------------------------------------------------------------------------


def at_once(acts: list[object]) -> list[object]:
    """What each act answers or raises, all begun at the same moment."""
    together = threading.Barrier(len(acts))
    results: list[object] = [None] * len(acts)

    def run(place: int) -> None:
        together.wait()
        try:
            results[place] = acts[place]()  # type: ignore[operator]  # callables
        except Exception as error:  # noqa: BLE001  the result of this act
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("solicited", [True, False])
def test_a_response_delivered_twice_opens_one_session(
    services: Services, organization: Organization, browser: Browser, solicited: bool
) -> None:
    asked = browser.begin() if solicited else browser
    minted = asked.mint()
    asked.deliver(minted)
    with pytest.raises(SignInFailed) as failed:
        asked.deliver(minted)
    assert failed.value.refusal is REPLAYED
    assert count(services, organization, SignInSession) == 1


@pytest.mark.parametrize("solicited", [True, False])
def test_a_response_delivered_by_eight_threads_at_once_opens_exactly_one_session(
    services: Services, organization: Organization, browser: Browser, solicited: bool
) -> None:
    asked = browser.begin() if solicited else browser
    minted = asked.mint()
    results = at_once([lambda: asked.deliver(minted) for _ in range(8)])
    refusals = [result.refusal for result in results if isinstance(result, SignInFailed)]
    assert refusals == [REPLAYED] * 7
    assert count(services, organization, SignInSession) == 1
    assert count(services, organization, UsedAssertion) == 1


def test_a_new_response_to_an_answered_request_is_refused(browser: Browser) -> None:
    asked = browser.begin()
    asked.deliver(asked.mint())
    with pytest.raises(SignInFailed) as failed:
        asked.deliver(asked.mint())
    assert failed.value.refusal is REPLAYED


def test_a_refused_person_leaves_the_response_unused_and_no_half_written_rows(
    services: Services, organization: Organization, browser: Browser
) -> None:
    asked = browser.begin()
    with pytest.raises(SignInFailed):
        asked.deliver(asked.mint(subject="ada", name_id_format=""))  # no address: the plugin refuses
    assert [count(services, organization, table) for table in (UsedAssertion, LinkedIdentity, SignInSession)] == [0] * 3
    assert asked.deliver(asked.mint()).location == "/"


# -- whose response it is ------------------------------------------------------------------------------------------


def test_a_response_to_another_browsers_request_is_refused(browser: Browser) -> None:
    """Login CSRF: the attacker's own response, delivered by the victim's browser."""
    attacker, victim = browser.begin(), browser.begin()
    with pytest.raises(SignInFailed) as failed:
        victim.deliver(attacker.mint(), attacker.relay_state)
    assert failed.value.refusal is REQUEST_UNKNOWN


def test_a_response_without_the_binding_cookie_is_refused(browser: Browser) -> None:
    asked = browser.begin()
    with pytest.raises(SignInFailed) as failed:
        replace(asked, token=None).deliver(asked.mint())
    assert failed.value.refusal is REQUEST_UNKNOWN


def test_a_request_that_waited_too_long_is_refused(browser: Browser) -> None:
    asked = browser.begin()
    with clock.moved_by(timedelta(minutes=11)), pytest.raises(SignInFailed) as failed:
        asked.deliver(asked.mint())
    assert failed.value.refusal is REQUEST_UNKNOWN


def test_a_response_for_another_organizations_connection_is_refused(services: Services, browser: Browser) -> None:
    other = organizations.create_organization(services, "contoso")
    boss = actor_of(organizations.create_admin(services, other, "boss@contoso.example"), other)
    theirs = replace(browser, activated=activate(services, boss, browser.provider))
    with pytest.raises(SignInFailed) as failed:
        theirs.deliver(browser.mint())
    assert failed.value.refusal.code.startswith("SSO-1")


def test_an_unknown_key_is_refused_and_a_second_certificate_is_taken(
    services: Services, admin: Actor, browser: Browser
) -> None:
    rotated = browser.provider.rotate()
    with pytest.raises(SignInFailed) as failed:
        browser.deliver(browser.mint(rotated))
    assert failed.value.refusal is SIGNATURE_INVALID
    both = browser.provider.certificate_pem + rotated.certificate_pem
    activation.set_values(services, admin, "aws_sso", {"sso.certificate": both})
    for provider in (browser.provider, rotated):
        assert browser.deliver(browser.mint(provider)).location == "/"


def test_a_changed_configuration_holds_from_the_next_sign_in_on(
    services: Services, admin: Actor, browser: Browser
) -> None:
    browser.deliver(browser.mint())
    moved = IdentityProvider.create("https://portal.sso.eu-west-1.amazonaws.com/saml/assertion/b3RoZXI")
    activate(services, admin, moved)
    with pytest.raises(SignInFailed) as failed:
        browser.deliver(browser.mint())
    assert failed.value.refusal in (SIGNATURE_INVALID, ISSUER_MISMATCH)
    assert browser.deliver(browser.mint(moved)).location == "/"


def test_a_disabled_connection_signs_nobody_in(services: Services, admin: Actor, browser: Browser) -> None:
    asked = browser.begin()
    activation.disable(services, admin, "aws_sso")
    for act in (lambda: asked.deliver(asked.mint()), browser.begin):
        with pytest.raises(SignInFailed) as failed:
            act()
        assert failed.value.refusal is CONNECTION_INACTIVE


def test_an_unknown_connection_is_not_found(services: Services) -> None:
    with pytest.raises(NotFound):
        sign_in.begin(services, "c-unknown", None, None)
    with pytest.raises(NotFound):
        sign_in.finish(services, "c-unknown", Delivery("", "", None, Visitor()))


# -- sessions ------------------------------------------------------------------------------------------------------


def test_a_session_ends_when_the_providers_does(services: Services, browser: Browser) -> None:
    signed_in = browser.deliver(browser.mint(session=timedelta(minutes=20)))
    with clock.moved_by(timedelta(minutes=19)):
        assert current_actor(services, signed_in.session.token)
    with clock.moved_by(timedelta(minutes=21)):
        assert current_actor(services, signed_in.session.token) is None


def test_a_session_ends_when_it_idles_and_lives_on_when_it_is_used(services: Services, browser: Browser) -> None:
    token = browser.deliver(browser.mint(session=None)).session.token
    with clock.moved_by(timedelta(hours=7)):
        assert current_actor(services, token)
    with clock.moved_by(timedelta(hours=14)):
        assert current_actor(services, token)
    with clock.moved_by(timedelta(hours=23)):
        assert current_actor(services, token) is None


def test_a_session_ends_after_a_day_however_much_it_is_used(services: Services, browser: Browser) -> None:
    token = browser.deliver(browser.mint(session=None)).session.token
    for hours in (6, 12, 18, 23):
        with clock.moved_by(timedelta(hours=hours)):
            assert current_actor(services, token)
    with clock.moved_by(timedelta(hours=24, seconds=1)):
        assert current_actor(services, token) is None


def test_signing_out_ends_the_session_at_once(services: Services, browser: Browser) -> None:
    token = browser.deliver(browser.mint()).session.token
    assert end_session(services, token)
    assert current_actor(services, token) is None
    assert end_session(services, token) is None


@pytest.mark.parametrize("token", [None, "", "guess", "a" * 43])
@pytest.mark.usefixtures("browser")
def test_a_guessed_token_is_nobody(services: Services, token: str | None) -> None:
    assert current_actor(services, token) is None


# -- the record ----------------------------------------------------------------------------------------------------


def test_every_end_is_on_record_with_its_reason_but_without_signature_values(
    services: Services, organization: Organization, browser: Browser
) -> None:
    browser.deliver(browser.mint())
    with pytest.raises(SignInFailed) as failed:
        browser.deliver(browser.mint(destination="https://old.example/acs"))
    with services.database.reading(organization.id) as session:
        attempts = session.scalars(select(Attempt).order_by(Attempt.at)).all()
        audited = session.scalars(select(AuditEntry.event).order_by(AuditEntry.id)).all()
    assert [attempt.outcome for attempt in attempts] == [Outcome.SIGNED_IN, Outcome.FAILED]
    assert (attempts[1].code, attempts[1].received) == ("SSO-111", "https://old.example/acs")
    assert (attempts[1].id, attempts[1].address) == (failed.value.correlation_id, ADDRESS)
    assert audited[-2:] == ["sso.sign_in", "sso.sign_in.failed"]


def test_a_flood_of_bad_responses_does_not_fill_the_database(
    services: Services, organization: Organization, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.flows.attempts._MOST_FAILURES", 5)
    for _ in range(8):
        with pytest.raises(SignInFailed):
            browser.deliver(browser.mint(destination="https://old.example/acs"))
    assert count(services, organization, Attempt) == 5
    assert browser.deliver(browser.mint()).location == "/"


def test_what_has_expired_is_pruned_and_a_pruned_assertion_is_still_refused(
    services: Services, organization: Organization, browser: Browser
) -> None:
    asked = browser.begin()
    minted = asked.mint()
    asked.deliver(minted)
    with clock.moved_by(timedelta(days=40)):
        assert housekeeping.prune(services) >= 4
        assert [count(services, organization, table) for table in (UsedAssertion, SignInSession, Attempt)] == [0] * 3
        with pytest.raises(SignInFailed):
            asked.deliver(minted)
    with clock.moved_by(timedelta(days=450)):
        housekeeping.prune(services)
        assert count(services, organization, AuditEntry) == 0
