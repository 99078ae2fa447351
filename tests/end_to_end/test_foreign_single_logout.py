"""Single logout with identity providers that nobody here wrote: out at one side is out at the other."""

from __future__ import annotations

import re
from itertools import count
from typing import Any, Literal
from urllib.parse import urlencode, urljoin

import httpx
import lxml.html
import pytest
from playwright.sync_api import Page, expect

from core.flows import key_rotation
from core.testing.identity_provider import IdentityProvider
from tests.end_to_end.product import Connection, Product, signed_in_as, words
from tests.peers.peers import ALICE, BOB, Peer, form_fields, page_parser, simplesamlphp, walk

numbers = count()
Binding = Literal["redirect", "post"]


@pytest.fixture
def connection(siq: Product, peer: Peer, request: pytest.FixtureRequest) -> Connection:
    """A connection to a provider that knows our certificate and where to sign people out."""
    return connected(siq, peer, getattr(request, "param", "redirect"))


def connected(siq: Product, peer: Peer, binding: Binding = "redirect") -> Connection:
    name = f"logout {next(numbers)}"
    values = {
        "sso.issuer": peer.entity_id,
        "sso.sign_in_url": peer.sign_in_url,
        "sso.certificate": peer.certificate_pem,
        "sso.sign_requests": "true",
        "sso.single_logout_url": peer.logout_url,
    }
    made = siq.activate("custom_saml", siq.organization(name), values)
    (key,) = key_rotation.keys(siq.host, siq.operator(name), "custom_saml")
    register(peer, made, key.pem, binding)
    return made


def register(peer: Peer, connection: Connection, certificate: str, binding: Binding = "redirect") -> None:
    peer.register(
        entity_id=connection.audience,
        acs_url=connection.acs_url,
        signed_by=certificate,
        logout_url=connection.single_logout_url,
        logout_binding=binding,
    )


both_bindings = pytest.mark.parametrize("connection", ["redirect", "post"], indirect=True)


def sign_in(client: httpx.Client, connection: Connection) -> None:
    form = walk(client, connection.login_url, ALICE)
    client.post(form.action, data=dict(form.fields))
    assert signed_in_as(client) is not None


def sign_in_on(page: Page, siq: Product, peer: Peer, connection: Connection) -> None:
    page.goto(connection.login_url)
    page.locator(peer.user_box).fill(ALICE.user)
    page.locator(peer.password_box).fill(ALICE.password)
    page.locator(peer.button).first.click()
    page.wait_for_url(f"{siq.url}/")


def follow(client: httpx.Client, response: httpx.Response, limit: int = 15) -> httpx.Response:
    """Go where redirects, Refresh headers and forms with a message lead, as a browser does."""
    for _ in range(limit):
        onward = re.fullmatch(r"\d+; url=(.*)", response.headers.get("Refresh", ""))
        if response.has_redirect_location:
            response = client.get(urljoin(str(response.url), response.headers["Location"]))
        elif onward:
            response = client.get(onward[1])
        else:
            page: Any = lxml.html.fromstring(response.content, parser=page_parser(response))
            forms = page.xpath("//form[.//input[@name='SAMLRequest' or @name='SAMLResponse']]")
            if not forms:
                return response
            action = urljoin(str(response.url), forms[0].get("action"))
            response = client.post(action, data=form_fields(forms[0]))
    pytest.fail(f"no end after {limit} pages; the last was {response.url}")


def sign_out_here(client: httpx.Client) -> httpx.Response:
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)
    assert token
    return client.post("/signout", data={"csrf": token[1]})


def asks_for_a_password(client: httpx.Client, connection: Connection) -> bool:
    """Whether the provider wants to know who is there, or answers for somebody who is signed in."""
    page = follow_to_password_or_answer(client, client.get(connection.login_url))
    return "password" in page.text and "SAMLResponse" not in page.text


def follow_to_password_or_answer(client: httpx.Client, response: httpx.Response) -> httpx.Response:
    while response.has_redirect_location:
        response = client.get(urljoin(str(response.url), response.headers["Location"]))
    return response


@both_bindings
def test_out_here_is_out_there(client: httpx.Client, connection: Connection) -> None:
    sign_in(client, connection)
    assert not asks_for_a_password(client, connection)
    left = sign_out_here(client)
    assert signed_in_as(client) is None  # before the provider knows of it
    page = follow(client, left)
    assert "You are signed out at Custom SAML 2.0, too." in words(page)
    assert asks_for_a_password(client, connection)


@both_bindings
def test_out_there_is_out_here(client: httpx.Client, siq: Product, peer: Peer, connection: Connection) -> None:
    sign_in(client, connection)
    with siq.client() as elsewhere:  # another person's session of the same connection goes on
        form = walk(elsewhere, connection.login_url, BOB)
        elsewhere.post(form.action, data=dict(form.fields))
        page = follow(client, client.get(f"{peer.logout_url}?{urlencode({'ReturnTo': peer.entity_id})}"))
        assert page.url.host == "127.0.0.1"  # where it began
        assert signed_in_as(client) is None
        assert asks_for_a_password(client, connection)
        assert signed_in_as(elsewhere) is not None


def test_out_at_one_is_out_at_every_other(
    client: httpx.Client, siq: Product, peer: Peer, connection: Connection
) -> None:
    sign_in(client, connection)
    with siq.client() as kept:  # the session in the first organization; the browser has one cookie for both
        kept.cookies.update(client.cookies)
        assert signed_in_as(kept)
        second = connected(siq, peer)
        sign_in(client, second)
        assert "You are signed out at Custom SAML 2.0, too." in words(follow(client, sign_out_here(client)))
        assert signed_in_as(kept) is None


def test_people_are_signed_out_here_whatever_the_provider_makes_of_it(
    client: httpx.Client, peer: Peer, connection: Connection
) -> None:
    """The provider does verify: it knows another key, and says nothing that we would take."""
    sign_in(client, connection)
    register(peer, connection, IdentityProvider.create("urn:other").certificate_pem)
    left = sign_out_here(client)
    assert signed_in_as(client) is None
    page = follow(client, left)
    assert page.url.host == "127.0.0.1"  # its own error page
    assert signed_in_as(client) is None


def test_a_person_signs_out_in_a_browser(page: Page, siq: Product, peer: Peer, connection: Connection) -> None:
    sign_in_on(page, siq, peer, connection)
    page.evaluate("document.querySelector('form[action=\"/signout\"]').submit()")
    expect(page.get_by_text("You are signed out at Custom SAML 2.0, too.")).to_be_visible()
    page.goto(connection.login_url)
    expect(page.locator(peer.password_box)).to_be_visible()


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_a_provider_that_signs_out_in_frames_reaches_us(
    page: Page, siq: Product, tmp_path_factory: pytest.TempPathFactory, binding: Binding
) -> None:
    """In a frame of another site a browser sends no cookie of ours: the request alone says whose session ends."""
    with simplesamlphp(tmp_path_factory.mktemp("ssp"), logout="iframe") as framing:
        connection = connected(siq, framing, binding)
        sign_in_on(page, siq, framing, connection)
        end = framing.sign_in_url.replace("saml2/idp/SSOService.php", "resources/default.css")
        page.goto(f"{framing.logout_url}?{urlencode({'ReturnTo': end})}")
        page.get_by_role("button", name="Yes, all services").click()
        page.wait_for_url(end)  # it goes there when every frame came back with success, and stays where one did not
        assert page.request.get(f"{siq.url}/api/v1/me").status == httpx.codes.UNAUTHORIZED
