"""Encrypts assertions as providers do, and as attackers do (XML Encryption 1.1). On lxml and cryptography alone.

Anybody can: a key is as public as the metadata that holds it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from core.testing.signing import ASSERTION, DIGESTS, DSIG, Element

XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"
CONTENTS: Final[Mapping[str, tuple[str, int]]] = {
    **{f"aes{bits}-gcm": (f"{XENC11}aes{bits}-gcm", bits // 8) for bits in (128, 192, 256)},
    **{f"aes{bits}-cbc": (f"{XENC}aes{bits}-cbc", bits // 8) for bits in (128, 192, 256)},
}
TRANSPORTS: Final[Mapping[str, str]] = {
    "rsa-oaep-mgf1p": f"{XENC}rsa-oaep-mgf1p",
    "rsa-oaep": f"{XENC11}rsa-oaep",
    "rsa-1_5": f"{XENC}rsa-1_5",
}


@dataclass(frozen=True, slots=True)
class Encryptor:
    """Encrypts for the key of one certificate.

    ``content`` is a key of CONTENTS, ``transport`` one of TRANSPORTS, ``digest`` one of DIGESTS; empty leaves the element
    out, which means SHA-1. ``mask`` names the digest of MGF1 for ``rsa-oaep``. ``beside`` puts the EncryptedKey beside the
    EncryptedData, which then points at it. ``change`` sees the ciphertext, ``edit`` the EncryptedAssertion, before they go in.
    """

    certificate: x509.Certificate
    content: str = "aes256-gcm"
    transport: str = "rsa-oaep-mgf1p"
    digest: str = "sha1"
    mask: str = ""
    beside: bool = False
    recipient: str = ""
    change: Callable[[bytes], bytes] | None = None
    edit: Callable[[Element], None] | None = None

    def encrypt(self, assertion: Element) -> None:
        """Put an EncryptedAssertion in the place of an assertion."""
        parent = assertion.getparent()
        assert parent is not None
        plaintext = etree.tostring(assertion, method="c14n", exclusive=True, with_comments=True, with_tail=False)
        parent.replace(assertion, self.encrypted(plaintext))

    def encrypted(self, plaintext: bytes) -> Element:
        """An EncryptedAssertion of any bytes."""
        uri, length = CONTENTS[self.content]
        key = os.urandom(length)
        ciphertext = _gcm(key, plaintext) if self.content.endswith("gcm") else _cbc(key, plaintext)
        if self.change:
            ciphertext = self.change(ciphertext)
        identifier = f"_k-{token_hex(16)}"
        recipient = f' Recipient="{self.recipient}"' if self.recipient else ""
        encrypted_key = (
            f'<xenc:EncryptedKey xmlns:xenc="{XENC}" Id="{identifier}"{recipient}>{self._transport_method()}'
            f"<xenc:CipherData><xenc:CipherValue>{_text(self._wrapped(key))}</xenc:CipherValue></xenc:CipherData>"
            "</xenc:EncryptedKey>"
        )
        pointer = f'<ds:RetrievalMethod Type="{XENC}EncryptedKey" URI="#{identifier}"/>'
        inside = f'<ds:KeyInfo xmlns:ds="{DSIG}">{pointer if self.beside else encrypted_key}</ds:KeyInfo>'
        root = etree.fromstring(
            f'<saml2:EncryptedAssertion xmlns:saml2="{ASSERTION}">'
            f'<xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{uri}"/>{inside}'
            f"<xenc:CipherData><xenc:CipherValue>{_text(ciphertext)}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
            f"{encrypted_key if self.beside else ''}</saml2:EncryptedAssertion>",
            etree.XMLParser(huge_tree=True),
        )
        if self.edit:
            self.edit(root)
        return root

    def _transport_method(self) -> str:
        digest = f'<ds:DigestMethod xmlns:ds="{DSIG}" Algorithm="{DIGESTS[self.digest][0]}"/>' if self.digest else ""
        mask = f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{XENC11}mgf1{self.mask}"/>' if self.mask else ""
        parts = "" if self.transport == "rsa-1_5" else digest + mask
        return f'<xenc:EncryptionMethod Algorithm="{TRANSPORTS[self.transport]}">{parts}</xenc:EncryptionMethod>'

    def _wrapped(self, key: bytes) -> bytes:
        public_key = self.certificate.public_key()
        assert isinstance(public_key, rsa.RSAPublicKey)
        if self.transport == "rsa-1_5":
            return public_key.encrypt(key, padding.PKCS1v15())
        mask, digest = (DIGESTS[name or "sha1"][1]() for name in (self.mask, self.digest))
        return public_key.encrypt(key, padding.OAEP(padding.MGF1(mask), digest, None))


def _gcm(key: bytes, plaintext: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, None)


def _cbc(key: bytes, plaintext: bytes) -> bytes:
    size = 16 - len(plaintext) % 16
    nonce = os.urandom(16)
    sealer = Cipher(algorithms.AES(key), modes.CBC(nonce)).encryptor()
    return nonce + sealer.update(plaintext + os.urandom(size - 1) + bytes([size])) + sealer.finalize()


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
