"""The screens of single logout, as those in test_screens are looked at: what people read after they sign out, and what an
administrator sees of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from core.flows.activation import Activated
from core.store.tables import Role
from core.testing import logout as theirs
from core.testing.identity_provider import REQUESTER, SUCCESS, IdentityProvider
from tests.browser.conftest import Visitors
from tests.browser.test_screens import CUSTOM, LOOKS, NARROW, WIDE, Scheme, expect_order, open_dialog
from tests.single_logout import ADA, activated, come_back, leave, path, signed_in
from tests.website import Website

STATUSES = {"ended": (SUCCESS,), "partial": (SUCCESS, theirs.PARTIAL_LOGOUT), "uncertain": (REQUESTER,)}
HEADING = {"signed-out": "You are signed out", "sign-out-refused": "That sign-out was not accepted"}


@dataclass(frozen=True)
class LoggedOut:
    """The addresses of the screens, by their names: those of nobody, and those of an administrator."""

    outside: dict[str, str]
    inside: dict[str, str]


def signed_out(site: Website, connection: Activated, provider: IdentityProvider, state: str) -> str:
    """The address of the page on which a person reads that the sign-out is in this state at the provider."""
    with signed_in(site, connection, provider) as browser:
        page, onward = leave(browser)
        if state == "asking":
            return page.url.raw_path.decode()
        back = come_back(browser, connection, provider, theirs.read(onward), STATUSES[state])
        return str(back.headers["location"])


@pytest.fixture(scope="module")
def logged_out(site: Website, provider: IdentityProvider) -> LoggedOut:
    """People who signed out in each way, and a request that a stranger made."""
    connection = activated(site, provider)
    outside = {f"signed-out-{state}": signed_out(site, connection, provider, state) for state in ("asking", *STATUSES)}
    xml = theirs.logout_request(provider, connection.site.single_logout_url, ADA)
    stranger = theirs.query("SAMLRequest", xml, None, provider.rotate())
    refused = f"{path(connection.site.single_logout_url)}?{stranger}"
    with site.browser() as browser:
        attempt = browser.get(refused).headers["x-correlation-id"]
    inside = {"single-logout": CUSTOM, "single-logout-dialog": CUSTOM, "sign-out-trace": f"{CUSTOM}/attempts/{attempt}"}
    outside["sign-out-refused"] = refused
    return LoggedOut(outside, inside)


@pytest.fixture(scope="module")
def windows(chromium: Browser, site: Website) -> Iterator[dict[tuple[Role | None, int], Page]]:
    """One window for each person and width. The provider shows nothing, so that the page before it stays."""
    visitors = Visitors(chromium, site)
    made = {
        (role, width): visitors.page(role=role, width=width) for role in (None, Role.ADMIN) for width in (WIDE, NARROW)
    }
    for page in made.values():
        page.route("https://idp.example.test/**", stay)
    yield made
    for context in visitors.contexts:
        context.close()
    assert not visitors.wrong


def stay(route: Route) -> None:
    route.fulfill(status=204)


@LOOKS
@pytest.mark.parametrize(
    "name", ["signed-out-asking", *(f"signed-out-{state}" for state in STATUSES), "sign-out-refused"]
)
def test_what_people_read_is_in_order(
    windows: dict[tuple[Role | None, int], Page], logged_out: LoggedOut, name: str, width: int, scheme: Scheme
) -> None:
    page = windows[None, width]
    page.emulate_media(color_scheme=scheme)
    page.goto(logged_out.outside[name])
    heading = next(words for start, words in HEADING.items() if name.startswith(start))
    expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
    expect_order(page, name, width, scheme)


@LOOKS
@pytest.mark.parametrize("name", ["single-logout", "single-logout-dialog", "sign-out-trace"])
def test_what_administrators_see_is_in_order(
    windows: dict[tuple[Role | None, int], Page], logged_out: LoggedOut, name: str, width: int, scheme: Scheme
) -> None:
    page = windows[Role.ADMIN, width]
    page.emulate_media(color_scheme=scheme)
    page.goto(logged_out.inside[name])
    if name == "single-logout-dialog":
        open_dialog(page)
        page.get_by_label("Single logout URL").scroll_into_view_if_needed()
    expect_order(page, name, width, scheme, whole=name != "single-logout-dialog")
