"""What the interface does, by keyboard and with scripts, and that it works without them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import Page, Route, expect

from core.flows import activation
from core.testing.identity_provider import IdentityProvider
from tests.browser.conftest import Visitors
from tests.website import SIGN_IN_URL, Website, plugins_folder, running

CATALOG = "/settings/integrations/catalog"
AWS = "/settings/integrations/aws_sso"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    """An organization in which nothing is set up yet; the tests below set things up in order."""
    folder = tmp_path_factory.mktemp("siq")
    with running(folder, plugins_folder(folder)) as website:
        yield website


def opened(page: Page) -> Page:
    page.goto(CATALOG)
    page.get_by_role("link", name="Activate Amazon AWS").click()
    expect(page.get_by_role("dialog", name="Activate Amazon AWS")).to_be_visible()
    return page


def test_the_dialog_takes_focus_and_gives_it_back(page: Page) -> None:
    opened(page)
    expect(page.get_by_role("heading", name="Activate Amazon AWS")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("link", name="Activate Amazon AWS")).to_be_focused()


def test_the_dialog_opens_by_keyboard_and_keeps_focus_inside(page: Page) -> None:
    page.goto(CATALOG)
    page.get_by_role("link", name="Activate Amazon AWS").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "!document.activeElement || document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )


@pytest.mark.parametrize("width", [360, 768])
def test_the_audit_log_says_who_and_what_on_a_narrow_screen(visitors: Visitors, width: int) -> None:
    page = visitors.page(width=width)
    page.goto("/audit?q=link.sign_in")
    row = page.get_by_role("row").filter(has_text="Signed in with a one-time link").first
    for text in ("Maya Okafor", re.compile("^[0-9A-Z]{12}$")):
        expect(row.get_by_text(text).filter(visible=True)).to_be_in_viewport()
    assert page.evaluate("[...document.querySelectorAll('.tablewrap')].every(e => e.scrollWidth <= e.clientWidth)")


def test_a_changed_form_asks_once_before_it_closes(page: Page) -> None:
    opened(page)
    page.get_by_role("tab", name="SSO").click()
    page.get_by_label("AWS SSO sign-in URL").fill("https://typed.example")
    page.keyboard.press("Escape")
    expect(page.get_by_text("You have unsaved changes. Close again to discard them.").first).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_click_outside_does_not_close_a_form(page: Page) -> None:
    opened(page)
    page.mouse.click(5, 5)
    expect(page.get_by_role("dialog")).to_be_visible()


def test_tabs_follow_the_arrow_keys(page: Page) -> None:
    opened(page)
    provisioning, sso = page.get_by_role("tab", name="Provisioning"), page.get_by_role("tab", name="SSO")
    provisioning.focus()
    for key, now in (
        ("ArrowRight", sso),
        ("ArrowRight", provisioning),
        ("ArrowLeft", sso),
        ("Home", provisioning),
        ("End", sso),
    ):
        page.keyboard.press(key)
        expect(now).to_be_focused()
        expect(now).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("AWS SSO sign-in URL")).to_be_visible()
    expect(page.get_by_role("textbox", name="SCIM base URL")).to_be_hidden()


def test_errors_are_summed_up_counted_and_lead_to_their_field(page: Page) -> None:
    opened(page)
    page.get_by_role("button", name="Activate", exact=True).click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("There is a problem")
    assert page.title().startswith("Error: ")
    expect(page.get_by_role("tab", name="SSO 2 errors")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Provisioning").click()
    summary.get_by_role("link", name=re.compile("AWS SSO sign-in URL")).click()
    field = page.get_by_label("AWS SSO sign-in URL")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    described = field.get_attribute("aria-describedby") or ""
    assert any("Error:" in page.locator(f"[id='{one}']").inner_text() for one in described.split())
    expect(page.get_by_role("button", name="Activate", exact=True)).to_be_visible()  # no longer "Checking…"


def test_enter_in_a_field_activates_and_does_not_fill_in(page: Page) -> None:
    opened(page)
    page.get_by_role("tab", name="SSO").click()
    page.get_by_label("AWS SSO sign-in URL").fill("portal.example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("https:// at the start")
    expect(page.get_by_label("AWS SSO sign-in URL")).to_have_value("portal.example")


def test_copy_says_so_in_place_and_aloud(page: Page) -> None:
    opened(page)
    page.get_by_role("tab", name="SSO").click()
    page.get_by_role("button", name="Copy Application ACS URL").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    expect(page.locator("#live")).to_have_text("Application ACS URL copied")
    assert page.evaluate("navigator.clipboard.readText()").endswith("/acs")


def test_a_chosen_certificate_file_fills_the_text(page: Page, provider: IdentityProvider) -> None:
    opened(page)
    page.get_by_role("tab", name="SSO").click()
    content = provider.certificate_pem.encode()
    page.get_by_label("X.509 Certificate file").set_input_files(
        {"name": "idc.pem", "mimeType": "application/x-x509-ca-cert", "buffer": content}
    )
    expect(page.get_by_label("X.509 Certificate", exact=True)).to_have_value(re.compile("BEGIN CERTIFICATE"))
    expect(page.locator("#live")).to_have_text("Loaded idc.pem")


def test_a_binary_certificate_file_is_left_to_the_server(page: Page, provider: IdentityProvider) -> None:
    der = x509.load_pem_x509_certificate(provider.certificate_pem.encode()).public_bytes(Encoding.DER)
    opened(page)
    page.get_by_role("tab", name="SSO").click()
    page.get_by_label("X.509 Certificate file").set_input_files(
        {"name": "idc.der", "mimeType": "application/x-x509-ca-cert", "buffer": der}
    )
    expect(page.locator("#live")).to_have_text("idc.der is read when you continue")
    page.get_by_role("button", name="Activate", exact=True).click()  # refused: there is no sign-in URL
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_text("Certificate read: CN=amazonaws.com")).to_be_visible()


def test_slash_goes_to_the_search_which_answers_while_typing(page: Page) -> None:
    page.goto(CATALOG)
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search integrations")
    expect(search).to_be_focused()
    page.keyboard.type("amazon")
    expect(page.get_by_role("heading", name="Every widget")).to_have_count(0)
    expect(page.get_by_role("heading", name="Amazon AWS")).to_be_visible()
    expect(page.locator("#live")).to_have_text("1 integration")
    expect(search).to_be_focused()
    expect(page).to_have_url(re.compile(r"q=amazon"))
    page.go_back()
    expect(page.get_by_role("heading", name="Every widget")).to_be_visible()


def test_the_theme_changes_at_once_and_stays(page: Page) -> None:
    page.goto("/settings")
    page.get_by_role("button", name="account menu").click()
    with page.expect_response("**/theme"):
        page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    page.goto("/")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.emulate_media(color_scheme="light")
    assert (
        page.evaluate(
            "getComputedStyle(document.body).colorScheme || getComputedStyle(document.documentElement).colorScheme"
        )
        == "dark"
    )


def test_the_profile_menu_opens_and_closes_by_keyboard(page: Page) -> None:
    page.goto("/")
    name = page.get_by_role("button", name="account menu")
    name.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Settings", exact=True).first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(name).to_be_focused()


def test_fields_that_do_not_apply_are_hidden_until_they_do(page: Page) -> None:
    page.goto("/settings/integrations/every_widget/activate")
    expect(page.get_by_label("Report times")).to_be_hidden()
    page.get_by_label("At times of your own").check()
    expect(page.get_by_label("Report times")).to_be_visible()


def test_a_file_of_the_dialog_is_saved_and_what_was_typed_stays(page: Page) -> None:
    opened(page)
    page.get_by_role("tab", name="SSO").click()
    page.get_by_label("AWS SSO sign-in URL").fill("https://typed.example")
    page.get_by_role("tab", name="Provisioning").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download siq-push.yaml").click()
    assert saved.value.suggested_filename == "siq-push.yaml"
    page.get_by_role("tab", name="SSO").click()
    expect(page.get_by_label("AWS SSO sign-in URL")).to_have_value("https://typed.example")


def test_a_dialog_whose_post_does_not_arrive_keeps_what_was_typed(page: Page) -> None:
    opened(page)
    page.get_by_role("tab", name="SSO").click()
    page.get_by_label("AWS SSO sign-in URL").fill("https://typed.example")
    page.context.set_offline(offline=True)
    page.get_by_role("button", name="Activate", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Your text is still here")
    expect(page.get_by_label("AWS SSO sign-in URL")).to_have_value("https://typed.example")
    page.context.set_offline(offline=False)
    page.get_by_role("button", name="Activate", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("There is a problem")


def test_a_session_that_ended_while_the_dialog_was_open_loses_nothing(page: Page, site: Website) -> None:
    opened(page)
    page.get_by_role("tab", name="SSO").click()
    page.get_by_label("AWS SSO sign-in URL").fill("https://typed.example")
    page.context.clear_cookies(name="siq_session")
    page.get_by_role("button", name="Activate", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Your text is still here")
    with page.context.expect_page() as again:  # the way in, in another tab
        page.evaluate("window.open('/signin')")
    again.value.goto(site.link())
    again.value.get_by_role("button", name="Sign in").click()
    again.value.wait_for_url(f"{site.origin}/")
    for _ in range(2):  # the first answer brings the token of the new session
        page.get_by_role("button", name="Activate", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("There is a problem")
    expect(page.get_by_label("AWS SSO sign-in URL")).to_have_value("https://typed.example")


def test_activation_without_scripts(visitors: Visitors, provider: IdentityProvider) -> None:
    page = visitors.page(scripts=False)
    page.get_by_role("button", name="account menu").click()
    page.get_by_role("link", name="Settings", exact=True).first.click()
    page.get_by_role("navigation").get_by_role("link", name="Integrations").click()
    page.get_by_role("link", name="READ MORE").click()
    page.get_by_role("link", name="Activate Amazon AWS").click()
    expect(page.get_by_role("heading", level=1, name="Activate Amazon AWS")).to_be_visible()
    page.get_by_label("AWS SSO sign-in URL").fill("portal.example")
    page.get_by_role("button", name="Activate", exact=True).click()
    expect(page.get_by_text("There is a problem")).to_be_visible()
    expect(page.get_by_label("AWS SSO sign-in URL")).to_have_value("portal.example")
    page.get_by_label("AWS SSO sign-in URL").fill(SIGN_IN_URL)
    page.get_by_label("X.509 Certificate", exact=True).fill(provider.certificate_pem)
    page.get_by_role("button", name="Activate", exact=True).click()
    page.wait_for_url(f"**{AWS}?done=active")
    expect(page.get_by_text("Amazon AWS is active")).to_be_visible()


def test_an_active_integration_is_edited_and_disabled_in_dialogs(
    page: Page, provider: IdentityProvider, site: Website
) -> None:
    site.activate(provider)
    page.goto(AWS)
    page.get_by_role("link", name="Edit settings").first.click()
    page.get_by_role("tab", name="SSO").click()
    page.get_by_label("Amazon AWS Portal URL").fill("https://d-93677f1c2a.awsapps.com/start")
    page.get_by_role("button", name="Save changes").click()
    page.wait_for_url(f"**{AWS}?done=saved")
    expect(page.get_by_text("Your changes are saved")).to_be_visible()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Disable…").click()
    dialog = page.get_by_role("dialog", name="Disable Amazon AWS?")
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Disable").click()
    page.wait_for_url(f"**{AWS}?done=disabled")
    expect(page.get_by_text("Amazon AWS is disabled")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_request_is_posted_at_once_or_by_a_button(
    visitors: Visitors, site: Website, provider: IdentityProvider, scripts: bool
) -> None:
    activated = activation.set_values(
        site.services,
        site.actor,
        "custom_saml",
        {
            "sso.issuer": "https://idp.example.test/",
            "sso.sign_in_url": "https://idp.example.test/sso",
            "sso.certificate": provider.certificate_pem,
            "sso.request_binding": "post",
            "sso.sign_requests": "true",
        },
    )
    page = visitors.page(role=None, scripts=scripts)
    arrived: list[str] = []

    def answer(route: Route) -> None:
        arrived.append(f"{route.request.method} {route.request.post_data}")
        route.fulfill(content_type="text/html", body="<h1>The provider</h1>")

    page.route("https://idp.example.test/**", answer)
    page.goto("/signin")
    page.goto(activated.site.login_url)
    if not scripts:
        page.get_by_role("button", name="Continue to idp.example.test").click()
    expect(page.get_by_role("heading", name="The provider")).to_be_visible()
    assert len(arrived) == 1
    assert arrived[0].startswith("POST SAMLRequest=")
    assert "RelayState=" in arrived[0]
    if scripts:  # the page that carried the request took no place in the history
        page.go_back()
        expect(page).to_have_url(f"{site.origin}/signin")


def test_one_attempt_is_open_at_a_time(page: Page, provider: IdentityProvider, site: Website) -> None:
    aws = site.activate(provider)
    for audience in ("https://one.example", "https://two.example"):
        site.sso(aws, provider, audience=audience)
    page.goto(AWS)
    rows = page.locator("details.att")
    rows.nth(0).locator("summary").click()
    expect(rows.nth(0).get_by_role("heading", name="How to fix it")).to_be_visible()
    rows.nth(1).locator("summary").click()
    expect(rows.nth(1).get_by_role("heading", name="How to fix it")).to_be_visible()
    expect(rows.nth(0).get_by_role("heading", name="How to fix it")).to_be_hidden()
    page.get_by_role("link", name=re.compile("^Failed")).click()
    expect(page).to_have_url(re.compile("outcome=failed"))
    expect(page.locator("details.att")).to_have_count(2)
