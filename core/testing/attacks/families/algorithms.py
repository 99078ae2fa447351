"""Algorithms: weaker ones, confused ones, none at all."""

from __future__ import annotations

import base64
import hmac

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from lxml import etree

from core.refusals import SIGNATURE_INVALID, SIGNATURE_PROFILE, SIGNATURE_WEAK
from core.testing.attacks.cases import VICTIM, Family, Good, refused
from core.testing.attacks.edits import (
    DS,
    ONLY_ASSERTION,
    after_signing,
    find,
    inserting,
    name_victim,
    parse,
    removing,
    setting,
    writing,
)
from core.testing.identity_provider import DSIG, SIGNATURES, Element, Signer, serialize

ALGORITHMS = Family(
    "Algorithms",
    "Weak digests and signatures, and algorithms whose confusion turns something that everybody has into a key.",
    "RFC 6194, RFC 6931; SAML 2.0 Metadata Profile for Algorithm Support 1.0",
)
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before a SHA-256 digest in a PKCS#1 v1.5 signature (RFC 8017, 9.2)."""


def _declared(good: Good, path: str, algorithm: str | None) -> bytes:
    """Signed as ever, and the provider says that it used this algorithm."""
    return good.response(edit_signature=setting(path, "Algorithm", algorithm)).xml


def _hmac(good: Good, secret: bytes, algorithm: str = "hmac-sha256", length: int | None = None) -> bytes:
    """The victim's assertion with a MAC; the secret is something that everybody knows."""
    root = good.tree(sign=ONLY_ASSERTION, subject=VICTIM)
    method = find(root, ".//ds:SignatureMethod")
    method.set("Algorithm", f"{DSIG}hmac-sha1" if algorithm == "hmac-sha1" else f"{_MORE}{algorithm}")
    if length is not None:
        method.append(parse(f"<ds:HMACOutputLength {DS}>{length}</ds:HMACOutputLength>"))
    octets = etree.tostring(find(root, ".//ds:SignedInfo"), method="c14n", exclusive=True)
    value = hmac.digest(secret, octets, algorithm.removeprefix("hmac-"))[: None if length is None else length // 8]
    find(root, ".//ds:SignatureValue").text = base64.b64encode(value).decode()
    return serialize(root)


def _public_key(good: Good, encoding: serialization.Encoding) -> bytes:
    return good.provider.key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def rsa_with_sha_1(good: Good) -> bytes:
    """RSA with SHA-1 over a SHA-1 digest, which AWS still offers."""
    return good.response(signature="rsa-sha1", digest="sha1").xml


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def sha_1_signature_over_a_sha_256_digest(good: Good) -> bytes:
    """RSA with SHA-1 over a good digest."""
    return good.response(signature="rsa-sha1").xml


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def sha_1_digest_under_a_sha_256_signature(good: Good) -> bytes:
    """A SHA-1 digest under a good signature."""
    return good.response(digest="sha1").xml


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def sha_1_of_the_assertion_alone(good: Good) -> bytes:
    """The Response is well signed, the assertion in it weakly: the weaker of two does not hide behind the better."""
    root = good.tree(sign=ONLY_ASSERTION, signature="rsa-sha1", digest="sha1")
    Signer(good.provider).sign(root)
    return serialize(root)


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def rsa_with_md5(good: Good) -> bytes:
    """RSA with MD5."""
    return _declared(good, ".//ds:SignatureMethod", f"{_MORE}rsa-md5")


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def digest_of_md5(good: Good) -> bytes:
    """A digest of MD5."""
    return _declared(good, ".//ds:DigestMethod", f"{_MORE}md5")


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def rsa_with_ripemd(good: Good) -> bytes:
    """RSA with RIPEMD-160."""
    return _declared(good, ".//ds:SignatureMethod", f"{_MORE}rsa-ripemd160")


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def rsa_with_sha_224(good: Good) -> bytes:
    """RSA with SHA-224."""
    return _declared(good, ".//ds:SignatureMethod", f"{_MORE}rsa-sha224")


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def dsa(good: Good) -> bytes:
    """DSA with SHA-1."""
    return _declared(good, ".//ds:SignatureMethod", f"{DSIG}dsa-sha1")


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def algorithm_none(good: Good) -> bytes:
    """An algorithm of the name none, as in tokens of another kind."""
    return _declared(good, ".//ds:SignatureMethod", "none")


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def algorithm_that_is_missing(good: Good) -> bytes:
    """A SignatureMethod without its Algorithm."""
    return _declared(good, ".//ds:SignatureMethod", None)


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def digest_algorithm_that_is_missing(good: Good) -> bytes:
    """A DigestMethod without its Algorithm."""
    return _declared(good, ".//ds:DigestMethod", None)


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def algorithm_with_white_space(good: Good) -> bytes:
    """A good algorithm with a space after it."""
    return _declared(good, ".//ds:SignatureMethod", SIGNATURES["rsa-sha256"] + " ")


@ALGORITHMS.message(refused(SIGNATURE_PROFILE))
def signature_method_that_is_missing(good: Good) -> bytes:
    """No SignatureMethod at all."""
    return good.response(edit_signature=removing(".//ds:SignatureMethod")).xml


@ALGORITHMS.message(refused(SIGNATURE_WEAK), "CWE-347")
def hmac_with_the_public_key_as_pem(good: Good) -> bytes:
    """A MAC whose secret is the provider's public key, which everybody has."""
    return _hmac(good, _public_key(good, serialization.Encoding.PEM))


@ALGORITHMS.message(refused(SIGNATURE_WEAK), "CWE-347")
def hmac_with_the_public_key_as_der(good: Good) -> bytes:
    """The same with the key as DER."""
    return _hmac(good, _public_key(good, serialization.Encoding.DER))


@ALGORITHMS.message(refused(SIGNATURE_WEAK), "CWE-347")
def hmac_with_the_certificate(good: Good) -> bytes:
    """A MAC whose secret is the pinned certificate as text."""
    return _hmac(good, good.provider.certificate_pem.encode())


@ALGORITHMS.message(refused(SIGNATURE_WEAK), "CWE-347")
def hmac_with_an_empty_secret(good: Good) -> bytes:
    """A MAC with an empty secret."""
    return _hmac(good, b"")


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def hmac_with_sha_1(good: Good) -> bytes:
    """A MAC with SHA-1, the one that XML Signature requires of every implementation."""
    return _hmac(good, _public_key(good, serialization.Encoding.PEM), "hmac-sha1")


@ALGORITHMS.message(refused(SIGNATURE_WEAK), "CVE-2009-0217")
def hmac_of_one_byte(good: Good) -> bytes:
    """A MAC of which the document asks to compare eight bits."""
    return _hmac(good, b"guess", length=8)


@ALGORITHMS.message(refused(SIGNATURE_WEAK), "CVE-2009-0217")
def hmac_of_no_bits(good: Good) -> bytes:
    """A MAC of which the document asks to compare nothing."""
    return _hmac(good, b"guess", length=0)


@ALGORITHMS.message(refused(SIGNATURE_PROFILE), "CVE-2009-0217")
def output_length_of_an_rsa_signature(good: Good) -> bytes:
    """The output length of a MAC as a parameter of an RSA signature."""
    length = f"<ds:HMACOutputLength {DS}>8</ds:HMACOutputLength>"
    return good.response(edit_signature=inserting(".//ds:SignatureMethod", length)).xml


def _padded(good: Good, root: Element, *, garbage: bool) -> bytes:
    """What an RSA signature of SignedInfo is raised to (EMSA-PKCS1-v1_5): the value that a key of exponent 1 signs with."""
    assert isinstance(good.provider.key, rsa.RSAPrivateKey)
    digest = Hash(SHA256())
    digest.update(etree.tostring(find(root, ".//ds:SignedInfo"), method="c14n", exclusive=True))
    tail = b"\0" + _DIGEST_INFO + digest.finalize()
    size = good.provider.key.key_size // 8
    if garbage:
        return (b"\0\1" + b"\xff" * 8 + tail).ljust(size, b"\xa5")
    return b"\0\1" + b"\xff" * (size - 2 - len(tail)) + tail


def _forged_value(
    good: Good, value: bytes | None = None, *, garbage: bool = False, exponent: int | None = None
) -> bytes:
    root = good.tree(sign=ONLY_ASSERTION, subject=VICTIM)
    value = _padded(good, root, garbage=garbage) if value is None else value
    find(root, ".//ds:SignatureValue").text = base64.b64encode(value).decode()
    if exponent is not None:
        assert isinstance(good.provider.key, rsa.RSAPrivateKey)
        modulus = good.provider.key.public_key().public_numbers().n.to_bytes(good.provider.key.key_size // 8, "big")
        key = (
            f"<ds:KeyInfo {DS}><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{base64.b64encode(modulus).decode()}</ds:Modulus>"
            f"<ds:Exponent>{base64.b64encode(bytes([exponent])).decode()}</ds:Exponent></ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>"
        )
        old = find(root, ".//ds:KeyInfo")
        old.addnext(parse(key))
        removing("a:Assertion/ds:Signature/ds:KeyInfo[1]")(root)
    return serialize(root)


@ALGORITHMS.message(refused(SIGNATURE_INVALID), "RFC 8017, 3.1")
def exponent_of_one(good: Good) -> bytes:
    """KeyInfo gives the provider's modulus with the exponent 1: the padded digest is then its own signature."""
    return _forged_value(good, exponent=1)


@ALGORITHMS.message(refused(SIGNATURE_INVALID), "RFC 8017, 3.1")
def exponent_of_zero(good: Good) -> bytes:
    """The exponent 0: everything has the signature 1."""
    return _forged_value(good, bytes(255) + b"\1", exponent=0)


@ALGORITHMS.message(refused(SIGNATURE_INVALID), "CVE-2006-4339 (Bleichenbacher's forgery)")
def garbage_after_the_padded_digest(good: Good) -> bytes:
    """Padding that ends too early with garbage after the digest, and the exponent 3."""
    return _forged_value(good, garbage=True, exponent=3)


@ALGORITHMS.message(refused(SIGNATURE_INVALID))
def signature_value_of_zeros(good: Good) -> bytes:
    """A signature of zeros."""
    return _forged_value(good, bytes(256))


@ALGORITHMS.message(refused(SIGNATURE_INVALID))
def signature_value_beyond_the_modulus(good: Good) -> bytes:
    """A signature that is larger than the modulus."""
    return _forged_value(good, b"\xff" * 256)


@ALGORITHMS.message(refused(SIGNATURE_INVALID))
def signature_value_with_a_tail(good: Good) -> bytes:
    """A genuine signature with a byte more at its end."""
    value = base64.b64decode(find(good.tree(sign=ONLY_ASSERTION), ".//ds:SignatureValue").text or "")
    return _forged_value(good, value + b"\0")


@ALGORITHMS.message(refused(SIGNATURE_WEAK))
def signature_value_cut_short(good: Good) -> bytes:
    """The first half of a signature."""
    return _forged_value(good, bytes(128))


@ALGORITHMS.message(refused(SIGNATURE_INVALID), "CVE-2022-21449 (psychic signatures in Java)")
def elliptic_signature_of_zeros(good: Good) -> bytes:
    """An ECDSA signature whose two numbers are zero, which fits every document where nobody checks."""
    edits = (
        name_victim,
        setting(".//ds:SignatureMethod", "Algorithm", f"{_MORE}ecdsa-sha256"),
        writing(".//ds:SignatureValue", base64.b64encode(bytes(64)).decode()),
    )
    return after_signing(good, *edits, sign=ONLY_ASSERTION)


@ALGORITHMS.message(refused(SIGNATURE_INVALID))
def rsa_signature_under_the_name_of_pss(good: Good) -> bytes:
    """A PKCS#1 v1.5 signature that says it is RSA-PSS."""
    return _declared(good, ".//ds:SignatureMethod", SIGNATURES["pss-sha256"])


@ALGORITHMS.message(refused(SIGNATURE_INVALID))
def sha_256_signature_under_the_name_of_sha_512(good: Good) -> bytes:
    """A signature of SHA-256 that says it is one of SHA-512."""
    return _declared(good, ".//ds:SignatureMethod", SIGNATURES["rsa-sha512"])


@ALGORITHMS.message(refused(SIGNATURE_INVALID))
def digest_under_the_name_of_another(good: Good) -> bytes:
    """A digest of SHA-256 that says it is one of SHA-512."""
    return _declared(good, ".//ds:DigestMethod", "http://www.w3.org/2001/04/xmlenc#sha512")


@ALGORITHMS.message(refused(SIGNATURE_INVALID))
def digest_cut_short(good: Good) -> bytes:
    """Half of the right digest, well signed."""

    def cut(signature: Element) -> None:
        value = find(signature, ".//ds:DigestValue")
        value.text = base64.b64encode(base64.b64decode(value.text or "")[:16]).decode()

    return good.response(edit_signature=cut).xml
