"""Deliveries: what is done with good responses. Used twice, by others, elsewhere, in other forms."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from core.plugin_api import Unsolicited
from core.refusals import (
    AUDIENCE_MISMATCH,
    DESTINATION_MISMATCH,
    ISSUER_MISMATCH,
    REPLAYED,
    REQUEST_UNKNOWN,
    SIGNATURE_INVALID,
    UNSOLICITED_REFUSED,
)
from core.testing.attacks.browser import Answer
from core.testing.attacks.cases import Family, answered, refused, signed_in
from core.testing.attacks.families.controls import CONTROLS
from core.testing.attacks.site import SEE_OTHER, Site, Unplayable
from core.testing.identity_provider import serialize

REPLAY = Family(
    "Replay",
    "A response that somebody copied is used a second time. An assertion opens one session, in whatever process and at "
    "whatever moment its copies arrive.",
    "SAML Profiles 4.1.4.5",
)


def _used(site: Site) -> tuple[str, str, dict[str, str]]:
    """A response that has just signed somebody in: its value, its RelayState, and the cookies from before."""
    with site.browser() as browser:
        asked = site.begin(browser)
        before = dict(browser.cookies)
        value = site.good(asked).response().form_value
        first = site.deliver(browser, value, asked.relay_state)
        if not first.person:
            raise Unplayable(f"the response that was to be used twice was refused the first time: {first.code}")
        return value, asked.relay_state, before


@REPLAY.play(refused(REPLAYED))
def replay_in_the_same_browser(site: Site) -> Sequence[Answer]:
    """Back and Reload: the same form once more, with the cookies of before."""
    value, relay_state, before = _used(site)
    with site.browser(before) as again:
        return [site.deliver(again, value, relay_state)]


@REPLAY.play(refused(REQUEST_UNKNOWN))
def replay_in_another_browser(site: Site) -> Sequence[Answer]:
    """Somebody else has the response, but not the browser."""
    value, relay_state, _ = _used(site)
    with site.browser() as thief:
        return [site.deliver(thief, value, relay_state), site.deliver(thief, value)]


@REPLAY.play(refused(REQUEST_UNKNOWN))
def replay_with_a_new_request(site: Site) -> Sequence[Answer]:
    """The same browser starts a new sign-in and sends the old response with the new RelayState."""
    value, _, before = _used(site)
    with site.browser(before) as again:
        asked = site.begin(again)
        return [site.deliver(again, value, asked.relay_state)]


@REPLAY.play(refused(REPLAYED, UNSOLICITED_REFUSED, REQUEST_UNKNOWN))
def replay_without_its_relay_state(site: Site) -> Sequence[Answer]:
    """The same form without RelayState."""
    value, _, before = _used(site)
    with site.browser(before) as again:
        return [site.deliver(again, value)]


@REPLAY.play(refused(REPLAYED))
def second_answer_to_one_request(site: Site) -> Sequence[Answer]:
    """Another assertion of the provider that answers a request which was answered before."""
    with site.browser() as browser:
        asked = site.begin(browser)
        before = dict(browser.cookies)
        if not site.deliver(browser, site.good(asked).response().form_value, asked.relay_state).person:
            raise Unplayable("the first answer was refused")
        with site.browser(before) as again:
            return [site.deliver(again, site.good(asked).response().form_value, asked.relay_state)]


@REPLAY.play(refused(REPLAYED))
def one_assertion_in_two_responses(site: Site) -> Sequence[Answer]:
    """The signed assertion in another envelope, to another RelayState: an assertion is known by its own ID."""
    with site.browser() as browser:
        asked = site.begin(browser)
        before = dict(browser.cookies)
        good = site.good(asked)
        tree = good.tree(sign=("assertion",))
        first = b64encode(serialize(tree)).decode()
        tree.set("ID", "_another")
        second = b64encode(serialize(tree)).decode()
        if not site.deliver(browser, first, asked.relay_state).person:
            raise Unplayable("the first response was refused")
        with site.browser(before) as again:
            return [site.deliver(again, second, asked.relay_state)]


def at_once(deliver: Callable[[int], Answer], times: int) -> list[Answer]:
    """Deliver from so many threads at one moment. Of the answers the first session is left out: one is due.

    Raises Unplayable where there is no session at all.
    """
    ready = Barrier(times)

    def attempt(number: int) -> Answer:
        ready.wait(30)
        return deliver(number)

    with ThreadPoolExecutor(times) as threads:
        answers = list(threads.map(attempt, range(times)))
    due = next((answer for answer in answers if answer.person), None)
    if due is None:
        raise Unplayable(f"none of {times} deliveries signed in: {answers[0].status} {answers[0].code}")
    return [answer for answer in answers if answer is not due]


@REPLAY.play(refused(REPLAYED))
def eight_deliveries_at_once(site: Site) -> Sequence[Answer]:
    """Eight threads deliver one response at the same moment with the cookies of the browser that asked."""
    with site.browser() as browser:
        asked = site.begin(browser)
        cookies = dict(browser.cookies)
    value = site.good(asked).response().form_value

    def deliver(_number: int) -> Answer:
        with site.browser(cookies) as copy:
            return site.deliver(copy, value, asked.relay_state)

    return at_once(deliver, 8)


OTHERS = Family(
    "Other people, other connections",
    "A response that is good for another person's browser, another connection or another organization.",
    "SAML Profiles 4.1.5; Barth et al., Robust Defenses for Cross-Site Request Forgery (CCS 2008)",
)


@OTHERS.play(refused(REQUEST_UNKNOWN))
def login_csrf(site: Site) -> Sequence[Answer]:
    """The attacker's own answer, unused, sent by the victim's browser: the victim would work in the attacker's account."""
    with site.browser() as attacker:
        asked = site.begin(attacker)
    with site.browser() as victim:
        return [site.deliver(victim, site.good(asked).response().form_value, asked.relay_state)]


@OTHERS.play(refused(REQUEST_UNKNOWN))
def login_csrf_while_the_victim_signs_in(site: Site) -> Sequence[Answer]:
    """The same while a request of the victim's own waits in the browser, with the one RelayState and the other."""
    with site.browser() as attacker:
        asked = site.begin(attacker)
    with site.browser() as victim:
        own = site.begin(victim)
        value = site.good(asked).response().form_value
        return [site.deliver(victim, value, asked.relay_state), site.deliver(victim, value, own.relay_state)]


@OTHERS.play(refused(REQUEST_UNKNOWN))
def stolen_response(site: Site) -> Sequence[Answer]:
    """The victim's answer, unused, in the browser of a thief, without RelayState and with one of the thief's own."""
    with site.browser() as victim:
        asked = site.begin(victim)
    value = site.good(asked).response().form_value
    with site.browser() as thief:
        own = site.begin(thief)
        return [site.deliver(thief, value, own.relay_state), site.deliver(thief, value)]


@OTHERS.play(refused(REQUEST_UNKNOWN))
def answer_under_another_relay_state(site: Site) -> Sequence[Answer]:
    """Two sign-ins wait in one browser; the answer of one comes with the RelayState of the other."""
    with site.browser() as browser:
        first, second = site.begin(browser), site.begin(browser)
        return [site.deliver(browser, site.good(first).response().form_value, second.relay_state)]


@OTHERS.play(refused(REQUEST_UNKNOWN))
def guessed_binding(site: Site) -> Sequence[Answer]:
    """Cookies that somebody made up."""
    with site.browser() as browser:
        asked = site.begin(browser)
        made_up = {name: "0" * len(value) for name, value in browser.cookies.items()}
    with site.browser(made_up) as thief:
        return [site.deliver(thief, site.good(asked).response().form_value, asked.relay_state)]


@OTHERS.play(refused(DESTINATION_MISMATCH))
def response_for_another_connection(site: Site) -> Sequence[Answer]:
    """A response for the connection of another organization that trusts the same provider."""
    with site.browser() as browser:
        return [site.deliver(browser, site.good(connection=site.twin).response().form_value)]


@OTHERS.play(refused(AUDIENCE_MISMATCH))
def response_for_another_connection_without_destination(site: Site) -> Sequence[Answer]:
    """The same, not addressed to anybody."""
    with site.browser() as browser:
        asked = site.begin(browser)
        response = site.good(asked, site.twin).response(destination=None)
        return [site.deliver(browser, response.form_value, asked.relay_state)]


@OTHERS.play(refused(ISSUER_MISMATCH, DESTINATION_MISMATCH))
def response_of_another_organization(site: Site) -> Sequence[Answer]:
    """A good response of another organization's provider, at our connection."""
    with site.browser() as browser:
        return [site.deliver(browser, site.good(connection=site.other).response().form_value)]


@OTHERS.play(refused(SIGNATURE_INVALID))
def other_organization_in_our_name(site: Site) -> Sequence[Answer]:
    """Another organization's provider makes a response with our provider's name, our audience and our URL."""
    with site.browser() as browser:
        asked = site.begin(browser)
        response = site.good(asked).response(by=site.other.provider, issuer=site.main.provider.entity_id)
        return [site.deliver(browser, response.form_value, asked.relay_state)]


@OTHERS.play(refused(REQUEST_UNKNOWN))
def request_of_another_connection(site: Site) -> Sequence[Answer]:
    """A response to our connection that answers a request of another one in the same browser."""
    with site.browser() as browser:
        asked = site.begin(browser, site.twin)
        return [site.deliver(browser, site.good(asked).response().form_value, asked.relay_state)]


@OTHERS.play(answered(404))
def unknown_connection(site: Site) -> Sequence[Answer]:
    """A response to a connection that does not exist."""
    url = site.main.acs_url.replace("/acs", "x/acs")
    with site.browser() as browser:
        return [browser.post(url, {"SAMLResponse": site.good().response().form_value})]


# Controls of several requests


@CONTROLS.play(signed_in(), control=True)
def two_tabs(site: Site) -> Sequence[Answer]:
    """Two sign-ins wait in one browser; both answers are taken, in the other order."""
    with site.browser() as browser:
        first, second = site.begin(browser), site.begin(browser)
        return [
            site.deliver(browser, site.good(asked).response().form_value, asked.relay_state)
            for asked in (second, first)
        ]


@CONTROLS.play(signed_in(), control=True)
def click_at_the_provider(site: Site) -> Sequence[Answer]:
    """A click at the provider signs in where the connection takes it, begins a sign-in where it bounces it, and is
    refused where it does not take any.
    """
    with site.browser() as browser:
        answer = site.deliver(browser, site.good().response().form_value)
    match site.main.unsolicited:
        case Unsolicited.ACCEPT:
            return [answer]
        case Unsolicited.BOUNCE:
            right = answer.status == SEE_OTHER and site.main.login_url.endswith(answer.location)
        case Unsolicited.REFUSE:
            right = answer.code == UNSOLICITED_REFUSED.code
    if right and not answer.person:
        return []
    raise Unplayable(f"the click was answered {answer.status} {answer.code} {answer.location}")


@CONTROLS.play(signed_in(), control=True)
def response_of_the_twin_at_its_own_door(site: Site) -> Sequence[Answer]:
    """What is refused at another connection is good at its own."""
    with site.browser() as browser:
        asked = site.begin(browser, site.twin)
        value = site.good(asked, site.twin).response().form_value
        return [site.deliver(browser, value, asked.relay_state, site.twin)]
