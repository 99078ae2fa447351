"""What a pinned key says of a signature: yes to its own, and no to every other row of bytes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from core.saml.pinned_keys import LEAST_SIGNATURE_BYTES, RSA_SHA256, PinnedKey
from tests.core.saml.given import keys, provider

MESSAGE = b"what was signed"
PSS = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
LENGTHS = (0, 1, 63, 64, 65, 96, 131, 132, 133, 255, 256, 257, 384, 512, 513, 5000)


def pinned(key: str) -> PinnedKey:
    return keys(provider(key)).pinned[0]


def rsa_key() -> rsa.RSAPrivateKey:
    key = provider().key
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@pytest.mark.parametrize("key", ["rsa-2048", "rsa-4096", "p-256", "p-384", "p-521"])
@pytest.mark.parametrize("algorithm", LEAST_SIGNATURE_BYTES)
def test_no_key_made_a_row_of_bytes_of_any_length(key: str, algorithm: str) -> None:
    """Zeros, ones, the greatest numbers and one: each is an answer, and never an error."""
    for length in LENGTHS:
        half = length // 2
        for octets in (
            bytes(length),
            b"\xff" * length,
            bytes(half) + b"\xff" * (length - half),
            b"\xff" * half + bytes(length - half),
            b"\x01".rjust(length, b"\x00"),
        ):
            assert not pinned(key).made(octets, MESSAGE, algorithm)


def test_an_rsa_signature_has_the_length_of_its_key() -> None:
    signature = rsa_key().sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    modulus = rsa_key().public_key().public_numbers().n
    greater = (int.from_bytes(signature, "big") + modulus).to_bytes(257, "big")
    assert pinned("rsa-2048").made(signature, MESSAGE, RSA_SHA256)
    for other in (b"\x00" + signature, signature + b"\x00", signature[1:], greater):
        assert not pinned("rsa-2048").made(other, MESSAGE, RSA_SHA256)


def test_the_salt_of_a_pss_signature_has_the_length_of_its_digest() -> None:
    """RFC 9231, 2.3.10."""
    for length in (0, 20, 31, 32, 33, 222):
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), length)
        signature = rsa_key().sign(MESSAGE, scheme, hashes.SHA256())
        assert pinned("rsa-2048").made(signature, MESSAGE, PSS) == (length == hashes.SHA256.digest_size)


def test_an_elliptic_signature_is_two_numbers_below_the_order_of_the_curve() -> None:
    key = provider("p-256").key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    encoded = key.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(encoded)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (FIPS 186-4, D.1.2.3)

    def made(first: int, second: int) -> bool:
        octets = first.to_bytes(32, "big") + second.to_bytes(32, "big")
        return pinned("p-256").made(octets, MESSAGE, ECDSA)

    assert made(r, s)
    assert not any(made(*pair) for pair in ((r, 0), (0, s), (s, r), (r, order), (order, s), (0, 0), (1, 1)))
    assert not pinned("p-256").made(encoded, MESSAGE, ECDSA)  # as OpenSSL writes it


def test_an_algorithm_of_another_kind_of_key_is_no() -> None:
    signature = rsa_key().sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    for algorithm in LEAST_SIGNATURE_BYTES:
        assert pinned("rsa-2048").made(signature, MESSAGE, algorithm) == (algorithm == RSA_SHA256)
        assert not pinned("p-256").made(signature, MESSAGE, algorithm)
