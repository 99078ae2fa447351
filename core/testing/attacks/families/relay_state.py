"""RelayState and scripts: where the browser goes afterwards, and what a page repeats."""

from __future__ import annotations

from collections.abc import Sequence

from core.plugin_api import Unsolicited
from core.refusals import (
    RESPONSE_UNREADABLE,
    SIGNATURE_INVALID,
)
from core.testing.attacks.browser import Answer
from core.testing.attacks.cases import Family, refused, signed_in
from core.testing.attacks.families.controls import CONTROLS
from core.testing.attacks.site import Site

RELAY = Family(
    "RelayState and scripts",
    "Where the browser goes after signing in, and what a page repeats of what was sent. A foreign address is not "
    "followed, and no page holds a value of the response.",
    "CWE-601, CWE-79",
)


def _lands(site: Site, next_path: str) -> Sequence[Answer]:
    """A good sign-in that was begun with this destination."""
    with site.browser() as browser:
        asked = site.begin(browser, next_path=next_path)
        return [site.deliver(browser, site.good(asked).response().form_value, asked.relay_state)]


@RELAY.play(signed_in())
def next_of_another_site(site: Site) -> Sequence[Answer]:
    """The sign-in begins with another site as its destination."""
    return _lands(site, "https://elsewhere.example.test/")


@RELAY.play(signed_in())
def next_without_a_scheme(site: Site) -> Sequence[Answer]:
    """``//host``, which browsers take for another site."""
    return _lands(site, "//elsewhere.example.test/")


@RELAY.play(signed_in())
def next_with_a_backslash(site: Site) -> Sequence[Answer]:
    r"""``/\host``, which browsers take for another site."""
    return _lands(site, "/\\elsewhere.example.test/")


@RELAY.play(signed_in())
def next_with_a_tab(site: Site) -> Sequence[Answer]:
    """A tab between two slashes, which browsers drop."""
    return _lands(site, "/\t/elsewhere.example.test/")


@RELAY.play(signed_in())
def next_with_a_header(site: Site) -> Sequence[Answer]:
    """A line break and a header of the attacker's."""
    return _lands(site, "/\r\nSet-Cookie: siq_session=x")


@RELAY.play(signed_in())
def next_that_is_a_script(site: Site) -> Sequence[Answer]:
    """A script as the destination."""
    return _lands(site, "javascript:alert(1)")


@RELAY.play(signed_in())
def next_that_signs_out(site: Site) -> Sequence[Answer]:
    """A destination that signs the person out, or in again, for ever."""
    return _lands(site, "/signout")


@RELAY.play(signed_in())
def next_above_the_root(site: Site) -> Sequence[Answer]:
    """Dots that lead to two slashes."""
    return _lands(site, "/.//elsewhere.example.test/")


def _click(site: Site, relay_state: str) -> Sequence[Answer]:
    """A click at the provider with this RelayState. Where a connection takes none, nothing of it is followed either."""
    with site.browser() as browser:
        answer = site.deliver(browser, site.good().response().form_value, relay_state)
    if site.main.unsolicited is not Unsolicited.ACCEPT and not answer.person and "elsewhere" not in answer.location:
        return []
    return [answer]


@RELAY.play(signed_in())
def relay_state_of_another_site(site: Site) -> Sequence[Answer]:
    """A click at the provider with another site as RelayState."""
    return _click(site, "https://elsewhere.example.test/")


@RELAY.play(signed_in())
def relay_state_without_a_scheme(site: Site) -> Sequence[Answer]:
    """The same without a scheme."""
    return _click(site, "//elsewhere.example.test")


@RELAY.play(signed_in())
def relay_state_that_is_data(site: Site) -> Sequence[Answer]:
    """A page of the attacker's as RelayState."""
    return _click(site, "data:text/html,<script>alert(1)</script>")


@RELAY.play(signed_in())
def endless_relay_state(site: Site) -> Sequence[Answer]:
    """A RelayState of 50,000 characters, where the specification has 80 bytes."""
    return _click(site, "/" + "a" * 50_000)


@RELAY.play(refused(RESPONSE_UNREADABLE))
def script_in_a_refused_form(site: Site) -> Sequence[Answer]:
    """A script in every field of a form that is refused."""
    script = '"><script>alert(1)</script>'
    with site.browser() as browser:
        return [browser.post(site.main.acs_url, {"SAMLResponse": script, "RelayState": script, script: script})]


@RELAY.play(refused(SIGNATURE_INVALID))
def script_in_the_name_of_a_refused_person(site: Site) -> Sequence[Answer]:
    """A script as the NameID of a response that is refused."""
    with site.browser() as browser:
        asked = site.begin(browser)
        response = site.good(asked).response(by=site.stranger, subject="<script>alert(1)</script>")
        return [site.deliver(browser, response.form_value, asked.relay_state)]


@CONTROLS.play(signed_in("/settings?tab=profile"), control=True)
def sign_in_that_was_begun_at_a_page(site: Site) -> Sequence[Answer]:
    """The person lands where they wanted to go."""
    return _lands(site, "/settings?tab=profile")
