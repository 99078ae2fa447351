"""Every way in which a sign-in must end without a session, through the real ACS."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import httpx
import pytest

from core import clock, refusals
from core.testing.identity_provider import IdentityProvider
from core.testing.practice.state import PEOPLE, Application, Practice
from core.testing.practice.variants import ACCEPTED, REFUSED, Variant, second_assertion
from tests.end_to_end.product import Connection, Product, assert_refused, begin, deliver, signed_in_as, words

ELSEWHERE = "https://elsewhere.example.test/acs"
ADA = "ada@example.test"


@pytest.fixture(scope="module")
def provider() -> IdentityProvider:
    return IdentityProvider.create("http://127.0.0.1:9/saml/assertion/refusals")


@pytest.fixture(scope="module")
def connect(siq: Product) -> Callable[[str, IdentityProvider], Connection]:
    """Activate Amazon AWS in a new organization."""

    def activate(name: str, trusted: IdentityProvider) -> Connection:
        values = {"sso.sign_in_url": trusted.sign_in_url, "sso.certificate": trusted.certificate_pem}
        return siq.activate("aws_sso", siq.organization(name), values)

    return activate


@pytest.fixture(scope="module")
def connection(connect: Callable[[str, IdentityProvider], Connection], provider: IdentityProvider) -> Connection:
    return connect("Refusals", provider)


def test_the_control_is_signed_in(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    asked = begin(client, connection)
    minted = provider.response(connection.acs_url, connection.audience, subject=ADA, in_response_to=asked.id)
    answer = deliver(client, connection, minted.form_value, asked.relay_state)
    assert answer.status_code == 303, words(answer)
    assert answer.headers["Location"] == "/"
    person = signed_in_as(client)
    assert person is not None
    assert person["email"] == ADA
    assert person["connection"] == connection.connection


def test_a_tampered_response(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience, subject=ADA)
    tampered = type(minted)(minted.xml.replace(ADA.encode(), b"root@example.test"))
    assert_refused(client, deliver(client, connection, tampered.form_value), refusals.SIGNATURE_INVALID)


def test_a_wrong_audience(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, "https://elsewhere.example.test")
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.AUDIENCE_MISMATCH)


def test_a_wrong_recipient(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience, recipient=ELSEWHERE)
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.RECIPIENT_MISMATCH)


def test_a_wrong_issuer(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience, issuer="https://elsewhere.example.test")
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.ISSUER_MISMATCH)


def test_a_wrong_destination(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience, destination=ELSEWHERE)
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.DESTINATION_MISMATCH)


def test_an_expired_response(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience, now=clock.now() - timedelta(hours=2))
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.EXPIRED)


def test_a_response_that_is_not_valid_yet(
    client: httpx.Client, connection: Connection, provider: IdentityProvider
) -> None:
    minted = provider.response(connection.acs_url, connection.audience, now=clock.now() + timedelta(hours=2))
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.NOT_YET_VALID)


def test_a_session_that_is_over(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience, session=timedelta(minutes=-10))
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.SESSION_OVER)


def test_an_unknown_key(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.rotate().response(connection.acs_url, connection.audience)
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.SIGNATURE_INVALID)


def test_an_unsigned_response(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience, sign=())
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.SIGNATURE_MISSING)


def test_two_assertions(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience, edit=second_assertion)
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.RESPONSE_SHAPE)


def test_a_doctype(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience)
    bomb = b'?><!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    with_doctype = type(minted)(minted.xml.replace(b"?>", bomb, 1))
    assert_refused(client, deliver(client, connection, with_doctype.form_value), refusals.XML_REFUSED)


def test_an_unknown_in_response_to(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    minted = provider.response(connection.acs_url, connection.audience, in_response_to="_never-asked")
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.REQUEST_UNKNOWN)


def test_an_in_response_to_of_another_request_of_this_browser(
    client: httpx.Client, connection: Connection, provider: IdentityProvider
) -> None:
    first, second = begin(client, connection), begin(client, connection)
    minted = provider.response(connection.acs_url, connection.audience, in_response_to=first.id)
    answer = deliver(client, connection, minted.form_value, second.relay_state)
    assert_refused(client, answer, refusals.REQUEST_UNKNOWN)


def test_a_status_that_is_not_success(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    responder = "urn:oasis:names:tc:SAML:2.0:status:Responder"
    minted = provider.response(connection.acs_url, connection.audience, status=(responder,))
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.PROVIDER_ERROR)


def test_a_response_replayed_after_its_sign_in(
    siq: Product, client: httpx.Client, connection: Connection, provider: IdentityProvider
) -> None:
    asked = begin(client, connection)
    minted = provider.response(connection.acs_url, connection.audience, subject=ADA, in_response_to=asked.id)
    cookies = dict(client.cookies)
    assert deliver(client, connection, minted.form_value, asked.relay_state).status_code == 303
    with siq.client() as again:
        again.cookies.update(cookies)
        answer = deliver(again, connection, minted.form_value, asked.relay_state)
        assert_refused(again, answer, refusals.REPLAYED)
    assert signed_in_as(client), "the session that it opened first lives on"


def test_a_tile_click_replayed_in_another_browser(
    siq: Product, client: httpx.Client, connection: Connection, provider: IdentityProvider
) -> None:
    minted = provider.response(connection.acs_url, connection.audience, subject=ADA)
    assert deliver(client, connection, minted.form_value).status_code == 303
    with siq.client() as again:
        assert_refused(again, deliver(again, connection, minted.form_value), refusals.REPLAYED)


@pytest.mark.parametrize("start", ["here", "at the provider"])
def test_a_response_delivered_eight_times_at_once_opens_one_session(
    siq: Product, client: httpx.Client, connection: Connection, provider: IdentityProvider, start: str
) -> None:
    asked = begin(client, connection) if start == "here" else None
    minted = provider.response(
        connection.acs_url, connection.audience, subject=ADA, in_response_to=asked.id if asked else None
    )
    ready = Barrier(8)
    cookies = dict(client.cookies)

    def attempt(_number: int) -> tuple[int, bool]:
        with siq.client() as browser:
            browser.cookies.update(cookies)
            ready.wait(20)
            answer = deliver(browser, connection, minted.form_value, asked.relay_state if asked else None)
            assert answer.status_code == 303 or refusals.REPLAYED.code in answer.text, words(answer)
            return answer.status_code, signed_in_as(browser) is not None

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(attempt, range(8)))
    assert sorted(outcomes) == [(303, True), *[(400, False)] * 7]


def test_the_response_of_another_connection(
    client: httpx.Client,
    connect: Callable[[str, IdentityProvider], Connection],
    connection: Connection,
) -> None:
    other_provider = IdentityProvider.create("http://127.0.0.1:9/saml/assertion/other")
    other = connect("Other", other_provider)
    minted = other_provider.response(other.acs_url, other.audience, subject=ADA)
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.ISSUER_MISMATCH)
    assert deliver(client, other, minted.form_value).status_code == 303, "at its own ACS it is a good one"


def test_the_response_of_another_connection_to_the_same_provider(
    client: httpx.Client,
    connect: Callable[[str, IdentityProvider], Connection],
    connection: Connection,
    provider: IdentityProvider,
) -> None:
    twin = connect("Twin", provider)
    minted = provider.response(twin.acs_url, twin.audience, subject=ADA)
    assert_refused(client, deliver(client, connection, minted.form_value), refusals.DESTINATION_MISMATCH)
    minted = provider.response(twin.acs_url, twin.audience, subject=ADA, destination=None)
    answer = deliver(client, connection, minted.form_value)
    assert_refused(client, answer, refusals.AUDIENCE_MISMATCH)


def test_a_response_to_the_request_of_another_browser(
    siq: Product, client: httpx.Client, connection: Connection, provider: IdentityProvider
) -> None:
    """Login CSRF: the attacker's own answer, delivered by the victim's browser, must not sign the victim in as them."""
    with siq.client() as attacker:
        asked = begin(attacker, connection)
    minted = provider.response(connection.acs_url, connection.audience, subject=ADA, in_response_to=asked.id)
    assert_refused(client, deliver(client, connection, minted.form_value, asked.relay_state), refusals.REQUEST_UNKNOWN)
    begin(client, connection)
    assert_refused(client, deliver(client, connection, minted.form_value, asked.relay_state), refusals.REQUEST_UNKNOWN)


@pytest.mark.parametrize(
    "relay_state",
    ["https://elsewhere.example.test/", "//elsewhere.example.test", "/\\elsewhere.example.test", "javascript:alert(1)"],
)
def test_a_relay_state_of_another_site_is_not_followed(
    client: httpx.Client, connection: Connection, provider: IdentityProvider, relay_state: str
) -> None:
    minted = provider.response(connection.acs_url, connection.audience, subject=ADA)
    answer = deliver(client, connection, minted.form_value, relay_state)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("next_path", ["https://elsewhere.example.test/", "//elsewhere.example.test", "/\\elsewhere"])
def test_a_next_of_another_site_is_not_followed(
    client: httpx.Client, connection: Connection, provider: IdentityProvider, next_path: str
) -> None:
    asked = begin(client, connection, next_path)
    minted = provider.response(connection.acs_url, connection.audience, subject=ADA, in_response_to=asked.id)
    assert deliver(client, connection, minted.form_value, asked.relay_state).headers["Location"] == "/"


def test_a_local_next_is_followed(client: httpx.Client, connection: Connection, provider: IdentityProvider) -> None:
    asked = begin(client, connection, "/settings?tab=profile")
    minted = provider.response(connection.acs_url, connection.audience, subject=ADA, in_response_to=asked.id)
    answer = deliver(client, connection, minted.form_value, asked.relay_state)
    assert answer.headers["Location"] == "/settings?tab=profile"


def test_an_oversized_body(client: httpx.Client, connection: Connection) -> None:
    answer = deliver(client, connection, "A" * (600 * 1024))
    assert answer.status_code == 413
    assert signed_in_as(client) is None


@pytest.mark.parametrize("body", ["", "RelayState=x", "SAMLResponse=AA&SAMLResponse=BB", "SAMLResponse"])
def test_a_malformed_form(client: httpx.Client, connection: Connection, body: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post(connection.acs_url, content=body, headers=headers)
    assert answer.status_code == 400, words(answer)
    assert answer.headers["X-Correlation-ID"]
    assert "Traceback" not in answer.text


def test_a_get_at_the_acs_begins_a_sign_in(client: httpx.Client, connection: Connection) -> None:
    answer = client.get(connection.acs_url)
    assert answer.status_code == 303
    assert connection.login_url.endswith(answer.headers["Location"])


def test_an_unknown_connection(client: httpx.Client, provider: IdentityProvider) -> None:
    minted = provider.response("http://localhost/sso/unknown/acs", "http://localhost/sso/unknown")
    assert client.get("/sso/unknown/login").status_code == 404
    assert client.post("/sso/unknown/acs", data={"SAMLResponse": minted.form_value}).status_code == 404


def test_no_header_of_a_request_changes_what_the_provider_is_told(client: httpx.Client, connection: Connection) -> None:
    headers = {"Host": "evil.example.test", "X-Forwarded-Host": "evil.example.test", "X-Forwarded-Proto": "https"}
    answer = client.get(connection.login_url, headers=headers)
    assert answer.status_code == 303
    asked = begin(client, connection)
    assert (asked.acs_url, asked.issuer) == (connection.acs_url, connection.audience)
    assert "evil" not in answer.headers["Location"]


@pytest.fixture(scope="module")
def bench_application(connect: Callable[[str, IdentityProvider], Connection]) -> tuple[Application, Connection]:
    """An application of the practice provider, and the connection that trusts it."""
    application = Practice("http://127.0.0.1:9").add_application()
    connection = connect("Bench", application.active_key.provider)
    application.acs_url, application.audience = connection.acs_url, connection.audience
    return application, connection


@pytest.mark.parametrize("variant", REFUSED, ids=[variant.name for variant in REFUSED])
def test_what_the_bench_says_must_be_refused_is_refused(
    client: httpx.Client, bench_application: tuple[Application, Connection], variant: Variant, siq: Product
) -> None:
    application, connection = bench_application
    person = PEOPLE["tom.becker@northwind.example"]
    if variant.name == "replay":
        application.last = application.active_key.provider.response(
            connection.acs_url, connection.audience, subject=person.email
        )
        with siq.client() as first:
            assert deliver(first, connection, application.last.form_value).status_code == 303
    made = variant.make(application, person)
    answer = deliver(client, connection, made.form_value, made.relay_state)
    assert variant.refusal
    assert_refused(client, answer, variant.refusal)


@pytest.mark.parametrize("variant", ACCEPTED, ids=[variant.name for variant in ACCEPTED])
def test_what_the_bench_says_must_sign_in_signs_in(
    client: httpx.Client, bench_application: tuple[Application, Connection], variant: Variant
) -> None:
    application, connection = bench_application
    made = variant.make(application, PEOPLE["priya.raman@northwind.example"])
    answer = deliver(client, connection, made.form_value, made.relay_state)
    assert answer.status_code == 303, words(answer)
    assert answer.headers["Location"] == "/"
    assert signed_in_as(client)
