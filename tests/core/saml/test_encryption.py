"""Encrypted assertions: what is read, and every way to misuse that we read it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from lxml import etree

from core import refusals
from core.refusals import Refusal
from core.saml import service_keys
from core.saml.response import Decryption
from core.saml.service_keys import ServiceKey, ServiceKeys
from core.testing.encryption import XENC, XENC11, Encryptor
from core.testing.identity_provider import ASSERTION, DSIG, Element, Minted, serialize
from tests.core.saml.given import AUDIENCE, NOW, accept, find, minted, provider, refused, tree

GCM = ("aes128-gcm", "aes192-gcm", "aes256-gcm")
CBC = ("aes128-cbc", "aes192-cbc", "aes256-cbc")
SIGNED = (("assertion",), ("response",), ("response", "assertion"))
VICTIM = "admin@victim.example"


def own(number: int = 1) -> ServiceKey:
    """A key of ours; another number is another key."""
    return _own(number)


@cache
def _own(number: int) -> ServiceKey:
    return service_keys.create("siq.example.test", f"c-{number}", NOW)


def certificate(number: int = 1) -> x509.Certificate:
    return x509.load_der_x509_certificate(own(number).certificate.der)


def decryption(*, allow_cbc: bool = False) -> Decryption:
    return Decryption(ServiceKeys(own()), allow_cbc)


STRICT, LENIENT = decryption(), decryption(allow_cbc=True)
EVERY = (STRICT, LENIENT)


def encryptor(content: str = "aes256-gcm", **more: Any) -> Encryptor:
    return Encryptor(certificate(more.pop("number", 1)), content, **more)


def encrypted(sign: tuple[str, ...] = ("assertion",), changes: dict[str, Any] | None = None, **how: Any) -> Minted:
    return minted(sign=sign, encrypt=encryptor(**how), **(changes or {}))


def holding(plaintext: bytes, **how: Any) -> bytes:
    """A Response without a signature, with these bytes encrypted in the place of its assertion."""
    root = tree(minted(sign=()))
    root.replace(find(root, "a:Assertion"), encryptor(**how).encrypted(plaintext))
    return serialize(root)


def signed_assertion() -> bytes:
    return etree.tostring(find(tree(minted(sign=("assertion",))), "a:Assertion"), with_tail=False)


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


# Who signed it: encryption proves nothing


@pytest.mark.parametrize("how", EVERY)
def test_an_unsigned_assertion_in_an_unsigned_response_is_refused(how: Decryption) -> None:
    refused(refusals.SIGNATURE_MISSING, encrypted(()), decryption=how)


def test_a_stranger_who_read_our_metadata_is_refused() -> None:
    stranger = provider(number=2)
    for sign in SIGNED:
        refused(refusals.SIGNATURE_INVALID, minted(stranger, sign=sign, encrypt=encryptor()), decryption=STRICT)


def test_both_signatures_have_to_be_valid() -> None:
    """A Response by the provider around an assertion by somebody else."""
    root = tree(minted(sign=()))
    inner = find(tree(minted(provider(number=2), sign=("assertion",))), "a:Assertion")
    plaintext = etree.tostring(inner, method="c14n", exclusive=True)
    root.replace(find(root, "a:Assertion"), encryptor().encrypted(plaintext))
    from core.testing.identity_provider import Signer  # noqa: PLC0415  only here

    Signer(provider()).sign(root)
    refused(refusals.SIGNATURE_INVALID, serialize(root), decryption=STRICT)


def test_a_forged_assertion_with_the_signature_of_a_good_one_is_refused() -> None:
    forged = signed_assertion().replace(b"ada@example.test", VICTIM.encode())
    assert VICTIM.encode() in forged
    refused(refusals.SIGNATURE_INVALID, holding(forged), decryption=STRICT)


def test_a_good_assertion_wrapped_in_a_forged_one_is_refused() -> None:
    good = signed_assertion().decode()
    evil = good.replace("ada@example.test", VICTIM).replace('ID="_a-', 'ID="_evil-')
    evil = evil[: evil.index("<ds:Signature")] + evil[evil.index("</ds:Signature>") + len("</ds:Signature>") :]
    wrapped = evil.replace("</saml2:Assertion>", f"<saml2:Advice>{good}</saml2:Advice></saml2:Assertion>")
    refused(refusals.RESPONSE_SHAPE, holding(wrapped.encode()), decryption=STRICT)


def test_an_encrypted_assertion_moved_into_another_response_keeps_its_own_signature_only() -> None:
    """Whoever holds a signed and encrypted assertion may carry it on; nothing around it is believed."""
    root = tree(minted(sign=()))
    held = tree(encrypted(("assertion",)))
    root.replace(find(root, "a:Assertion"), find(held, "a:EncryptedAssertion"))
    root.set("InResponseTo", "_another")
    refused(refusals.REQUEST_UNKNOWN, serialize(root), decryption=STRICT)


def test_an_exchanged_encrypted_assertion_breaks_the_signature_of_the_response() -> None:
    root = tree(encrypted(("response",)))
    forged = etree.tostring(find(tree(minted(sign=())), "a:Assertion"))
    root.replace(find(root, "a:EncryptedAssertion"), encryptor().encrypted(forged))
    refused(refusals.SIGNATURE_INVALID, serialize(root), decryption=STRICT)


def test_the_response_and_the_encrypted_assertion_name_the_same_request() -> None:
    def rename(root: Element) -> None:
        root.set("InResponseTo", "_another")

    refused(refusals.REQUEST_UNKNOWN, minted(encrypt=encryptor(), edit=rename), decryption=STRICT)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"recipient": "https://elsewhere.example.test/"}, refusals.RECIPIENT_MISMATCH),
        ({"issuer": "urn:other", "response_issuer": None}, refusals.ISSUER_MISMATCH),
        ({"version": "1.1"}, refusals.VERSION_UNSUPPORTED),
    ],
)
def test_a_decrypted_assertion_is_checked_as_any_other(changes: dict[str, Any], because: Refusal) -> None:
    refused(because, encrypted(("response", "assertion"), changes), decryption=STRICT)


# Where it stands and how many there are


def test_two_encrypted_assertions_are_refused() -> None:
    root = tree(encrypted())
    root.append(encryptor().encrypted(signed_assertion()))
    refused(refusals.RESPONSE_SHAPE, serialize(root), decryption=STRICT)


def test_an_encrypted_assertion_beside_a_plain_one_is_refused() -> None:
    root = tree(minted())
    root.append(encryptor().encrypted(signed_assertion()))
    refused(refusals.RESPONSE_SHAPE, serialize(root), decryption=STRICT)


@pytest.mark.parametrize("name", ["EncryptedID", "EncryptedAttribute"])
def test_single_parts_that_are_encrypted_are_refused(name: str) -> None:
    data = find(encryptor().encrypted(b"<x/>"), f"{{{XENC}}}EncryptedData")
    part = etree.Element(f"{{{ASSERTION}}}{name}")
    part.append(data)

    def add(root: Element) -> None:
        find(root, ".//a:Subject").append(part)

    refusal = refused(refusals.RESPONSE_SHAPE, minted(edit=add), decryption=STRICT).refusal
    assert "not the NameID, not single attributes" in refusal.fix


def test_an_encrypted_assertion_inside_another_element_is_refused() -> None:
    root = tree(encrypted())
    extensions = etree.fromstring('<p:Extensions xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"/>')
    extensions.append(find(root, "a:EncryptedAssertion"))
    root.insert(2, extensions)
    refused(refusals.RESPONSE_SHAPE, serialize(root), decryption=STRICT)


def test_encrypted_in_the_encrypted_is_refused() -> None:
    inner = etree.tostring(encryptor().encrypted(signed_assertion()))
    refused(refusals.RESPONSE_SHAPE, holding(inner), decryption=STRICT)


# What is inside has the bounds of every document


@pytest.mark.parametrize(
    "made",
    [
        lambda good: good + good,
        lambda good: good + b"text",
        lambda good: b"<!DOCTYPE a [<!ENTITY e 'x'>]>" + good,
        lambda good: b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + good,
        lambda good: good.replace(b"ada@example.test", b"ada@example.test<!-- x -->.evil"),
        lambda good: good.replace(b"ada@example.test", b"ada<?x y?>@example.test"),
        lambda good: good.replace(b"<saml2:Subject>", b"<saml2:Subject>" + b"<x>" * 50 + b"</x>" * 50),
        lambda good: good.replace(b"<saml2:Subject>", b"<saml2:Subject>" + b"<x/>" * 7000),
        lambda good: good.replace(b'xmlns:saml2="', b'xmlns:other="'),
        lambda _: b"\xff\xfe",
        lambda _: b"",
        lambda _: b"not XML",
    ],
)
def test_a_plaintext_that_would_not_be_taken_in_plain_is_refused(made: Callable[[bytes], bytes]) -> None:
    plaintext = made(signed_assertion())
    because = refusals.XML_REFUSED if plaintext else refusals.UNDECRYPTABLE
    refused(because, holding(plaintext), decryption=STRICT)


@pytest.mark.parametrize(
    "plaintext",
    [
        b"<x/>",
        b'<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"/>',
        f'<a:Assertion xmlns:a="{ASSERTION}"><a:Assertion/></a:Assertion>'.encode(),
        f'<a:Assertion xmlns:a="{ASSERTION}" ID="a b"/>'.encode(),
        f'<a:Assertion xmlns:a="{ASSERTION}"/>'.encode(),
    ],
)
def test_a_plaintext_that_is_not_one_assertion_is_refused(plaintext: bytes) -> None:
    refused(refusals.RESPONSE_SHAPE, holding(plaintext), decryption=STRICT)


def test_a_nested_response_in_the_plaintext_is_refused() -> None:
    refused(refusals.RESPONSE_SHAPE, holding(minted().xml.partition(b"?>")[2]), decryption=STRICT)


def test_an_assertion_for_another_connection_is_not_taken() -> None:
    """The other connection's own key and audience: neither is ours."""
    other = minted(encrypt=encryptor(number=2, recipient="https://siq.example.test/sso/c2"))
    refused(refusals.UNDECRYPTABLE, other, decryption=STRICT)


def seconds_to_read(made: Minted, groups: int) -> float:
    started = time.perf_counter()
    assert len(accept(made, decryption=STRICT).attributes["groups"]) == groups
    return time.perf_counter() - started


def test_the_largest_response_that_is_taken_is_read_in_time() -> None:
    attributes = {"groups": [f"{number:08}-{'x' * 60}" for number in range(1_600)]}
    made = encrypted(("response", "assertion"), {"attributes": attributes})
    assert 200 * 1024 < len(made.xml) <= 256 * 1024, len(made.xml)
    assert (
        min(seconds_to_read(made, groups=1_600) for _ in range(5)) < 0.05
    )  # the machine may be busy with other things


def test_a_refused_assertion_shows_nothing_of_what_was_in_it() -> None:
    refusal = refused(refusals.RESPONSE_SHAPE, holding(b"<secret>word</secret>"), decryption=STRICT)
    assert "word" not in f"{refusal.detail}{refusal.expected}{refusal.received}"
