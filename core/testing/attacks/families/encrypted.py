"""Encrypted parts. None is taken yet: whatever is encrypted is refused.

Who adds encrypted assertions adds their cases here: a padding oracle (CBC), key transport with PKCS#1 v1.5, an encrypted
assertion wrapped, a plain one beside it.
"""

from __future__ import annotations

from core.refusals import RESPONSE_SHAPE
from core.testing.attacks.cases import Family, Good, refused
from core.testing.attacks.edits import DS, ONLY_ASSERTION, ONLY_RESPONSE, A, P, find, inserting, parse
from core.testing.identity_provider import Element, serialize

ENCRYPTED = Family(
    "Encrypted parts",
    "Something encrypted, by anybody who read our public key: encryption proves nothing about who sent it.",
    "Jager and Somorovsky, How to Break XML Encryption (CCS 2011); CVE-2024-9487 (GitHub Enterprise Server)",
)
_XENC = "http://www.w3.org/2001/04/xmlenc#"
_DATA = (
    f'<xenc:EncryptedData xmlns:xenc="{_XENC}" Type="{_XENC}Element"><xenc:EncryptionMethod Algorithm="{_XENC}aes128-cbc"/>'
    f"<ds:KeyInfo {DS}><ds:KeyName>k</ds:KeyName></ds:KeyInfo>"
    "<xenc:CipherData><xenc:CipherValue>AAAAAAAAAAAAAAAAAAAAAA==</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
)


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_assertion(good: Good) -> bytes:
    """An encrypted assertion instead of a plain one."""

    def swap(root: Element) -> None:
        root.replace(
            find(root, "a:Assertion"), parse(f"<saml2:EncryptedAssertion {A}>{_DATA}</saml2:EncryptedAssertion>")
        )

    return good.response(edit=swap, sign=ONLY_RESPONSE).xml


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_assertion_beside_a_plain_one(good: Good) -> bytes:
    """An encrypted assertion beside a good one: which of the two is read?"""
    encrypted = f"<saml2:EncryptedAssertion {A}>{_DATA}</saml2:EncryptedAssertion>"
    return good.response(edit=inserting("", encrypted, 2)).xml


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def signed_assertion_wrapped_beside_an_encrypted_one(good: Good) -> bytes:
    """Wrapping with a forged assertion that would be decrypted after the signatures were checked."""
    root = good.tree(sign=ONLY_ASSERTION)
    root.append(parse(f"<saml2:EncryptedAssertion {A}>{_DATA}</saml2:EncryptedAssertion>"))
    return serialize(root)


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_name_id(good: Good) -> bytes:
    """An encrypted NameID beside a plain one."""
    return good.response(edit=inserting(".//a:Subject", f"<saml2:EncryptedID {A}>{_DATA}</saml2:EncryptedID>")).xml


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_attribute(good: Good) -> bytes:
    """An encrypted attribute."""
    encrypted = f"<saml2:EncryptedAttribute {A}>{_DATA}</saml2:EncryptedAttribute>"
    return good.response(edit=inserting(".//a:AttributeStatement", encrypted)).xml


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_data_in_extensions(good: Good) -> bytes:
    """Encrypted content in a place where nobody reads it, for whoever decrypts first."""
    return good.response(edit=inserting("", f"<saml2p:Extensions {P}>{_DATA}</saml2p:Extensions>", 1)).xml


@ENCRYPTED.message(refused(RESPONSE_SHAPE), "CWE-918")
def cipher_reference_to_a_server(good: Good) -> bytes:
    """Encrypted content that is to be fetched."""
    fetched = _DATA.replace(
        "<xenc:CipherValue>AAAAAAAAAAAAAAAAAAAAAA==</xenc:CipherValue>",
        '<xenc:CipherReference URI="http://127.0.0.1:9/x"/>',
    )
    return good.response(
        edit=inserting("", f"<saml2:EncryptedAssertion {A}>{fetched}</saml2:EncryptedAssertion>", 2)
    ).xml
