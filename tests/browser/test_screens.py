"""Every screen in both themes at two widths: no sideways scrolling, nothing that axe-core finds, and a picture of each
where ``SIQ_TEST_PICTURES`` names a folder for them (``make pictures``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from core.store.tables import Role
from core.testing.identity_provider import IdentityProvider
from tests.browser.conftest import Visitors
from tests.website import Website

AWS = "/settings/integrations/aws_sso"
CATALOG = "/settings/integrations/catalog?category=provisioning-sso"
PROVISIONING = f"{AWS}/provisioning"
WIDE, NARROW = 1440, 360
NARROWEST = 320
AXE = Axe()
PICTURES = os.environ.get("SIQ_TEST_PICTURES", "")
Scheme = Literal["light", "dark"]
THEMES: Mapping[Scheme, dict[str, Any] | None] = {
    "light": None,
    "dark": {"runOnly": ["color-contrast"]},  # a theme changes colours, and nothing else that axe looks at
}
LOOKS = pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (WIDE, "light"),
        pytest.param(WIDE, "dark", marks=pytest.mark.thorough),
        pytest.param(NARROW, "light", marks=pytest.mark.thorough),
        *([pytest.param(NARROW, "dark", marks=pytest.mark.thorough)] if PICTURES else ()),
    ],
)
"""Colours are the same at every width: the narrow one in the dark is for pictures alone."""


@dataclass(frozen=True)
class Screen:
    """A screen: where it is, what is done there first, who looks at it."""

    path: str
    act: Callable[[Page], object] = lambda _page: None
    role: Role | None = Role.ADMIN
    whole: bool = True


def open_dialog(page: Page) -> None:
    page.get_by_role("link", name="Edit settings").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def open_sso_tab(page: Page) -> None:
    open_dialog(page)
    page.get_by_role("tab", name="SSO").click()


def fail(page: Page) -> None:
    open_sso_tab(page)
    page.get_by_label("AWS SSO sign-in URL").fill("portal.sso.eu-west-1.amazonaws.com/saml/assertion")
    page.get_by_label("X.509 Certificate", exact=True).fill("-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA…")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("alert")).to_be_focused()


def fill_in(page: Page, provider: IdentityProvider) -> None:
    open_sso_tab(page)
    page.get_by_text("Fill in from metadata", exact=False).first.click()
    page.get_by_label("Metadata XML", exact=True).fill(provider.metadata().decode())
    page.get_by_role("button", name="Fill in from metadata").click()
    expect(page.get_by_text("Filled in from the metadata")).to_be_visible()
    expect(page.get_by_role("tab", name="SSO")).to_have_attribute("aria-selected", "true")


def open_trace(page: Page) -> None:
    page.locator("details.att", has_text="Audience mismatch").first.locator("summary").click()
    expect(page.get_by_role("heading", name="How to fix it")).to_be_visible()


def open_disable(page: Page) -> None:
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Disable…").click()
    expect(page.get_by_role("dialog", name="Disable Amazon AWS?")).to_be_visible()


def open_widgets(page: Page) -> None:
    page.get_by_role("link", name="Activate Every widget").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def open_menu(page: Page) -> None:
    page.get_by_role("button", name="account menu").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def open_more(page: Page) -> None:
    page.get_by_role("button", name="More actions").click()


def open_drawer(page: Page) -> None:
    if page.get_by_role("button", name="Menu", exact=True).is_visible():
        page.get_by_role("button", name="Menu", exact=True).click()


def wrong_password(page: Page) -> None:
    page.get_by_label("Work email").fill("maya.okafor@northwind.example")
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_focused()


def refused(page: Page) -> None:
    page.evaluate(
        """() => { const form = document.forms[0]; form.method = 'post'; form.action = document.querySelector('[href*="/sso/"]').href.replace(/login.*/, 'acs');
        form.replaceChildren(); const field = document.createElement('input'); field.name = 'SAMLResponse'; field.value = 'bm90aGluZw=='; form.append(field); form.submit(); }"""
    )
    expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()


def open_request(page: Page) -> None:
    one = page.locator("details.att", has_text="Refused").first
    one.locator("> summary").click()
    one.get_by_text("Body", exact=False).click()


def create_token(page: Page) -> None:
    if page.get_by_role("button", name="Create token").is_visible():
        page.get_by_role("button", name="Create token").click()
    else:  # two work: the other width has been here
        page.get_by_role("link", name="Revoke").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text("Copy the new token now")).to_be_visible()


def open_revoke(page: Page) -> None:
    page.get_by_role("link", name="Revoke").first.click()
    expect(page.get_by_role("dialog", name="Revoke the token")).to_be_visible()


def preview_rules(page: Page) -> None:
    page.get_by_role("button", name="Add rule").click()
    page.get_by_role("button", name="Add rule").click()
    page.get_by_label("Group").nth(1).select_option("IT Helpdesk")
    page.get_by_label("Role").nth(0).select_option("Space Captain")
    page.get_by_role("button", name="Preview").last.click()
    expect(page.get_by_text("people get another role")).to_be_visible()


CUSTOM = "/settings/integrations/custom_saml"


def two_keys(page: Page) -> None:
    if page.get_by_role("link", name="Add key").is_visible():  # the other width has been here otherwise
        page.get_by_role("link", name="Add key").click()
        page.get_by_role("dialog").get_by_role("button", name="Add key").click()
    expect(page.get_by_role("heading", name="Keys of SiQ")).to_be_visible()


def open_use_key(page: Page) -> None:
    two_keys(page)
    page.get_by_role("link", name="Sign with it…").click()
    expect(page.get_by_role("dialog", name="Sign with this key from now on?")).to_be_visible()


def open_remove_key(page: Page) -> None:
    two_keys(page)
    page.get_by_role("link", name="Remove…").click()
    expect(page.get_by_role("dialog", name="Remove this key?")).to_be_visible()


def open_person(page: Page) -> None:
    page.get_by_role("button", name="Actions for Ana Lindqvist").click()


def open_suspend(page: Page) -> None:
    open_person(page)
    page.get_by_role("link", name="Suspend…").click()
    expect(page.get_by_role("dialog", name="Suspend Ana Lindqvist?")).to_be_visible()


SCREENS = {
    "signin": Screen("/signin", role=None),
    "signin-error": Screen("/signin", wrong_password, role=None),
    "refused": Screen("/signin", refused, role=None),
    "portal": Screen("/portal/northwind", role=None),
    "signed-out": Screen("/signed-out", role=None),
    "not-found-outside": Screen("/nowhere", role=None),
    "home": Screen("/"),
    "home-viewer": Screen("/", role=Role.VIEWER),
    "menu": Screen("/", open_menu, whole=False),
    "drawer": Screen(CATALOG, open_drawer, whole=False),
    "settings": Screen("/settings"),
    "integrations": Screen("/settings/integrations"),
    "catalog": Screen(CATALOG),
    "catalog-all": Screen("/settings/integrations/catalog"),
    "catalog-nothing": Screen("/settings/integrations/catalog?q=pagerduty"),
    "catalog-empty": Screen("/settings/integrations/catalog?category=ticketing"),
    "activate": Screen("/settings/integrations/custom_saml/activate"),
    "dialog-provisioning": Screen(AWS, open_dialog, whole=False),
    "dialog-sso": Screen(AWS, open_sso_tab, whole=False),
    "dialog-errors": Screen(AWS, fail, whole=False),
    "dialog-filled": Screen(AWS, whole=False),
    "dialog-widgets": Screen("/settings/integrations/catalog", open_widgets, whole=False),
    "widgets": Screen("/settings/integrations/every_widget/activate"),
    "integration": Screen(AWS),
    "integration-more": Screen(AWS, open_more, whole=False),
    "integration-trace": Screen(AWS, open_trace),
    "integration-failed": Screen(f"{AWS}?outcome=failed"),
    "integration-draft": Screen("/settings/integrations/custom_saml?done=draft"),
    "keys-one": Screen(f"{CUSTOM}?done=draft"),
    "keys-add": Screen(f"{CUSTOM}/keys/add"),
    "keys-two": Screen(CUSTOM, two_keys),
    "dialog-use-key": Screen(CUSTOM, open_use_key, whole=False),
    "dialog-remove-key": Screen(CUSTOM, open_remove_key, whole=False),
    "disable": Screen(f"{AWS}/disable"),
    "dialog-disable": Screen(AWS, open_disable, whole=False),
    "provisioning": Screen(PROVISIONING),
    "provisioning-request": Screen(PROVISIONING, open_request),
    "provisioning-nothing": Screen(f"{PROVISIONING}?q=zz"),
    "provisioning-new-token": Screen(PROVISIONING, create_token),
    "provisioning-rules": Screen(f"{PROVISIONING}/rules", preview_rules),
    "provisioning-it": Screen(PROVISIONING, role=Role.IT),
    "brake-delete": Screen(f"{PROVISIONING}/brake/delete"),
    "dialog-revoke": Screen(PROVISIONING, open_revoke, whole=False),
    "guide": Screen(f"{AWS}/guide"),
    "users": Screen("/users"),
    "users-menu": Screen("/users", open_person, whole=False),
    "users-it": Screen("/users", role=Role.IT),
    "dialog-suspend": Screen("/users", open_suspend, whole=False),
    "audit": Screen("/audit"),
    "not-found": Screen("/nowhere"),
    "forbidden": Screen("/settings/integrations", role=Role.VIEWER),
}


@pytest.fixture(scope="module")
def windows(chromium: Browser, site: Website) -> Iterator[dict[tuple[Role | None, int], Page]]:
    """One window for each person and width, for all screens."""
    visitors = Visitors(chromium, site)
    yield {
        (role, width): visitors.page(role=role, width=width)
        for role in (None, Role.ADMIN, Role.IT, Role.VIEWER)
        for width in (WIDE, NARROW)
    }
    for context in visitors.contexts:
        context.close()
    assert not visitors.wrong


SETTLED = """async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().iterations !== Infinity);
  await Promise.allSettled(ending.map((one) => one.finished));
}"""  # what opens or changes its colour is on its way for 120 ms: a fault that nobody sees


STICKING_OUT = """() => {
  const inside = [...document.querySelectorAll('.card *, dialog[open] *')].filter((one) => one.checkVisibility());
  const out = inside.filter((one) => !one.closest('.vh, pre') &&
    one.getBoundingClientRect().right > one.closest('.card, dialog').getBoundingClientRect().right + 1);
  return out.map((one) => `${one.tagName}.${one.className}`);
}"""  # of its card or dialog; what scrolls by itself is a pre


def expect_order(page: Page, name: str, width: int, scheme: Scheme, *, whole: bool = True) -> None:
    """What is shown is in order, and a picture of it is taken where they are wanted."""
    page.evaluate(SETTLED)
    if PICTURES:
        page.screenshot(path=Path(PICTURES, f"{name}-{width}-{scheme}.png"), full_page=whole)
    found = AXE.run(page, options=THEMES[scheme])
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(STICKING_OUT) == []


@LOOKS
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_in_order(
    windows: dict[tuple[Role | None, int], Page], provider: IdentityProvider, name: str, width: int, scheme: Scheme
) -> None:
    screen = SCREENS[name]
    page = windows[screen.role, width]
    page.emulate_media(color_scheme=scheme)
    page.goto(screen.path)
    if name == "dialog-filled":
        fill_in(page, provider)
    screen.act(page)
    expect_order(page, name, width, scheme, whole=screen.whole)


@pytest.mark.parametrize("width", [NARROWEST, 768, 1600])
@pytest.mark.parametrize(
    "path", ["/", "/settings/integrations/catalog", AWS, f"{AWS}/activate", PROVISIONING, "/users", "/audit"]
)
def test_no_page_scrolls_sideways(windows: dict[tuple[Role | None, int], Page], path: str, width: int) -> None:
    page = windows[Role.ADMIN, 1440]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path)
    scrolled = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1440, "height": 900})
    assert scrolled <= width


@pytest.mark.thorough
def test_the_profile_name_is_in_the_top_right_corner_at_every_width(
    windows: dict[tuple[Role | None, int], Page],
) -> None:
    page = windows[Role.ADMIN, 1440]
    for width in (NARROWEST, 360, 768, 1440, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        for path in ("/", "/settings/integrations/catalog", f"{AWS}/activate", "/nowhere"):
            page.goto(path)
            box = page.get_by_role("button", name="Maya Okafor").bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < 64, (path, width)
            assert width - (box["x"] + box["width"]) <= 48, (path, width)
            assert box["x"] > width / 2 - 20, (path, width)
    page.set_viewport_size({"width": 1440, "height": 900})


@pytest.mark.parametrize("width", [360, 768])
def test_a_table_with_a_long_name_shows_everything_on_a_narrow_screen(visitors: Visitors, width: int) -> None:
    page = visitors.page(width=width)
    page.goto("/users")
    row = page.get_by_role("row").filter(has_text="Ana Lindqvist")
    row.locator(".person > span:last-child").evaluate(
        "element => { element.firstChild.data = 'somebody.whose.name.is@northwind.example'; }"
    )
    assert page.evaluate("[...document.querySelectorAll('.tablewrap')].every(e => e.scrollWidth <= e.clientWidth)")
    expect(page.get_by_text("Account from Amazon AWS").first).to_be_visible()
