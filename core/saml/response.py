"""From the form value of an answer to a VerifiedAssertion, or to a refusal with its code (SAML Profiles 4.1.4).

Two halves, and one value between them. :func:`core.saml.received.receive` looks at what came, unsigned as it is: it may
refuse, and it answers with signed bytes or not at all. :func:`_accept` gets these bytes and nothing else, so that no value
can reach a VerifiedAssertion that a pinned certificate did not sign. A check is one function; they stand in the order of
CHECKS.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from core.errors import SignInRefused
from core.plugin_api import VerifiedAssertion
from core.refusals import (
    AUDIENCE_MISMATCH,
    AUTHN_MISSING,
    CONDITIONS_MISSING,
    CONFIRMATION_MISSING,
    DESTINATION_MISMATCH,
    EXPIRED,
    ISSUER_MISMATCH,
    NOT_YET_VALID,
    PROVIDER_ERROR,
    RECIPIENT_MISMATCH,
    REQUEST_UNKNOWN,
    RESPONSE_SHAPE,
    RESPONSE_UNREADABLE,
    SESSION_OVER,
    SIGNATURE_INVALID,
    SUBJECT_MISSING,
    UNDECRYPTABLE,
    UNSOLICITED_REFUSED,
    VERSION_UNSUPPORTED,
    Refusal,
)
from core.saml.document import Element
from core.saml.elements import WHITE_SPACE, A, local_name, name_id_of, one, stamp, text_of, time_of
from core.saml.encryption import Decryption
from core.saml.pinned_keys import Keys
from core.saml.received import Expected, check_issuer, check_version, receive
from core.saml.signature import ASSERTION, Signed

__all__ = ["CHECKS", "Decryption", "Expected", "read"]

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
            UNDECRYPTABLE,
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

_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TRUE: Final = frozenset({"true", "1"})
_ATTRIBUTE_STATEMENT: Final = f"{A}AttributeStatement"
_ATTRIBUTE: Final = f"{A}Attribute"
_ATTRIBUTE_VALUE: Final = f"{A}AttributeValue"
_UNDERSTOOD_CONDITIONS: Final = frozenset({f"{A}AudienceRestriction", f"{A}OneTimeUse", f"{A}ProxyRestriction"})

_LONGEST_CONFIRMATION: Final = timedelta(days=366)
"""That an assertion was used has to be remembered as long. Providers write minutes, some the length of a session."""


def read(
    form_value: str, keys: Keys, expected: Expected, now: datetime, decryption: Decryption | None = None
) -> VerifiedAssertion:
    """The verified assertion in the form field SAMLResponse (base64, SAML Bindings 3.5.4).

    ``decryption`` is how an encrypted one is read; none where the connection has no keys for it. Raises SignInRefused,
    whose ``refusal.check`` is one of CHECKS. The caller has to see to it that the assertion's ``id`` is used once.
    """
    return _accept(receive(form_value, keys, expected, now, decryption), expected, now)


def _accept(signed: Signed, expected: Expected, now: datetime) -> VerifiedAssertion:
    """Everything that is believed, from signed bytes alone."""
    root = signed.read()
    assertion = root if signed.element == "assertion" else one(root, ASSERTION, RESPONSE_SHAPE)
    check_version(assertion)
    issuer = check_issuer(assertion, expected)
    subject = one(assertion, f"{A}Subject", SUBJECT_MISSING)
    name_id = name_id_of(subject, SUBJECT_MISSING)
    conditions = one(assertion, f"{A}Conditions", CONDITIONS_MISSING)
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


# What is believed: every element from here on comes from signed bytes


def _check_conditions(conditions: Element, expected: Expected, now: datetime) -> None:
    """Time window: the Conditions, all of them understood (Core 2.5.1)."""
    for condition in conditions:
        if condition.tag not in _UNDERSTOOD_CONDITIONS:
            raise SignInRefused(CONDITIONS_MISSING, "A condition that is not understood", received=condition.tag)
    _check_window(conditions, expected, now, CONDITIONS_MISSING)


def _check_window(element: Element, expected: Expected, now: datetime, malformed: Refusal) -> None:
    start = time_of(element, "NotBefore", malformed)
    if start is not None and now + expected.skew < start:  # in this order nothing overflows for the years 1 and 9999
        raise SignInRefused(
            NOT_YET_VALID, f"NotBefore of {local_name(element)}", expected=stamp(start), received=f"{stamp(now)} here"
        )
    end = time_of(element, "NotOnOrAfter", malformed)
    if end is not None and now - expected.skew >= end:
        raise SignInRefused(
            EXPIRED, f"NotOnOrAfter of {local_name(element)}", expected=stamp(end), received=f"{stamp(now)} here"
        )


def _check_audience(conditions: Element, expected: Expected) -> None:
    """Audience: at least one restriction, and each names us (Core 2.5.1.4)."""
    restrictions = conditions.iterchildren(f"{A}AudienceRestriction")
    audiences = [
        [text_of(audience) for audience in restriction.iterchildren(f"{A}Audience")] for restriction in restrictions
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
    for confirmation in subject.iterchildren(f"{A}SubjectConfirmation"):
        if confirmation.get("Method") != _BEARER:
            continue
        try:
            return _bearer(confirmation, expected, now)
        except SignInRefused as refused:
            refusals.append(refused)
    raise refusals[0] if refusals else SignInRefused(CONFIRMATION_MISSING, "There is no bearer confirmation")


def _bearer(confirmation: Element, expected: Expected, now: datetime) -> _Confirmation:
    data = one(confirmation, f"{A}SubjectConfirmationData", CONFIRMATION_MISSING)
    end = time_of(data, "NotOnOrAfter", CONFIRMATION_MISSING)
    if end is None or "Recipient" not in data.attrib:
        raise SignInRefused(CONFIRMATION_MISSING, "It has no NotOnOrAfter or no Recipient")
    if end - now > _LONGEST_CONFIRMATION:
        raise SignInRefused(
            CONFIRMATION_MISSING, "It is valid for too long", expected="at most a year", received=stamp(end)
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
    statements = list(assertion.iterchildren(f"{A}AuthnStatement"))
    instants = [time_of(statement, "AuthnInstant", AUTHN_MISSING) for statement in statements]
    ends = [end for statement in statements if (end := time_of(statement, "SessionNotOnOrAfter", AUTHN_MISSING))]
    if not instants or instants[0] is None:
        raise SignInRefused(AUTHN_MISSING, "There is no AuthnStatement with an AuthnInstant")
    end = min(ends, default=None)
    if end is not None and now - expected.skew >= end:
        raise SignInRefused(SESSION_OVER, "SessionNotOnOrAfter", expected=stamp(end), received=f"{stamp(now)} here")
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
    text = "".join([str(text) for text in element.itertext()]) if len(element) else element.text or ""
    return text.strip(WHITE_SPACE)
