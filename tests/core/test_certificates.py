"""What people paste where a certificate belongs, and what they are told."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7, pkcs12
from cryptography.x509.oid import NameOID

from core import certificates
from core.errors import CertificateRejected
from core.testing.identity_provider import IdentityProvider

START = datetime(2026, 1, 1, tzinfo=UTC)


def provider(key: str = "rsa-2048", number: int = 1) -> IdentityProvider:
    return _provider(key, number)


@cache
def _provider(key: str, number: int) -> IdentityProvider:
    return IdentityProvider.create("https://idp.example.test", key=key, valid_from=START + timedelta(days=number))


def pem(number: int = 1) -> str:
    return provider(number=number).certificate_pem


def der() -> bytes:
    return provider().certificate.public_bytes(Encoding.DER)


def rejected(text: str | bytes) -> str:
    with pytest.raises(CertificateRejected) as caught:
        certificates.read(text)
    return caught.value.public


# Read


def test_a_certificate_is_read_with_everything_that_is_shown() -> None:
    (certificate,) = certificates.read(pem())
    assert certificate.subject == "CN=amazonaws.com, OU=IDAS, O=Amazon, C=US"
    assert certificate.key == "RSA 2048"
    assert certificate.not_before == START + timedelta(days=1)
    assert certificate.not_after == certificate.not_before + timedelta(days=5 * 365)
    assert certificate.fingerprint == provider().certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    assert certificate.der == der()


@pytest.mark.parametrize(
    ("key", "name"), [("rsa-4096", "RSA 4096"), ("p-256", "EC P-256"), ("p-384", "EC P-384"), ("p-521", "EC P-521")]
)
def test_other_strong_keys_are_read(key: str, name: str) -> None:
    assert certificates.read(provider(key).certificate_pem)[0].key == name


def test_every_form_of_the_same_certificate_is_read() -> None:
    body = "".join(pem().splitlines()[1:-1])
    forms: list[str | bytes] = [
        pem(),
        pem().encode(),
        der(),
        body,
        body.encode(),
        "\n".join(pem().splitlines()[1:-1]),
        f"Bag Attributes\n    friendlyName: aws\nsubject=CN = x\n{pem()}\nthe end",
        pem().replace("\n", "\r\n"),
        pem().replace("\n", " "),
        pem().replace("\n", "\\n"),
        f"\ufeff{pem()}",
        f"\ufeff{pem()}".encode("utf-16"),
        pem().replace("CERTIFICATE", "X509 CERTIFICATE"),
        pem() + pem(),
    ]
    for form in forms:
        assert [certificate.der for certificate in certificates.read(form)] == [der()]


def test_two_certificates_come_oldest_first_whatever_their_order() -> None:
    both = certificates.read(pem(2) + pem(1))
    assert both == certificates.read(pem(1) + pem(2))
    assert [certificate.not_before for certificate in both] == [START + timedelta(days=1), START + timedelta(days=2)]


def test_written_pem_reads_the_same() -> None:
    both = certificates.read(pem(1) + pem(2))
    assert certificates.to_pem(both) == pem(1) + pem(2)
    assert certificates.read(certificates.to_pem(both)) == both


def test_a_name_cannot_break_out_of_its_line() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a\n\x1b[2Jb\u202e")])
    (certificate,) = certificates.read(_certificate(provider().key, subject=name))
    assert certificate.subject == "CN=a\ufffd\ufffd[2Jb\ufffd"


# Refused: it is something else


@pytest.mark.parametrize("text", ["", "  \n ", b"", "\ufeff"])
def test_nothing_is_refused(text: str | bytes) -> None:
    assert rejected(text) == "Paste the certificate, or choose its file"


def test_too_much_is_refused() -> None:
    assert "too long" in rejected("x" * (certificates.MOST_BYTES + 1))


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("key", ["rsa-2048", "p-256"])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_private_key_is_refused_by_its_name(form: serialization.PrivateFormat, key: str, encoding: Encoding) -> None:
    data = provider(key).key.private_bytes(encoding, form, serialization.NoEncryption())
    assert rejected(data).startswith("This is a private key.")
    assert "treat this key as exposed" in rejected(data)
    if encoding is Encoding.DER:
        assert rejected(base64.b64encode(data).decode()).startswith("This is a private key.")


def test_a_private_key_beside_its_certificate_is_refused() -> None:
    key = (
        provider()
        .key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
    assert rejected(pem() + key).startswith("This is a private key.")
    assert rejected(pem() + key[:100]).startswith("This is a private key.")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_an_encrypted_private_key_is_refused(encoding: Encoding) -> None:
    encryption = serialization.BestAvailableEncryption(b"practice")
    data = provider().key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, encryption)
    assert rejected(data).startswith("This is a private key.")


def test_an_ssh_private_key_is_refused() -> None:
    data = provider().key.private_bytes(Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    assert rejected(data).startswith("This is a private key.")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_signing_request_is_refused(encoding: Encoding) -> None:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(provider().key, hashes.SHA256())
    assert rejected(request.public_bytes(encoding)).startswith("This is a certificate signing request.")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_public_key_is_refused(encoding: Encoding) -> None:
    assert rejected(provider().key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)).startswith(
        "This is a public key"
    )
    assert rejected("ssh-rsa AAAAB3NzaC1yc2E= ada@laptop").startswith("This is a public key")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_pkcs_7_bundle_is_refused(encoding: Encoding) -> None:
    assert rejected(pkcs7.serialize_certificates([provider().certificate], encoding)).startswith(
        "This is a PKCS#7 bundle"
    )


def test_a_pkcs_12_file_is_refused() -> None:
    data = pkcs12.serialize_key_and_certificates(
        b"aws", provider().key, provider().certificate, None, serialization.BestAvailableEncryption(b"practice")
    )
    assert rejected(data).startswith("This is a PKCS#12 file")


def test_metadata_is_refused_with_the_way_to_use_it() -> None:
    assert rejected(provider().metadata()).startswith("This is an XML document.")


def test_an_address_is_refused() -> None:
    assert rejected("https://portal.sso.us-east-1.amazonaws.com/saml/metadata/MTEx").startswith(
        "This is a web address."
    )


def test_a_fingerprint_is_refused() -> None:
    fingerprint = "01" + certificates.read(pem())[0].fingerprint[2:]
    assert rejected(fingerprint).startswith("This is the fingerprint")
    assert rejected(fingerprint.encode()).startswith("This is the fingerprint")


@pytest.mark.parametrize("cut", [30, 400, -30])
def test_a_certificate_that_is_cut_off_is_refused(cut: int) -> None:
    assert "cut off" in rejected(pem()[:cut])


def test_bytes_that_are_cut_off_are_refused() -> None:
    assert "cut off" in rejected(der()[:-100])
    assert "cut off" in rejected(base64.b64encode(der()[:-99]).decode())


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "-----BEGIN NONSENSE-----\nAAAA\n-----END NONSENSE-----",
        b"\xff\xff\xff",
        b"\x30",
        b"\x30\x82",
        "MA==",
        "%%%",
    ],
)
def test_anything_else_is_refused(text: str | bytes) -> None:
    assert rejected(text).startswith("This is not a certificate.")


# Refused: too weak, or too many


def _certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    *,
    subject: x509.Name | None = None,
    issuer: x509.Name | None = None,
    signed_by: rsa.RSAPrivateKey | None = None,
    authority: bool = False,
) -> bytes:
    name = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example.test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer or name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=10))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) and signed_by is None else hashes.SHA256()
    return builder.sign(signed_by or key, algorithm).public_bytes(Encoding.DER)


def test_a_short_rsa_key_is_refused() -> None:
    sentence = rejected(provider("rsa-1024").certificate_pem)
    assert sentence.startswith("This certificate has a 1024-bit RSA key")
    assert "a new certificate with a 2048-bit key" in sentence


def test_an_rsa_key_that_no_verifier_takes_is_refused() -> None:
    """Found by trying: the verifier fails on longer keys and larger exponents, which must not happen at sign-in."""
    for numbers in (rsa.RSAPublicNumbers(65537, 2**6143 + 1), rsa.RSAPublicNumbers(2**33 + 1, 2**2047 + 1)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(x509.Name([]))
            .public_key(numbers.public_key())
        )
        builder = builder.serial_number(7).not_valid_before(START).not_valid_after(START + timedelta(days=10))
        assert "certificate has a" in rejected(builder.sign(provider().key, hashes.SHA256()).public_bytes(Encoding.DER))


def test_a_small_curve_is_refused() -> None:
    assert rejected(provider("p-192").certificate_pem).startswith("This certificate has a key on the curve secp192r1")


def test_another_kind_of_key_is_refused() -> None:
    assert rejected(_certificate(ed25519.Ed25519PrivateKey.generate())).startswith("This certificate has a kind of key")


@pytest.mark.parametrize(("oid", "name"), [(b"\x05", "SHA1"), (b"\x04", "MD5")])
def test_a_certificate_signed_with_a_weak_hash_is_refused(oid: bytes, name: str) -> None:
    """Nobody makes such certificates any more, libraries included: turn sha256WithRSAEncryption into the weak one."""
    weak = der().replace(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01" + oid)
    assert rejected(weak).startswith(f"This certificate is signed with {name}")


def test_three_certificates_are_refused() -> None:
    assert "more than two" in rejected(pem(1) + pem(2) + pem(3))


def test_a_certificate_with_its_authority_is_refused() -> None:
    """To pin the authority's key would let it sign responses."""
    authority = provider(number=2).key
    assert isinstance(authority, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority")])
    issuer = certificates.read(_certificate(authority, subject=name, authority=True))
    leaf = certificates.read(_certificate(provider().key, issuer=name, signed_by=authority))
    assert "issued the other" in rejected(certificates.to_pem(leaf + issuer))
    assert "issued the other" in rejected(certificates.to_pem(issuer + leaf) + pem(3))


def test_a_renewed_certificate_of_the_same_key_is_no_chain() -> None:
    renewed = certificates.to_pem(certificates.read(_certificate(provider().key)))
    assert len(certificates.read(renewed + pem())) == 2


# Dates


def test_dates_are_checked_on_request_only() -> None:
    (certificate,) = certificates.read(pem())
    certificates.check_dates([certificate], certificate.not_before)
    certificates.check_dates([certificate], certificate.not_after)
    with pytest.raises(CertificateRejected, match=r"This certificate expired on 1 January 2031. Ask your provider"):
        certificates.check_dates([certificate], certificate.not_after + timedelta(seconds=1))
    with pytest.raises(CertificateRejected, match="not valid before 2 January 2026"):
        certificates.check_dates([certificate], certificate.not_before - timedelta(seconds=1))


def test_one_valid_certificate_is_enough() -> None:
    both = certificates.read(pem(1) + pem(2))
    certificates.check_dates(both, both[0].not_before)
    certificates.check_dates(both, both[1].not_after)
    assert certificates.expired(both[0], both[1].not_after)
    assert not certificates.usable(both[1], both[0].not_before)
