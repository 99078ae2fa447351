"""Encrypted assertions: what is read, and every way to misuse that we read it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from core import refusals
from core.saml.response import Decryption
from core.saml.service_keys import ServiceKeys
from core.testing.attacks.edits import find
from core.testing.encryption import XENC, XENC11
from core.testing.identity_provider import DSIG, Element, serialize
from tests.core.saml.given import AUDIENCE, accept, minted, refused, tree
from tests.core.saml.given_encrypted import (
    CBC,
    EVERY,
    GCM,
    LENIENT,
    SIGNED,
    STRICT,
    encrypted,
    encryptor,
    own,
)

# What is read


@pytest.mark.parametrize("sign", SIGNED)
@pytest.mark.parametrize("content", GCM)
def test_gcm_is_read_however_the_response_is_signed(content: str, sign: tuple[str, ...]) -> None:
    read = accept(encrypted(sign, content=content), decryption=STRICT)
    plain = accept(minted())
    assert (read.name_id, read.attributes, read.issuer) == (plain.name_id, plain.attributes, plain.issuer)


@pytest.mark.parametrize("sign", SIGNED[1:])
@pytest.mark.parametrize("content", CBC)
def test_cbc_is_read_in_a_signed_response_where_it_is_allowed(content: str, sign: tuple[str, ...]) -> None:
    assert accept(encrypted(sign, content=content), decryption=LENIENT).name_id == accept(minted()).name_id


@pytest.mark.parametrize(
    "how",
    [
        {"digest": ""},
        {"digest": "sha1"},
        {"digest": "sha256"},
        {"transport": "rsa-oaep"},
        {"transport": "rsa-oaep", "digest": "sha256", "mask": "sha256"},
        {"transport": "rsa-oaep", "digest": "sha512", "mask": "sha1"},
        {"beside": True},
        {"recipient": AUDIENCE},
        {"recipient": "https://a.name.that.the.provider/chose"},
    ],
    ids=str,
)
def test_the_ways_in_which_providers_send_the_key(how: dict[str, Any]) -> None:
    assert accept(encrypted(**how), decryption=STRICT).name_id == accept(minted()).name_id


def test_during_an_exchange_both_keys_read() -> None:
    both = Decryption(ServiceKeys(own(2), own(1)))
    for number in (1, 2):
        assert accept(encrypted(number=number), decryption=both).name_id == accept(minted()).name_id
    refused(refusals.UNDECRYPTABLE, encrypted(number=3), decryption=both)


def test_a_provider_may_encrypt_for_each_of_our_keys() -> None:
    both = Decryption(ServiceKeys(own(2), own(1)))

    def foreign_first(root: Element) -> None:
        other = encryptor(number=3, recipient="urn:other").encrypted(b"<x/>")
        info = find(root, f".//{{{DSIG}}}KeyInfo")
        info.insert(0, find(other, f".//{{{XENC}}}EncryptedKey"))

    assert accept(encrypted(edit=foreign_first), decryption=both).name_id == accept(minted()).name_id


def test_hints_at_the_key_are_not_needed_and_not_followed() -> None:
    def add(root: Element) -> None:
        info = find(root, f".//{{{DSIG}}}KeyInfo")
        info.insert(0, etree.fromstring(f'<ds:RetrievalMethod xmlns:ds="{DSIG}" URI="http://127.0.0.1:9/key"/>'))
        key = find(root, f".//{{{XENC}}}EncryptedKey")
        key.append(etree.fromstring(f'<e:ReferenceList xmlns:e="{XENC}"><e:DataReference URI="#x"/></e:ReferenceList>'))
        key.append(etree.fromstring(f'<e:CarriedKeyName xmlns:e="{XENC}">k</e:CarriedKeyName>'))

    assert accept(encrypted(edit=add), decryption=STRICT).name_id == accept(minted()).name_id


# The connection has no keys


@pytest.mark.parametrize("sign", SIGNED)
def test_a_connection_without_keys_says_to_turn_encryption_off(sign: tuple[str, ...]) -> None:
    refusal = refused(refusals.ENCRYPTION_UNEXPECTED, encrypted(sign)).refusal
    assert "Turn assertion encryption off" in refusal.fix


# What is never decrypted


@pytest.mark.parametrize("how", EVERY)
@pytest.mark.parametrize("sign", SIGNED)
@pytest.mark.parametrize("content", [*GCM, *CBC])
def test_bleichenbacher_pkcs1_key_transport_is_always_refused(
    how: Decryption, sign: tuple[str, ...], content: str
) -> None:
    because = refusals.KEY_TRANSPORT_REFUSED
    if content in CBC and not (how.allow_cbc and "response" in sign):
        because = refusals.ENCRYPTION_PROFILE
    refused(because, encrypted(sign, content=content, transport="rsa-1_5"), decryption=how)


@pytest.mark.parametrize("content", CBC)
def test_cbc_is_refused_where_it_is_not_allowed(content: str) -> None:
    for sign in SIGNED:
        refused(refusals.ENCRYPTION_PROFILE, encrypted(sign, content=content), decryption=STRICT)


@pytest.mark.parametrize("content", CBC)
def test_padding_oracle_cbc_without_a_signed_response_is_refused(content: str) -> None:
    refusal = refused(refusals.ENCRYPTION_PROFILE, encrypted(("assertion",), content=content), decryption=LENIENT)
    assert refusal.expected == "a signed Response"


@pytest.mark.parametrize("place", [0, 15, 16, 40, -17, -1])
def test_padding_oracle_a_changed_cbc_ciphertext_is_refused_before_it_is_decrypted(place: int) -> None:
    """The signature of the Response is looked at first: whatever is changed, the answer is the same."""
    root = tree(encrypted(("response",), content="aes128-cbc"))
    flip(root, place)
    refused(refusals.SIGNATURE_INVALID, serialize(root), decryption=LENIENT)


def flip(root: Element, place: int) -> None:
    """Change one bit of the content's ciphertext."""
    value = root.findall(f".//{{{XENC}}}EncryptedData/{{{XENC}}}CipherData/{{{XENC}}}CipherValue")[-1]
    octets = bytearray(base64.b64decode(value.text or ""))
    octets[place] ^= 1
    value.text = base64.b64encode(octets).decode()


# Every failure of decrypting is one answer


def flipped(place: int) -> Callable[[bytes], bytes]:
    def change(octets: bytes) -> bytes:
        changed = bytearray(octets)
        changed[place] ^= 1
        return bytes(changed)

    return change


@pytest.mark.parametrize(
    "how",
    [
        {"change": flipped(0)},
        {"change": flipped(12)},
        {"change": flipped(-1)},
        {"change": lambda octets: octets[:-1]},
        {"change": lambda _: b""},
        {"change": lambda octets: octets[:28]},
        {"number": 2},
    ],
)
def test_every_failure_of_decrypting_is_the_same_answer(how: dict[str, Any]) -> None:
    usual = refused(refusals.UNDECRYPTABLE, encrypted(number=3), decryption=STRICT)
    for sign in SIGNED:
        refusal = refused(refusals.UNDECRYPTABLE, encrypted(sign, **how), decryption=STRICT)
        assert (refusal.detail, refusal.expected, refusal.received) == (usual.detail, usual.expected, usual.received)


def with_right_padding(octets: bytes) -> bytes:
    """In CBC a bit of the nonce is that bit of the first block, and nothing else: the padding stays as it was."""
    return bytes([octets[0] ^ 0x80]) + octets[1:]


def test_a_cbc_failure_in_a_signed_response_is_the_same_answer() -> None:
    usual = refused(refusals.UNDECRYPTABLE, encrypted(number=3), decryption=STRICT)
    for change in (lambda octets: octets[:16], lambda octets: octets[:-1], lambda _: b"x" * 64, with_right_padding):
        made = encrypted(("response",), content="aes128-cbc", change=change)
        refusal = refused(refusals.UNDECRYPTABLE, made, decryption=LENIENT)
        assert (refusal.detail, refusal.expected) == (usual.detail, usual.expected)


def test_a_key_of_another_length_than_the_algorithm_is_refused() -> None:
    def rename(root: Element) -> None:
        find(root, f".//{{{XENC}}}EncryptionMethod").set("Algorithm", f"{XENC11}aes128-gcm")

    refused(refusals.UNDECRYPTABLE, encrypted(edit=rename), decryption=STRICT)


# The profile


@pytest.mark.parametrize("algorithm", [f"{XENC}tripledes-cbc", "urn:none", "", f"{XENC}kw-aes128"])
@pytest.mark.parametrize("path", ["EncryptedData", "EncryptedKey"])
def test_other_algorithms_are_refused(algorithm: str, path: str) -> None:
    def rename(root: Element) -> None:
        find(root, f".//{{{XENC}}}{path}/{{{XENC}}}EncryptionMethod").set("Algorithm", algorithm)

    refused(refusals.ENCRYPTION_PROFILE, encrypted(edit=rename), decryption=LENIENT)


def _cipher_reference(root: Element) -> None:
    value = find(root, f".//{{{XENC}}}EncryptedKey/{{{XENC}}}CipherData")
    value.clear()
    etree.SubElement(value, f"{{{XENC}}}CipherReference", URI="http://127.0.0.1:9/x")


def _data_reference(root: Element) -> None:
    value = root.findall(f"{{{XENC}}}EncryptedData/{{{XENC}}}CipherData")[0]
    value.clear()
    etree.SubElement(value, f"{{{XENC}}}CipherReference", URI="file:///etc/passwd")


def _content_type(root: Element) -> None:
    find(root, f"{{{XENC}}}EncryptedData").set("Type", f"{XENC}Content")


def _without_key(root: Element) -> None:
    info = find(root, f".//{{{DSIG}}}KeyInfo")
    info.clear()


def _many_keys(root: Element) -> None:
    info = find(root, f".//{{{DSIG}}}KeyInfo")
    for _ in range(5):
        more = etree.fromstring(etree.tostring(info[0]))
        del more.attrib["Id"]
        info.append(more)


def _oaep_params(root: Element) -> None:
    method = find(root, f".//{{{XENC}}}EncryptedKey/{{{XENC}}}EncryptionMethod")
    etree.SubElement(method, f"{{{XENC}}}OAEPparams").text = "AAAA"


def _weak_digest(root: Element) -> None:
    find(root, f".//{{{DSIG}}}DigestMethod").set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#md5")


def _something_beside(root: Element) -> None:
    root.append(etree.fromstring('<x xmlns="urn:x"/>'))


@pytest.mark.parametrize(
    "edit",
    [
        _cipher_reference,
        _data_reference,
        _content_type,
        _without_key,
        _many_keys,
        _oaep_params,
        _weak_digest,
        _something_beside,
    ],
)
def test_encryption_made_in_another_way_is_refused(edit: Callable[[Element], None]) -> None:
    refused(refusals.ENCRYPTION_PROFILE, encrypted(edit=edit), decryption=STRICT)
