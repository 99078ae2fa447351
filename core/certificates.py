"""Certificates of identity providers: from what people paste to keys that may be pinned.

A certificate is only the envelope of a public key here. Its key is pinned, and its dates are kept; it is never
chain-validated, and its names are shown but never compared (every AWS customer has the same ones).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from core.errors import CertificateRejected

MOST_BYTES = 64 * 1024
"""The longest text that is looked at; two certificates with 4096-bit keys need 5 KiB."""
MOST_CERTIFICATES = 2
"""One in use and one for the change to it."""

_RSA_BITS = range(2048, 4097)
"""Below: NIST SP 800-131A. Above: providers offer none, and each verification takes the longer."""
_LARGEST_EXPONENT = 2**33 - 1
"""Everybody uses 65537; a large one makes each verification slow."""
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_PRIVATE = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File", re.IGNORECASE)
_FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{2}[: ]){15,}[0-9A-Fa-f]{2}")
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\x00"))
_CERTIFICATE_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})

_EMPTY = "Paste the certificate, or choose its file"
_LONG = "This is too long for a certificate. Paste one or two certificates and nothing else"
_PRIVATE_KEY = "This is a private key. Paste the certificate instead, and treat this key as exposed"
_REQUEST = "This is a certificate signing request. Paste the certificate that was made from it"
_PUBLIC_KEY = "This is a public key without its certificate. Paste the certificate, which starts with BEGIN CERTIFICATE"
_PKCS7 = "This is a PKCS#7 bundle (.p7b). Export the signing certificate alone, as PEM or DER (.pem, .crt, .cer)"
_PKCS12 = (
    "This is a PKCS#12 file (.p12, .pfx), which usually holds a private key. Export the certificate alone, "
    "and treat that key as exposed"
)
_XML = "This is an XML document. Paste the text inside its X509Certificate element, or use it as the metadata file"
_ADDRESS = "This is a web address. Open it, and paste the certificate that it shows"
_DIGEST = "This is the fingerprint of a certificate. Paste the certificate itself, which starts with BEGIN CERTIFICATE"
_CUT = "The certificate is cut off. Copy it again, from BEGIN CERTIFICATE to END CERTIFICATE"
_UNREADABLE = (
    "This is not a certificate. Paste the text that starts with BEGIN CERTIFICATE, or choose a .pem, .crt or .cer file"
)
_MANY = "These are more than two certificates. Keep the current one and, during a change, the next one"
_CHAIN = "One of these certificates issued the other. Paste only the one that signs the provider's responses"
_HASH = (
    "This certificate is signed with {name}, which is too weak. At your provider, make a new certificate with SHA-256"
)
_SHORT = "This certificate has a {bits}-bit RSA key, which is too weak. At your provider, make a new certificate with a 2048-bit key"
_GIANT = "This certificate has a {bits}-bit RSA key. At your provider, make a new certificate with 2048 to 4096 bits"
_CURVE = "This certificate has a key on the curve {name}. At your provider, make a new certificate with RSA 2048 or with P-256"
_KEY = "This certificate has a kind of key that is not used for SAML. At your provider, make a new certificate with RSA 2048"

_PBES2 = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"
_OTHERS = (
    (x509.load_der_x509_csr, _REQUEST),
    (serialization.load_der_public_key, _PUBLIC_KEY),
    (pkcs7.load_der_pkcs7_certificates, _PKCS7),
)
_SENTENCE_OF_LABEL = {
    "CERTIFICATE REQUEST": _REQUEST,
    "NEW CERTIFICATE REQUEST": _REQUEST,
    "PUBLIC KEY": _PUBLIC_KEY,
    "RSA PUBLIC KEY": _PUBLIC_KEY,
    "PKCS7": _PKCS7,
    "CMS": _PKCS7,
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate whose key is strong enough to be pinned.

    ``der`` is the certificate, ``subject`` its name (``CN=amazonaws.com, OU=IDAS, O=Amazon, C=US``), ``not_before`` and
    ``not_after`` are aware UTC and both inclusive (RFC 5280 4.1.2.5), ``fingerprint`` is the SHA-256 of ``der`` as
    ``9C:41:…``, ``key`` reads ``RSA 2048`` or ``EC P-256``.
    """

    der: bytes
    subject: str
    not_before: datetime
    not_after: datetime
    fingerprint: str
    key: str


def read(text: str | bytes) -> tuple[Certificate, ...]:
    """The one or two certificates in a pasted text or an uploaded file, the oldest first.

    Takes PEM with anything around it, the bare base64 of one certificate, and DER. The same certificate twice counts once.
    Raises CertificateRejected with the sentence for the administrator: what this is instead, or what is too weak about
    it and where to change that. Dates are not looked at (see :func:`check_dates`).
    """
    if len(text) > MOST_BYTES:
        raise CertificateRejected(_LONG)
    ders = dict.fromkeys(_ders(text))
    found = sorted(
        (_certificate(der) for der in ders), key=lambda certificate: (certificate.not_before, certificate.fingerprint)
    )
    if _is_chain(list(ders)):
        raise CertificateRejected(_CHAIN)
    if len(found) > MOST_CERTIFICATES:
        raise CertificateRejected(_MANY)
    return tuple(found)


def to_pem(found: Iterable[Certificate]) -> str:
    """The certificates as PEM text (RFC 7468), in the order given."""
    return "".join(_pem(certificate.der) for certificate in found)


def _pem(der: bytes) -> str:
    """One DER certificate as PEM text with lines of 64 characters (RFC 7468)."""
    body = base64.b64encode(der).decode("ascii")
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def expired(certificate: Certificate, now: datetime) -> bool:
    """Whether the certificate's last moment has passed."""
    return now > certificate.not_after


def usable(certificate: Certificate, now: datetime) -> bool:
    """Whether ``now`` lies within the certificate's dates."""
    return certificate.not_before <= now <= certificate.not_after


def check_dates(found: Sequence[Certificate], now: datetime) -> None:
    """Raise CertificateRejected when none of the certificates is valid now.

    For activation. A stored configuration loads without it, so that the dialog can show what has expired.
    """
    if any(usable(certificate, now) for certificate in found):
        return
    upcoming = [certificate for certificate in found if not expired(certificate, now)]
    if upcoming:
        first = min(certificate.not_before for certificate in upcoming)
        raise CertificateRejected(
            f"This certificate is not valid before {_date(first)}. Add the one that is in use now"
        )
    last = max(certificate.not_after for certificate in found)
    raise CertificateRejected(f"This certificate expired on {_date(last)}. Ask your provider for the current one")


def _date(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _ders(text: str | bytes) -> list[bytes]:
    """Every certificate of a text or file as DER, in the order found, not parsed yet."""
    if isinstance(text, bytes):
        if text[:1] == b"\x30" and not text.isascii():  # an ASN.1 SEQUENCE
            return [_only_certificate(text)]
        text = _decoded(text)
    text = text.translate(_INVISIBLE).replace("\\r", "").replace("\\n", "\n").strip()
    if not text:
        raise CertificateRejected(_EMPTY)
    if _PRIVATE.search(text):
        raise CertificateRejected(_PRIVATE_KEY)
    if "-----BEGIN" in text:
        return _pem_ders(text)
    return [_bare_der(text)]


def _decoded(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise CertificateRejected(_UNREADABLE) from None


def _pem_ders(text: str) -> list[bytes]:
    blocks = _BLOCK.findall(text)
    ders = [_only_certificate(_base64(body)) for label, body in blocks if label in _CERTIFICATE_LABELS]
    for label, _ in blocks:
        if label not in _CERTIFICATE_LABELS and not ders:
            raise CertificateRejected(_SENTENCE_OF_LABEL.get(label, _UNREADABLE))
    if len(blocks) != text.count("-----BEGIN"):
        raise CertificateRejected(_CUT)
    return ders


def _bare_der(text: str) -> bytes:
    if text.startswith("<"):
        raise CertificateRejected(_XML)
    if text.startswith(("https://", "http://")):
        raise CertificateRejected(_ADDRESS)
    if text.startswith(("ssh-", "ecdsa-")):
        raise CertificateRejected(_PUBLIC_KEY)
    if _FINGERPRINT.search(text):
        raise CertificateRejected(_DIGEST)
    return _only_certificate(_base64(text))


def _base64(body: str) -> bytes:
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except ValueError:
        raise CertificateRejected(_UNREADABLE) from None


def _only_certificate(der: bytes) -> bytes:
    """The same bytes when they are one certificate; what else they are, as the sentence of the exception."""
    try:
        x509.load_der_x509_certificate(der)
    except ValueError:
        raise CertificateRejected(_what_instead(der)) from None
    return der


def _what_instead(der: bytes) -> str:
    """The sentence for bytes that are no certificate."""
    length, inside = _sequence(der)
    if length > len(inside):
        return _CUT
    if inside.startswith(b"\x02\x01\x03"):  # PFX version 3 (RFC 7292 4)
        return _PKCS12
    if inside.startswith((b"\x02\x01\x00", b"\x02\x01\x01")) or _PBES2 in inside[:40]:
        return _PRIVATE_KEY  # PKCS#8, PKCS#1 and SEC 1 by their versions, encrypted PKCS#8 by its algorithm
    for load, sentence in _OTHERS:
        try:
            load(der)
        except (ValueError, UnsupportedAlgorithm):
            continue
        return sentence
    return _UNREADABLE


def _sequence(der: bytes) -> tuple[int, bytes]:
    """The length that an ASN.1 SEQUENCE claims, and what is there of its content (X.690 8.1); 0 for anything else."""
    if len(der) < 2 or der[0] != 0x30:  # noqa: PLR2004  tag and length
        return 0, b""
    more = der[1] - 0x80 if der[1] > 0x80 else 0  # noqa: PLR2004  the long form
    return (int.from_bytes(der[2 : 2 + more], "big") if more else der[1]), der[2 + more :]


def _certificate(der: bytes) -> Certificate:
    try:
        parsed = x509.load_der_x509_certificate(der)
        subject = ", ".join(name.rfc4514_string() for name in reversed(parsed.subject.rdns))
        key = _key_name(parsed.public_key())
        _refuse_weak_hash(parsed)
        return Certificate(
            der=der,
            subject="".join(character if character.isprintable() else "\ufffd" for character in subject),
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            fingerprint=parsed.fingerprint(hashes.SHA256()).hex(":").upper(),
            key=key,
        )
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateRejected(_KEY) from None


def _key_name(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            raise CertificateRejected((_SHORT if key.key_size < _RSA_BITS.start else _GIANT).format(bits=key.key_size))
        if key.public_numbers().e > _LARGEST_EXPONENT:
            raise CertificateRejected(_KEY)
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise CertificateRejected(_CURVE.format(name=key.curve.name))
        return f"EC {_CURVES[key.curve.name]}"
    raise CertificateRejected(_KEY)


def _refuse_weak_hash(parsed: x509.Certificate) -> None:
    """The signature on a pinned certificate protects nothing, but who makes it with SHA-1 signs responses so, too."""
    algorithm = parsed.signature_hash_algorithm
    if algorithm is not None and not isinstance(algorithm, _HASHES):
        raise CertificateRejected(_HASH.format(name=algorithm.name.upper()))


def _is_chain(ders: Sequence[bytes]) -> bool:
    """Whether one certificate issued another: to pin an authority's key would let it sign responses.

    Two certificates of the same key, or of the same name as all of AWS's are, are no chain.
    """
    found = [x509.load_der_x509_certificate(der) for der in ders]
    return any(_issued(issuer, other) for issuer in found for other in found if issuer is not other)


def _issued(issuer: x509.Certificate, other: x509.Certificate) -> bool:
    if issuer.public_key() == other.public_key():
        return False
    try:
        other.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
