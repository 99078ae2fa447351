"""Encrypted parts: by a provider that uses our key, and by anybody else who read it in our metadata.

At a connection without keys whatever is encrypted is refused, and every case here is an attack.
"""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from core.refusals import (
    ENCRYPTION_PROFILE,
    ENCRYPTION_UNEXPECTED,
    KEY_TRANSPORT_REFUSED,
    RECIPIENT_MISMATCH,
    RESPONSE_SHAPE,
    SIGNATURE_INVALID,
    SIGNATURE_MISSING,
    UNDECRYPTABLE,
    XML_REFUSED,
    Refusal,
)
from core.testing.attacks.cases import ELSEWHERE, VICTIM, Family, Good, Must, refused, without_cbc
from core.testing.attacks.edits import ONLY_ASSERTION, ONLY_RESPONSE, A, P, copy, drop, find, forged, inserting, parse
from core.testing.encryption import XENC, Encryptor
from core.testing.identity_provider import ASSERTION, DSIG, Element, Signer, serialize

ENCRYPTED = Family(
    "Encrypted parts",
    "Something encrypted, by anybody who read our public key: encryption proves nothing about who sent it.",
    "Jager and Somorovsky, How to Break XML Encryption (CCS 2011)",
)
_GITHUB = "CVE-2024-9487 (GitHub Enterprise Server)"
_BLEICHENBACHER = "Bleichenbacher (CRYPTO 1998); Jager, Schinzel and Somorovsky (ESORICS 2012)"
_UNSIGNED: tuple[str, ...] = ()
_E = f"{{{XENC}}}"


def _refused(*refusals: Refusal) -> Must:
    """One of these; without keys nothing is looked at."""
    return refused(*refusals, ENCRYPTION_UNEXPECTED)


def _holding(good: Good, plaintext: bytes, content: str = "aes256-gcm") -> bytes:
    """A Response without a signature in which these bytes are encrypted."""
    root = good.tree(sign=_UNSIGNED)
    root.replace(find(root, "a:Assertion"), good.encryptor(content).encrypted(plaintext))
    return serialize(root)


def _text(assertion: Element) -> bytes:
    return etree.tostring(assertion, method="c14n", exclusive=True, with_comments=True, with_tail=False)


def _signed_assertion(good: Good) -> bytes:
    return _text(find(good.tree(sign=ONLY_ASSERTION), "a:Assertion"))


def _flipped(place: int) -> Callable[[bytes], bytes]:
    def change(octets: bytes) -> bytes:
        changed = bytearray(octets)
        changed[place] ^= 1
        return bytes(changed)

    return change


# How it is encrypted


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE), applies=without_cbc)
def cbc_where_it_is_not_allowed(good: Good) -> bytes:
    """AES-CBC in a signed Response, at a connection that does not take it."""
    return good.response(encrypt=good.encryptor("aes128-cbc")).xml


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE))
def cbc_without_a_signed_response(good: Good) -> bytes:
    """AES-CBC whose ciphertext nobody signed: it could be changed bit by bit until the answer tells what was in it."""
    return good.response(sign=ONLY_ASSERTION, encrypt=good.encryptor("aes256-cbc")).xml


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE, SIGNATURE_INVALID))
def cbc_in_a_response_that_a_stranger_signed(good: Good) -> bytes:
    """The same in a Response that is signed, but by nobody we know."""
    return good.response(by=good.stranger, sign=ONLY_RESPONSE, encrypt=good.encryptor("aes256-cbc")).xml


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE, SIGNATURE_INVALID))
def cbc_ciphertext_changed_in_a_signed_response(good: Good) -> bytes:
    """A changed AES-CBC block in a Response that the provider signed: the signature is looked at first."""
    root = good.tree(sign=ONLY_RESPONSE, encrypt=good.encryptor("aes128-cbc"))
    value = root.findall(f".//{_E}EncryptedData/{_E}CipherData/{_E}CipherValue")[-1]
    text = value.text or ""
    value.text = ("B" if text[0] == "A" else "A") + text[1:]
    return serialize(root)


@ENCRYPTED.message(_refused(KEY_TRANSPORT_REFUSED), _BLEICHENBACHER)
def pkcs1_key_transport(good: Good) -> bytes:
    """The content's key encrypted with RSA PKCS #1 v1.5, everything signed by the provider."""
    return good.response(encrypt=good.encryptor(transport="rsa-1_5")).xml


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE, KEY_TRANSPORT_REFUSED), _BLEICHENBACHER)
def pkcs1_key_transport_of_a_cbc_key(good: Good) -> bytes:
    """The same with AES-CBC: both weaknesses at once."""
    return good.response(encrypt=good.encryptor("aes128-cbc", transport="rsa-1_5")).xml


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE))
def triple_des(good: Good) -> bytes:
    """An algorithm that is no longer one."""

    def rename(root: Element) -> None:
        find(root, f".//{_E}EncryptionMethod").set("Algorithm", f"{XENC}tripledes-cbc")

    return good.response(encrypt=good.encryptor(edit=rename)).xml


@ENCRYPTED.message(_refused(UNDECRYPTABLE))
def ciphertext_with_a_flipped_bit(good: Good) -> bytes:
    """One bit of an AES-GCM ciphertext changed; its tag tells."""
    return good.response(sign=ONLY_ASSERTION, encrypt=good.encryptor(change=_flipped(40))).xml


@ENCRYPTED.message(_refused(UNDECRYPTABLE))
def tag_with_a_flipped_bit(good: Good) -> bytes:
    """One bit of the tag changed."""
    return good.response(sign=ONLY_ASSERTION, encrypt=good.encryptor(change=_flipped(-1))).xml


@ENCRYPTED.message(_refused(UNDECRYPTABLE))
def ciphertext_that_is_cut_off(good: Good) -> bytes:
    """A ciphertext without its tag."""
    return good.response(sign=ONLY_ASSERTION, encrypt=good.encryptor(change=lambda octets: octets[:-16])).xml


@ENCRYPTED.message(_refused(UNDECRYPTABLE))
def encrypted_for_a_foreign_key(good: Good) -> bytes:
    """Encrypted for somebody else, signed by the provider."""
    return good.response(encrypt=Encryptor(good.stranger.certificate)).xml


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE))
def encrypted_assertion_without_a_key(good: Good) -> bytes:
    """Encrypted with a key that only has a name."""

    def name(root: Element) -> None:
        info = find(root, f".//{{{DSIG}}}KeyInfo")
        info.clear()
        etree.SubElement(info, f"{{{DSIG}}}KeyName").text = "k"

    return good.response(encrypt=good.encryptor(edit=name)).xml


# Who made it


@ENCRYPTED.message(_refused(SIGNATURE_MISSING), _GITHUB)
def encrypted_and_not_signed(good: Good) -> bytes:
    """An assertion about the victim, encrypted for us, with no signature anywhere."""
    return good.response(sign=_UNSIGNED, subject=VICTIM, encrypt=good.encryptor()).xml


@ENCRYPTED.message(_refused(SIGNATURE_INVALID), _GITHUB)
def encrypted_and_signed_by_a_stranger(good: Good) -> bytes:
    """An assertion that a stranger signed, encrypted for us."""
    return good.response(by=good.stranger, sign=ONLY_ASSERTION, subject=VICTIM, encrypt=good.encryptor()).xml


@ENCRYPTED.message(_refused(SIGNATURE_INVALID), _GITHUB)
def forged_assertion_in_a_genuine_response(good: Good) -> bytes:
    """The encrypted assertion of a signed Response exchanged for another one."""
    root = good.tree(sign=ONLY_RESPONSE, encrypt=good.encryptor())
    evil = _text(find(good.tree(sign=_UNSIGNED, subject=VICTIM), "a:Assertion"))
    root.replace(find(root, "a:EncryptedAssertion"), good.encryptor().encrypted(evil))
    return serialize(root)


@ENCRYPTED.message(_refused(SIGNATURE_INVALID), _GITHUB)
def genuine_response_around_a_strangers_assertion(good: Good) -> bytes:
    """A Response by the provider, an assertion by a stranger in it: each signature has to be valid."""
    root = good.tree(sign=_UNSIGNED)
    foreign = find(good.tree(by=good.stranger, sign=ONLY_ASSERTION, subject=VICTIM), "a:Assertion")
    root.replace(find(root, "a:Assertion"), good.encryptor().encrypted(_text(foreign)))
    Signer(good.provider).sign(root)
    return serialize(root)


@ENCRYPTED.message(_refused(RESPONSE_SHAPE), _GITHUB)
def genuine_assertion_wrapped_in_an_encrypted_one(good: Good) -> bytes:
    """A forged assertion, encrypted, with the genuine signed one in its Advice."""
    genuine = find(good.tree(sign=ONLY_ASSERTION), "a:Assertion")
    evil = forged(genuine)
    advice = etree.SubElement(evil, f"{{{ASSERTION}}}Advice")
    advice.append(copy(genuine))
    return _holding(good, _text(evil))


@ENCRYPTED.message(_refused(SIGNATURE_INVALID), _GITHUB)
def genuine_signature_in_a_forged_encrypted_assertion(good: Good) -> bytes:
    """A forged assertion that carries the signature of a genuine one."""
    evil = _signed_assertion(good).replace(good.subject.encode(), VICTIM.encode())
    return _holding(good, evil)


@ENCRYPTED.message(_refused(SIGNATURE_MISSING), _GITHUB)
def genuine_assertion_outside_of_the_encrypted_one(good: Good) -> bytes:
    """A forged assertion, encrypted, whose genuine twin has lost its place in the Response."""
    root = good.tree(sign=ONLY_ASSERTION)
    evil = _text(forged(find(root, "a:Assertion")))
    drop(find(root, "a:Assertion"))
    root.append(good.encryptor().encrypted(evil))
    return serialize(root)


@ENCRYPTED.message(_refused(RECIPIENT_MISMATCH))
def encrypted_assertion_for_another_address(good: Good) -> bytes:
    """A good encrypted assertion whose Recipient is elsewhere: what is decrypted is checked as any other."""
    return good.response(recipient=ELSEWHERE, encrypt=good.encryptor()).xml


# Where it stands


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_assertion_beside_a_plain_one(good: Good) -> bytes:
    """An encrypted assertion beside a good one: which of the two is read?"""
    root = good.tree()
    root.append(good.encryptor().encrypted(_signed_assertion(good)))
    return serialize(root)


@ENCRYPTED.message(refused(RESPONSE_SHAPE), _GITHUB)
def signed_assertion_wrapped_beside_an_encrypted_one(good: Good) -> bytes:
    """Wrapping with a forged assertion that would be decrypted after the signatures were checked."""
    root = good.tree(sign=ONLY_ASSERTION)
    root.append(good.encryptor().encrypted(_text(forged(find(root, "a:Assertion")))))
    return serialize(root)


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_data_in_extensions(good: Good) -> bytes:
    """Encrypted content in a place where nobody reads it, for whoever decrypts first."""
    data = find(good.encryptor().encrypted(_signed_assertion(good)), f"{_E}EncryptedData")
    extensions = f"<saml2p:Extensions {P}>{etree.tostring(data, encoding='unicode')}</saml2p:Extensions>"
    return good.response(edit=inserting("", extensions, 1)).xml


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def two_encrypted_assertions(good: Good) -> bytes:
    """Two encrypted assertions, the second about the victim."""
    root = good.tree(sign=ONLY_ASSERTION, encrypt=good.encryptor())
    evil = _text(find(good.tree(sign=_UNSIGNED, subject=VICTIM), "a:Assertion"))
    root.append(good.encryptor().encrypted(evil))
    return serialize(root)


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_assertion_in_extensions(good: Good) -> bytes:
    """The encrypted assertion in a place where nobody looks, for whoever decrypts first."""
    root = good.tree(encrypt=good.encryptor())
    extensions = parse(f"<saml2p:Extensions {P}/>")
    extensions.append(find(root, "a:EncryptedAssertion"))
    root.insert(1, extensions)
    return serialize(root)


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_name_id(good: Good) -> bytes:
    """An encrypted NameID beside a plain one."""
    return good.response(edit=inserting(".//a:Subject", _part(good, "EncryptedID"))).xml


@ENCRYPTED.message(refused(RESPONSE_SHAPE))
def encrypted_attribute(good: Good) -> bytes:
    """An encrypted attribute."""
    return good.response(edit=inserting(".//a:AttributeStatement", _part(good, "EncryptedAttribute"))).xml


def _part(good: Good, name: str) -> str:
    data = find(good.encryptor().encrypted(b"<x/>"), f"{_E}EncryptedData")
    return f"<saml2:{name} {A}>{etree.tostring(data, encoding='unicode')}</saml2:{name}>"


# What is in it


@ENCRYPTED.message(_refused(XML_REFUSED))
def two_elements_in_the_plaintext(good: Good) -> bytes:
    """Two assertions in one ciphertext."""
    return _holding(good, _signed_assertion(good) * 2)


@ENCRYPTED.message(_refused(XML_REFUSED), "CWE-611")
def doctype_in_the_plaintext(good: Good) -> bytes:
    """A DOCTYPE with an external entity, where a scanner on the way could not see it."""
    return _holding(good, b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + _signed_assertion(good))


@ENCRYPTED.message(_refused(XML_REFUSED), "CWE-776")
def entity_bomb_in_the_plaintext(good: Good) -> bytes:
    """Entities of entities, encrypted."""
    entities = "".join(f'<!ENTITY e{number} "{f"&e{number - 1};" * 10}">' for number in range(1, 9))
    return _holding(good, f'<!DOCTYPE a [<!ENTITY e0 "x">{entities}]><a>&e8;</a>'.encode())


@ENCRYPTED.message(_refused(XML_REFUSED))
def deep_plaintext(good: Good) -> bytes:
    """Ten thousand levels, encrypted."""
    return _holding(good, b"<a>" * 10_000 + b"</a>" * 10_000)


@ENCRYPTED.message(_refused(XML_REFUSED), "CVE-2018-0489")
def comment_in_the_encrypted_name_id(good: Good) -> bytes:
    """A comment that splits a name, in an assertion that was signed without it."""
    text = _signed_assertion(good)
    return _holding(good, text.replace(b"@", b"<!---->@", 1))


@ENCRYPTED.message(_refused(RESPONSE_SHAPE))
def response_in_the_plaintext(good: Good) -> bytes:
    """A whole signed Response in the place of the assertion."""
    return _holding(good, good.response().xml.partition(b"?>")[2])


@ENCRYPTED.message(_refused(RESPONSE_SHAPE))
def encrypted_in_the_encrypted(good: Good) -> bytes:
    """An encrypted assertion in an encrypted assertion."""
    return _holding(good, etree.tostring(good.encryptor().encrypted(_signed_assertion(good))))


@ENCRYPTED.message(_refused(UNDECRYPTABLE))
def empty_plaintext(good: Good) -> bytes:
    """Nothing, encrypted."""
    return _holding(good, b"")


# What a reader could be made to do


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE), "CWE-918")
def cipher_reference_to_a_server(good: Good) -> bytes:
    """Content that is to be fetched."""

    def refer(root: Element) -> None:
        data = find(root, f"{_E}EncryptedData/{_E}CipherData")
        data.clear()
        etree.SubElement(data, f"{_E}CipherReference", URI="http://127.0.0.1:9/x")

    return good.response(encrypt=good.encryptor(edit=refer)).xml


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE), "CWE-918")
def key_that_is_to_be_retrieved(good: Good) -> bytes:
    """A content key that is to be fetched, instead of one that is there."""

    def refer(root: Element) -> None:
        info = find(root, f".//{{{DSIG}}}KeyInfo")
        info.clear()
        etree.SubElement(info, f"{{{DSIG}}}RetrievalMethod", URI="http://127.0.0.1:9/key")

    return good.response(encrypt=good.encryptor(edit=refer)).xml


@ENCRYPTED.message(_refused(ENCRYPTION_PROFILE), "CWE-400")
def hundreds_of_encrypted_keys(good: Good) -> bytes:
    """Four hundred keys to try, each of which costs an RSA operation."""

    def repeat(root: Element) -> None:
        info = find(root, f".//{{{DSIG}}}KeyInfo")
        wrapped = find(info, f"{_E}EncryptedKey")
        find(wrapped, f"{_E}CipherData/{_E}CipherValue").text = "AAAA"
        del wrapped.attrib["Id"]
        for _ in range(399):
            info.append(copy(wrapped))

    return good.response(sign=ONLY_ASSERTION, encrypt=good.encryptor(edit=repeat)).xml


@ENCRYPTED.message(refused(XML_REFUSED), "CWE-400")
def huge_ciphertext(good: Good) -> bytes:
    """More ciphertext than a response may have."""
    root = good.tree(sign=_UNSIGNED)
    root.replace(find(root, "a:Assertion"), good.encryptor(change=lambda octets: octets * 38).encrypted(b"x" * 6000))
    return serialize(root)
