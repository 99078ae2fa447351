"""The signature gate: from a received response to bytes that a pinned certificate signed.

Signatures are checked in this order, and nothing of the received tree leaves :func:`gate`:

1. Where they stand: at most one in the Response and one in its Assertion, each before everything but the Issuer; none elsewhere.
2. How they are made (SAML Core 5.4): one reference to the element that they stand in, enveloped, exclusive
   canonicalization, algorithms of a list; each part of a signature exactly once and nothing else in it.
3. Who made them: ``pybergshamra`` verifies all with one pinned key at a time. What KeyInfo says is not used.
4. What they cover: the canonical bytes of the element are made here, and their digest is compared with the one in the
   verified signature. These very bytes are what the caller gets.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Literal, NamedTuple

import pybergshamra
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from core import certificates
from core.certificates import Certificate
from core.errors import SignInRefused
from core.refusals import CERTIFICATE_EXPIRED, SIGNATURE_INVALID, SIGNATURE_MISSING, SIGNATURE_PROFILE, SIGNATURE_WEAK
from core.saml import document
from core.saml.document import Element

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

_LEAST_SIGNATURE_BYTES: Final = {
    **{f"http://www.w3.org/2001/04/xmldsig-more#rsa-sha{bits}": 256 for bits in (256, 384, 512)},
    **{f"http://www.w3.org/2007/05/xmldsig-more#sha{bits}-rsa-MGF1": 256 for bits in (256, 384, 512)},
    **{f"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha{bits}": 64 for bits in (256, 384, 512)},
}
"""The signature algorithms that are taken, with the length of a signature by the smallest key: RSA 2048, P-256."""
_DIGESTS: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashlib.sha256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashlib.sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,256}")
_MOST_PREFIXES: Final = 16

_profile_refused = partial(SignInRefused, SIGNATURE_PROFILE)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a pinned certificate signed.

    ``xml`` is the canonical form of one element (exclusive C14N, without its own signature), ``element`` says which (the
    "response" is the whole message),
    ``fingerprint`` is that of the certificate (SHA-256, ``9C:41:…``).
    """

    xml: bytes
    element: Literal["response", "assertion"]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class PinnedKey:
    """The key of one certificate, ready to verify. A context holds this key and no other."""

    certificate: Certificate
    context: pybergshamra.DsigContext


@dataclass(frozen=True, slots=True)
class Keys:
    """The pinned keys of a connection. To build them costs more than to use them: keep them."""

    pinned: tuple[PinnedKey, ...]

    @classmethod
    def of(cls, pem: str) -> Keys:
        """From PEM text of one or two certificates; raises CertificateRejected."""
        return cls(tuple(PinnedKey(certificate, _context(certificate)) for certificate in certificates.read(pem)))

    def usable(self, now: datetime) -> tuple[PinnedKey, ...]:
        """Those that have not expired; refuses with CERTIFICATE_EXPIRED when none is left."""
        usable = tuple(key for key in self.pinned if not certificates.expired(key.certificate, now))
        if not usable:
            last = max(key.certificate.not_after for key in self.pinned)
            raise SignInRefused(CERTIFICATE_EXPIRED, f"The last certificate expired on {last:%Y-%m-%d %H:%M} UTC")
        return usable


def gate(response: Element, keys: Keys, now: datetime) -> Signed:
    """The signed bytes of a received Response: those of its Assertion when that is signed, else those of the Response.

    ``response`` comes from :func:`core.saml.document.message` and has one Assertion as a child; it is used up. It may be
    another message (of single logout), in which nothing but the whole can be signed. Every signature in it must be valid. Raises SignInRefused with SIGNATURE_MISSING, SIGNATURE_PROFILE, SIGNATURE_WEAK,
    CERTIFICATE_EXPIRED or SIGNATURE_INVALID.
    """
    references = [_reference(element, signature) for element, signature in _signatures(response)]
    usable = keys.usable(now)
    signer = _signer(response, references, usable)
    innermost = references[-1]
    return Signed(_octets(innermost), innermost.name, signer.certificate.fingerprint)


def _context(certificate: Certificate) -> pybergshamra.DsigContext:
    public_key = x509.load_der_x509_certificate(certificate.der).public_key()
    manager = pybergshamra.KeysManager()
    manager.add_key(
        pybergshamra.load_spki_der(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    )
    return pybergshamra.DsigContext.secure(manager)


def _signatures(response: Element) -> list[tuple[Element, Element]]:
    """Each signed element with its signature, the whole message first. Only a Response holds another that may be signed."""
    inside = response.iterchildren(ASSERTION) if response.tag == RESPONSE else ()
    found = [(element, signature) for element in (response, *inside) for signature in element.iterchildren(_SIGNATURE)]
    if len(found) != sum(1 for _ in response.iter(_SIGNATURE)):
        raise _profile_refused("A signature stands where none belongs")
    if not found:
        raise SignInRefused(SIGNATURE_MISSING, "Neither the Response nor the Assertion is signed")
    for _, signature in found:
        before = signature.getprevious()
        if before is not None and (before.tag != ISSUER or before.getprevious() is not None):
            raise _profile_refused("A signature does not directly follow the Issuer, or stands twice")
    return found


class _Reference(NamedTuple):
    """A signature of the right profile, taken apart: what it covers and the digest that it promises."""

    element: Element
    signature: Element
    id: str
    prefixes: list[str]
    digest_method: str
    digest_value: bytes

    @property
    def name(self) -> Literal["response", "assertion"]:
        return "assertion" if self.element.tag == ASSERTION else "response"


def _reference(element: Element, signature: Element) -> _Reference:
    """Check the profile of one signature. The order of the parts is that of the schema (XML Signature 1.1, 4)."""
    signed_info, signature_value, *_ = _parts(signature, _SIGNATURE_PARTS, [*_SIGNATURE_PARTS, f"{_DS}KeyInfo"])
    canonicalization, method, reference = _parts(signed_info, _SIGNED_INFO_PARTS)
    transforms, digest_method, digest_value = _parts(reference, _REFERENCE_PARTS)
    enveloped, exclusive = _parts(transforms, _TRANSFORMS_PARTS)

    identifier = element.get("ID", "")
    if not _ID.fullmatch(identifier) or reference.get("URI") != f"#{identifier}":
        raise _profile_refused("Reference", expected=f"#{identifier}", received=reference.get("URI", ""))
    _expect_algorithm(enveloped, _ENVELOPED)
    _expect_no_parts(enveloped)
    _expect_algorithm(exclusive, _EXCLUSIVE)
    prefixes = _inclusive_prefixes(exclusive)
    _expect_algorithm(canonicalization, _EXCLUSIVE)
    _inclusive_prefixes(canonicalization)
    _check_strength(method, digest_method, _decoded(signature_value))
    return _Reference(
        element, signature, identifier, prefixes, digest_method.get("Algorithm", ""), _decoded(digest_value)
    )


def _parts(element: Element, *allowed: list[str]) -> list[Element]:
    """The children of a part of a signature, whose names must be one of these rows."""
    parts = list(element)
    if [part.tag for part in parts] not in allowed:
        expected, received = (
            [tag.removeprefix(_DS) for tag in tags] for tags in (allowed[0], [part.tag for part in parts])
        )
        raise _profile_refused(
            f"The parts of {_local(element)}", expected=", ".join(expected), received=", ".join(received)
        )
    return parts


def _expect_no_parts(element: Element) -> None:
    if len(element):
        raise _profile_refused(f"The parts of {_local(element)}", expected="none", received=_local(element[0]))


def _expect_algorithm(element: Element, algorithm: str) -> None:
    if element.get("Algorithm") != algorithm:
        raise _profile_refused(_local(element), expected=algorithm, received=element.get("Algorithm", ""))


def _inclusive_prefixes(element: Element) -> list[str]:
    """The prefixes of an InclusiveNamespaces part (Exclusive XML Canonicalization 1.0, 4); it is the only part allowed."""
    if len(element) == 0:
        return []
    prefixes = element[0].get("PrefixList", "").split()
    if len(element) > 1 or element[0].tag != f"{_EC}InclusiveNamespaces" or len(prefixes) > _MOST_PREFIXES:
        raise _profile_refused(
            f"The parts of {_local(element)}", expected="InclusiveNamespaces", received=_local(element[0])
        )
    return prefixes


def _check_strength(method: Element, digest_method: Element, signature_value: bytes) -> None:
    algorithm, digest = method.get("Algorithm", ""), digest_method.get("Algorithm", "")
    least = _LEAST_SIGNATURE_BYTES.get(algorithm)
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
        raise _profile_refused(f"{_local(element)} is not base64") from None


def _signer(response: Element, references: list[_Reference], usable: tuple[PinnedKey, ...]) -> PinnedKey:
    """The pinned key that made every signature. The verifier reads the tree that was checked, not what was received."""
    text = etree.tostring(response, encoding="unicode")
    for key in usable:
        if _verifies(text, key, references):
            return key
    known = ", ".join(key.certificate.fingerprint for key in usable)
    claimed = ", ".join(_claimed_certificates(references[0].signature))
    raise SignInRefused(SIGNATURE_INVALID, "No certificate of this connection fits", expected=known, received=claimed)


def _verifies(text: str, key: PinnedKey, references: list[_Reference]) -> bool:
    """Whether this key made exactly these signatures, each over the element that it was found in."""
    try:
        results = pybergshamra.verify_all(key.context, text)
    except pybergshamra.BergshamraError:
        return False
    if not all(result.is_valid and result.all_reference_digests_verified for result in results):
        return False
    covered = [[reference.uri for reference in result.references or ()] for result in results]
    return covered == [[f"#{reference.id}"] for reference in references]


def _claimed_certificates(signature: Element) -> list[str]:
    """Fingerprints of what KeyInfo holds, to be shown beside those of the pinned certificates. Nothing trusts them."""
    found = []
    for element in signature.iter(f"{_DS}X509Certificate"):
        with suppress(ValueError):
            found.append(hashlib.sha256(document.octets(element.text or "")).digest().hex(":").upper())
    return found


def _octets(reference: _Reference) -> bytes:
    """The canonical bytes that the digest in a verified signature was made of."""
    _detach(reference.signature)
    try:
        octets = etree.tostring(
            reference.element,
            method="c14n",
            exclusive=True,
            with_comments=False,
            inclusive_ns_prefixes=reference.prefixes,
        )
    except etree.C14NError:  # a relative namespace URI
        raise SignInRefused(SIGNATURE_INVALID, f"The {reference.name} has no canonical form") from None
    digest = _DIGESTS[reference.digest_method](octets).digest()
    if not hmac.compare_digest(digest, reference.digest_value):
        raise SignInRefused(SIGNATURE_INVALID, f"The digest of the {reference.name} does not match")
    return octets


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


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]
