"""Encrypted assertions as providers send them. They must be accepted where the connection has keys."""

from __future__ import annotations

from core.testing.attacks.cases import Good, with_cbc, with_keys
from core.testing.attacks.edits import ONLY_ASSERTION, ONLY_RESPONSE
from core.testing.attacks.families.controls import CONTROLS


@CONTROLS.control_where(with_keys)
def encrypted_with_the_assertion_signed(good: Good) -> bytes:
    """AES-256-GCM, the assertion signed."""
    return good.response(sign=ONLY_ASSERTION, encrypt=good.encryptor()).xml


@CONTROLS.control_where(with_keys)
def encrypted_with_the_response_signed(good: Good) -> bytes:
    """AES-256-GCM, the Response signed around it."""
    return good.response(sign=ONLY_RESPONSE, encrypt=good.encryptor()).xml


@CONTROLS.control_where(with_keys)
def encrypted_with_both_signed(good: Good) -> bytes:
    """AES-128-GCM, both signed."""
    return good.response(encrypt=good.encryptor("aes128-gcm")).xml


@CONTROLS.control_where(with_keys)
def encrypted_key_beside_the_data(good: Good) -> bytes:
    """The EncryptedKey beside the EncryptedData."""
    return good.response(encrypt=good.encryptor(beside=True, recipient=good.audience)).xml


@CONTROLS.control_where(with_keys)
def encrypted_key_with_sha_256(good: Good) -> bytes:
    """RSA-OAEP of XML Encryption 1.1, with SHA-256 for digest and mask."""
    how = good.encryptor("aes192-gcm", transport="rsa-oaep", digest="sha256", mask="sha256")
    return good.response(sign=ONLY_ASSERTION, encrypt=how).xml


@CONTROLS.control_where(with_keys)
def encrypted_for_the_old_key(good: Good) -> bytes:
    """Encrypted for the key that is being exchanged."""
    return good.response(sign=ONLY_ASSERTION, encrypt=good.encryptor(old=True)).xml


@CONTROLS.control_where(with_cbc)
def cbc_in_a_signed_response(good: Good) -> bytes:
    """AES-256-CBC in a signed Response, where it is allowed."""
    return good.response(sign=ONLY_RESPONSE, encrypt=good.encryptor("aes256-cbc")).xml


@CONTROLS.control_where(with_cbc)
def cbc_with_both_signed(good: Good) -> bytes:
    """AES-128-CBC with both signed, where it is allowed."""
    return good.response(encrypt=good.encryptor("aes128-cbc")).xml
