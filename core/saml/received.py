"""What came, unsigned as it is: looked at, refused or verified, and answered as signed bytes.

Nothing here becomes a value of an assertion but the bytes that a pinned certificate signed, and what was encrypted in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.errors import SignInRefused
from core.refusals import (
    DESTINATION_MISMATCH,
    ENCRYPTION_UNEXPECTED,
    ISSUER_MISMATCH,
    PROVIDER_DENIED,
    PROVIDER_ERROR,
    REQUEST_UNKNOWN,
    RESPONSE_SHAPE,
    RESPONSE_UNREADABLE,
    VERSION_UNSUPPORTED,
    XML_REFUSED,
)
from core.saml import document
from core.saml.document import DocumentRefused, Element
from core.saml.elements import ID, STATUS, A, local_name, one, status_codes, status_message, text_of
from core.saml.encryption import ENCRYPTED_DATA, Decryption, decrypt
from core.saml.pinned_keys import Keys
from core.saml.signature import ASSERTION, ISSUER, RESPONSE, Signed, canonical, gate

ENCRYPTED_ASSERTION: Final = f"{A}EncryptedAssertion"
_ENCRYPTED: Final = (ENCRYPTED_ASSERTION, f"{A}EncryptedID", f"{A}EncryptedAttribute", ENCRYPTED_DATA)
_SAML_1: Final = ("{urn:oasis:names:tc:SAML:1.0:protocol}", "{urn:oasis:names:tc:SAML:1.1:protocol}")
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_LONGEST_FORM_VALUE: Final = 2 * document.MOST_BYTES
_MOST_NAMED: Final = 10


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


def receive(form_value: str, keys: Keys, expected: Expected, now: datetime, decryption: Decryption | None) -> Signed:
    """What may refuse without a signature, then the gate. Raises SignInRefused."""
    response = _document(form_value)
    encrypted = _check_shape(response)
    _check_status(response)
    check_version(response)
    check_issuer(response, expected)
    _check_destination(response, expected)
    if encrypted is not None:
        return _decrypted(response, keys, now, decryption)
    _check_same_request(response, response)
    return gate(response, keys, now)


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


def _check_shape(response: Element) -> Element | None:
    """One response, one assertion: anywhere in the document, whatever else is around them. Answers the EncryptedAssertion
    where it is one; nothing else may be encrypted.
    """
    if response.tag.startswith(_SAML_1):
        raise SignInRefused(VERSION_UNSUPPORTED, expected="2.0", received="1")
    if response.tag != RESPONSE:
        raise SignInRefused(RESPONSE_SHAPE, "The document", expected="Response", received=response.tag)
    found = list(response.iter(RESPONSE, ASSERTION, *_ENCRYPTED))[1:]
    if not found and status_codes(response)[:1] != [f"{STATUS}Success"]:
        return None  # the next check refuses it with the provider's own words
    tags = [element.tag for element in found]
    if tags == [ENCRYPTED_ASSERTION, ENCRYPTED_DATA]:
        encrypted, data = found
        if encrypted.getparent() is response and data.getparent() is encrypted:
            return encrypted
    if tags != [ASSERTION] or found[0].getparent() is not response:
        names = ", ".join(local_name(element) for element in found[:_MOST_NAMED])
        raise SignInRefused(RESPONSE_SHAPE, "Assertions", expected="1 in the Response", received=names or "none")
    _check_id(found[0])
    return None


def _check_id(assertion: Element) -> None:
    if not ID.fullmatch(assertion.get("ID", "")):
        raise SignInRefused(RESPONSE_SHAPE, "The ID of the Assertion", received=assertion.get("ID", ""))


def _check_status(response: Element) -> None:
    """Status (Core 3.2.2). A response without success is often unsigned: it can do no more than end the sign-in."""
    codes = status_codes(response)
    if codes[:1] == [f"{STATUS}Success"]:
        return
    refusal = PROVIDER_DENIED if f"{STATUS}RequestDenied" in codes else PROVIDER_ERROR
    received = " / ".join(code.removeprefix(STATUS) for code in codes)
    raise SignInRefused(refusal, status_message(response), expected="Success", received=received)


def check_version(element: Element) -> None:
    """Version (Core 2.3.3, 3.2.2)."""
    if element.get("Version") != "2.0":
        raise SignInRefused(VERSION_UNSUPPORTED, expected="2.0", received=element.get("Version", ""))


def check_issuer(element: Element, expected: Expected) -> str:
    """Issuer, equal to the letter. A Response may leave it out (Profiles 4.1.4.2), an Assertion may not."""
    issuers = [text_of(issuer) for issuer in element.iterchildren(ISSUER)]
    if issuers != [expected.issuer] and not (element.tag == RESPONSE and not issuers):
        raise SignInRefused(ISSUER_MISMATCH, expected=expected.issuer, received=", ".join(issuers))
    return expected.issuer


def _check_destination(response: Element, expected: Expected) -> None:
    """Destination, when present (Core 3.2.2)."""
    destination = response.get("Destination")
    if destination is not None and destination != expected.acs_url:
        raise SignInRefused(DESTINATION_MISMATCH, expected=expected.acs_url, received=destination)


def _check_same_request(response: Element, assertion: Element) -> None:
    """Pending request: a Response that names one holds an Assertion that names it, too (Profiles 4.1.4.2)."""
    answers = response.get("InResponseTo")
    named = [data.get("InResponseTo") for data in assertion.iter(f"{A}SubjectConfirmationData")]
    if answers is not None and answers not in named:
        raise SignInRefused(REQUEST_UNKNOWN, "Response and Assertion name different requests", received=answers)


# What is encrypted


def _decrypted(response: Element, keys: Keys, now: datetime, decryption: Decryption | None) -> Signed:
    """The signed bytes of an encrypted assertion.

    A signature of the Response is verified first, and then what is decrypted is what it covers. The decrypted document
    goes through the gate by itself, as one that came in plain: every signature in it has to be valid. Where it has none,
    it is believed only as a part of the signed Response.
    """
    if decryption is None:
        raise SignInRefused(ENCRYPTION_UNEXPECTED, "This connection has no key to read it")
    outer = gate(response, keys, now) if next(response.iter(_SIGNATURE), None) is not None else None
    holder = outer.read() if outer else response
    encrypted = one(holder, ENCRYPTED_ASSERTION, RESPONSE_SHAPE)
    assertion = _plain(decrypt(encrypted, decryption, signed=outer is not None))
    _check_same_request(holder, assertion)
    if outer is None or next(assertion.iter(_SIGNATURE), None) is not None:
        return gate(assertion, keys, now)
    return Signed(canonical(assertion, []), "assertion", outer.fingerprint)


def _plain(octets: bytes) -> Element:
    """A decrypted assertion: a document of its own, with every bound of one that came in plain."""
    try:
        root = document.message(octets)
    except DocumentRefused as refused:
        raise SignInRefused(XML_REFUSED, f"The encrypted assertion: {refused}") from None
    if [element.tag for element in root.iter(RESPONSE, ASSERTION, *_ENCRYPTED)] != [ASSERTION]:
        raise SignInRefused(RESPONSE_SHAPE, "What was encrypted", expected="1 Assertion", received=local_name(root))
    _check_id(root)
    return root
