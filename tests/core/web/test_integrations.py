from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from core.flows import activation
from core.testing.identity_provider import IdentityProvider
from tests.website import SIGN_IN_URL, Website, plugins_folder, post, running, text_of

CATALOG = "/settings/integrations/catalog"
AWS = "/settings/integrations/aws_sso"
ACTIVATE = f"{AWS}/activate"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Website]:
    """An organization in which nothing is set up."""
    with running(tmp_path, plugins_folder(tmp_path)) as website:
        yield website


def entered(page: httpx.Response, name: str) -> str:
    """What stands in the text area or input of this name."""
    area = re.search(rf'<textarea[^>]* name="{re.escape(name)}"[^>]*>\n?(.*?)</textarea>', page.text, re.DOTALL)
    field = area or re.search(rf'<input[^>]* name="{re.escape(name)}" value="([^"]*)"', page.text)
    assert field, name
    return unescape(field.group(1))


def test_the_way_from_settings_to_the_catalog(admin: httpx.Client) -> None:
    assert 'href="/settings/integrations"' in admin.get("/settings").text
    entry = admin.get("/settings/integrations")
    assert "Third Party Integrations" in text_of(entry)
    assert "READ MORE" in text_of(entry)
    assert f'href="{CATALOG}?category=provisioning-sso"' in entry.text
    catalog = admin.get(f"{CATALOG}?category=provisioning-sso")
    assert "<h1>Provisioning &amp; SSO</h1>" in catalog.text
    assert "Activate Amazon AWS" in text_of(catalog)


def test_search_and_status_narrow_the_catalog_and_say_when_nothing_is_left(admin: httpx.Client) -> None:
    assert "Amazon AWS" in text_of(admin.get(f"{CATALOG}?q=identity+center"))
    nothing = text_of(admin.get(f"{CATALOG}?q=pagerduty"))
    assert "Nothing matches “pagerduty”" in nothing
    assert "Amazon AWS" not in nothing
    assert "Nothing here yet" in text_of(admin.get(f"{CATALOG}?category=ticketing"))
    hostile = admin.get(CATALOG, params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in hostile.text


def test_a_search_of_htmx_gets_the_tiles_alone(admin: httpx.Client) -> None:
    part = admin.get(f"{CATALOG}?q=aws", headers=HTMX)
    assert part.text.lstrip().startswith('<div id="results"')
    assert part.headers["vary"] == admin.get(CATALOG).headers["vary"] == "HX-Request"
    assert "<!doctype html>" in admin.get(CATALOG).text


def test_a_broken_plugin_has_a_tile_that_says_why(admin: httpx.Client) -> None:
    page = text_of(admin.get(CATALOG))
    assert "half_made" in page
    assert "Not working" in page
    assert "describe_tyle" in page
    assert admin.get("/settings/integrations/half_made/activate").status_code == 404


def test_the_form_is_a_page_and_for_htmx_a_dialog(admin: httpx.Client) -> None:
    page = admin.get(ACTIVATE)
    assert "<h1>Activate Amazon AWS</h1>" in page.text
    dialog = admin.get(ACTIVATE, headers=HTMX)
    assert dialog.text.lstrip().startswith('<dialog id="activate"')
    labels = ("AWS SSO sign-in URL", "X.509 Certificate", "Application ACS URL", "Application SAML Audience")
    for label in (*labels, "Amazon AWS Portal URL", "SSO Redirect URL (SiQ Portal)", "Users cannot be pulled"):
        assert label in text_of(page)
        assert label in text_of(dialog)


@pytest.mark.parametrize(
    ("asked", "shown"), [("sso", "sso"), ("provisioning", "provisioning"), ("none", "provisioning")]
)
def test_a_link_may_ask_for_a_tab(admin: httpx.Client, asked: str, shown: str) -> None:
    assert f'href="#tab-{shown}" data-selected' in admin.get(f"{ACTIVATE}?tab={asked}", headers=HTMX).text


def test_activation_without_scripts(fresh: Website, provider: IdentityProvider) -> None:
    with fresh.signed_in() as browser:
        answer = post(
            browser,
            ACTIVATE,
            {"intent": "activate", "sso.sign_in_url": SIGN_IN_URL, "sso.certificate": provider.certificate_pem},
        )
        assert (answer.status_code, answer.headers["location"]) == (303, f"{AWS}?done=active")
        page = text_of(browser.get(answer.headers["location"]))
        assert "Amazon AWS is active" in page
        assert "Finish at the provider" in page
        assert "CN=amazonaws.com" in page
        assert "No sign-ins yet" in page
        assert "Active" in text_of(browser.get("/settings/integrations"))


def test_activation_from_the_dialog_redirects_by_htmx(fresh: Website, provider: IdentityProvider) -> None:
    with fresh.signed_in() as browser:
        data = {"intent": "activate", "sso.sign_in_url": SIGN_IN_URL, "sso.certificate": provider.certificate_pem}
        answer = post(browser, ACTIVATE, data, headers=HTMX)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, f"{AWS}?done=active")


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_error_loses_nothing_that_was_typed(fresh: Website, headers: dict[str, str]) -> None:
    typed = {
        "sso.sign_in_url": "portal.sso.eu-west-1.amazonaws.com/saml",
        "sso.certificate": "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----",
        "sso.portal_url": "https://d-93677f1c2a.awsapps.com/start",
    }
    with fresh.signed_in() as browser:
        answer = post(browser, ACTIVATE, {"intent": "activate", **typed}, headers=headers)
        assert answer.status_code == 422
        assert "There is a problem" in text_of(answer)
        assert 'href="#sso-sign_in_url"' in answer.text or 'href="#sso-sign-in-url"' in answer.text
        assert {name: entered(answer, name).replace("\r", "") for name in typed} == typed
        assert browser.get(AWS).status_code == 404  # and nothing was stored
    assert ("<!doctype html>" in answer.text) == (not headers)


def test_a_read_only_value_from_the_browser_is_ignored(fresh: Website, provider: IdentityProvider) -> None:
    with fresh.signed_in() as browser:
        data = {"intent": "activate", "sso.sign_in_url": SIGN_IN_URL, "sso.certificate": provider.certificate_pem}
        post(browser, ACTIVATE, {**data, "sso.audience": "https://evil.example", "sso.nonsense": "1"})
        assert "evil.example" not in browser.get(AWS).text
        assert "evil.example" not in browser.get(ACTIVATE).text


def test_a_certificate_is_shown_as_it_was_read(fresh: Website, provider: IdentityProvider) -> None:
    with fresh.signed_in() as browser:
        answer = post(browser, ACTIVATE, {"intent": "activate", "sso.certificate": provider.certificate_pem})
        assert answer.status_code == 422
        assert "Certificate read: CN=amazonaws.com" in text_of(answer)
        assert "RSA 2048" in text_of(answer)


def test_a_certificate_as_a_file_is_enough(fresh: Website, provider: IdentityProvider) -> None:
    with fresh.signed_in() as browser:
        answer = post(
            browser,
            ACTIVATE,
            {"intent": "activate", "sso.sign_in_url": SIGN_IN_URL},
            files={"sso.certificate_file": ("idc.pem", provider.certificate_pem.encode())},
        )
        assert answer.status_code == 303


def test_metadata_fills_in_sign_in_url_and_certificate(fresh: Website, provider: IdentityProvider) -> None:
    with fresh.signed_in() as browser:
        kept = {"intent": "fill", "sso.portal_url": "https://kept.example"}
        pasted = post(browser, ACTIVATE, {**kept, "sso.metadata": provider.metadata().decode()})
        chosen = post(browser, ACTIVATE, kept, files={"sso.metadata_file": ("m.xml", provider.metadata())})
        for answer in (pasted, chosen):
            assert answer.status_code == 200
            assert "Filled in from the metadata Nothing is saved yet." in text_of(answer)
            assert entered(answer, "sso.sign_in_url") == provider.sign_in_url
            assert "Certificate read" in text_of(answer)
            assert entered(answer, "sso.portal_url") == "https://kept.example"
        assert browser.get(AWS).status_code == 404  # filling in stores nothing


def test_our_metadata_is_there_as_soon_as_the_dialog_says_where_it_is(fresh: Website) -> None:
    with fresh.signed_in() as admin, fresh.browser() as provider:
        dialog = admin.get("/settings/integrations/custom_saml/activate")
        shown = re.search(r"/sso/c-[a-z0-9]+/metadata", dialog.text)
        assert shown
        ours = provider.get(shown[0])
        assert ours.status_code == 200
        assert f'entityID="{fresh.origin}{shown[0].removesuffix("/metadata")}"' in ours.text
        assert ours.text.count("<ds:X509Certificate>") == 2  # to verify with, and to encrypt for


def test_metadata_that_is_none_is_named_and_kept(fresh: Website) -> None:
    with fresh.signed_in() as browser:
        answer = post(browser, ACTIVATE, {"intent": "fill", "sso.metadata": "<html>no metadata</html>"})
        assert answer.status_code == 422
        assert entered(answer, "sso.metadata") == "<html>no metadata</html>"


def test_setup_can_be_finished_later(fresh: Website) -> None:
    with fresh.signed_in() as browser:
        answer = post(browser, ACTIVATE, {"intent": "draft", "sso.sign_in_url": "portal.example"})
        assert answer.headers["location"] == f"{AWS}?done=draft"
        page = text_of(browser.get(answer.headers["location"]))
        assert "Setup not finished" in page
        assert "Still to enter or correct: AWS SSO sign-in URL, X.509 Certificate ." in page
        assert "Continue setting up Amazon AWS" in text_of(browser.get(CATALOG))
        assert entered(browser.get(ACTIVATE), "sso.sign_in_url") == "portal.example"


def test_every_widget_is_shown_and_read(fresh: Website) -> None:
    path = "/settings/integrations/every_widget/activate"
    with fresh.signed_in() as browser:
        page = browser.get(path)
        for widget in (
            'type="radio"',
            "<select",
            'role="switch"',
            'type="checkbox"',
            'type="number"',
            'type="url"',
            'type="email"',
            'type="date"',
            'type="password"',
            "<fieldset",
            "data-cert",
            "data-copy",
        ):
            assert widget in page.text, widget
        data = {
            "intent": "activate",
            "everything.name": "practice",
            "everything.webhook": "https://example.com/hook",
            "everything.api_key": "the secret",
            "everything.enabled": "",
        }
        assert post(browser, path, data).status_code == 303
        again = browser.get(path)
        assert "the secret" not in again.text
        assert "Leave empty to keep it" in text_of(again)
        assert entered(again, "everything.webhook") == "https://example.com/hook"


def test_an_optional_secret_can_be_removed_and_one_that_was_not_saved_is_asked_for_again(fresh: Website) -> None:
    path = "/settings/integrations/every_widget/activate"
    good = {
        "intent": "activate",
        "everything.name": "practice",
        "everything.webhook": "https://example.com/hook",
        "everything.api_key": "the secret",
        "everything.proxy.host": "proxy.example.com",
        "everything.proxy.password": "the other secret",
    }
    removal = {"everything.proxy.password": "", "everything.proxy.password.remove": "true"}
    with fresh.signed_in() as browser:
        assert post(browser, path, good).status_code == 303
        assert 'name="everything.proxy.password.remove" value="true">' in browser.get(path).text
        wrong = post(browser, path, {**good, **removal, "everything.webhook": "nonsense"})
        assert wrong.status_code == 422
        assert 'name="everything.proxy.password.remove" value="true" checked>' in wrong.text
        again = post(browser, path, {**good, "everything.api_key": "another", "everything.webhook": "nonsense"})
        assert "Not saved yet: type it again. Empty keeps the one of" in text_of(again)
        assert post(browser, path, {**good, **removal}).status_code == 303
        assert "everything.proxy.password.remove" not in browser.get(path).text


def test_without_a_dialog_an_empty_value_removes_a_secret_that_is_optional_and_no_other(fresh: Website) -> None:
    name = "every_widget"
    values: dict[str, str | bytes] = {
        "everything.name": "practice",
        "everything.webhook": "https://example.com/hook",
        "everything.api_key": "key",
        "everything.proxy.host": "proxy.example.com",
        "everything.proxy.password": "word",
    }
    removal: dict[str, str | bytes] = {"everything.api_key": "", "everything.proxy.password": ""}

    def kept() -> list[str]:
        form = activation.open_dialog(fresh.services, fresh.actor, name).form
        outer = [one for tab in form.tabs for group in tab.groups for one in group.fields]
        return [one.name for each in outer for one in (each, *each.fields) if one.secret and one.secret.is_set]

    activation.set_values(fresh.services, fresh.actor, name, values)
    assert kept() == ["everything.api_key", "everything.proxy.password"]
    activation.set_values(fresh.services, fresh.actor, name, removal)
    assert kept() == ["everything.api_key"]


def test_an_unknown_plugin_is_a_404(admin: httpx.Client) -> None:
    for path in (
        "/settings/integrations/none",
        "/settings/integrations/none/activate",
        "/settings/integrations/none/guide",
    ):
        assert admin.get(path).status_code == 404
