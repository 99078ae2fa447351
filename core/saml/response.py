"""From the form value of an answer to a VerifiedAssertion, or to a refusal with its code (SAML Profiles 4.1.4).

Two halves, and one value between them. :func:`_receive` looks at what came, unsigned as it is: it may refuse, and it
answers with signed bytes or not at all. :func:`_accept` gets these bytes and nothing else, so that no value can reach a
VerifiedAssertion that a pinned certificate did not sign. A check is one function; they stand in the order of CHECKS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from core.errors import SignInRefused
from core.plugin_api import NameId, VerifiedAssertion
from core.refusals import (
    AUDIENCE_MISMATCH,
    AUTHN_MISSING,
    CONDITIONS_MISSING,
    CONFIRMATION_MISSING,
    DESTINATION_MISMATCH,
    EXPIRED,
    ISSUER_MISMATCH,
    NOT_YET_VALID,
    PROVIDER_DENIED,
    PROVIDER_ERROR,
    RECIPIENT_MISMATCH,
    REQUEST_UNKNOWN,
    RESPONSE_SHAPE,
    RESPONSE_UNREADABLE,
    SESSION_OVER,
    SIGNATURE_INVALID,
    SUBJECT_MISSING,
    UNSOLICITED_REFUSED,
    VERSION_UNSUPPORTED,
    XML_REFUSED,
    Refusal,
)
from core.saml import document
from core.saml.document import DocumentRefused, Element
from core.saml.signature import ASSERTION, ISSUER, RESPONSE, Keys, Signed, gate

CHECKS: Final = tuple(
    dict.fromkeys(
        refusal.check
        for refusal in (
            RESPONSE_UNREADABLE,
            RESPONSE_SHAPE,
            PROVIDER_ERROR,
            VERSION_UNSUPPORTED,
            ISSUER_MISMATCH,
            DESTINATION_MISMATCH,
            SIGNATURE_INVALID,
            SUBJECT_MISSING,
            EXPIRED,
            AUDIENCE_MISMATCH,
            CONFIRMATION_MISSING,
            RECIPIENT_MISMATCH,
            REQUEST_UNKNOWN,
            AUTHN_MISSING,
        )
    )
)
"""The names of the checks in the order in which they run."""

_A: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_P: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_SAML_1: Final = ("{urn:oasis:names:tc:SAML:1.0:protocol}", "{urn:oasis:names:tc:SAML:1.1:protocol}")
_ENCRYPTED: Final = (
    f"{_A}EncryptedAssertion",
    f"{_A}EncryptedID",
    f"{_A}EncryptedAttribute",
    "{http://www.w3.org/2001/04/xmlenc#}EncryptedData",
)
_STATUS: Final = "urn:oasis:names:tc:SAML:2.0:status:"
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TRUE: Final = frozenset({"true", "1"})
_ATTRIBUTE_STATEMENT: Final = f"{_A}AttributeStatement"
_ATTRIBUTE: Final = f"{_A}Attribute"
_ATTRIBUTE_VALUE: Final = f"{_A}AttributeValue"
_UNDERSTOOD_CONDITIONS: Final = frozenset({f"{_A}AudienceRestriction", f"{_A}OneTimeUse", f"{_A}ProxyRestriction"})

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|[+-]00:00)", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,256}")
_LONGEST_FORM_VALUE: Final = 2 * document.MOST_BYTES
_LONGEST_SUBJECT: Final = 1024
"""Characters; the longest identifiers that SAML defines have 256."""
_WHITE_SPACE: Final = " \t\r\n"
_LONGEST_CONFIRMATION: Final = timedelta(days=366)
"""That an assertion was used has to be remembered as long. Providers write minutes, some the length of a session."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What this connection and this browser expect.

    ``issuer`` is the provider's entity ID, ``audience`` ours, ``acs_url`` the URL that was posted to: compared to the
    letter. ``request_id`` is the request that waits in this browser, None where none does. ``unsolicited_allowed``: an
    answer to no request may be taken. ``skew``: how far the clocks may be apart.
    """

    issuer: str
    audience: str
    acs_url: str
    request_id: str | None
    unsolicited_allowed: bool
    skew: timedelta = timedelta(seconds=60)


def read(form_value: str, keys: Keys, expected: Expected, now: datetime) -> VerifiedAssertion:
    """The verified assertion in the form field SAMLResponse (base64, SAML Bindings 3.5.4).

    Raises SignInRefused, whose ``refusal.check`` is one of CHECKS. The caller has to see to it that the assertion's
    ``id`` is used once.
    """
    return _accept(_receive(form_value, keys, expected, now), expected, now)


def _receive(form_value: str, keys: Keys, expected: Expected, now: datetime) -> Signed:
    """What may refuse without a signature, then the gate."""
    response = _document(form_value)
    _check_shape(response)
    _check_status(response)
    _check_version(response)
    _check_issuer(response, expected)
    _check_destination(response, expected)
    _check_same_request(response)
    return gate(response, keys, now)


def _accept(signed: Signed, expected: Expected, now: datetime) -> VerifiedAssertion:
    """Everything that is believed, from signed bytes alone."""
    root = document.parse(signed.xml)
    assertion = root if signed.element == "assertion" else _one(root, ASSERTION, RESPONSE_SHAPE)
    _check_version(assertion)
    issuer = _check_issuer(assertion, expected)
    subject = _one(assertion, f"{_A}Subject", SUBJECT_MISSING)
    name_id = _name_id(subject)
    conditions = _one(assertion, f"{_A}Conditions", CONDITIONS_MISSING)
    _check_conditions(conditions, expected, now)
    _check_audience(conditions, expected)
    confirmation = _confirmation(subject, expected, now)
    session = _session(assertion, expected, now)
    return VerifiedAssertion(
        id=assertion.get("ID", ""),
        issuer=issuer,
        name_id=name_id,
        in_response_to=confirmation.in_response_to,
        not_on_or_after=confirmation.not_on_or_after,
        authn_instant=session.authn_instant,
        session_index=session.session_index,
        session_not_on_or_after=session.not_on_or_after,
        attributes=_attributes(assertion),
    )


# What may only refuse


def _document(form_value: str) -> Element:
    """Response received: base64 (RFC 2045, strict but for white space) of bounded XML."""
    if len(form_value) > _LONGEST_FORM_VALUE:
        raise SignInRefused(XML_REFUSED, f"The form value is longer than {_LONGEST_FORM_VALUE} characters")
    try:
        received = document.octets(form_value)
    except ValueError:
        raise SignInRefused(RESPONSE_UNREADABLE, "The form value is not base64") from None
    if not received:
        raise SignInRefused(RESPONSE_UNREADABLE, "The form value is empty")
    try:
        return document.message(received)
    except DocumentRefused as refused:
        raise SignInRefused(XML_REFUSED, str(refused)) from None


def _check_shape(response: Element) -> None:
    """One response, one assertion: anywhere in the document, whatever else is around them, and neither encrypted."""
    if response.tag.startswith(_SAML_1):
        raise SignInRefused(VERSION_UNSUPPORTED, expected="2.0", received="1")
    if response.tag != RESPONSE:
        raise SignInRefused(RESPONSE_SHAPE, "The document", expected="Response", received=response.tag)
    found = list(response.iter(RESPONSE, ASSERTION, *_ENCRYPTED))
    assertions = [element for element in found[1:] if element.tag == ASSERTION]
    if len(assertions) != len(found) - 1:
        raise SignInRefused(RESPONSE_SHAPE, "A Response in the Response, or something encrypted")
    if not assertions and _status_codes(response)[:1] != [f"{_STATUS}Success"]:
        return  # the next check refuses it with the provider's own words
    if len(assertions) != 1 or assertions[0].getparent() is not response:
        raise SignInRefused(RESPONSE_SHAPE, "Assertions", expected="1 in the Response", received=str(len(assertions)))
    if not _ID.fullmatch(assertions[0].get("ID", "")):
        raise SignInRefused(RESPONSE_SHAPE, "The ID of the Assertion", received=assertions[0].get("ID", ""))


def _check_status(response: Element) -> None:
    """Status (Core 3.2.2). A response without success is often unsigned: it can do no more than end the sign-in."""
    codes = _status_codes(response)
    if codes[:1] == [f"{_STATUS}Success"]:
        return
    text = response.findtext(f"{_P}Status/{_P}StatusMessage", "").strip(_WHITE_SPACE)
    refusal = PROVIDER_DENIED if f"{_STATUS}RequestDenied" in codes else PROVIDER_ERROR
    received = " / ".join(code.removeprefix(_STATUS) for code in codes)
    raise SignInRefused(refusal, text or "The provider gave no message", expected="Success", received=received)


def _status_codes(response: Element) -> list[str]:
    return [
        code.get("Value", "")
        for status in response.iterchildren(f"{_P}Status")
        for code in status.iter(f"{_P}StatusCode")
    ]


def _check_version(element: Element) -> None:
    """Version (Core 2.3.3, 3.2.2)."""
    if element.get("Version") != "2.0":
        raise SignInRefused(VERSION_UNSUPPORTED, expected="2.0", received=element.get("Version", ""))


def _check_issuer(element: Element, expected: Expected) -> str:
    """Issuer, equal to the letter. A Response may leave it out (Profiles 4.1.4.2), an Assertion may not."""
    issuers = [_text(issuer) for issuer in element.iterchildren(ISSUER)]
    if issuers != [expected.issuer] and not (element.tag == RESPONSE and not issuers):
        raise SignInRefused(ISSUER_MISMATCH, expected=expected.issuer, received=", ".join(issuers))
    return expected.issuer


def _check_destination(response: Element, expected: Expected) -> None:
    """Destination, when present (Core 3.2.2)."""
    destination = response.get("Destination")
    if destination is not None and destination != expected.acs_url:
        raise SignInRefused(DESTINATION_MISMATCH, expected=expected.acs_url, received=destination)


def _check_same_request(response: Element) -> None:
    """Pending request: a Response that names one holds an Assertion that names it, too (Profiles 4.1.4.2)."""
    answers = response.get("InResponseTo")
    named = [data.get("InResponseTo") for data in response.iter(f"{_A}SubjectConfirmationData")]
    if answers is not None and answers not in named:
        raise SignInRefused(REQUEST_UNKNOWN, "Response and Assertion name different requests", received=answers)


# What is believed: every element from here on comes from signed bytes


def _name_id(subject: Element) -> NameId:
    """Subject: one NameID whose text is a single run of characters (Core 2.2.3)."""
    element = _one(subject, f"{_A}NameID", SUBJECT_MISSING)
    value = _text(element)
    if not value or len(value) > _LONGEST_SUBJECT:
        raise SignInRefused(SUBJECT_MISSING, f"The NameID is empty or longer than {_LONGEST_SUBJECT} characters")
    return NameId(
        value, element.get("Format", ""), element.get("NameQualifier", ""), element.get("SPNameQualifier", "")
    )


def _check_conditions(conditions: Element, expected: Expected, now: datetime) -> None:
    """Time window: the Conditions, all of them understood (Core 2.5.1)."""
    for condition in conditions:
        if condition.tag not in _UNDERSTOOD_CONDITIONS:
            raise SignInRefused(CONDITIONS_MISSING, "A condition that is not understood", received=condition.tag)
    _check_window(conditions, expected, now, CONDITIONS_MISSING)


def _check_window(element: Element, expected: Expected, now: datetime, malformed: Refusal) -> None:
    start = _time(element, "NotBefore", malformed)
    if start is not None and now + expected.skew < start:  # in this order nothing overflows for the years 1 and 9999
        raise SignInRefused(
            NOT_YET_VALID, f"NotBefore of {_local(element)}", expected=_stamp(start), received=f"{_stamp(now)} here"
        )
    end = _time(element, "NotOnOrAfter", malformed)
    if end is not None and now - expected.skew >= end:
        raise SignInRefused(
            EXPIRED, f"NotOnOrAfter of {_local(element)}", expected=_stamp(end), received=f"{_stamp(now)} here"
        )


def _check_audience(conditions: Element, expected: Expected) -> None:
    """Audience: at least one restriction, and each names us (Core 2.5.1.4)."""
    restrictions = conditions.iterchildren(f"{_A}AudienceRestriction")
    audiences = [
        [_text(audience) for audience in restriction.iterchildren(f"{_A}Audience")] for restriction in restrictions
    ]
    if not audiences or any(expected.audience not in named for named in audiences):
        received = ", ".join(audience for named in audiences for audience in named)
        raise SignInRefused(AUDIENCE_MISMATCH, expected=expected.audience, received=received)


class _Confirmation(NamedTuple):
    in_response_to: str | None
    not_on_or_after: datetime


def _confirmation(subject: Element, expected: Expected, now: datetime) -> _Confirmation:
    """Subject confirmation: one bearer confirmation that holds (Profiles 4.1.4.3). The first failure is the one told."""
    refusals: list[SignInRefused] = []
    for confirmation in subject.iterchildren(f"{_A}SubjectConfirmation"):
        if confirmation.get("Method") != _BEARER:
            continue
        try:
            return _bearer(confirmation, expected, now)
        except SignInRefused as refused:
            refusals.append(refused)
    raise refusals[0] if refusals else SignInRefused(CONFIRMATION_MISSING, "There is no bearer confirmation")


def _bearer(confirmation: Element, expected: Expected, now: datetime) -> _Confirmation:
    data = _one(confirmation, f"{_A}SubjectConfirmationData", CONFIRMATION_MISSING)
    end = _time(data, "NotOnOrAfter", CONFIRMATION_MISSING)
    if end is None or "Recipient" not in data.attrib:
        raise SignInRefused(CONFIRMATION_MISSING, "It has no NotOnOrAfter or no Recipient")
    if end - now > _LONGEST_CONFIRMATION:
        raise SignInRefused(
            CONFIRMATION_MISSING, "It is valid for too long", expected="at most a year", received=_stamp(end)
        )
    _check_window(data, expected, now, CONFIRMATION_MISSING)
    _check_recipient(data, expected)
    _check_request(data, expected)
    return _Confirmation(data.get("InResponseTo"), end)


def _check_recipient(data: Element, expected: Expected) -> None:
    """Recipient: the URL that was posted to."""
    recipient = data.get("Recipient", "")
    if recipient != expected.acs_url:
        raise SignInRefused(RECIPIENT_MISMATCH, expected=expected.acs_url, received=recipient)


def _check_request(data: Element, expected: Expected) -> None:
    """Pending request: the one that waits in this browser, or none where that is allowed."""
    answers = data.get("InResponseTo")
    if answers is None and not expected.unsolicited_allowed:
        raise SignInRefused(UNSOLICITED_REFUSED, expected=expected.request_id or "", received="no InResponseTo")
    if answers is not None and answers != expected.request_id:
        waiting = expected.request_id or "no request waits in this browser"
        raise SignInRefused(REQUEST_UNKNOWN, expected=waiting, received=answers)


class _Session(NamedTuple):
    authn_instant: datetime
    session_index: str | None
    not_on_or_after: datetime | None


def _session(assertion: Element, expected: Expected, now: datetime) -> _Session:
    """Authentication statement: at least one, and no session at the provider that is over (Core 2.7.2)."""
    statements = list(assertion.iterchildren(f"{_A}AuthnStatement"))
    instants = [_time(statement, "AuthnInstant", AUTHN_MISSING) for statement in statements]
    ends = [end for statement in statements if (end := _time(statement, "SessionNotOnOrAfter", AUTHN_MISSING))]
    if not instants or instants[0] is None:
        raise SignInRefused(AUTHN_MISSING, "There is no AuthnStatement with an AuthnInstant")
    end = min(ends, default=None)
    if end is not None and now - expected.skew >= end:
        raise SignInRefused(SESSION_OVER, "SessionNotOnOrAfter", expected=_stamp(end), received=f"{_stamp(now)} here")
    return _Session(instants[0], statements[0].get("SessionIndex"), end)


def _attributes(assertion: Element) -> Mapping[str, tuple[str, ...]]:
    """Every attribute by its Name. One that comes twice has the values of both; an empty statement is accepted."""
    found: dict[str, tuple[str, ...]] = {}
    for statement in assertion.iterchildren(_ATTRIBUTE_STATEMENT):
        for attribute in statement.iterchildren(_ATTRIBUTE):
            name = attribute.get("Name", "")
            values = [
                _value(value) for value in attribute if value.tag == _ATTRIBUTE_VALUE and value.get(_NIL) not in _TRUE
            ]
            found[name] = (*found.get(name, ()), *values)
    return MappingProxyType(found)


def _value(element: Element) -> str:
    """The text of an attribute value; of one that holds elements (an eduPersonTargetedID), all text in it."""
    if len(element):
        return "".join([str(text) for text in element.itertext()]).strip(_WHITE_SPACE)
    return _text(element)


# Small parts


def _one(parent: Element, tag: str, refusal: Refusal) -> Element:
    """The only child of this name."""
    found = list(parent.iterchildren(tag))
    if len(found) != 1:
        raise SignInRefused(refusal, f"{tag.rpartition('}')[2]} elements", expected="1", received=str(len(found)))
    return found[0]


def _text(element: Element) -> str:
    """The text of an element, without the white space around it; nothing when there are elements in it."""
    return "" if len(element) else (element.text or "").strip(_WHITE_SPACE)


def _time(element: Element, name: str, malformed: Refusal) -> datetime | None:
    """A time attribute as aware UTC (Core 1.3.3), None when absent; fractions of a second are kept to microseconds."""
    value = element.get(name)
    if value is None:
        return None
    if _TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:  # the thirteenth month
            pass
    raise SignInRefused(malformed, f"{name} is not a UTC time", received=value)


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
