"""What is refused for what it says, or for its shape. What is refused for its signature is in test_signature.py."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from lxml import etree

from core import refusals
from core.saml.response import CHECKS
from core.testing import identity_provider as idp
from core.testing.attacks.edits import find, inserting, setting
from tests.core.saml.given import (
    ACS_URL,
    AUDIENCE,
    EXPECTED,
    ISSUER,
    NOW,
    REQUEST,
    TILE_CLICK,
    accept,
    changed,
    keys,
    minted,
    provider,
    refused,
    removing,
)

BOTH = ("response", "assertion")
SAML2 = f'xmlns:saml2="{idp.ASSERTION}"'


# Refused: the form and the shape


@pytest.mark.parametrize(
    "value", ["", "  \n", "%%%", "PHg+", "abc", base64.urlsafe_b64encode(b"\xff\xff\xff").decode()]
)
def test_a_form_value_that_is_not_base64_of_xml_is_refused(value: str) -> None:
    refused(refusals.XML_REFUSED if value == "PHg+" else refusals.RESPONSE_UNREADABLE, value)


def test_a_form_value_with_characters_beyond_ascii_is_refused() -> None:
    refused(refusals.RESPONSE_UNREADABLE, minted().form_value + "é")


def test_a_form_value_that_is_too_long_is_refused_before_it_is_decoded() -> None:
    refused(refusals.XML_REFUSED, "!" * 600_000)


def test_another_message_than_a_response_is_refused() -> None:
    refused(refusals.RESPONSE_SHAPE, f'<p:LogoutResponse xmlns:p="{idp.PROTOCOL}"/>'.encode())


def test_two_assertions_are_refused() -> None:
    def twice(root: idp.Element) -> None:
        root.append(etree.fromstring(etree.tostring(find(root, "a:Assertion"))))
        root[-1].set("ID", "_a-second")

    refused(refusals.RESPONSE_SHAPE, minted(edit=twice))
    refused(refusals.RESPONSE_SHAPE, changed(minted(), twice))


def test_no_assertion_is_refused() -> None:
    refused(refusals.RESPONSE_SHAPE, minted(edit=removing("a:Assertion")))


def test_an_encrypted_assertion_is_refused() -> None:
    encrypted = f"<saml2:EncryptedAssertion {SAML2}/>"
    refused(refusals.RESPONSE_SHAPE, minted(edit=inserting("", encrypted, 2)))

    def only(root: idp.Element) -> None:
        removing("a:Assertion")(root)
        inserting("", encrypted, 2)(root)

    refused(refusals.RESPONSE_SHAPE, minted(edit=only))


@pytest.mark.parametrize("name", ["EncryptedID", "EncryptedAttribute"])
def test_anything_else_encrypted_is_refused(name: str) -> None:
    refused(refusals.RESPONSE_SHAPE, minted(edit=inserting(".//a:Subject", f"<saml2:{name} {SAML2}/>")))


def test_an_assertion_without_an_id_is_refused() -> None:
    edit = setting("a:Assertion", "ID", None)
    refused(refusals.RESPONSE_SHAPE, minted(edit=edit, sign=("response",)))


# Refused: by what the provider says of itself


def test_a_status_that_is_not_success_is_refused_with_the_providers_words() -> None:
    response = minted(
        status=(idp.RESPONDER, "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"), status_message="Locked", sign=()
    )
    refusal = refused(refusals.PROVIDER_ERROR, response)
    assert refusal.detail == "Locked"
    assert refusal.received == "Responder / AuthnFailed"


def test_a_denied_request_is_refused_as_denied() -> None:
    response = minted(status=(idp.RESPONDER, idp.REQUEST_DENIED), sign=("response",))
    refused(refusals.PROVIDER_DENIED, response)


def test_a_status_that_is_not_success_is_refused_beside_a_good_assertion() -> None:
    refused(refusals.PROVIDER_ERROR, minted(edit=setting(".//p:StatusCode", "Value", idp.REQUESTER)))


def test_success_nested_in_another_status_is_no_success() -> None:
    refused(refusals.PROVIDER_ERROR, minted(status=(idp.RESPONDER, idp.SUCCESS), sign=()))


def test_a_missing_status_is_refused() -> None:
    refused(refusals.PROVIDER_ERROR, minted(edit=removing("p:Status")))


def test_an_unsigned_status_cannot_turn_a_refusal_into_a_success() -> None:
    """The envelope of a signed assertion is unsigned: whoever changes it can only make things worse."""
    response = minted(edit=setting(".//p:StatusCode", "Value", idp.RESPONDER), sign=("assertion",))
    refused(refusals.PROVIDER_ERROR, response)
    refused(refusals.SIGNATURE_MISSING, changed(minted(sign=()), setting(".//p:StatusCode", "Value", idp.SUCCESS)))


# Refused: version, issuer, destination


def test_another_version_is_refused() -> None:
    refused(refusals.VERSION_UNSUPPORTED, minted(version="1.1"))
    refused(refusals.VERSION_UNSUPPORTED, minted(edit=setting("", "Version", "2.1")))
    refused(refusals.VERSION_UNSUPPORTED, minted(edit=setting("a:Assertion", "Version", "2.1")))


def test_a_saml_1_response_is_refused_by_its_version() -> None:
    refused(refusals.VERSION_UNSUPPORTED, b'<Response xmlns="urn:oasis:names:tc:SAML:1.0:protocol"/>')


def test_another_issuer_is_refused() -> None:
    refusal = refused(refusals.ISSUER_MISMATCH, minted(issuer="https://other.example.test"))
    assert (refusal.expected, refusal.received) == (ISSUER, "https://other.example.test")


def test_another_issuer_of_the_assertion_alone_is_refused() -> None:
    refused(refusals.ISSUER_MISMATCH, minted(issuer="https://other.example.test", response_issuer=ISSUER))


def test_another_issuer_of_the_response_alone_is_refused_signed_or_not() -> None:
    refused(refusals.ISSUER_MISMATCH, minted(response_issuer="https://other.example.test"))
    refused(refusals.ISSUER_MISMATCH, minted(response_issuer="https://other.example.test", sign=("assertion",)))


@pytest.mark.parametrize("issuer", [ISSUER.upper(), ISSUER + "/", ISSUER + "?", ""])
def test_an_issuer_is_compared_to_the_letter(issuer: str) -> None:
    def write(root: idp.Element) -> None:
        find(root, "a:Assertion/a:Issuer").text = issuer

    refused(refusals.ISSUER_MISMATCH, minted(edit=write))


def test_an_assertion_without_an_issuer_is_refused() -> None:
    refused(refusals.ISSUER_MISMATCH, minted(edit=removing("a:Assertion/a:Issuer")))


def test_another_destination_is_refused_signed_or_not() -> None:
    refusal = refused(refusals.DESTINATION_MISMATCH, minted(destination="https://siq.example.test/sso/c2/acs"))
    assert (refusal.expected, refusal.received) == (ACS_URL, "https://siq.example.test/sso/c2/acs")
    refused(refusals.DESTINATION_MISMATCH, minted(destination="https://other.example.test", sign=("assertion",)))


def test_the_response_for_another_connection_of_the_same_provider_is_refused() -> None:
    response = provider().response("https://siq.example.test/sso/c2/acs", "https://siq.example.test/sso/c2", now=NOW)
    refused(refusals.DESTINATION_MISMATCH, response, TILE_CLICK)
    response = provider().response(
        "https://siq.example.test/sso/c2/acs", "https://siq.example.test/sso/c2", now=NOW, destination=None
    )
    refused(refusals.AUDIENCE_MISMATCH, response, TILE_CLICK)


def test_the_response_of_another_connection_with_another_provider_is_refused() -> None:
    other = idp.IdentityProvider(
        "https://idp.example.test", "https://idp.example.test", provider(number=2).key, provider().certificate
    )
    refused(refusals.ISSUER_MISMATCH, minted(other))


# Refused: what the assertion says


def test_another_audience_is_refused() -> None:
    response = provider().response(ACS_URL, "https://api.spaceiq.com", in_response_to=REQUEST, now=NOW)
    refusal = refused(refusals.AUDIENCE_MISMATCH, response)
    assert (refusal.expected, refusal.received) == (AUDIENCE, "https://api.spaceiq.com")


def test_no_audience_is_refused() -> None:
    refused(refusals.AUDIENCE_MISMATCH, minted(edit=removing(".//a:AudienceRestriction")))


def test_a_second_restriction_to_another_audience_is_refused() -> None:
    other = f"<saml2:AudienceRestriction {SAML2}><saml2:Audience>https://other.example.test</saml2:Audience></saml2:AudienceRestriction>"
    refused(refusals.AUDIENCE_MISMATCH, minted(edit=inserting(".//a:Conditions", other)))


def test_missing_conditions_are_refused() -> None:
    refused(refusals.CONDITIONS_MISSING, minted(edit=removing(".//a:Conditions")))


def test_a_condition_that_is_not_understood_is_refused() -> None:
    refused(refusals.CONDITIONS_MISSING, minted(edit=inserting(".//a:Conditions", f"<saml2:Condition {SAML2}/>")))


@pytest.mark.parametrize(
    "time", ["2030-13-01T00:00:00Z", "2030-01-01", "2030-01-01T12:05:00", "2030-01-01T12:05:00+02:00", "soon", ""]
)
def test_a_time_that_is_not_utc_is_refused(time: str) -> None:
    refused(refusals.CONDITIONS_MISSING, minted(edit=setting(".//a:Conditions", "NotOnOrAfter", time)))
    refused(refusals.CONFIRMATION_MISSING, minted(edit=setting(".//a:SubjectConfirmationData", "NotOnOrAfter", time)))
    refused(refusals.AUTHN_MISSING, minted(edit=setting(".//a:AuthnStatement", "SessionNotOnOrAfter", time)))


def test_another_recipient_is_refused() -> None:
    refusal = refused(refusals.RECIPIENT_MISMATCH, minted(recipient="https://siq.example.test/sso/c2/acs"))
    assert (refusal.expected, refusal.received) == (ACS_URL, "https://siq.example.test/sso/c2/acs")


def test_a_missing_confirmation_is_refused() -> None:
    refused(
        refusals.CONFIRMATION_MISSING,
        minted(edit=removing(".//a:SubjectConfirmation"), in_response_to=None),
        TILE_CLICK,
    )


def test_a_confirmation_that_is_not_bearer_is_refused() -> None:
    edit = setting(".//a:SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")
    refused(refusals.CONFIRMATION_MISSING, minted(edit=edit))


@pytest.mark.parametrize("name", ["Recipient", "NotOnOrAfter"])
def test_a_confirmation_without_recipient_or_end_is_refused(name: str) -> None:
    refused(refusals.CONFIRMATION_MISSING, minted(edit=setting(".//a:SubjectConfirmationData", name, None)))


def test_the_answer_to_an_unknown_request_is_refused() -> None:
    refused(refusals.REQUEST_UNKNOWN, minted(in_response_to="_req-other"))


def test_the_answer_to_a_request_is_refused_where_none_waits() -> None:
    """Some providers invent an InResponseTo for a tile click."""
    refused(refusals.REQUEST_UNKNOWN, minted(in_response_to=REQUEST), TILE_CLICK)
    refused(
        refusals.REQUEST_UNKNOWN,
        minted(edit=setting(".//a:SubjectConfirmationData", "InResponseTo", ""), sign=("response",)),
        TILE_CLICK,
    )


def test_a_response_that_answers_another_request_than_its_assertion_is_refused() -> None:
    refused(refusals.REQUEST_UNKNOWN, changed(minted(sign=("assertion",)), setting("", "InResponseTo", "_req-other")))
    refused(refusals.REQUEST_UNKNOWN, minted(edit=setting(".//a:SubjectConfirmationData", "InResponseTo", None)))


def test_an_unsigned_in_response_to_is_not_believed() -> None:
    response = changed(minted(in_response_to=None, sign=("assertion",)), setting("", "InResponseTo", REQUEST))
    refused(refusals.REQUEST_UNKNOWN, response)


def test_a_tile_click_is_refused_where_the_connection_takes_none() -> None:
    refused(refusals.UNSOLICITED_REFUSED, minted(in_response_to=None))
    refused(refusals.UNSOLICITED_REFUSED, minted(in_response_to=None), replace(EXPECTED, request_id=None))


def test_a_missing_authentication_statement_is_refused() -> None:
    refused(refusals.AUTHN_MISSING, minted(edit=removing(".//a:AuthnStatement")))
    refused(refusals.AUTHN_MISSING, minted(edit=setting(".//a:AuthnStatement", "AuthnInstant", None)))


@pytest.mark.parametrize("subject", ["", "  ", "a" * 1025])
def test_an_empty_or_endless_subject_is_refused(subject: str) -> None:
    refused(refusals.SUBJECT_MISSING, minted(subject=subject))


@pytest.mark.parametrize("path", [".//a:NameID", ".//a:Subject"])
def test_a_missing_subject_is_refused(path: str) -> None:
    refused(refusals.SUBJECT_MISSING, minted(edit=removing(path), in_response_to=None), TILE_CLICK)


def test_two_subjects_are_refused() -> None:
    name_id = f"<saml2:NameID {SAML2}>admin@example.test</saml2:NameID>"
    refused(refusals.SUBJECT_MISSING, minted(edit=inserting(".//a:Subject", name_id)))


def test_an_element_in_the_name_id_is_refused() -> None:
    def split(root: idp.Element) -> None:
        name_id = find(root, ".//a:NameID")
        name_id.text = "admin@example.test"
        inserting(".//a:NameID", '<x xmlns="urn:x"/>')(root)
        name_id[0].tail = ".evil.test"

    refused(refusals.SUBJECT_MISSING, minted(edit=split))


# The trace


def test_every_refusal_belongs_to_a_check_of_the_list() -> None:
    of_the_response = {refusal.check for refusal in refusals.ALL if refusal.code < "SSO-2"} | {"Status"}
    assert of_the_response - set(CHECKS) == {refusals.REPLAYED.check}
    assert len(set(CHECKS)) == len(CHECKS)


def test_keys_are_prepared_once_and_used_often() -> None:
    assert keys() is keys()
    accept(minted())
    accept(minted())
