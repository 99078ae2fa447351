"""The signature gate: from a received response to bytes that a pinned certificate signed.

Signatures are checked in this order, and nothing of the received tree leaves :func:`gate`:

1. Where they stand: at most one in the Response and one in its Assertion, each before everything but the Issuer; none elsewhere.
2. How they are made (SAML Core 5.4): one reference to the element that they stand in, enveloped, exclusive
   canonicalization, algorithms of a list; each part of a signature exactly once and nothing else in it. What SignedInfo
   says is read from its canonical bytes, never from the received tree.
3. Who made them: one pinned key, which signed those very bytes of each SignedInfo. What KeyInfo says is not used.
4. What they cover: the canonical bytes of the element that the signature stands in, whose digest is the one in the
   verified SignedInfo. These very bytes are what the caller gets.

So canonical forms are made here and believed only as bytes: whatever a canonicalizer makes of a strange document, a key
signed it, or it is refused. No element is looked up by its ID, and no transform is chosen by the document.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Literal, NamedTuple

from lxml import etree

from core.errors import SignInRefused
from core.refusals import SIGNATURE_INVALID, SIGNATURE_MISSING, SIGNATURE_PROFILE, SIGNATURE_WEAK
from core.saml import document
from core.saml.document import DocumentRefused, Element
from core.saml.elements import ID, local_name
from core.saml.pinned_keys import LEAST_SIGNATURE_BYTES, Keys, PinnedKey

RESPONSE: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}Response"
ASSERTION: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"
ISSUER: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}Issuer"

_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_SIGNATURE: Final = f"{_DS}Signature"
_SIGNATURE_PARTS: Final = [f"{_DS}SignedInfo", f"{_DS}SignatureValue"]
_SIGNED_INFO_PARTS: Final = [f"{_DS}CanonicalizationMethod", f"{_DS}SignatureMethod", f"{_DS}Reference"]
_REFERENCE_PARTS: Final = [f"{_DS}Transforms", f"{_DS}DigestMethod", f"{_DS}DigestValue"]
_TRANSFORMS_PARTS: Final = [f"{_DS}Transform", f"{_DS}Transform"]
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_EC: Final = f"{{{_EXCLUSIVE}}}"

_DIGESTS: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashlib.sha256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashlib.sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}
_MOST_PREFIXES: Final = 16
_DEFAULT_AS_A_NAME: Final = b'<a xmlns:a="#default"/>'
"""lxml leaves out prefixes that are not in its table of the names it has read. ``#default``, which stands for the namespace
without a prefix, gets into it as this URI.
"""
_MOST_PARTS: Final = 11
"""Elements of a SignedInfo that has all it may have."""

_profile_refused = partial(SignInRefused, SIGNATURE_PROFILE)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a pinned certificate signed.

    ``xml`` is the canonical form of one element (exclusive C14N, without its own signature), ``element`` says which (the
    "response" is the whole message), ``fingerprint`` is that of the certificate (SHA-256, ``9C:41:…``).
    """

    xml: bytes
    element: Literal["response", "assertion"]
    fingerprint: str

    def read(self) -> Element:
        """The element that these bytes say, and nothing of the document in which it came."""
        return _parsed(self.xml, self.element)


def gate(response: Element, keys: Keys, now: datetime) -> Signed:
    """The signed bytes of a received Response: those of its Assertion when that is signed, else those of the Response.

    ``response`` comes from :func:`core.saml.document.message` and has one Assertion as a child; it is used up. It may be
    another message (of single logout), in which nothing but the whole can be signed. Every signature in it must be valid.
    Raises SignInRefused with SIGNATURE_MISSING, SIGNATURE_PROFILE, SIGNATURE_WEAK, CERTIFICATE_EXPIRED or
    SIGNATURE_INVALID.
    """
    claims = [_claim(element, signature) for element, signature in _signatures(response)]
    signer = _signer(claims, keys.usable(now))
    octets = [_octets(claim) for claim in claims]  # from the outside in: each signature is taken out of what it covers
    return Signed(octets[-1], claims[-1].name, signer.certificate.fingerprint)


def _signatures(response: Element) -> list[tuple[Element, Element]]:
    """Each signed element with its signature, the whole message first. Only a Response holds another that may be signed."""
    found: list[tuple[Element, Element]] = []
    for signature in response.iter(_SIGNATURE):
        element = signature.getparent()
        if element is None or not (element is response or _is_assertion_of(element, response)):
            raise _profile_refused("A signature stands where none belongs")
        before = signature.getprevious()
        if before is not None and (before.tag != ISSUER or before.getprevious() is not None):
            raise _profile_refused("A signature does not directly follow the Issuer, or stands twice")
        found.append((element, signature))
    if not found:
        raise SignInRefused(SIGNATURE_MISSING, "Neither the Response nor the Assertion is signed")
    return found


def _is_assertion_of(element: Element, response: Element) -> bool:
    return element.tag == ASSERTION and response.tag == RESPONSE and element.getparent() is response


class _Claim(NamedTuple):
    """A signature of the right profile, taken apart: the bytes that are signed, and what they say of an element."""

    element: Element
    signature: Element
    signed_info: bytes
    algorithm: str
    value: bytes
    prefixes: list[str]
    digest_method: str
    digest_value: bytes

    @property
    def name(self) -> Literal["response", "assertion"]:
        return "assertion" if self.element.tag == ASSERTION else "response"


def _claim(element: Element, signature: Element) -> _Claim:
    """Check the profile of one signature. The order of the parts is that of the schema (XML Signature 1.1, 4)."""
    received, signature_value, *_ = _parts(signature, _SIGNATURE_PARTS, [*_SIGNATURE_PARTS, f"{_DS}KeyInfo"])
    octets = _canonical_signed_info(received)
    canonicalization, method, reference = _parts(_parsed(octets, "SignedInfo"), _SIGNED_INFO_PARTS)
    transforms, digest_method, digest_value = _parts(reference, _REFERENCE_PARTS)
    enveloped, exclusive = _parts(transforms, _TRANSFORMS_PARTS)

    identifier = element.get("ID", "")
    if not ID.fullmatch(identifier) or reference.get("URI") != f"#{identifier}":
        raise _profile_refused("Reference", expected=f"#{identifier}", received=reference.get("URI", ""))
    _expect_algorithm(enveloped, _ENVELOPED)
    _expect_no_parts(enveloped)
    _expect_algorithm(exclusive, _EXCLUSIVE)
    prefixes = _inclusive_prefixes(exclusive)
    _expect_algorithm(canonicalization, _EXCLUSIVE)
    value = _decoded(signature_value)
    _check_strength(method, digest_method, value)
    algorithm, digest = method.get("Algorithm", ""), digest_method.get("Algorithm", "")
    return _Claim(element, signature, octets, algorithm, value, prefixes, digest, _decoded(digest_value))


def _canonical_signed_info(received: Element) -> bytes:
    """The bytes that a signature signs, where it stands. How they are made is the one thing read from the tree.

    Nothing is verified yet, so what anybody sends must not be much.
    """
    if sum(1 for _ in received.iter()) > _MOST_PARTS:
        raise _profile_refused("The parts of SignedInfo", expected=f"{_MOST_PARTS} at most", received="more")
    canonicalization = received[0] if len(received) else received
    return canonical(received, _inclusive_prefixes(canonicalization))


def _parsed(octets: bytes, name: str) -> Element:
    try:
        return document.parse(octets)
    except DocumentRefused:
        raise SignInRefused(SIGNATURE_INVALID, f"The canonical form of the {name} cannot be read") from None


def _parts(element: Element, *allowed: list[str]) -> list[Element]:
    """The children of a part of a signature, whose names must be one of these rows."""
    parts = list(element)
    if [part.tag for part in parts] not in allowed:
        expected, received = (
            [tag.removeprefix(_DS) for tag in tags] for tags in (allowed[0], [part.tag for part in parts])
        )
        raise _profile_refused(
            f"The parts of {local_name(element)}", expected=", ".join(expected), received=", ".join(received)
        )
    return parts


def _expect_no_parts(element: Element) -> None:
    if len(element):
        raise _profile_refused(f"The parts of {local_name(element)}", expected="none", received=local_name(element[0]))


def _expect_algorithm(element: Element, algorithm: str) -> None:
    if element.get("Algorithm") != algorithm:
        raise _profile_refused(local_name(element), expected=algorithm, received=element.get("Algorithm", ""))


def _inclusive_prefixes(element: Element) -> list[str]:
    """The prefixes of an InclusiveNamespaces part (Exclusive XML Canonicalization 1.0, 4); it is the only part allowed."""
    if len(element) == 0:
        return []
    prefixes = element[0].get("PrefixList", "").split()
    if len(element) > 1 or element[0].tag != f"{_EC}InclusiveNamespaces" or len(prefixes) > _MOST_PREFIXES:
        raise _profile_refused(
            f"The parts of {local_name(element)}", expected="InclusiveNamespaces", received=local_name(element[0])
        )
    return prefixes


def _check_strength(method: Element, digest_method: Element, signature_value: bytes) -> None:
    algorithm, digest = method.get("Algorithm", ""), digest_method.get("Algorithm", "")
    least = LEAST_SIGNATURE_BYTES.get(algorithm)
    if least is None or digest not in _DIGESTS:
        weak, expected = (algorithm, "rsa-sha256") if least is None else (digest, "sha256")
        raise SignInRefused(SIGNATURE_WEAK, "The algorithm is not taken", expected=expected, received=weak)
    _expect_no_parts(method)
    _expect_no_parts(digest_method)
    if len(signature_value) < least:
        bits = f"{len(signature_value) * 8} bits"
        raise SignInRefused(
            SIGNATURE_WEAK, "The signature of the key is too short", expected=f"{least * 8} bits", received=bits
        )


def _decoded(element: Element) -> bytes:
    """The base64 text of an element without children, strict but for white space."""
    _expect_no_parts(element)
    try:
        return document.octets(element.text or "")
    except ValueError:
        raise _profile_refused(f"{local_name(element)} is not base64") from None


def _signer(claims: Sequence[_Claim], usable: Sequence[PinnedKey]) -> PinnedKey:
    """The pinned key that made every signature."""
    for key in usable:
        if all(key.made(claim.value, claim.signed_info, claim.algorithm) for claim in claims):
            return key
    known = ", ".join(key.certificate.fingerprint for key in usable)
    claimed = ", ".join(_claimed_certificates(claims[0].signature))
    raise SignInRefused(SIGNATURE_INVALID, "No certificate of this connection fits", expected=known, received=claimed)


def _claimed_certificates(signature: Element) -> list[str]:
    """Fingerprints of what KeyInfo holds, to be shown beside those of the pinned certificates. Nothing trusts them."""
    found = []
    for element in signature.iter(f"{_DS}X509Certificate"):
        with suppress(ValueError):
            found.append(hashlib.sha256(document.octets(element.text or "")).digest().hex(":").upper())
    return found


def _octets(claim: _Claim) -> bytes:
    """The canonical bytes that the digest in a verified SignedInfo was made of. Takes the signature out of the tree."""
    _detach(claim.signature)
    octets = canonical(claim.element, claim.prefixes)
    digest = _DIGESTS[claim.digest_method](octets).digest()
    if not hmac.compare_digest(digest, claim.digest_value):
        raise SignInRefused(SIGNATURE_INVALID, f"The digest of the {claim.name} does not match")
    return octets


def canonical(element: Element, prefixes: list[str]) -> bytes:
    """The element where it stands, by Exclusive XML Canonicalization 1.0 without comments.

    Raises SignInRefused with SIGNATURE_INVALID where it has no such form.
    """
    if "#default" in prefixes:
        document.parse(_DEFAULT_AS_A_NAME)
    try:
        return etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=prefixes, with_tail=False
        )
    except etree.C14NError:  # a relative namespace URI
        raise SignInRefused(SIGNATURE_INVALID, f"{local_name(element)} has no canonical form") from None


def _detach(element: Element) -> None:
    """Take an element out and leave the text after it, which lxml would take with it."""
    parent, before, tail = element.getparent(), element.getprevious(), element.tail or ""
    assert parent is not None
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    element.tail = None
    parent.remove(element)
