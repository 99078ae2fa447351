"""The SAML endpoints of a connection over HTTP, where it signs its requests or posts them."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from urllib.parse import urlsplit

import httpx
import pytest
from lxml import etree

from core import certificates, clock
from core.flows import activation, key_rotation
from core.flows.activation import Activated
from core.saml import redirect
from core.saml.pinned_keys import Keys
from core.testing.identity_provider import METADATA, IdentityProvider
from core.testing.requests import hidden_fields, parse_posted_request
from core.web import sso
from core.web.sso import AT_ONCE
from tests.website import Website, text_of

PLUGIN = "custom_saml"
SIGN_IN_URL = "https://idp.example.test/sso?tenant=1"


def activated(site: Website, provider: IdentityProvider, **more: str) -> Activated:
    values: dict[str, str | bytes] = {
        "sso.issuer": "https://idp.example.test/",
        "sso.sign_in_url": SIGN_IN_URL,
        "sso.certificate": provider.certificate_pem,
        "sso.request_binding": "redirect",
        "sso.sign_requests": "",
        **{f"sso.{name}": value for name, value in more.items()},
    }
    return activation.set_values(site.services, site.actor, PLUGIN, values)


def path(url: str) -> str:
    return urlsplit(url).path


def known_to_the_provider(browser: httpx.Client, connection: Activated) -> Keys:
    """The keys in our metadata that sign."""
    root = etree.fromstring(browser.get(path(connection.site.metadata_url)).content)
    texts = root.xpath("//*[@use='signing']//*[local-name()='X509Certificate']/text()")
    assert isinstance(texts, list)
    found = [certificate for text in texts for certificate in certificates.read(str(text))]
    return Keys.of(certificates.to_pem(found))


def test_a_signed_redirect_is_verified_with_our_metadata(
    site: Website, nobody: httpx.Client, provider: IdentityProvider
) -> None:
    connection = activated(site, provider, sign_requests="true")
    for _ in range(2):  # with the first key, then with a second one
        answer = nobody.get(path(connection.site.login_url))
        assert answer.status_code == 303
        received = redirect.read(urlsplit(answer.headers["location"]).query.removeprefix("tenant=1&"))
        signing = key_rotation.keys(site.services, site.actor, PLUGIN)[0].certificate.fingerprint
        assert redirect.verify(received, known_to_the_provider(nobody, connection), clock.now()) == signing
        key = key_rotation.add_key(site.services, site.actor, PLUGIN)
        key_rotation.use_key(site.services, site.actor, PLUGIN, key.id)
        old = key_rotation.keys(site.services, site.actor, PLUGIN)[1]
        key_rotation.remove_key(site.services, site.actor, PLUGIN, old.id)


@pytest.mark.parametrize("signed", ["", "true"])
def test_our_metadata_says_whether_requests_are_signed(
    site: Website, nobody: httpx.Client, provider: IdentityProvider, signed: str
) -> None:
    connection = activated(site, provider, sign_requests=signed)
    root = etree.fromstring(nobody.get(path(connection.site.metadata_url)).content)
    role = root.find(f"{{{METADATA}}}SPSSODescriptor")
    assert role is not None
    assert role.get("AuthnRequestsSigned") == ("true" if signed else "false")


def test_a_request_by_post_is_a_page_with_a_button(
    site: Website, nobody: httpx.Client, provider: IdentityProvider
) -> None:
    connection = activated(site, provider, request_binding="post", sign_requests="true")
    answer = nobody.get(path(connection.site.login_url))
    assert answer.status_code == 200
    assert f'<form method="post" action="{SIGN_IN_URL}"' in answer.text
    request = parse_posted_request(hidden_fields(answer.text))
    assert request.issuer == connection.site.audience
    words = text_of(answer)
    assert "Sign in with Custom SAML 2.0" in words
    assert "Continue to idp.example.test" in words
    policy = answer.headers["content-security-policy"]
    assert "form-action https:;" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    minted = provider.response(
        connection.site.acs_url,
        connection.site.audience,
        in_response_to=request.id,
        issuer="https://idp.example.test/",
        subject="ada@northwind.example",
    )
    back = nobody.post(
        path(connection.site.acs_url), data={"SAMLResponse": minted.form_value, "RelayState": request.relay_state}
    )
    assert (back.status_code, back.headers["location"]) == (303, "/")


def test_a_provider_on_this_machine_may_be_posted_to_without_https(
    site: Website, nobody: httpx.Client, provider: IdentityProvider
) -> None:
    connection = activated(
        site, provider, request_binding="post", sign_in_url="http://127.0.0.1:8001/sso", issuer="http://127.0.0.1:8001"
    )
    answer = nobody.get(path(connection.site.login_url))
    assert "form-action https: http:;" in answer.headers["content-security-policy"]


def test_a_sign_in_url_cannot_get_out_of_the_form(
    site: Website, nobody: httpx.Client, provider: IdentityProvider
) -> None:
    url = 'https://idp.example.test;script-src/"><script>alert(1)</script>'
    connection = activated(site, provider, request_binding="post", sign_in_url=url)
    answer = nobody.get(path(connection.site.login_url))
    assert "<script>alert" not in answer.text
    assert answer.headers["content-security-policy"].count("script-src") == 1


def test_sign_ins_that_are_refused_make_room_for_the_next(site: Website, provider: IdentityProvider) -> None:
    connection = site.activate(provider)
    for _ in range(AT_ONCE + 1):
        assert site.sso(connection, provider, audience="https://other.example.test").status_code == 400
    assert site.sso(connection, provider).status_code == 303


def test_more_sign_ins_than_are_worked_on_at_once_all_end_in_a_session(
    site: Website, provider: IdentityProvider
) -> None:
    connection = site.activate(provider)
    with ThreadPoolExecutor(3 * AT_ONCE) as people:
        answers = people.map(
            lambda number: site.sso(connection, provider, subject=f"person-{number}@example.test"), range(3 * AT_ONCE)
        )
        assert [answer.status_code for answer in answers] == [303] * 3 * AT_ONCE


def test_sign_ins_that_hang_keep_nobody_waiting_for_ever(
    site: Website, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds a lock, and who waits for it has every place. Whoever comes then is told, and loses nothing."""
    connection = activated(site, provider, issuer=provider.entity_id, unsolicited="accept")
    acs, audience = connection.site.acs_url, connection.site.audience
    minted = [provider.response(acs, audience, subject=f"{number}@example.test") for number in range(AT_ONCE + 1)]
    monkeypatch.setattr(sso, "LONGEST_IN_LINE", 0.1)

    def deliver(number: int) -> httpx.Response:
        with site.browser() as browser:
            return browser.post(path(acs), data={"SAMLResponse": minted[number].form_value})

    with ThreadPoolExecutor(AT_ONCE + 1) as people:
        with site.services.database.writing(site.actor.organization_id):
            coming = {people.submit(deliver, number): number for number in range(AT_ONCE + 1)}
            (first, *_), _ = wait(coming, return_when=FIRST_COMPLETED)
            told = first.result()
        others = [each.result().status_code for each in coming if each is not first]
    assert (told.status_code, told.headers["retry-after"]) == (503, "60")
    assert "SiQ is busy" in text_of(told)
    assert others == [303] * AT_ONCE
    assert deliver(coming[first]).status_code == 303
