"""The signature gate: what is accepted as signed, and one test for each way around it that is known."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from lxml import etree

from core import refusals
from core.errors import CertificateRejected, SignInRefused
from core.refusals import Refusal
from core.saml import document, signature
from core.saml.document import Element
from core.saml.pinned_keys import Keys, PinnedKey
from core.testing import identity_provider as idp
from core.testing.attacks.edits import find, setting
from core.testing.identity_provider import IdentityProvider, Minted, Signer
from tests.core.saml.given import (
    ISSUER,
    NOW,
    accept,
    changed,
    identifier,
    keys,
    minted,
    provider,
    refused,
    removing,
    replaced,
    tree,
)

BOTH = ("response", "assertion")
DS = f'xmlns:ds="{idp.DSIG}"'


# Accepted


@pytest.mark.parametrize(
    "algorithm", ["rsa-sha256", "rsa-sha384", "rsa-sha512", "pss-sha256", "pss-sha384", "pss-sha512"]
)
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_rsa_signatures_are_accepted(algorithm: str, digest: str) -> None:
    accept(minted(signature=algorithm, digest=digest))


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [("p-256", "ecdsa-sha256"), ("p-384", "ecdsa-sha384"), ("p-521", "ecdsa-sha512"), ("p-256", "ecdsa-sha512")],
)
def test_ecdsa_signatures_are_accepted(key: str, algorithm: str) -> None:
    elliptic = provider(key)
    accept(minted(elliptic, signature=algorithm), pinned=keys(elliptic))


@pytest.mark.parametrize("key", ["rsa-3072", "rsa-4096"])
def test_longer_rsa_keys_are_accepted(key: str) -> None:
    longer = provider(key)
    accept(minted(longer), pinned=keys(longer))


def test_key_info_may_be_absent() -> None:
    accept(minted(key_info=False))


def test_either_certificate_of_a_rotation_is_accepted() -> None:
    old, new = provider(), provider(number=2)
    for by in (old, new):
        accept(minted(by), pinned=keys(old, new))
        accept(minted(by), pinned=keys(new, old))


def test_a_provider_that_rotated_is_refused_until_its_new_certificate_is_added() -> None:
    after = provider().rotate()
    assert after.entity_id == provider().entity_id
    refusal = refused(refusals.SIGNATURE_INVALID, minted(after))
    assert refusal.received == Keys.of(after.certificate_pem).pinned[0].certificate.fingerprint
    assert refusal.expected == keys().pinned[0].certificate.fingerprint
    accept(minted(after), pinned=Keys.of(provider().certificate_pem + after.certificate_pem))


def test_what_is_signed_comes_out_and_nothing_else() -> None:
    for sign, element in ((BOTH, "assertion"), (("assertion",), "assertion"), (("response",), "response")):
        response = minted(sign=sign)
        signed = signature.gate(document.message(response.xml), keys(), NOW)
        assert signed.element == element
        assert signed.fingerprint == keys().pinned[0].certificate.fingerprint
        digests = re.findall(rb"<ds:DigestValue>([^<]+)<", response.xml)
        assert base64.b64encode(hashlib.sha256(signed.xml).digest()) in digests
        assert signed.xml.startswith(b"<saml2:Assertion" if element == "assertion" else b"<saml2p:Response")


# Refused: changed, or signed by somebody else


@pytest.mark.parametrize("sign", [("assertion",), ("response",), BOTH])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">ada@example.test</saml2:NameID>", ">eve@example.test</saml2:NameID>"),
        ('Name="email"', 'Name="mail"'),
        ("</saml2:Subject>", "</saml2:Subject> "),
    ],
)
def test_a_changed_assertion_is_refused(sign: Sequence[str], old: str, new: str) -> None:
    refused(refusals.SIGNATURE_INVALID, replaced(minted(sign=sign), old, new))


def test_a_changed_envelope_is_refused_when_it_is_signed() -> None:
    refused(refusals.SIGNATURE_INVALID, changed(minted(), setting("", "Destination", None)))


def test_a_changed_digest_is_refused() -> None:
    def edit(root: idp.Element) -> None:
        find(root, "a:Assertion//ds:DigestValue").text = base64.b64encode(bytes(32)).decode()

    refused(refusals.SIGNATURE_INVALID, changed(minted(sign=("assertion",)), edit))


def test_an_unknown_key_is_refused() -> None:
    refused(refusals.SIGNATURE_INVALID, minted(provider(number=2)))


def test_a_key_of_another_kind_is_refused() -> None:
    refused(refusals.SIGNATURE_INVALID, minted(provider("p-256")))
    refused(refusals.SIGNATURE_INVALID, minted(), pinned=keys(provider("p-256")))


def test_a_certificate_in_key_info_is_not_believed() -> None:
    """KeyInfo names the pinned certificate, another one, or one that does not exist: only pinned keys count."""
    stranger = minted(provider(number=2))
    refused(
        refusals.SIGNATURE_INVALID,
        replaced(stranger, provider(number=2).certificate_base64, provider().certificate_base64),
    )
    accept(replaced(minted(sign=("assertion",)), provider().certificate_base64, provider(number=2).certificate_base64))
    accept(replaced(minted(sign=("assertion",)), provider().certificate_base64, "%%%"))


@pytest.mark.parametrize(
    "inside",
    [
        "<ds:KeyName>any</ds:KeyName>",
        '<ds:RetrievalMethod URI="http://127.0.0.1:9/key"/>',
        "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>",
        '<dsig11:DEREncodedKeyValue xmlns:dsig11="http://www.w3.org/2009/xmldsig11#">AAAA</dsig11:DEREncodedKeyValue>',
    ],
)
def test_a_key_in_key_info_is_not_looked_at(inside: str) -> None:
    def put(root: idp.Element) -> None:
        key_info = find(root, ".//ds:KeyInfo")
        parent = key_info.getparent()
        assert parent is not None
        parent.replace(key_info, etree.fromstring(f"<ds:KeyInfo {DS}>{inside}</ds:KeyInfo>"))

    accept(changed(minted(sign=("assertion",)), put))
    refused(refusals.SIGNATURE_INVALID, changed(minted(provider(number=2), sign=("assertion",)), put))


def test_a_good_response_signature_does_not_excuse_a_bad_assertion_signature() -> None:
    response = minted(sign=())
    root = etree.fromstring(response.xml)
    Signer(provider(number=2)).sign(find(root, "a:Assertion"))
    Signer(provider()).sign(root)
    refused(refusals.SIGNATURE_INVALID, idp.serialize(root), pinned=keys())


def test_a_good_assertion_signature_does_not_excuse_a_bad_response_signature() -> None:
    root = etree.fromstring(minted(sign=("assertion",)).xml)
    Signer(provider(number=2)).sign(root)
    refused(refusals.SIGNATURE_INVALID, idp.serialize(root))


def test_no_signature_is_refused() -> None:
    refused(refusals.SIGNATURE_MISSING, minted(sign=()))


def test_removed_signatures_are_refused() -> None:
    def strip(root: idp.Element) -> None:
        removing("a:Assertion/ds:Signature")(root)
        removing("ds:Signature")(root)

    refused(refusals.SIGNATURE_MISSING, changed(minted(), strip))


def test_an_empty_signature_value_is_refused() -> None:
    def empty(root: idp.Element) -> None:
        find(root, ".//ds:SignatureValue").text = ""

    refused(refusals.SIGNATURE_WEAK, changed(minted(), empty))


# Refused: too weak to be believed


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("rsa-sha1", "sha1"), ("rsa-sha1", "sha256"), ("rsa-sha256", "sha1")]
)
def test_sha_1_is_refused(algorithm: str, digest: str) -> None:
    refused(refusals.SIGNATURE_WEAK, minted(signature=algorithm, digest=digest))


def test_a_key_of_1024_bits_is_refused() -> None:
    short = provider("rsa-1024")
    with pytest.raises(CertificateRejected, match="1024-bit"):
        Keys.of(short.certificate_pem)
    refused(refusals.SIGNATURE_WEAK, minted(short))


def test_a_curve_below_p_256_is_refused() -> None:
    refused(refusals.SIGNATURE_WEAK, minted(provider("p-192")))


def test_an_hmac_with_the_public_key_as_its_secret_is_refused() -> None:
    public = (
        provider()
        .key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )

    def forge(root: idp.Element) -> None:
        find(root, ".//ds:SignatureMethod").set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
        octets = etree.tostring(find(root, ".//ds:SignedInfo"), method="c14n", exclusive=True)
        find(root, ".//ds:SignatureValue").text = base64.b64encode(hmac.digest(public, octets, "sha256")).decode()

    refused(refusals.SIGNATURE_WEAK, changed(minted(sign=("assertion",)), forge))


@pytest.mark.parametrize(
    "algorithm",
    [
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-ripemd160",
        "http://www.w3.org/2007/05/xmldsig-more#rsa-pss",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256 ",
        "",
    ],
)
def test_an_algorithm_that_is_not_on_the_list_is_refused(algorithm: str) -> None:
    refused(refusals.SIGNATURE_WEAK, minted(edit_signature=setting(".//ds:SignatureMethod", "Algorithm", algorithm)))


# Refused: dates of the pinned certificates


def test_an_expired_certificate_does_not_count() -> None:
    old = IdentityProvider.create(ISSUER, valid_from=NOW - timedelta(days=20), valid_for=timedelta(days=10))
    refused(refusals.CERTIFICATE_EXPIRED, minted(old), pinned=keys(old))
    refused(refusals.SIGNATURE_INVALID, minted(old), pinned=keys(old, provider()))
    accept(minted(), pinned=keys(old, provider()))


def test_a_certificate_counts_until_its_last_second() -> None:
    last = keys().pinned[0].certificate.not_after
    assert len(keys().usable(last)) == 1
    with pytest.raises(SignInRefused) as caught:
        keys().usable(last + timedelta(seconds=1))
    assert caught.value.refusal is refusals.CERTIFICATE_EXPIRED


# Bytes decide, and not what anybody makes of a document


@pytest.fixture
def strange_canonicalizer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], None]:
    """Makes the canonical form of the element of this name what the attacker wishes."""
    right = signature.canonical

    def make(name: str, octets: bytes) -> None:
        def wrong(element: Element, prefixes: list[str]) -> bytes:
            return octets if element.tag.endswith(f"}}{name}") else right(element, prefixes)

        monkeypatch.setattr(signature, "canonical", wrong)

    return make


def signed_info(response: Minted) -> bytes:
    return etree.tostring(
        find(document.message(response.xml), ".//ds:SignedInfo"), method="c14n", exclusive=True, with_tail=False
    )


def test_the_digest_is_compared_with_the_bytes_that_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the signature ever taken for something else, the digest of these bytes would still say no."""
    monkeypatch.setattr(PinnedKey, "made", lambda *_: True)
    accept(minted())
    refused(
        refusals.SIGNATURE_INVALID,
        replaced(minted(), ">ada@example.test</saml2:NameID>", ">eve@example.test</saml2:NameID>"),
    )


def test_the_digest_is_read_from_the_bytes_that_were_signed(
    strange_canonicalizer: Callable[[str, bytes], None],
) -> None:
    """A SignedInfo whose canonical form is another than what stands there, as in the parser differentials of 2025: the
    tree says the digest of what was altered, the signed bytes say that of what was signed.
    """
    original = minted(sign=("assertion",))
    altered = replaced(original, ">ada@example.test</saml2:NameID>", ">eve@example.test</saml2:NameID>")
    assertion = document.message(altered).find(f"{{{idp.ASSERTION}}}Assertion")
    assert assertion is not None
    assertion.remove(assertion[1])
    digest = hashlib.sha256(etree.tostring(assertion, method="c14n", exclusive=True)).digest()
    old = re.search(rb"<ds:DigestValue>([^<]*)<", altered)
    assert old
    altered = altered.replace(old[1], base64.b64encode(digest))
    strange_canonicalizer("SignedInfo", signed_info(original))
    accept(original)
    assert refused(refusals.SIGNATURE_INVALID, altered).detail == "The digest of the assertion does not match"


def test_the_signed_bytes_of_another_response_name_another_element(
    strange_canonicalizer: Callable[[str, bytes], None],
) -> None:
    other = minted(sign=("assertion",))
    strange_canonicalizer("SignedInfo", signed_info(other))
    accept(other)
    refused(refusals.SIGNATURE_PROFILE, minted(sign=("assertion",)))


@pytest.mark.parametrize(
    ("octets", "because"),
    [
        (b"", refusals.SIGNATURE_INVALID),
        (b" ", refusals.SIGNATURE_INVALID),
        (b"\xff", refusals.SIGNATURE_INVALID),
        (b"<SignedInfo/>", refusals.SIGNATURE_PROFILE),
    ],
)
def test_a_void_canonical_form_of_what_is_signed_is_refused(
    octets: bytes, because: Refusal, strange_canonicalizer: Callable[[str, bytes], None]
) -> None:
    """Void canonicalization (CVE-2025-66568): signed bytes that say nothing vouch for nothing."""
    strange_canonicalizer("SignedInfo", octets)
    refused(because, minted())


def test_a_void_canonical_form_of_the_assertion_is_refused(
    strange_canonicalizer: Callable[[str, bytes], None],
) -> None:
    strange_canonicalizer("Assertion", b"")
    refused(refusals.SIGNATURE_INVALID, minted())


@pytest.mark.parametrize("sign", [("assertion",), ("response",)])
def test_signed_bytes_that_are_no_xml_are_refused(
    sign: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, strange_canonicalizer: Callable[[str, bytes], None]
) -> None:
    """A provider that signs what it cannot have meant, by the same error that our canonicalizer would have to make."""
    for octets in (b"<a", b'<a b="&c"/>', b""):
        strange_canonicalizer(sign[0].capitalize(), octets)
        monkeypatch.setattr("hmac.compare_digest", lambda *_: True)
        refused(refusals.SIGNATURE_INVALID, minted(sign=sign))


def test_the_id_of_an_assertion_names_it() -> None:
    response = minted()
    assert accept(response).id == identifier(response)


# Messages of single logout


def logout_request(inside: str = "") -> idp.Element:
    return etree.fromstring(
        f'<p:LogoutRequest xmlns:p="{idp.PROTOCOL}" xmlns:a="{idp.ASSERTION}" ID="_l1" Version="2.0"><a:Issuer>{ISSUER}'
        f"</a:Issuer>{inside}<a:NameID>ada@example.test</a:NameID></p:LogoutRequest>"
    )


def test_another_message_is_signed_as_a_whole() -> None:
    root = logout_request()
    Signer(provider()).sign(root)
    signed = signature.gate(document.message(idp.serialize(root)), keys(), NOW)
    assert signed.element == "response"
    assert b"LogoutRequest" in signed.xml
    assert b"Signature" not in signed.xml


def test_a_signed_assertion_in_another_message_vouches_for_nothing() -> None:
    assertion = etree.tostring(find(tree(minted(sign=("assertion",))), "a:Assertion"), encoding="unicode")
    with pytest.raises(SignInRefused) as caught:
        signature.gate(document.message(idp.serialize(logout_request(assertion))), keys(), NOW)
    assert caught.value.refusal is refusals.SIGNATURE_PROFILE
