"""Keys and certificates: well signed by somebody whom nobody trusts, with all that KeyInfo can say for them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from core.refusals import SIGNATURE_INVALID, SIGNATURE_PROFILE, SIGNATURE_WEAK
from core.testing.attacks.cases import VICTIM, Family, Good, refused
from core.testing.attacks.edits import DS, ONLY_ASSERTION, ONLY_RESPONSE, copy, drop, find, parse
from core.testing.identity_provider import DSIG, Element, IdentityProvider, Signer, serialize

KEYS = Family(
    "Keys and certificates",
    "Signed by a key of the attacker, with a KeyInfo that recommends it. Only the pinned certificates of a connection "
    "count; nothing in KeyInfo is used as a key.",
    "CVE-2021-21239 (pysaml2); XML Signature 1.1, 4.5",
)
_DSIG11 = "http://www.w3.org/2009/xmldsig11#"


def _by_a_stranger(good: Good, key_info: str | None = None, by: IdentityProvider | None = None) -> bytes:
    """The victim's assertion signed by another key; ``key_info`` is what the KeyInfo then holds."""

    def edit(signature: Element) -> None:
        if key_info is not None:
            signature.replace(find(signature, "ds:KeyInfo"), parse(f"<ds:KeyInfo {DS}>{key_info}</ds:KeyInfo>"))

    return good.response(by=by or good.stranger, subject=VICTIM, edit_signature=edit).xml


def _x509(*certificates: str) -> str:
    inside = "".join(f"<ds:X509Certificate>{each}</ds:X509Certificate>" for each in certificates)
    return f"<ds:X509Data>{inside}</ds:X509Data>"


def _number(value: int) -> str:
    return base64.b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()


def _key_value(by: IdentityProvider) -> str:
    assert isinstance(by.key, rsa.RSAPrivateKey)
    numbers = by.key.public_key().public_numbers()
    return (
        f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{_number(numbers.n)}</ds:Modulus>"
        f"<ds:Exponent>{_number(numbers.e)}</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
    )


@cache
def _of_kind(entity_id: str, kind: str) -> IdentityProvider:
    return IdentityProvider.create(entity_id, key=kind)


@KEYS.message(refused(SIGNATURE_INVALID))
def unknown_key(good: Good) -> bytes:
    """Another key; KeyInfo holds its certificate, which bears the provider's names."""
    return _by_a_stranger(good)


@KEYS.message(refused(SIGNATURE_INVALID))
def unknown_key_without_key_info(good: Good) -> bytes:
    """Another key and no KeyInfo."""
    return good.response(by=good.stranger, subject=VICTIM, key_info=False).xml


@KEYS.message(refused(SIGNATURE_INVALID))
def unknown_key_that_shows_the_pinned_certificate(good: Good) -> bytes:
    """Another key; KeyInfo holds the pinned certificate."""
    return _by_a_stranger(good, _x509(good.provider.certificate_base64))


@KEYS.message(refused(SIGNATURE_INVALID))
def chain_that_begins_with_the_pinned_certificate(good: Good) -> bytes:
    """KeyInfo holds the pinned certificate first and the attacker's second."""
    return _by_a_stranger(good, _x509(good.provider.certificate_base64, good.stranger.certificate_base64))


@KEYS.message(refused(SIGNATURE_INVALID))
def chain_that_ends_with_the_pinned_certificate(good: Good) -> bytes:
    """KeyInfo holds the attacker's certificate first and the pinned one second, as if it had issued it."""
    return _by_a_stranger(good, _x509(good.stranger.certificate_base64, good.provider.certificate_base64))


@KEYS.message(refused(SIGNATURE_INVALID))
def certificate_with_the_serial_of_the_pinned_one(good: Good) -> bytes:
    """A certificate that is the pinned one in everything but the key: names, serial number, dates."""
    pinned, stranger = good.provider.certificate, good.stranger
    builder = x509.CertificateBuilder(
        issuer_name=pinned.issuer,
        subject_name=pinned.subject,
        public_key=stranger.key.public_key(),
        serial_number=pinned.serial_number,
        not_valid_before=pinned.not_valid_before_utc,
        not_valid_after=pinned.not_valid_after_utc,
    )
    return _by_a_stranger(good, by=replace(stranger, certificate=builder.sign(stranger.key, hashes.SHA256())))


@KEYS.message(refused(SIGNATURE_INVALID))
def issuer_and_serial_of_the_pinned_certificate(good: Good) -> bytes:
    """KeyInfo names the pinned certificate by issuer and serial number."""
    certificate = good.provider.certificate
    serial = f"<ds:X509SerialNumber>{certificate.serial_number}</ds:X509SerialNumber>"
    name = f"<ds:X509IssuerName>{certificate.issuer.rfc4514_string()}</ds:X509IssuerName>"
    return _by_a_stranger(good, f"<ds:X509Data><ds:X509IssuerSerial>{name}{serial}</ds:X509IssuerSerial></ds:X509Data>")


@KEYS.message(refused(SIGNATURE_INVALID))
def key_value_of_the_stranger(good: Good) -> bytes:
    """KeyInfo holds the attacker's bare public key."""
    return _by_a_stranger(good, _key_value(good.stranger))


@KEYS.message(refused(SIGNATURE_INVALID))
def key_value_beside_the_pinned_certificate(good: Good) -> bytes:
    """KeyInfo shows the pinned certificate to whoever compares and the attacker's key to whoever verifies."""
    return _by_a_stranger(good, _x509(good.provider.certificate_base64) + _key_value(good.stranger))


@KEYS.message(refused(SIGNATURE_INVALID))
def der_encoded_key_value(good: Good) -> bytes:
    """KeyInfo holds the attacker's public key as DER (XML Signature 1.1, 4.5.9)."""
    der = good.stranger.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    value = base64.b64encode(der).decode()
    return _by_a_stranger(good, f'<d:DEREncodedKeyValue xmlns:d="{_DSIG11}">{value}</d:DEREncodedKeyValue>')


@KEYS.message(refused(SIGNATURE_INVALID))
def key_name(good: Good) -> bytes:
    """KeyInfo names a key, which some readers take for a file or for a key of a store."""
    return _by_a_stranger(good, "<ds:KeyName>/etc/ssl/private/key.pem</ds:KeyName>")


@KEYS.message(refused(SIGNATURE_INVALID), "XML Signature 1.1, 4.5.3; CWE-918")
def retrieval_method_elsewhere(good: Good) -> bytes:
    """KeyInfo asks the verifier to fetch the key from the attacker."""
    return _by_a_stranger(good, f'<ds:RetrievalMethod URI="http://127.0.0.1:9/key" Type="{DSIG}X509Data"/>')


@KEYS.message(refused(SIGNATURE_INVALID), "CVE-2021-40690 (Apache Santuario)")
def key_info_reference_to_a_file(good: Good) -> bytes:
    """KeyInfo asks the verifier to read a file of the server."""
    return _by_a_stranger(good, f'<d:KeyInfoReference xmlns:d="{_DSIG11}" URI="file:///etc/passwd"/>')


@KEYS.message(refused(SIGNATURE_INVALID))
def two_key_infos_in_one(good: Good) -> bytes:
    """KeyInfo holds another KeyInfo with the attacker's certificate."""
    inner = f"<ds:KeyInfo>{_x509(good.stranger.certificate_base64)}</ds:KeyInfo>"
    return _by_a_stranger(good, _x509(good.provider.certificate_base64) + inner)


@KEYS.message(refused(SIGNATURE_PROFILE))
def key_info_twice(good: Good) -> bytes:
    """A second KeyInfo beside the first."""
    root = good.tree(by=good.stranger, sign=ONLY_ASSERTION)
    key_info = find(root, ".//ds:KeyInfo")
    key_info.addnext(parse(f"<ds:KeyInfo {DS}>{_x509(good.provider.certificate_base64)}</ds:KeyInfo>"))
    return serialize(root)


@KEYS.message(refused(SIGNATURE_INVALID))
def certificate_that_is_none(good: Good) -> bytes:
    """KeyInfo holds bytes that are no certificate."""
    return _by_a_stranger(good, _x509("AAAA"))


@KEYS.message(refused(SIGNATURE_INVALID))
def elliptic_key_of_a_stranger(good: Good) -> bytes:
    """A key of another kind, so that a verifier has to change its way."""
    return _by_a_stranger(good, by=_of_kind(good.provider.entity_id, "p-256"))


@KEYS.message(refused(SIGNATURE_WEAK))
def key_of_1024_bits(good: Good) -> bytes:
    """A key that is too short to be believed, whoever's it is."""
    return _by_a_stranger(good, by=_of_kind(good.provider.entity_id, "rsa-1024"))


@KEYS.message(refused(SIGNATURE_WEAK))
def key_on_a_short_curve(good: Good) -> bytes:
    """A key on the curve P-192."""
    return _by_a_stranger(good, by=_of_kind(good.provider.entity_id, "p-192"))


@KEYS.message(refused(SIGNATURE_INVALID))
def certificate_made_by_the_provider(good: Good) -> bytes:
    """The attacker's certificate is signed by the provider's key (a leaf of a chain): a pinned key is no authority."""
    pinned, stranger = good.provider, good.stranger
    leaf = x509.CertificateBuilder(
        issuer_name=pinned.certificate.subject,
        subject_name=stranger.certificate.subject,
        public_key=stranger.key.public_key(),
        serial_number=7,
        not_valid_before=good.now - timedelta(days=1),
        not_valid_after=good.now + timedelta(days=1),
    ).sign(pinned.key, hashes.SHA256())
    return _by_a_stranger(good, by=replace(stranger, certificate=leaf))


# Two signatures, two signers


def _two_signers(good: Good, inner: IdentityProvider, outer: IdentityProvider) -> bytes:
    root = good.tree(sign=(), subject=VICTIM)
    Signer(inner).sign(find(root, "a:Assertion"))
    Signer(outer).sign(root)
    return serialize(root)


@KEYS.message(refused(SIGNATURE_INVALID))
def assertion_of_a_stranger_in_a_genuine_response(good: Good) -> bytes:
    """The provider signs the Response, somebody else the assertion in it."""
    return _two_signers(good, good.stranger, good.provider)


@KEYS.message(refused(SIGNATURE_INVALID))
def genuine_assertion_in_the_response_of_a_stranger(good: Good) -> bytes:
    """Somebody takes a genuine assertion and signs a Response around it."""
    return _two_signers(good, good.provider, good.stranger)


@KEYS.message(refused(SIGNATURE_INVALID))
def genuine_signature_value_under_another_signed_info(good: Good) -> bytes:
    """The attacker's SignedInfo with the SignatureValue of a genuine one."""
    root = good.tree(by=good.stranger, sign=ONLY_RESPONSE)
    genuine = find(good.tree(sign=ONLY_RESPONSE), "ds:Signature/ds:SignatureValue").text
    find(root, "ds:Signature/ds:SignatureValue").text = genuine
    return serialize(root)


@KEYS.message(refused(SIGNATURE_INVALID), "CVE-2025-29774 (xml-crypto)")
def genuine_signature_in_the_key_info(good: Good) -> bytes:
    """KeyInfo holds the parts of a genuine signature, where a search in the signature finds them."""
    root = good.tree(by=good.stranger, sign=ONLY_ASSERTION)
    signature = find(good.tree(sign=ONLY_ASSERTION), "a:Assertion/ds:Signature")
    place = find(root, ".//ds:KeyInfo")
    for part in [copy(each) for each in signature]:
        place.append(part)
    return serialize(root)


@KEYS.message(refused(SIGNATURE_INVALID))
def signature_of_an_earlier_response(good: Good) -> bytes:
    """A genuine signature of another response to the same person, whose assertion has the same ID."""
    earlier = good.tree(sign=ONLY_ASSERTION)
    root = good.tree(sign=ONLY_ASSERTION, subject=VICTIM)
    assertion = find(root, "a:Assertion")
    assertion.set("ID", find(earlier, "a:Assertion").get("ID", ""))
    drop(find(assertion, "ds:Signature"))
    assertion.insert(1, find(earlier, "a:Assertion/ds:Signature"))
    return serialize(root)
