"""Who vouches for what was encrypted, where it may stand, and the bounds of what is inside."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from core import refusals
from core.refusals import Refusal
from core.saml.response import Decryption
from core.testing.attacks.edits import find
from core.testing.encryption import XENC
from core.testing.identity_provider import ASSERTION, Element, Minted, Signer, serialize
from tests.core.saml.given import accept, minted, provider, refused, tree
from tests.core.saml.given_encrypted import (
    EVERY,
    SIGNED,
    STRICT,
    VICTIM,
    encrypted,
    encryptor,
    holding,
    signed_assertion,
)

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


def test_a_decrypted_assertion_without_a_canonical_form_is_refused() -> None:
    """A relative namespace in what a signed Response holds encrypted: the provider itself wrote it."""
    assertion = tree(minted(sign=()))[2]
    etree.SubElement(assertion, "{relative}a")
    root = tree(minted(sign=()))
    root.replace(find(root, "a:Assertion"), encryptor().encrypted(etree.tostring(assertion)))
    Signer(provider()).sign(root)
    refused(refusals.SIGNATURE_INVALID, serialize(root), decryption=STRICT)


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
    """Of processor time: the machine may be busy with other things."""
    started = time.process_time()
    assert len(accept(made, decryption=STRICT).attributes["groups"]) == groups
    return time.process_time() - started


def test_the_largest_response_that_is_taken_is_read_in_time() -> None:
    attributes = {"groups": [f"{number:08}-{'x' * 60}" for number in range(1_600)]}
    made = encrypted(("response", "assertion"), {"attributes": attributes})
    assert 200 * 1024 < len(made.xml) <= 256 * 1024, len(made.xml)
    assert min(seconds_to_read(made, groups=1_600) for _ in range(5)) < 0.05


def test_a_refused_assertion_shows_nothing_of_what_was_in_it() -> None:
    refusal = refused(refusals.RESPONSE_SHAPE, holding(b"<secret>word</secret>"), decryption=STRICT)
    assert "word" not in f"{refusal.detail}{refusal.expected}{refusal.received}"
