"""Single logout over HTTP: what a browser is sent, and what a person reads."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from lxml import etree

from core.flows import activation
from core.flows.activation import Activated
from core.refusals import LOGOUT_SIGNATURE, LOGOUT_UNKNOWN
from core.testing import logout as theirs
from core.testing.identity_provider import METADATA, REQUESTER, SUCCESS, IdentityProvider
from tests.single_logout import ADA, PLUGIN, THERE, activated, come_back, leave, path, signed_in
from tests.website import Website, text_of

LEAVE = "https://intranet.example.test/bye"


def request(connection: Activated, provider: IdentityProvider, subject: str = ADA) -> str:
    return theirs.logout_request(provider, connection.site.single_logout_url, subject)


def is_signed_in(browser: httpx.Client) -> bool:
    return browser.get("/api/v1/me").status_code == 200


# From here


def test_signing_out_ends_the_session_first_and_goes_on_at_once(site: Website, provider: IdentityProvider) -> None:
    connection = activated(site, provider)
    with signed_in(site, connection, provider) as browser:
        page, onward = leave(browser)
        assert page.headers["refresh"].startswith("0; ")
        assert onward.startswith(f"{THERE}&SAMLRequest=")
        assert not is_signed_in(browser)
        assert "You go on to Custom SAML 2.0, to be signed out there as well" in text_of(page)
        assert "Continue to idp.example.test" in text_of(page)
        assert browser.cookies["siq_portal_paused"] == "1"


@pytest.mark.parametrize(
    ("changes", "onward"),
    [
        (
            {"single_logout_url": "https://idp.example.test/登出?a=ü"},
            "https://idp.example.test/%E7%99%BB%E5%87%BA?a=%C3%BC&SAMLRequest=",
        ),
        ({"single_logout_url": "", "logout_url": "https://例え.example/"}, "https://%E4%BE%8B%E3%81%88.example/"),
    ],
    ids=["single logout", "a page"],
)
def test_the_provider_may_have_letters_beyond_latin_1_in_its_address(
    site: Website, provider: IdentityProvider, changes: dict[str, str], onward: str
) -> None:
    with signed_in(site, activated(site, provider, **changes), provider) as browser:
        page, url = leave(browser)
        assert page.status_code == 200
        assert url.startswith(onward)
        assert not is_signed_in(browser)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ((SUCCESS,), "You are signed out at Custom SAML 2.0, too"),
        ((SUCCESS, theirs.PARTIAL_LOGOUT), "could not reach every service"),
        ((REQUESTER,), "did not confirm that you are signed out there"),
    ],
)
@pytest.mark.parametrize("logout_url", ["", LEAVE])
def test_what_the_provider_says_is_told(
    site: Website, provider: IdentityProvider, status: tuple[str, ...], words: str, logout_url: str
) -> None:
    connection = activated(site, provider, logout_url=logout_url)
    with signed_in(site, connection, provider) as browser:
        _, onward = leave(browser)
        back = come_back(browser, connection, provider, theirs.read(onward), status)
        assert back.status_code == 303
        page = browser.get(back.headers["location"])
    assert "You are signed out" in text_of(page)
    assert words in text_of(page)
    assert page.headers.get("refresh", "") == (f"2; url={LEAVE}" if logout_url else "")


def test_the_portal_does_not_sign_a_person_back_in(site: Website, provider: IdentityProvider) -> None:
    login_url = activated(site, provider).site.login_url
    connection = activated(site, provider, redirect_url=login_url)
    with signed_in(site, connection, provider) as browser:
        _, onward = leave(browser)
        come_back(browser, connection, provider, theirs.read(onward))
        assert "You signed out" in text_of(browser.get("/portal/northwind"))


def test_an_answer_in_a_form_of_the_provider_counts_too(site: Website, provider: IdentityProvider) -> None:
    connection = activated(site, provider)
    with signed_in(site, connection, provider) as browser:
        asked = theirs.read(leave(browser)[1])
        xml = theirs.logout_response(provider, connection.site.single_logout_url, asked.id)
        fields = {"SAMLResponse": theirs.form_value(xml, provider), "RelayState": asked.relay_state}
        back = browser.post(path(connection.site.single_logout_url), data=fields)
        assert "signed out at Custom SAML 2.0, too" in text_of(browser.get(back.headers["location"]))


def test_an_answer_that_nobody_waits_for_gets_a_page(
    site: Website, nobody: httpx.Client, provider: IdentityProvider
) -> None:
    connection = activated(site, provider)
    xml = theirs.logout_response(provider, connection.site.single_logout_url, "_r")
    query = theirs.query("SAMLResponse", xml, "rs", provider)
    page = nobody.get(f"{path(connection.site.single_logout_url)}?{query}")
    assert page.status_code == 400
    assert LOGOUT_UNKNOWN.code in page.text
    assert "belongs to no sign-out that waits in this browser" in text_of(page)


# From the provider


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_the_providers_request_is_answered_by_a_redirect(
    site: Website, nobody: httpx.Client, provider: IdentityProvider, binding: str
) -> None:
    """In a browser that knows nothing of the session: that of an administrator, or a frame without cookies."""
    connection = activated(site, provider)
    url, xml = path(connection.site.single_logout_url), request(connection, provider)
    with signed_in(site, connection, provider) as browser:
        assert is_signed_in(browser)
        if binding == "redirect":
            answer = nobody.get(f"{url}?{theirs.query('SAMLRequest', xml, 'rs-1', provider)}")
        else:
            fields = {"SAMLRequest": theirs.form_value(xml, provider), "RelayState": "rs-1"}
            answer = nobody.post(url, data=fields)
        assert not is_signed_in(browser)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{THERE}&SAMLResponse=")
    assert answer.headers["cache-control"] == "no-store"
    received = theirs.read(answer.headers["location"])
    assert (received.statuses, received.relay_state) == (["Success"], "rs-1")


def test_a_strangers_request_gets_a_page_that_says_how_to_sign_out(site: Website, provider: IdentityProvider) -> None:
    connection = activated(site, provider)
    query = theirs.query("SAMLRequest", request(connection, provider), None, provider.rotate())
    with signed_in(site, connection, provider) as browser:
        page = browser.get(f"{path(connection.site.single_logout_url)}?{query}")
        assert is_signed_in(browser)
    assert page.status_code == 400
    assert f"{LOGOUT_SIGNATURE.code} {LOGOUT_SIGNATURE.name}" in page.text
    assert "That sign-out was not accepted" in text_of(page)
    assert "You are not signed in" not in page.text
    assert 'href="/">Open SiQ' in page.text


def test_the_administrator_sees_what_was_wrong_with_a_sign_out(
    site: Website, nobody: httpx.Client, admin: httpx.Client, provider: IdentityProvider
) -> None:
    connection = activated(site, provider)
    xml = theirs.logout_request(provider, "https://elsewhere.example.test/slo", ADA)
    url = path(connection.site.single_logout_url)
    answer = nobody.get(f"{url}?{theirs.query('SAMLRequest', xml, None, provider)}")
    assert theirs.read(answer.headers["location"]).message == "SSO-404 logout_destination"
    page = admin.get(f"/settings/integrations/{PLUGIN}/attempts/{answer.headers['x-correlation-id']}")
    for words in ("Sign-out attempt", "Sign-out destination", "Message XML", connection.site.single_logout_url):
        assert words in text_of(page)
    assert "One response, one assertion" not in text_of(page)


def test_a_sign_out_that_began_here_is_not_said_to_have_begun_on_the_sign_in_page(
    site: Website, admin: httpx.Client, provider: IdentityProvider
) -> None:
    connection = activated(site, provider)
    with signed_in(site, connection, provider) as browser:
        _, onward = leave(browser)
        back = come_back(browser, connection, provider, theirs.read(onward), (REQUESTER,))
    attempt = back.headers["x-correlation-id"]
    page = text_of(admin.get(f"/settings/integrations/{PLUGIN}/attempts/{attempt}"))
    assert "Started Here, by signing out" in page
    assert "sign-in page" not in page


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"method": "HEAD"}, 405),
        ({"method": "PUT"}, 405),
        ({"method": "POST", "data": {}}, 400),
        ({"method": "POST", "data": {"SAMLRequest": "A", "SAMLResponse": "A"}}, 400),
        ({"method": "POST", "json": {"SAMLRequest": "A"}}, 415),
    ],
)
def test_what_is_no_message_is_refused_before_it_is_read(
    site: Website, nobody: httpx.Client, provider: IdentityProvider, how: dict[str, Any], status: int
) -> None:
    connection = activated(site, provider)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if how.get("data") == {} else {}
    answer = nobody.request(url=path(connection.site.single_logout_url), headers=headers, **how)
    assert answer.status_code == status


def test_an_empty_address_is_no_message(site: Website, nobody: httpx.Client, provider: IdentityProvider) -> None:
    page = nobody.get(path(activated(site, provider).site.single_logout_url))
    assert page.status_code == 400
    assert "SSO-401" in page.text


# What the provider is told


def services_in(page: httpx.Response) -> list[str]:
    root = etree.fromstring(page.content)
    return [str(one.get("Location")) for one in root.iter(f"{{{METADATA}}}SingleLogoutService")]


def test_our_metadata_offers_single_logout_where_it_is_on_and_before_activation(
    site: Website, nobody: httpx.Client, provider: IdentityProvider
) -> None:
    connection = activated(site, provider)
    metadata_path, url = path(connection.site.metadata_url), connection.site.single_logout_url
    assert services_in(nobody.get(metadata_path)) == [url, url]
    activated(site, provider, single_logout_url="")
    assert services_in(nobody.get(metadata_path)) == []
    assert nobody.get(path(url)).status_code == 404
    activation.disable(site.services, site.actor, PLUGIN)
    assert services_in(nobody.get(metadata_path)) == [url, url]


def test_the_integration_shows_the_logout_url_where_single_logout_is_on(
    site: Website, admin: httpx.Client, provider: IdentityProvider
) -> None:
    url = activated(site, provider).site.single_logout_url
    assert url in text_of(admin.get(f"/settings/integrations/{PLUGIN}"))
    activated(site, provider, single_logout_url="")
    assert url not in text_of(admin.get(f"/settings/integrations/{PLUGIN}"))


def test_amazon_aws_takes_no_part_in_it(site: Website, nobody: httpx.Client, provider: IdentityProvider) -> None:
    aws = site.activate(provider)
    assert services_in(nobody.get(path(aws.site.metadata_url))) == []
    page = nobody.get(path(aws.site.single_logout_url))
    assert page.status_code == 404
    assert "takes no part in single logout" in text_of(page)


def test_the_dialog_shows_the_logout_url_and_asks_for_the_providers(admin: httpx.Client) -> None:
    page = admin.get(f"/settings/integrations/{PLUGIN}/activate")
    assert re.search(r"/sso/c-[a-z2-7]+/slo", page.text)
    assert "Single logout URL" in text_of(page)
