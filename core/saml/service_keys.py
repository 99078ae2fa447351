"""Our own keys at a connection: they sign what we send to the provider and decrypt what it encrypts for us.

One or two are live at once, so that one can be exchanged without a gap: exactly one signs, all decrypt, all are in our
metadata. Each is an RSA key in a self-signed certificate, which is only its envelope (SAML Metadata 2.4.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from core import certificates
from core.certificates import Certificate

MOST: Final = 2
"""Keys of a connection: the one in use, and one for the change to it."""
LIFETIME: Final = timedelta(days=3650)
"""Of a certificate. Some providers stop at an expired one; that a key is exchanged in time is for people to decide."""

_BITS: Final = 2048
"""What every provider takes."""
_BEFORE: Final = timedelta(days=1)
"""The certificate holds from a day ago, for a provider whose clock is behind."""
_LONGEST_NAME: Final = 64
"""Characters of a common name (RFC 5280, ub-common-name)."""


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """One key with its certificate."""

    private: rsa.RSAPrivateKey
    certificate: Certificate

    def __repr__(self) -> str:
        return f"ServiceKey({self.certificate.fingerprint})"

    @property
    def der(self) -> bytes:
        """The private key as PKCS #8, unencrypted: for the vault and nothing else."""
        return self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """The live keys of a connection: ``signing`` signs, and it and ``other`` decrypt."""

    signing: ServiceKey
    other: ServiceKey | None = None

    @property
    def all(self) -> tuple[ServiceKey, ...]:
        """Every live key, the one that signs first."""
        return (self.signing, self.other) if self.other else (self.signing,)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Their certificates in the same order, for our metadata."""
        return tuple(key.certificate for key in self.all)


def create(host: str, connection: str, now: datetime) -> ServiceKey:
    """A new key. ``host`` and ``connection`` (its id) are what an administrator of the provider reads in the certificate."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SiQ"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, connection[:_LONGEST_NAME]),
            x509.NameAttribute(NameOID.COMMON_NAME, host[:_LONGEST_NAME]),
        ]
    )
    start = now.replace(microsecond=0) - _BEFORE
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFETIME)
        .sign(private, hashes.SHA256())
    )
    return ServiceKey(private, certificates.read(made.public_bytes(Encoding.DER))[0])


def load(der: bytes, pem: str) -> ServiceKey:
    """A key from its PKCS #8 bytes and the PEM text of its certificate."""
    private = load_der_private_key(der, password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return ServiceKey(private, certificates.read(pem)[0])
