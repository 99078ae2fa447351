"""What is accepted: every shape that real providers send, and clocks that differ by a minute."""

from __future__ import annotations

import base64
import operator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from core import refusals
from core.testing import identity_provider as idp
from core.testing.attacks.edits import find, inserting, setting
from core.testing.identity_provider import Names
from tests.core.saml.given import (
    EXPECTED,
    ISSUER,
    NOW,
    REQUEST,
    SECOND,
    TILE_CLICK,
    accept,
    identifier,
    minted,
    provider,
    refused,
)

BOTH = ("response", "assertion")
SAML2 = f'xmlns:saml2="{idp.ASSERTION}"'


# Accepted


def test_every_value_of_the_assertion_is_read() -> None:
    response = minted(attributes={"email": ["ada@example.test"], "groups": ["g1", "g2"], "none": []})
    assertion = accept(response)
    assert assertion.id == identifier(response)
    assert assertion.issuer == ISSUER
    assert (assertion.name_id.value, assertion.name_id.format) == ("ada@example.test", idp.EMAIL)
    assert assertion.in_response_to == REQUEST
    assert assertion.not_on_or_after == NOW + timedelta(minutes=5)
    assert assertion.authn_instant == NOW
    assert assertion.session_not_on_or_after == NOW + timedelta(hours=1)
    assert assertion.session_index
    assert assertion.session_index.startswith("_s-")
    assert dict(assertion.attributes) == {"email": ("ada@example.test",), "groups": ("g1", "g2"), "none": ()}


@pytest.mark.parametrize("sign", [("assertion",), ("response",), BOTH])
def test_the_assertion_the_response_or_both_may_be_signed(sign: tuple[str, ...]) -> None:
    assert accept(minted(sign=sign)).name_id.value == "ada@example.test"


def test_a_tile_click_answers_no_request() -> None:
    assert accept(minted(in_response_to=None), TILE_CLICK).in_response_to is None


def test_a_tile_click_is_accepted_while_another_tab_waits() -> None:
    assert accept(minted(in_response_to=None), replace(EXPECTED, unsolicited_allowed=True)).in_response_to is None


@pytest.mark.parametrize("attributes", [None, {}])
def test_no_attribute_statement_and_the_empty_one_of_aws_are_accepted(attributes: dict[str, list[str]] | None) -> None:
    assert dict(accept(minted(attributes=attributes)).attributes) == {}


@pytest.mark.parametrize("name_format", ["", idp.NAME_UNSPECIFIED, idp.NAME_BASIC, idp.NAME_URI])
def test_attribute_names_of_every_format_are_accepted(name_format: str) -> None:
    assert accept(minted(attribute_name_format=name_format)).first("email") == "ada@example.test"


@pytest.mark.parametrize("xsi_type", ["xs:string", "xs:anyType"])
@pytest.mark.parametrize("inclusive", ["", "xs"])
def test_typed_attribute_values_are_accepted(xsi_type: str, inclusive: str) -> None:
    response = minted(attribute_type=xsi_type, inclusive_prefixes=inclusive)
    assert accept(response).first("email") == "ada@example.test"


@pytest.mark.parametrize("sign", [("assertion",), ("response",), BOTH])
def test_prefixes_that_an_ancestor_declares_are_kept(sign: tuple[str, ...]) -> None:
    """Okta and Shibboleth name prefixes that only attribute values use, and declare them far above."""

    def declare_above(root: idp.Element) -> None:
        value = find(root, ".//a:AttributeValue")
        value.set("{http://www.w3.org/2001/XMLSchema-instance}type", "xs:string")

    text = minted(sign=()).xml.replace(
        b"<saml2p:Response ", b'<saml2p:Response xmlns:xs="http://www.w3.org/2001/XMLSchema" '
    )
    root = etree.fromstring(text)
    declare_above(root)
    signer = idp.Signer(provider(), inclusive_prefixes="xs")
    if "assertion" in sign:
        signer.sign(find(root, "a:Assertion"))
    if "response" in sign:
        signer.sign(root)
    assert accept(idp.serialize(root)).first("email") == "ada@example.test"


@pytest.mark.parametrize(
    ("name_id_format", "subject"),
    [
        (idp.EMAIL, "ada@example.test"),
        (idp.UNSPECIFIED, "ada"),
        (idp.PERSISTENT, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        (idp.TRANSIENT, "_t-1"),
        ("", "Zoë <Ødegård> & søn"),
    ],
)
def test_name_ids_of_every_format_are_accepted(name_id_format: str, subject: str) -> None:
    name_id = accept(minted(name_id_format=name_id_format, subject=subject)).name_id
    assert (name_id.value, name_id.format) == (subject, name_id_format)


@pytest.mark.parametrize(
    "names", [Names("samlp", "saml", "ds"), Names("", "saml", ""), Names("p", "", "dsig"), Names("", "", "")]
)
@pytest.mark.parametrize("sign", [("assertion",), BOTH])
def test_prefixes_of_every_style_are_accepted(names: Names, sign: tuple[str, ...]) -> None:
    assert accept(minted(names=names, sign=sign)).first("email") == "ada@example.test"


def test_the_destination_may_be_absent() -> None:
    accept(minted(destination=None))


def test_the_issuer_of_the_response_may_be_absent() -> None:
    accept(minted(response_issuer=None))


def test_times_without_fractions_are_accepted() -> None:
    assert accept(minted(milliseconds=False)).authn_instant == NOW


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2030-01-01T12:00:00.1234567Z", datetime(2030, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2030-01-01T12:00:00.5Z", datetime(2030, 1, 1, 12, 0, 0, 500000, tzinfo=UTC)),
        ("2030-01-01T12:00:00+00:00", datetime(2030, 1, 1, 12, tzinfo=UTC)),
    ],
)
def test_times_of_every_writing_are_accepted(written: str, meant: datetime) -> None:
    response = minted(edit=setting(".//a:AuthnStatement", "AuthnInstant", written))
    assert accept(response).authn_instant == meant


@pytest.mark.parametrize("lifetime", [timedelta(minutes=5), timedelta(hours=1)])
def test_a_session_without_an_end_is_accepted(lifetime: timedelta) -> None:
    assertion = accept(minted(lifetime=lifetime, session=None))
    assert assertion.session_not_on_or_after is None
    assert assertion.not_on_or_after == NOW + lifetime


def test_white_space_in_the_form_value_is_accepted() -> None:
    value = base64.encodebytes(minted().xml).decode().replace("\n", "\r\n")
    accept(value)


def test_a_byte_order_mark_is_accepted() -> None:
    accept(b"\xef\xbb\xbf" + minted().xml)


def test_a_pretty_printed_response_is_accepted() -> None:
    def indent(root: idp.Element) -> None:
        etree.indent(root)

    for sign in (("assertion",), ("response",), BOTH):
        assertion = accept(minted(edit=indent, sign=sign))
        assert assertion.name_id.value == "ada@example.test"
        assert assertion.issuer == ISSUER


def test_one_of_several_audiences_is_enough() -> None:
    other = f"<saml2:Audience {SAML2}>https://other.example.test</saml2:Audience>"
    accept(minted(edit=inserting(".//a:AudienceRestriction", other)))


def test_one_of_several_confirmations_is_enough() -> None:
    holder = f'<saml2:SubjectConfirmation {SAML2} Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"/>'
    elsewhere = (
        f'<saml2:SubjectConfirmation {SAML2} Method="{idp.BEARER}"><saml2:SubjectConfirmationData InResponseTo="{REQUEST}"'
        ' NotOnOrAfter="2030-01-01T12:05:00Z" Recipient="https://other.example.test"/></saml2:SubjectConfirmation>'
    )

    def add(root: idp.Element) -> None:
        inserting(".//a:Subject", elsewhere, 1)(root)
        inserting(".//a:Subject", holder, 1)(root)

    assert accept(minted(edit=add)).in_response_to == REQUEST


@pytest.mark.parametrize("condition", ["OneTimeUse", "ProxyRestriction"])
def test_conditions_that_hold_anyway_are_accepted(condition: str) -> None:
    accept(minted(edit=inserting(".//a:Conditions", f"<saml2:{condition} {SAML2}/>", 1)))


def test_an_attribute_that_comes_twice_has_the_values_of_both() -> None:
    again = f'<saml2:Attribute {SAML2} Name="email"><saml2:AttributeValue>l@example.test</saml2:AttributeValue></saml2:Attribute>'
    assertion = accept(minted(edit=inserting(".//a:AttributeStatement", again, 1)))
    assert assertion.all("email") == ("ada@example.test", "l@example.test")


def test_an_attribute_value_that_is_nil_is_none() -> None:
    nil = '<v:AttributeValue xmlns:v="{}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>'
    assertion = accept(minted(edit=inserting(".//a:Attribute", nil.format(idp.ASSERTION))))
    assert assertion.all("email") == ("ada@example.test",)


def test_the_text_of_a_nested_attribute_value_is_read() -> None:
    """Shibboleth's eduPersonTargetedID holds a NameID."""
    nested = f"<saml2:AttributeValue {SAML2}><saml2:NameID>t1</saml2:NameID></saml2:AttributeValue>"
    assert accept(minted(edit=inserting(".//a:Attribute", nested))).first("email") == "t1"


def test_attributes_cannot_be_changed_afterwards() -> None:
    attributes = accept(minted()).attributes
    with pytest.raises(TypeError):
        operator.setitem(attributes, "email", ())  # type: ignore[call-overload]


def test_character_references_and_cdata_are_text() -> None:
    response = minted()
    text = response.xml.replace(
        b">ada@example.test</saml2:NameID>", b">&#97;d<![CDATA[a@exam]]>ple.test</saml2:NameID>"
    )
    assert text != response.xml
    assert accept(text).name_id.value == "ada@example.test"


# The clock: 60 seconds either way


def test_an_assertion_is_accepted_up_to_60_seconds_before_its_start() -> None:
    response = minted()  # NotBefore is five minutes before NOW
    start = NOW - timedelta(minutes=5)
    accept(response, now=start - 60 * SECOND)
    refused(refusals.NOT_YET_VALID, response, now=start - 61 * SECOND)


def test_an_assertion_is_accepted_until_60_seconds_after_its_end() -> None:
    response, end = minted(), NOW + timedelta(minutes=5)
    accept(response, now=end + 59 * SECOND)
    refused(refusals.EXPIRED, response, now=end + 60 * SECOND)


def test_the_skew_is_a_setting() -> None:
    refused(refusals.EXPIRED, minted(), replace(EXPECTED, skew=timedelta(0)), now=NOW + timedelta(minutes=5))


def test_conditions_without_times_leave_the_confirmation_to_decide() -> None:
    def untimed(root: idp.Element) -> None:
        setting(".//a:Conditions", "NotBefore", None)(root)
        setting(".//a:Conditions", "NotOnOrAfter", None)(root)

    accept(minted(edit=untimed))
    refused(refusals.EXPIRED, minted(edit=untimed), now=NOW + timedelta(minutes=6))


def test_a_confirmation_that_is_not_yet_valid_is_refused() -> None:
    edit = setting(".//a:SubjectConfirmationData", "NotBefore", "2030-01-01T12:10:00Z")
    refused(refusals.NOT_YET_VALID, minted(edit=edit))


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z"])
def test_times_at_the_end_of_the_calendar_do_not_overflow(end: str) -> None:
    """Some providers write "for ever" so. Adding the skew to it raised an OverflowError, which answered 500."""

    def for_ever(root: idp.Element) -> None:
        setting(".//a:Conditions", "NotBefore", "0001-01-01T00:00:00Z")(root)
        setting(".//a:Conditions", "NotOnOrAfter", end)(root)
        setting(".//a:AuthnStatement", "SessionNotOnOrAfter", end)(root)

    assertion = accept(minted(edit=for_ever))
    assert assertion.session_not_on_or_after
    assert assertion.session_not_on_or_after.year == 9999
    refused(refusals.NOT_YET_VALID, minted(edit=setting(".//a:Conditions", "NotBefore", end)))
    refused(refusals.EXPIRED, minted(edit=setting(".//a:Conditions", "NotOnOrAfter", "0001-01-01T00:00:00Z")))


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "2031-01-03T12:00:00Z"])
def test_a_confirmation_for_longer_than_a_year_is_refused(end: str) -> None:
    """That it was used would have to be remembered as long: until 9999 it could not even be stored."""
    refused(refusals.CONFIRMATION_MISSING, minted(edit=setting(".//a:SubjectConfirmationData", "NotOnOrAfter", end)))
    accept(minted(lifetime=timedelta(days=366)))


def test_a_session_that_is_over_is_refused() -> None:
    response = minted(session=timedelta(minutes=1))
    accept(response, now=NOW + 119 * SECOND)
    refused(refusals.SESSION_OVER, response, now=NOW + 120 * SECOND)
