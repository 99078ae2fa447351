"""Messages of single logout: what is believed of a provider's, and what another library says of ours."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from lxml import etree
from saml2 import samlp
from saml2.sigver import RSACrypto, verify_redirect_signature

from core import clock, refusals
from core.errors import SignInRefused
from core.plugin_api import NameId
from core.refusals import Refusal
from core.saml import logout, service_keys
from core.saml.document import Element
from core.saml.encryption import Decryption
from core.saml.logout import LONGEST_AGE, Expected, Request, Status
from core.saml.service_keys import ServiceKey
from core.testing import logout as theirs
from core.testing.attacks.edits import inserting
from core.testing.identity_provider import ASSERTION, EMAIL, PERSISTENT, PROTOCOL, REQUESTER, RESPONDER, SUCCESS
from core.testing.signing import Signer
from tests.core.saml.given import AUDIENCE, ISSUER, NOW, REQUEST, SECOND, keys, minted, provider, removing
from tests.core.saml.given_encrypted import LENIENT, STRICT, encryptor

SLO_URL = "https://siq.example.test/sso/c1/slo"
THERE = "https://idp.example.test/slo"
EXPECTED = Expected(ISSUER, SLO_URL)
ADA = "ada@example.test"


def asked(**changes: Any) -> str:
    """A LogoutRequest that is right in everything but the changes."""
    usual: dict[str, Any] = {"destination": SLO_URL, "subject": ADA, "now": NOW}
    return theirs.logout_request(provider(), **(usual | changes))


def said(**changes: Any) -> str:
    """A LogoutResponse that is right in everything but the changes."""
    usual: dict[str, Any] = {"destination": SLO_URL, "in_response_to": REQUEST, "now": NOW}
    return theirs.logout_response(provider(), **(usual | changes))


def by_query(xml: str, name: str = "SAMLRequest") -> Element:
    return logout.verified(logout.from_query(theirs.query(name, xml, "rs", provider())), keys(), NOW)


def by_form(xml: str, **changes: Any) -> Element:
    received = logout.from_form("SAMLRequest", theirs.form_value(xml, provider(), **changes), "rs")
    return logout.verified(received, keys(), NOW)


def accepted(xml: str, now: datetime = NOW) -> Request:
    """What is read of a request; the same by both bindings."""
    request = logout.read_request(by_query(xml), EXPECTED, now)
    assert logout.read_request(by_form(xml), EXPECTED, now) == request
    return request


def refused(because: Refusal, xml: str, now: datetime = NOW) -> SignInRefused:
    """That a request is refused for exactly this reason, by both bindings."""
    for root in (by_query(xml), by_form(xml)):
        with pytest.raises(SignInRefused) as caught:
            logout.read_request(root, EXPECTED, now)
        assert caught.value.refusal is because, str(caught.value)
    return caught.value


def refused_response(because: Refusal, xml: str, request_id: str | None = REQUEST) -> SignInRefused:
    with pytest.raises(SignInRefused) as caught:
        logout.read_response(by_query(xml, "SAMLResponse"), EXPECTED, request_id, NOW)
    assert caught.value.refusal is because, str(caught.value)
    return caught.value


# A provider's request


def test_a_request_names_a_person_and_sessions() -> None:
    request = accepted(asked(session_indexes=["_s1", "_s2"], identifier="_l1"))
    assert (request.id, request.name_id) == ("_l1", NameId(ADA, EMAIL))
    assert request.session_indexes == ("_s1", "_s2")
    assert accepted(asked()).session_indexes == ()


def test_a_request_is_remembered_for_as_long_as_it_could_be_taken_again() -> None:
    xml = asked()
    request = accepted(xml, NOW - EXPECTED.skew)
    last = NOW + LONGEST_AGE + EXPECTED.skew
    accepted(xml, last - SECOND)
    refused(refusals.LOGOUT_EXPIRED, xml, last)
    assert request.remember_until >= last


@pytest.mark.parametrize("destination", [None, "", f"{SLO_URL}/", "https://siq.example.test/sso/c2/slo"])
def test_a_request_for_another_address_or_none_is_refused(destination: str | None) -> None:
    refused(refusals.LOGOUT_DESTINATION, asked(destination=destination))


def test_a_request_of_another_issuer_or_none_is_refused() -> None:
    refused(refusals.LOGOUT_ISSUER, asked(issuer="https://elsewhere.example.test"))
    xml = asked()
    start, end = xml.index("<a:Issuer>"), xml.index("</a:Issuer>") + len("</a:Issuer>")
    refused(refusals.LOGOUT_ISSUER, xml[:start] + xml[end:])
    refused(refusals.LOGOUT_ISSUER, xml[:end] + xml[start:])


@pytest.mark.parametrize("age", [timedelta(minutes=-2), timedelta(minutes=7)])
def test_a_request_that_was_made_long_ago_or_in_the_future_is_refused(age: timedelta) -> None:
    refused(refusals.LOGOUT_EXPIRED, asked(now=NOW - age))
    accepted(asked(now=NOW - age / 4))


@pytest.mark.parametrize("value", ["", "2030-01-01", "2030-01-01T12:00:00+01:00", "0001-01-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_or_is_another_is_refused(value: str) -> None:
    refused(
        refusals.LOGOUT_EXPIRED, asked().replace('IssueInstant="2030-01-01T12:00:00.000Z"', f'IssueInstant="{value}"')
    )


def test_a_request_after_its_end_is_refused() -> None:
    accepted(asked(not_on_or_after=NOW + SECOND))
    accepted(asked(not_on_or_after=NOW - EXPECTED.skew + SECOND))
    refused(refusals.LOGOUT_EXPIRED, asked(not_on_or_after=NOW - EXPECTED.skew))


@pytest.mark.parametrize(
    "inside",
    [
        f"<a:NameID>{ADA}</a:NameID>",
        "<a:EncryptedID/>",
        "<a:BaseID/>",
        "<p:SessionIndex/>",
        "<p:SessionIndex>  </p:SessionIndex>",
        "<p:SessionIndex>_s<p:x/>1</p:SessionIndex>",
        "<p:SessionIndex>_s</p:SessionIndex>" * 101,
    ],
)
def test_a_request_that_does_not_name_one_person_and_real_sessions_is_refused(inside: str) -> None:
    refused(refusals.LOGOUT_SUBJECT, asked(inside=inside))


def asked_in_secret(plaintext: str, **how: Any) -> str:
    """A LogoutRequest in which this is encrypted for us in the place of the NameID."""
    made = encryptor(**how).encrypted(plaintext.encode())
    made.tag = f"{{{ASSERTION}}}EncryptedID"
    return asked(subject="", inside=etree.tostring(made, encoding="unicode"))


IN_SECRET = f'<a:NameID xmlns:a="{ASSERTION}" Format="{EMAIL}">{ADA}</a:NameID>'


@pytest.mark.parametrize(("content", "how"), [("aes256-gcm", STRICT), ("aes128-gcm", STRICT), ("aes256-cbc", LENIENT)])
def test_a_name_id_that_is_encrypted_for_us_is_read(content: str, how: Decryption) -> None:
    xml = asked_in_secret(IN_SECRET, content=content)
    for root in (by_query(xml), by_form(xml)):
        assert logout.read_request(root, EXPECTED, NOW, how).name_id == NameId(ADA, EMAIL)


@pytest.mark.parametrize(
    ("xml", "how"),
    [
        (asked_in_secret(IN_SECRET), None),
        (asked_in_secret(IN_SECRET, number=2), STRICT),
        (asked_in_secret(IN_SECRET, content="aes256-cbc"), STRICT),
        (asked_in_secret(IN_SECRET, transport="rsa-1_5"), STRICT),
        (asked_in_secret("no element"), STRICT),
        (asked_in_secret(f"<!DOCTYPE x>{IN_SECRET}"), STRICT),
        (asked_in_secret(f"<x>{IN_SECRET}</x>"), STRICT),
        (asked_in_secret("<NameID>ada</NameID>"), STRICT),
        (asked_in_secret(f'<a:NameID xmlns:a="{ASSERTION}"/>'), STRICT),
        (asked_in_secret(IN_SECRET).replace("</a:Issuer>", f"</a:Issuer>{IN_SECRET}"), STRICT),
        (asked(subject="", inside="<a:EncryptedID/>"), STRICT),
        (asked(subject="", inside="<a:EncryptedID>ada</a:EncryptedID>"), STRICT),
    ],
    ids=[str(number) for number in range(12)],
)
def test_what_is_encrypted_otherwise_or_is_no_name_id_is_refused(xml: str, how: Decryption | None) -> None:
    with pytest.raises(SignInRefused) as caught:
        logout.read_request(by_query(xml), EXPECTED, NOW, how)
    assert caught.value.refusal is refusals.LOGOUT_SUBJECT


@pytest.mark.parametrize("subject", ["", "   ", "a" * 1025])
def test_a_request_that_names_nobody_is_refused(subject: str) -> None:
    refused(refusals.LOGOUT_SUBJECT, asked(subject=subject))


@pytest.mark.parametrize(("old", "new"), [('Version="2.0"', 'Version="1.1"'), ("LogoutRequest", "ManageNameIDRequest")])
def test_another_message_or_version_is_refused(old: str, new: str) -> None:
    refused(refusals.LOGOUT_UNREADABLE, asked().replace(old, new))


def test_an_id_of_strange_shape_is_refused() -> None:
    with pytest.raises(SignInRefused) as caught:
        logout.read_request(by_query(asked(identifier="_l 1")), EXPECTED, NOW)
    assert caught.value.refusal is refusals.LOGOUT_UNREADABLE


def test_a_response_to_a_sign_in_is_no_request() -> None:
    """A signed assertion says who somebody is; it must not end their sessions."""
    received = logout.from_form("SAMLRequest", minted().form_value, "")
    with pytest.raises(SignInRefused) as caught:
        logout.read_request(logout.verified(received, keys(), NOW), EXPECTED, NOW)
    assert caught.value.refusal is refusals.LOGOUT_UNREADABLE


# Who signed it


def verification(received: logout.Received) -> SignInRefused:
    with pytest.raises(SignInRefused) as caught:
        logout.verified(received, keys(), NOW)
    assert caught.value.refusal is refusals.LOGOUT_SIGNATURE
    return caught.value


@pytest.mark.parametrize("by", [None, provider(number=2)], ids=["nobody", "a stranger"])
def test_what_the_provider_did_not_sign_is_refused(by: Any) -> None:
    for received in (
        logout.from_query(theirs.query("SAMLRequest", asked(), "rs", by)),
        logout.from_form("SAMLRequest", theirs.form_value(asked(), by), "rs"),
    ):
        signed = verification(received).detail != "It is not signed"
        assert signed is (by is not None)


def test_a_form_that_was_changed_after_it_was_signed_is_refused() -> None:
    for edit in (
        inserting("", f'<p:SessionIndex xmlns:p="{PROTOCOL}">_s1</p:SessionIndex>', 3),
        removing("a:NameID"),
    ):
        verification(logout.from_form("SAMLRequest", theirs.form_value(asked(), provider(), edit), "rs"))


def test_a_signature_over_a_part_of_a_request_vouches_for_nothing() -> None:
    part = f'<a:NameID xmlns:a="{ASSERTION}" ID="_n">{ADA}</a:NameID>'
    xml = f'<p:LogoutRequest xmlns:p="{PROTOCOL}" ID="_l1">{part}</p:LogoutRequest>'

    def sign_part(root: Element) -> None:
        Signer(provider()).sign(root[0])

    verification(logout.from_form("SAMLRequest", theirs.form_value(xml, None, sign_part), "rs"))


def test_a_weak_algorithm_is_refused() -> None:
    verification(logout.from_query(theirs.query("SAMLRequest", asked(), "rs", provider(), "rsa-sha1")))
    verification(logout.from_form("SAMLRequest", theirs.form_value(asked(), provider(), signature="rsa-sha1"), "rs"))


@pytest.mark.parametrize(
    "value", ["*", base64.b64encode(b"<!DOCTYPE x><x/>").decode(), base64.b64encode(b"no XML").decode()]
)
def test_what_is_no_message_is_refused_in_a_sentence(value: str) -> None:
    with pytest.raises(SignInRefused) as caught:
        logout.verified(logout.from_form("SAMLRequest", value, ""), keys(), NOW)
    assert caught.value.refusal is refusals.LOGOUT_UNREADABLE


def test_a_document_type_in_a_signed_query_is_refused() -> None:
    with pytest.raises(SignInRefused) as caught:
        by_query(f"<!DOCTYPE x>{asked()}")
    assert caught.value.refusal is refusals.LOGOUT_UNREADABLE


@pytest.mark.parametrize("relay_state", ["a" * 1025, "é" * 600])
def test_a_relay_state_that_is_too_long_is_refused(relay_state: str) -> None:
    with pytest.raises(SignInRefused) as in_query:
        logout.from_query(theirs.query("SAMLRequest", asked(), relay_state, provider()))
    with pytest.raises(SignInRefused) as in_form:
        logout.from_form("SAMLRequest", theirs.form_value(asked(), provider()), relay_state)
    assert in_query.value.refusal is in_form.value.refusal is refusals.LOGOUT_UNREADABLE


# A provider's response


@pytest.mark.parametrize(
    ("status", "means"),
    [
        ((SUCCESS,), Status.SUCCESS),
        ((SUCCESS, theirs.PARTIAL_LOGOUT), Status.PARTIAL),
        ((RESPONDER, theirs.PARTIAL_LOGOUT), Status.PARTIAL),
    ],
)
def test_a_response_says_how_it_ended(status: tuple[str, ...], means: Status) -> None:
    xml = said(status=status)
    assert logout.read_response(by_query(xml, "SAMLResponse"), EXPECTED, REQUEST, NOW) is means
    assert logout.read_response(by_form(xml), EXPECTED, REQUEST, NOW) is means


def test_a_response_without_success_is_told_to_the_administrator() -> None:
    refusal = refused_response(refusals.LOGOUT_NOT_DONE, said(status=(REQUESTER, RESPONDER)))
    assert refusal.received == "Requester / Responder"
    refused_response(refusals.LOGOUT_NOT_DONE, said(status=()))


@pytest.mark.parametrize("request_id", ["_other", None])
def test_a_response_to_another_request_is_refused(request_id: str | None) -> None:
    refused_response(refusals.LOGOUT_UNKNOWN, said(), request_id)
    refused_response(refusals.LOGOUT_UNKNOWN, said(in_response_to=None), request_id)


def test_a_response_is_checked_like_a_request() -> None:
    refused_response(refusals.LOGOUT_ISSUER, said(issuer="https://elsewhere.example.test"))
    refused_response(refusals.LOGOUT_DESTINATION, said(destination=THERE))
    refused_response(refusals.LOGOUT_EXPIRED, said(now=NOW - timedelta(hours=1)))
    refused_response(refusals.LOGOUT_UNREADABLE, asked())
    refused(refusals.LOGOUT_UNREADABLE, said())


# Ours


@cache
def ours() -> ServiceKey:
    return service_keys.create("siq.example.test", "c-1", clock.now())


def read(url: str) -> theirs.Read:
    return theirs.read(url, [x509.load_der_x509_certificate(ours().certificate.der)])


@pytest.mark.parametrize("there", [THERE, f"{THERE}?tenant=1", f"{THERE}#part"])
def test_our_request_names_the_person_as_the_provider_did(there: str) -> None:
    name_id = NameId("ada & <co>", PERSISTENT, ISSUER, AUDIENCE)
    sent = logout.request(there, AUDIENCE, name_id, "_s1", "rs-1", ours())
    received = read(sent.url)
    assert received.signed
    assert (received.id, received.relay_state) == (sent.id, "rs-1")
    assert sent.url.startswith(there.removesuffix("#part"))
    message = samlp.logout_request_from_string(etree.tostring(received.root))
    assert message.issuer.text == AUDIENCE
    assert message.destination == there.removesuffix("#part")
    one = message.name_id
    assert (one.text, one.format, one.name_qualifier, one.sp_name_qualifier) == (
        "ada & <co>",
        PERSISTENT,
        ISSUER,
        AUDIENCE,
    )
    assert [index.text for index in message.session_index] == ["_s1"]


def test_our_request_leaves_out_what_the_provider_did_not_send() -> None:
    root = read(logout.request(THERE, AUDIENCE, NameId("ada"), "", "rs-1", ours()).url).root
    (name_id,) = root.iter(f"{{{ASSERTION}}}NameID")
    assert not name_id.attrib
    assert not list(root.iter(f"{{{PROTOCOL}}}SessionIndex"))


def test_our_answer_names_the_request_and_brings_its_relay_state_back() -> None:
    root = by_query(asked(identifier="_l1"))
    url = logout.answer(THERE, AUDIENCE, root, Status.REFUSED, "a b&c=d%", ours(), "SSO-409 logout_replayed")
    received = read(url)
    assert received.signed
    assert received.relay_state == "a b&c=d%"
    message = samlp.logout_response_from_string(etree.tostring(received.root))
    assert (message.in_response_to, message.destination, message.issuer.text) == ("_l1", THERE, AUDIENCE)
    assert (received.statuses, received.message) == (["Requester"], "SSO-409 logout_replayed")
    fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    certificate = base64.b64encode(ours().certificate.der).decode()
    assert verify_redirect_signature(fields, RSACrypto(None), cert=certificate)


# Whom two NameIDs name


def test_what_is_left_out_of_a_name_id_stands_for_the_usual() -> None:
    def key(*parts: str) -> str:
        return logout.subject_key(NameId(*parts), ISSUER, AUDIENCE)

    unspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
    assert key("ada") == key("ada", unspecified) == key("ada", "", ISSUER, AUDIENCE)
    others = [("Ada",), ("ada", EMAIL), ("ada", "", "urn:other"), ("ada", "", "", "urn:other"), ("ada", "", AUDIENCE)]
    assert len({key("ada"), *(key(*parts) for parts in others)}) == 6


def test_the_skew_is_that_of_the_host() -> None:
    wide = replace(EXPECTED, skew=timedelta(minutes=10))
    logout.read_request(by_query(asked(now=NOW - timedelta(minutes=14))), wide, NOW)
