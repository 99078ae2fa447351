"""Signing in through two identity providers that nobody here wrote, over HTTP and in a browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Page, expect

from core import refusals
from core.flows import key_rotation
from core.testing.identity_provider import IdentityProvider
from tests.end_to_end.product import Connection, Product, assert_refused, signed_in_as, words
from tests.peers.peers import ALICE, BOB, ZOE, Peer, Person, PostForm, Sign, walk

SIGNED: tuple[Sign, ...] = ("assertion", "response", "both")

Connect = Callable[[Literal["accept", "bounce", "refuse"]], Connection]


@pytest.fixture(scope="module")
def connect(siq: Product, peer: Peer) -> Connect:
    """A connection to the peer, one for each rule about responses that nobody asked for."""
    made: dict[str, Connection] = {}

    def connection(unsolicited: str) -> Connection:
        if unsolicited not in made:
            values = {
                "sso.issuer": peer.entity_id,
                "sso.sign_in_url": peer.sign_in_url,
                "sso.certificate": peer.certificate_pem,
                "sso.unsolicited": unsolicited,
            }
            organization = siq.organization(f"{peer.name} {unsolicited}")
            made[unsolicited] = siq.activate("custom_saml", organization, values)
        return made[unsolicited]

    return connection


def register(
    peer: Peer,
    connection: Connection,
    sign: Sign = "both",
    encrypt_for: str | None = None,
    signed_by: str | None = None,
) -> None:
    peer.register(
        entity_id=connection.audience,
        acs_url=connection.acs_url,
        sign=sign,
        encrypt_for=encrypt_for,
        signed_by=signed_by,
    )


def post(client: httpx.Client, form: PostForm, connection: Connection) -> httpx.Response:
    assert form.action == connection.acs_url
    return client.post(form.action, data=dict(form.fields))


def assert_signed_in(client: httpx.Client, answer: httpx.Response, person: Person, *, at: str = "/") -> None:
    assert answer.status_code == 303, words(answer)
    assert answer.headers["Location"] == at
    found = signed_in_as(client)
    assert found is not None
    assert (found["email"], found["display_name"]) == (person.email, person.display_name)
    assert found["role"] == "Viewer"


@pytest.mark.parametrize("sign", SIGNED)
def test_a_person_signs_in_from_here(client: httpx.Client, peer: Peer, connect: Connect, sign: Sign) -> None:
    connection = connect("accept")
    register(peer, connection, sign)
    form = walk(client, f"{connection.login_url}?next=/settings", ALICE)
    assert_signed_in(client, post(client, form, connection), ALICE, at="/settings")


@pytest.mark.parametrize("sign", SIGNED)
def test_a_person_signs_in_from_the_provider(client: httpx.Client, peer: Peer, connect: Connect, sign: Sign) -> None:
    connection = connect("accept")
    register(peer, connection, sign)
    form = walk(client, peer.start_url(connection.audience), BOB)
    assert_signed_in(client, post(client, form, connection), BOB)


@pytest.mark.parametrize("sign", SIGNED)
def test_names_outside_ascii_arrive_intact(client: httpx.Client, peer: Peer, connect: Connect, sign: Sign) -> None:
    connection = connect("accept")
    register(peer, connection, sign)
    form = walk(client, connection.login_url, ZOE)
    assert_signed_in(client, post(client, form, connection), ZOE)


def test_a_start_at_the_provider_is_bounced_where_the_connection_says_so(
    client: httpx.Client, peer: Peer, connect: Connect
) -> None:
    connection = connect("bounce")
    register(peer, connection)
    answer = post(client, walk(client, peer.start_url(connection.audience), BOB), connection)
    assert answer.status_code == 303
    assert signed_in_as(client) is None
    assert connection.login_url.endswith(answer.headers["Location"])
    form = walk(client, connection.login_url, BOB)
    assert_signed_in(client, post(client, form, connection), BOB)


def test_a_start_at_the_provider_is_refused_where_the_connection_says_so(
    client: httpx.Client, peer: Peer, connect: Connect
) -> None:
    connection = connect("refuse")
    register(peer, connection)
    answer = post(client, walk(client, peer.start_url(connection.audience), BOB), connection)
    assert_refused(client, answer, refusals.UNSOLICITED_REFUSED)


def with_keys(siq: Product, peer: Peer, name: str, **more: str) -> tuple[Connection, str]:
    """A connection to the peer with values of its own, and our certificate there."""
    values = {
        "sso.issuer": peer.entity_id,
        "sso.sign_in_url": peer.sign_in_url,
        "sso.certificate": peer.certificate_pem,
        **{f"sso.{field}": value for field, value in more.items()},
    }
    organization = siq.organization(f"{peer.name} {name}")
    connection = siq.activate("custom_saml", organization, values)
    (key,) = key_rotation.keys(siq.host, siq.operator(organization), "custom_saml")
    return connection, key.pem


@pytest.mark.parametrize("sign", SIGNED)
def test_an_encrypted_assertion_is_read(client: httpx.Client, siq: Product, peer: Peer, sign: Sign) -> None:
    """samlp encrypts with AES-256-GCM, SimpleSAMLphp with AES-128-CBC, which has to be allowed and signed around."""
    connection, certificate = with_keys(siq, peer, f"encrypted {sign}", allow_cbc="true")
    register(peer, connection, sign, encrypt_for=certificate)
    form = walk(client, connection.login_url, ZOE)
    assert b"EncryptedAssertion" in base64.b64decode(form.fields["SAMLResponse"])
    answer = post(client, form, connection)
    if peer.name == "SimpleSAMLphp" and sign == "assertion":
        assert_refused(client, answer, refusals.ENCRYPTION_PROFILE)
    else:
        assert_signed_in(client, answer, ZOE)


def test_cbc_is_refused_where_it_is_not_allowed(client: httpx.Client, siq: Product, peer: Peer) -> None:
    connection, certificate = with_keys(siq, peer, "strict")
    register(peer, connection, encrypt_for=certificate)
    answer = post(client, walk(client, connection.login_url, BOB), connection)
    if peer.name == "SimpleSAMLphp":
        assert_refused(client, answer, refusals.ENCRYPTION_PROFILE)
    else:
        assert_signed_in(client, answer, BOB)


def test_an_assertion_that_is_encrypted_for_somebody_else_is_refused(
    client: httpx.Client, siq: Product, peer: Peer
) -> None:
    connection, _ = with_keys(siq, peer, "foreign key", allow_cbc="true")
    register(peer, connection, encrypt_for=IdentityProvider.create("urn:service-provider").certificate_pem)
    answer = post(client, walk(client, connection.login_url, BOB), connection)
    assert_refused(client, answer, refusals.UNDECRYPTABLE)


def test_an_exchange_of_keys_interrupts_nobody(siq: Product, peer: Peer) -> None:
    connection, old = with_keys(siq, peer, "exchange", allow_cbc="true", sign_requests="true")
    operator = siq.operator(f"{peer.name} exchange")

    def signs_in(encrypt_for: str, signed_by: str) -> None:
        register(peer, connection, encrypt_for=encrypt_for, signed_by=signed_by)
        with siq.client() as browser:
            assert_signed_in(browser, post(browser, walk(browser, connection.login_url, BOB), connection), BOB)

    signs_in(old, old)
    new = key_rotation.add_key(siq.host, operator, "custom_saml")
    signs_in(old, old)
    if peer.name != "SimpleSAMLphp":  # it knows one certificate for both uses
        signs_in(new.pem, old)
    key_rotation.use_key(siq.host, operator, "custom_saml", new.id)
    signs_in(new.pem, new.pem)
    last = key_rotation.keys(siq.host, operator, "custom_saml")[1]
    key_rotation.remove_key(siq.host, operator, "custom_saml", last.id)
    signs_in(new.pem, new.pem)


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_the_provider_verifies_our_signed_request(client: httpx.Client, siq: Product, peer: Peer, binding: str) -> None:
    connection, certificate = with_keys(siq, peer, f"signed {binding}", sign_requests="true", request_binding=binding)
    register(peer, connection, signed_by=certificate)
    assert_signed_in(client, post(client, walk(client, connection.login_url, ALICE), connection), ALICE)


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_the_provider_refuses_a_request_that_another_key_signed(siq: Product, peer: Peer, binding: str) -> None:
    """So the test above is one: the provider does look."""
    connection, _ = with_keys(siq, peer, f"wrong {binding}", sign_requests="true", request_binding=binding)
    register(peer, connection, signed_by=IdentityProvider.create("urn:other").certificate_pem)
    with siq.client() as browser, pytest.raises((AssertionError, pytest.fail.Exception)):
        walk(browser, connection.login_url, ALICE)


def test_a_response_is_taken_once(client: httpx.Client, siq: Product, peer: Peer, connect: Connect) -> None:
    connection = connect("accept")
    register(peer, connection)
    form = walk(client, peer.start_url(connection.audience), ALICE)
    assert_signed_in(client, post(client, form, connection), ALICE)
    with siq.client() as again:
        assert_refused(again, post(again, form, connection), refusals.REPLAYED)


@pytest.mark.parametrize("start", ["here", "at the provider"])
def test_a_person_signs_in_in_a_browser(page: Page, siq: Product, peer: Peer, connect: Connect, start: str) -> None:
    connection = connect("accept")
    register(peer, connection)
    page.goto(connection.login_url if start == "here" else peer.start_url(connection.audience))
    page.locator(peer.user_box).fill(ZOE.user)
    page.locator(peer.password_box).fill(ZOE.password)
    page.locator(peer.button).first.click()
    page.wait_for_url(f"{siq.url}/")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(re.escape(ZOE.display_name)))
    cookies = {cookie.get("name"): cookie for cookie in page.context.cookies(siq.url)}
    assert cookies["siq_session"].get("httpOnly")
    assert cookies["siq_session"].get("sameSite") == "Lax"
