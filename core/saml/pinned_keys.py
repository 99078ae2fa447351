"""The keys of a connection's certificates, and whether one of them made a signature over some bytes (OpenSSL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from core import certificates
from core.certificates import Certificate
from core.errors import SignInRefused
from core.refusals import CERTIFICATE_EXPIRED

_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_PKCS1_PADDING: Final = padding.PKCS1v15()
_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_PKCS1: Final = {f"{_MORE}rsa-sha{bits}": digest for bits, digest in _HASHES.items()}
_PSS: Final = {f"http://www.w3.org/2007/05/xmldsig-more#sha{bits}-rsa-MGF1": digest for bits, digest in _HASHES.items()}
_ECDSA: Final = {f"{_MORE}ecdsa-sha{bits}": digest for bits, digest in _HASHES.items()}

RSA_SHA256: Final = f"{_MORE}rsa-sha256"
LEAST_SIGNATURE_BYTES: Final[Mapping[str, int]] = {
    **dict.fromkeys([*_PKCS1, *_PSS], 256),
    **dict.fromkeys(_ECDSA, 64),
}
"""The signature algorithms that are taken (RFC 9231), with the length of a signature by the smallest key: RSA 2048, P-256."""


@dataclass(frozen=True, slots=True)
class PinnedKey:
    """The public key of one certificate, ready to verify."""

    certificate: Certificate
    public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey

    @classmethod
    def of(cls, certificate: Certificate) -> PinnedKey:
        """The key of a certificate that :mod:`core.certificates` took."""
        public = x509.load_der_x509_certificate(certificate.der).public_key()
        assert isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
        return cls(certificate, public)

    def made(self, signature: bytes, octets: bytes, algorithm: str) -> bool:
        """Whether this key signed these bytes. ``algorithm`` is one of LEAST_SIGNATURE_BYTES; one of another kind of key
        answers no. An ECDSA signature is r and s side by side (XML Signature 1.1, 6.4.3).
        """
        try:
            return self._verifies(signature, octets, algorithm)
        except InvalidSignature:
            return False

    def _verifies(self, signature: bytes, octets: bytes, algorithm: str) -> bool:
        if isinstance(self.public, rsa.RSAPublicKey):
            if (digest := _PKCS1.get(algorithm)) is not None:
                self.public.verify(signature, octets, _PKCS1_PADDING, digest)
                return True
            if (digest := _PSS.get(algorithm)) is not None:
                self.public.verify(signature, octets, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
                return True
            return False
        half = (self.public.key_size + 7) // 8
        if (digest := _ECDSA.get(algorithm)) is None or len(signature) != 2 * half:
            return False
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        self.public.verify(utils.encode_dss_signature(r, s), octets, ec.ECDSA(digest))
        return True


@dataclass(frozen=True, slots=True)
class Keys:
    """The pinned keys of a connection. To build them costs more than to use them: keep them."""

    pinned: tuple[PinnedKey, ...]

    @classmethod
    def of(cls, pem: str) -> Keys:
        """From PEM text of one or two certificates; raises CertificateRejected."""
        return cls(tuple(PinnedKey.of(certificate) for certificate in certificates.read(pem)))

    def usable(self, now: datetime) -> tuple[PinnedKey, ...]:
        """Those that have not expired; refuses with CERTIFICATE_EXPIRED when none is left."""
        usable = tuple(key for key in self.pinned if not certificates.expired(key.certificate, now))
        if not usable:
            last = max(key.certificate.not_after for key in self.pinned)
            raise SignInRefused(CERTIFICATE_EXPIRED, f"The last certificate expired on {last:%Y-%m-%d %H:%M} UTC")
        return usable
