"""The whole story in Chromium, with SiQ on localhost and the practice identity provider on 127.0.0.1: two sites.

With ``SIQ_WRITE_PICTURES=1`` the first test also takes the pictures of the Amazon AWS guide.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, ViewportSize, expect
from starlette.types import ASGIApp

from core.testing.practice import Practice, create_practice
from core.testing.practice.state import PEOPLE, USUAL_ATTRIBUTES, Application
from tests.end_to_end.product import Connection, Product
from tests.serving import serving

GUIDE = Path(__file__).parents[2] / "plugins" / "aws_sso" / "guide"
PICTURE_SIZE: ViewportSize = {"width": 1180, "height": 780}
PRIYA = PEOPLE["priya.raman@northwind.example"]
ZOE = PEOPLE["zoe.oconnor@northwind.example"]


@pytest.fixture(scope="module")
def practice() -> Iterator[Practice]:
    """A practice identity provider; its state."""
    made: list[Practice] = []

    def create(origin: str) -> ASGIApp:
        app = create_practice(origin)
        made.append(app.state.practice)
        return app

    with serving(create):
        yield made[0]


@dataclass(frozen=True, slots=True)
class Activated:
    """An organization with Amazon AWS active, and the application at the practice provider."""

    organization: str
    connection: Connection
    application: Application
    values: dict[str, str]


@pytest.fixture
def activated(siq: Product, practice: Practice, request: pytest.FixtureRequest) -> Activated:
    """Amazon AWS set up on both sides, everybody assigned, the portal set to sign people in by itself."""
    organization = siq.organization(request.node.name[:60])
    application = practice.add_application()
    values = {
        "sso.sign_in_url": application.sign_in_url,
        "sso.certificate": application.active_key.pem,
        "sso.portal_url": f"{practice.origin}/start",
    }
    connection = siq.activate("aws_sso", organization, values)
    siq.activate("aws_sso", organization, {"sso.redirect_url": connection.login_url})
    application.name = f"SiQ {organization}"
    application.acs_url, application.audience = connection.acs_url, connection.audience
    application.attributes, application.assigned = USUAL_ATTRIBUTES, set(PEOPLE)
    return Activated(organization, connection, application, values)


def picture(place: Page | Locator, name: str, *, of: Locator | None = None) -> None:
    """Take a picture of the guide, where that was asked for, with ``of`` at its top."""
    if os.environ.get("SIQ_WRITE_PICTURES") == "1":
        GUIDE.mkdir(exist_ok=True)
        if of:
            of.evaluate("element => { document.activeElement.blur(); element.scrollIntoView(); }")
        place.screenshot(path=GUIDE / f"{name}.png", animations="disabled")


def carry(source: Locator, target: Locator) -> None:
    """Copy by the button of one window, and paste into the box of the other, as a person does."""
    source.page.bring_to_front()
    source.click()
    expect(source.page.get_by_role("status").filter(has_text="copied")).to_be_attached()
    target.page.bring_to_front()
    target.fill("")
    target.focus()
    target.page.keyboard.press("Control+V")
    expect(target).not_to_have_value("")


def sign_in_at_practice(page: Page, name: str) -> None:
    page.get_by_role("button", name=f"Sign in as {name}").click()


def expect_signed_in(page: Page, siq: Product, name: str, path: str = "/") -> None:
    page.wait_for_url(f"{siq.url}{path}")
    expect(account_menu(page, name)).to_be_visible()


def account_menu(page: Page, name: str = "") -> Locator:
    """The button in the top right corner; browsers may put a space before the comma of its name."""
    return page.get_by_role("button", name=re.compile(re.escape(name) + " ?, account menu")).locator("visible=true")


def sign_out(page: Page) -> None:
    account_menu(page).click()
    page.get_by_role("button", name="Sign out").click()


def open_catalog(page: Page, siq: Product, link: str) -> None:
    """The administrator signs in by a one-time link and goes the way of the product's menu to the catalog."""
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect_signed_in(page, siq, "Maya Okafor")
    account_menu(page, "Maya Okafor").click()
    page.locator("#profile").get_by_role("link", name="Settings").click()
    page.get_by_role("navigation").get_by_role("link", name="Integrations").first.click()
    page.get_by_role("link", name="READ MORE").click()
    page.get_by_role("navigation").get_by_role("link", name="Provisioning & SSO").click()


def add_application(aws: Page, practice: Practice) -> None:
    """The administrator adds SiQ to the console, up to the page with the values of both sides."""
    aws.goto(f"{practice.origin}/console/applications")
    aws.get_by_role("link", name="Add application").click()
    aws.get_by_label("I have an application I want to set up").check()
    aws.get_by_label("SAML 2.0").check()
    aws.get_by_role("button", name="Next").click()
    aws.get_by_label("Display name").fill("SiQ")


def assign_and_map(aws: Page) -> None:
    """The administrator ends the set-up in the console: people, and what SiQ is told about them."""
    aws.get_by_role("link", name="Assign users").locator("visible=true").click()
    aws.get_by_role("button", name="Assign everybody").click()
    aws.locator("summary", has_text="Actions").click()
    aws.get_by_role("link", name="Edit attribute mappings").click()
    aws.get_by_role("button", name="Fill in the usual ones").click()
    aws.get_by_label("Subject maps to").fill("${user:subject}")
    aws.get_by_label("Format of Subject").select_option("persistent")
    aws.get_by_role("button", name="Save changes").click()
    expect(aws.get_by_text("The attribute mappings have been saved.")).to_be_visible()


def test_an_administrator_activates_amazon_aws_and_a_person_signs_in(
    siq: Product, practice: Practice, page: Page, browser: Browser
) -> None:
    organization = siq.organization("Northwind Robotics")
    administrator = ("--email", "maya.okafor@northwind.example", "--name", "Maya Okafor")
    link = siq.run("admin", "create", "--organization", organization, *administrator, "--link")["link"]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.set_viewport_size(PICTURE_SIZE)

    open_catalog(page, siq, link)
    picture(page, "2-catalog")
    aws = page.context.new_page()
    aws.set_viewport_size(PICTURE_SIZE)
    add_application(aws, practice)
    picture(aws, "1-aws-metadata", of=aws.get_by_role("heading", name="IAM Identity Center metadata"))

    page.get_by_role("link", name="Activate Amazon AWS").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("tab", name="SSO").click()
    sign_in_url = dialog.get_by_label("AWS SSO sign-in URL")
    carry(aws.get_by_role("button", name="Copy IAM Identity Center sign-in URL"), sign_in_url)
    certificate = dialog.get_by_label("X.509 Certificate", exact=True)
    carry(aws.get_by_role("button", name="Copy IAM Identity Center Certificate"), certificate)
    dialog.get_by_label("Amazon AWS Portal URL").fill(f"{practice.origin}/start")
    certificate.press("Control+Home")
    picture(dialog, "3-dialog-sso", of=dialog.get_by_role("heading", name="Enter what AWS gives you"))

    acs_url, audience = aws.get_by_label("Application ACS URL"), aws.get_by_label("Application SAML audience")
    carry(dialog.get_by_role("button", name="Copy Application ACS URL"), acs_url)
    carry(dialog.get_by_role("button", name="Copy Application SAML Audience"), audience)
    picture(aws, "4-aws-application", of=aws.get_by_role("heading", name="Application metadata"))
    aws.get_by_role("button", name="Submit").click()
    assign_and_map(aws)

    page.bring_to_front()
    dialog.get_by_role("button", name="Activate", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Amazon AWS")).to_be_visible()
    expect(page.get_by_text("Amazon AWS is active").first).to_be_visible()

    context = browser.new_context(viewport=PICTURE_SIZE)
    person = context.new_page()
    person.goto(f"{siq.url}/portal/{organization}?local=1")
    picture(person, "6-sign-in")
    person.get_by_role("link", name="Continue with Amazon AWS").click()
    person.get_by_label("Username").fill(ZOE.user_name)
    person.get_by_label("Password").fill("anything")
    person.get_by_role("button", name="Sign in", exact=True).click()
    expect_signed_in(person, siq, ZOE.name)
    me = person.request.get(f"{siq.url}/api/v1/me").json()
    assert (me["email"], me["display_name"], me["role"]) == (ZOE.email, ZOE.name, "Viewer")
    context.close()

    page.reload()
    expect(page.get_by_text(ZOE.email).first).to_be_visible()
    picture(page, "5-integration")


def test_a_click_on_the_tile_signs_in(siq: Product, practice: Practice, activated: Activated, page: Page) -> None:
    page.goto(f"{practice.origin}/start")
    sign_in_at_practice(page, PRIYA.name)
    page.get_by_role("link", name=activated.application.name, exact=True).click()
    expect_signed_in(page, siq, PRIYA.name)


def sign_in_by_the_tile(page: Page, practice: Practice, activated: Activated) -> None:
    """What a click on the tile opens, by somebody who is not signed in at the provider yet."""
    page.goto(f"{practice.origin}/start/open/{activated.application.id}")
    sign_in_at_practice(page, PRIYA.name)


def test_a_click_on_the_tile_is_bounced_unseen_and_signs_in(
    siq: Product, practice: Practice, activated: Activated, page: Page
) -> None:
    siq.activate("aws_sso", activated.organization, {"sso.tile_clicks": "bounce"})
    sign_in_by_the_tile(page, practice, activated)
    expect_signed_in(page, siq, PRIYA.name)


def test_a_click_on_the_tile_is_refused_unless_it_opens_the_login_url(
    siq: Product, practice: Practice, activated: Activated, page: Page
) -> None:
    siq.activate("aws_sso", activated.organization, {"sso.tile_clicks": "refuse"})
    sign_in_by_the_tile(page, practice, activated)
    expect(page.get_by_text("SSO-118").first).to_be_visible()
    activated.application.start_url = activated.connection.login_url
    page.goto(f"{practice.origin}/start/open/{activated.application.id}")
    expect_signed_in(page, siq, PRIYA.name)


def test_a_tile_with_a_start_url_begins_here(
    siq: Product, practice: Practice, activated: Activated, page: Page
) -> None:
    activated.application.start_url = activated.connection.login_url
    sign_in_by_the_tile(page, practice, activated)
    expect_signed_in(page, siq, PRIYA.name)
    attempts = page.request.get(f"{siq.url}/api/v1/me").json()
    assert attempts["connection"] == activated.connection.connection


def test_signing_out_leads_to_the_portal_of_aws_where_the_session_lives_on(
    siq: Product, practice: Practice, activated: Activated, page: Page
) -> None:
    page.goto(activated.connection.login_url)
    sign_in_at_practice(page, PRIYA.name)
    expect_signed_in(page, siq, PRIYA.name)
    sign_out(page)
    page.wait_for_url(f"{practice.origin}/start")
    expect(page.get_by_text(f"Signed in as {PRIYA.name}")).to_be_visible()
    assert page.request.get(f"{siq.url}/api/v1/me").status == 401


@pytest.mark.thorough
def test_the_portal_signs_visitors_in_by_itself_and_pauses_after_sign_out(
    siq: Product, practice: Practice, activated: Activated, page: Page
) -> None:
    portal = f"{siq.url}/portal/{activated.organization}"
    page.goto(portal)
    sign_in_at_practice(page, PRIYA.name)
    page.wait_for_url(f"{siq.url}/")
    expect_signed_in(page, siq, PRIYA.name)
    sign_out(page)
    page.wait_for_url(f"{practice.origin}/start")

    page.goto(portal)
    expect(page.get_by_text("You signed out").first).to_be_visible()
    assert page.url == portal, "the session at AWS is alive: without the pause the person would be signed in again"

    page.get_by_role("link", name="Continue with Amazon AWS").click()
    expect_signed_in(page, siq, PRIYA.name)
    page.context.clear_cookies(domain="localhost", name="siq_session")
    page.goto(portal)
    expect_signed_in(page, siq, PRIYA.name)


def test_the_portal_does_not_send_a_visitor_round_in_circles(siq: Product, activated: Activated, page: Page) -> None:
    portal = f"{siq.url}/portal/{activated.organization}"
    page.goto(portal)
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    page.goto(portal)
    expect(page.get_by_text("That did not sign you in").first).to_be_visible()


def test_the_portal_with_local_1_stays_here(siq: Product, activated: Activated, page: Page) -> None:
    portal = f"{siq.url}/portal/{activated.organization}?local=1"
    page.goto(portal)
    assert page.url == portal
    expect(page.get_by_role("link", name="Continue with Amazon AWS")).to_be_visible()


def test_a_sign_in_returns_to_the_page_that_was_asked_for(siq: Product, activated: Activated, page: Page) -> None:
    page.goto(f"{activated.connection.login_url}?next=/settings")
    sign_in_at_practice(page, PRIYA.name)
    expect_signed_in(page, siq, PRIYA.name, "/settings")


def test_a_rotated_certificate_is_refused_until_it_is_added(siq: Product, activated: Activated, page: Page) -> None:
    application = activated.application
    old, new = application.active_key, application.generate_key()
    application.activate_key(new)
    page.goto(activated.connection.login_url)
    sign_in_at_practice(page, PRIYA.name)
    expect(page.get_by_text("SSO-108").first).to_be_visible()

    siq.activate("aws_sso", activated.organization, {"sso.certificate": old.pem + new.pem})
    page.goto(activated.connection.login_url)
    expect_signed_in(page, siq, PRIYA.name)


def test_a_person_who_is_not_assigned_stays_at_the_provider(siq: Product, activated: Activated, page: Page) -> None:
    activated.application.assigned = set()
    page.goto(activated.connection.login_url)
    sign_in_at_practice(page, PRIYA.name)
    expect(page.get_by_role("heading", name="No access")).to_be_visible()
    assert page.request.get(f"{siq.url}/api/v1/me").status == 401


def test_a_bad_response_of_the_bench_shows_its_code(practice: Practice, activated: Activated, page: Page) -> None:
    page.goto(f"{practice.origin}/bench")
    page.get_by_label("Application").select_option(activated.application.id)
    page.get_by_role("button", name="Send: Wrong audience").click()
    page.wait_for_url(activated.connection.acs_url)
    expect(page.get_by_text("SSO-104").first).to_be_visible()
    expect(page.get_by_role("link", name="Try again")).to_be_visible()


def test_a_person_signs_in_without_scripts(siq: Product, activated: Activated, browser: Browser) -> None:
    context: BrowserContext = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(activated.connection.login_url)
    sign_in_at_practice(page, PRIYA.name)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{siq.url}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text(PRIYA.name)
    context.close()


@pytest.mark.thorough
def test_the_pages_of_the_practice_provider_have_no_accessibility_faults(
    practice: Practice, activated: Activated, page: Page
) -> None:
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  this test alone needs it

    axe = Axe()
    page.goto(f"{practice.origin}/start")
    sign_in_at_practice(page, PRIYA.name)
    here = activated.application.page
    paths = ["/", "/console/applications", "/console/applications/add", "/start", "/bench", "/saml/logout/x"]
    paths += [here, f"{here}/configure", f"{here}/attributes", f"{here}/certificates", f"{here}/users"]
    for path in paths:
        page.goto(practice.origin + path)
        found = axe.run(page)
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
    page.set_viewport_size({"width": 360, "height": 800})
    page.emulate_media(color_scheme="dark")
    for path in paths:
        page.goto(practice.origin + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, f"{path} scrolls sideways"
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
