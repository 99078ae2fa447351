"""The HTTP-Redirect binding, signed by us and by providers."""

from __future__ import annotations

import base64
import zlib
from functools import cache
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from saml2.sigver import RSACrypto, verify_redirect_signature

from core import certificates
from core.errors import SignInRefused
from core.refusals import (
    CERTIFICATE_EXPIRED,
    SIGNATURE_INVALID,
    SIGNATURE_MISSING,
    SIGNATURE_PROFILE,
    SIGNATURE_WEAK,
    Refusal,
)
from core.saml import document, redirect, service_keys
from core.saml.document import DocumentRefused
from core.saml.pinned_keys import Keys
from core.saml.service_keys import ServiceKey
from core.testing.identity_provider import DIGESTS, SIGNATURES, IdentityProvider
from tests.core.saml.given import ISSUER, NOW, SECOND, keys, provider

XML = '<p:LogoutRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1">é&amp;+/=</p:LogoutRequest>'


@cache
def ours(number: int = 1) -> ServiceKey:
    return service_keys.create("siq.example.test", f"c-{number}", NOW)


def pinned(key: ServiceKey) -> Keys:
    return Keys.of(certificates.to_pem([key.certificate]))


def query(xml: str = XML, name: str = "SAMLRequest", **more: str) -> str:
    compressor = zlib.compressobj(wbits=-15)
    octets = compressor.compress(xml.encode()) + compressor.flush()
    return urlencode({name: base64.b64encode(octets).decode(), **more})


def signed_by(
    by: IdentityProvider, algorithm: str = "rsa-sha256", text: str | None = None, uri: str | None = None
) -> str:
    """A query with the signature of a provider, made by other code than ours."""
    text = query(RelayState="rs-1") if text is None else text
    text += "&" + urlencode({"SigAlg": uri or SIGNATURES[algorithm]})
    digest = DIGESTS[algorithm.rpartition("-")[2]][1]()
    if isinstance(by.key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        value = by.key.sign(text.encode(), pss if algorithm.startswith("pss") else padding.PKCS1v15(), digest)
    else:
        half = (by.key.key_size + 7) // 8
        r, s = utils.decode_dss_signature(by.key.sign(text.encode(), ec.ECDSA(digest)))
        value = r.to_bytes(half, "big") + s.to_bytes(half, "big")
    return text + "&" + urlencode({"Signature": base64.b64encode(value)})


def refused(because: Refusal, text: str, pinned_keys: Keys | None = None) -> SignInRefused:
    with pytest.raises(SignInRefused) as caught:
        redirect.verify(redirect.read(text), pinned_keys or keys(), NOW)
    assert caught.value.refusal is because
    return caught.value


# What we send


def test_what_we_sign_is_verified_by_pysaml2() -> None:
    sent = redirect.location(ISSUER, "SAMLRequest", XML, "rs-1", ours())
    fields = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}
    assert list(fields) == ["SAMLRequest", "RelayState", "SigAlg", "Signature"]
    certificate = base64.b64encode(ours().certificate.der).decode()
    assert verify_redirect_signature(fields, RSACrypto(None), cert=certificate)
    assert not verify_redirect_signature({**fields, "RelayState": "rs-2"}, RSACrypto(None), cert=certificate)


@pytest.mark.parametrize("relay_state", ["", "rs-1", "a b&c=d%"])
@pytest.mark.parametrize("url", [ISSUER, "https://idp.example.test/sso?tenant=a%20b&x=1", "https://idp.example.test/?"])
def test_what_we_sign_is_verified_by_us_and_keeps_the_query_of_the_url(url: str, relay_state: str) -> None:
    sent = redirect.location(url, "SAMLResponse", XML, relay_state, ours())
    assert sent.startswith(url)
    received = redirect.read(sent[len(url) + 1 :])
    assert (received.name, received.xml.decode(), received.relay_state) == ("SAMLResponse", XML, relay_state)
    assert redirect.verify(received, pinned(ours()), NOW) == ours().certificate.fingerprint


def test_without_a_key_nothing_is_signed() -> None:
    sent = redirect.location(ISSUER, "SAMLRequest", XML, "rs-1")
    assert set(parse_qs(urlsplit(sent).query)) == {"SAMLRequest", "RelayState"}
    assert refused(SIGNATURE_MISSING, urlsplit(sent).query).detail == "The query is not signed"


# What providers send


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("rsa-2048", "rsa-sha256"),
        ("rsa-2048", "rsa-sha384"),
        ("rsa-2048", "rsa-sha512"),
        ("rsa-2048", "pss-sha256"),
        ("p-256", "ecdsa-sha256"),
        ("p-384", "ecdsa-sha384"),
        ("p-521", "ecdsa-sha512"),
    ],
)
def test_every_strong_algorithm_is_taken(kind: str, algorithm: str) -> None:
    by = provider(kind)
    received = redirect.read(signed_by(by, algorithm))
    assert redirect.verify(received, keys(by), NOW) == keys(by).pinned[0].certificate.fingerprint
    assert received.relay_state == "rs-1"


def test_either_of_two_pinned_keys_may_sign() -> None:
    new = provider(number=2)
    received = redirect.read(signed_by(new))
    assert redirect.verify(received, keys(provider(), new), NOW) == keys(new).pinned[0].certificate.fingerprint


def test_the_octets_are_verified_as_they_were_sent() -> None:
    """Some providers write %2b where others write %2B; who encodes anew before the check refuses them."""
    plain = query(RelayState="rs-1")
    lower = plain.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")
    assert lower != plain
    redirect.verify(redirect.read(signed_by(provider(), text=lower)), keys(), NOW)


def test_the_order_in_which_the_parts_come_does_not_matter() -> None:
    parts = signed_by(provider()).split("&")
    redirect.verify(redirect.read("&".join(["x=1", *reversed(parts)])), keys(), NOW)


@pytest.mark.parametrize("part", ["SAMLRequest", "RelayState", "SigAlg"])
def test_a_part_that_was_changed_is_refused(part: str) -> None:
    changes = {
        "SAMLRequest": (query().partition("=")[2], query("<other/>").partition("=")[2]),
        "RelayState": ("rs-1", "rs-2"),
        "SigAlg": ("rsa-sha256", "rsa-sha512"),
    }
    text = signed_by(provider())
    assert changes[part][0] in text
    refused(SIGNATURE_INVALID, text.replace(*changes[part]))


def test_a_relay_state_that_was_put_in_is_refused() -> None:
    refused(SIGNATURE_INVALID, signed_by(provider(), text=query()) + "&RelayState=rs-2")


def test_another_key_is_refused() -> None:
    refusal = refused(SIGNATURE_INVALID, signed_by(provider(number=2)))
    assert refusal.expected == keys().pinned[0].certificate.fingerprint


def test_a_key_of_another_kind_than_the_algorithm_is_refused() -> None:
    text = signed_by(provider(), uri=SIGNATURES["ecdsa-sha256"])
    refused(SIGNATURE_INVALID, text)
    refused(SIGNATURE_INVALID, text, keys(provider("p-256")))


def test_an_elliptic_signature_of_the_wrong_length_is_refused() -> None:
    text, _, value = signed_by(provider("p-256"), "ecdsa-sha256").rpartition("=")
    refused(SIGNATURE_INVALID, f"{text}={value[:-8]}", keys(provider("p-256")))


@pytest.mark.parametrize(
    "uri", [SIGNATURES["rsa-sha1"], "http://www.w3.org/2000/09/xmldsig#hmac-sha1", "urn:none", "rsa-sha256"]
)
def test_a_weak_or_unknown_algorithm_is_refused(uri: str) -> None:
    assert refused(SIGNATURE_WEAK, signed_by(provider(), "rsa-sha1", uri=uri)).received == uri


def test_a_signature_that_is_no_base64_is_refused() -> None:
    refused(SIGNATURE_PROFILE, query(SigAlg=SIGNATURES["rsa-sha256"], Signature="*"))


@pytest.mark.parametrize("missing", ["SigAlg", "Signature"])
def test_half_a_signature_is_none(missing: str) -> None:
    parts = [part for part in signed_by(provider()).split("&") if not part.startswith(f"{missing}=")]
    refused(SIGNATURE_MISSING, "&".join(parts))


def test_an_expired_certificate_is_refused() -> None:
    received = redirect.read(signed_by(provider()))
    with pytest.raises(SignInRefused) as caught:
        redirect.verify(received, keys(), keys().pinned[0].certificate.not_after + SECOND)
    assert caught.value.refusal is CERTIFICATE_EXPIRED


@pytest.mark.parametrize("name", ["SAMLRequest", "RelayState", "SigAlg", "Signature", "%53AMLRequest"])
def test_a_part_that_stands_twice_is_refused(name: str) -> None:
    with pytest.raises(DocumentRefused, match="twice"):
        redirect.read(f"{signed_by(provider())}&{name}=1&{name}=1")


def test_two_messages_or_none_are_refused() -> None:
    for text in ("", "RelayState=x", f"{query()}&{query(name='SAMLResponse')}"):
        with pytest.raises(DocumentRefused, match="no message, or two"):
            redirect.read(text)


def test_a_deflate_bomb_is_not_inflated() -> None:
    with pytest.raises(DocumentRefused, match="256 KiB"):
        redirect.read(query("a" * 10_000_000))
    assert len(redirect.read(query("a" * document.MOST_BYTES)).xml) == document.MOST_BYTES


@pytest.mark.parametrize("value", ["*", "AAAA", quote(base64.b64encode(b"\xff\xff").decode()), ""])
def test_what_is_no_deflate_is_refused(value: str) -> None:
    with pytest.raises(DocumentRefused):
        redirect.read(f"SAMLRequest={value}")


def test_bytes_after_the_message_are_refused() -> None:
    compressor = zlib.compressobj(wbits=-15)
    octets = compressor.compress(XML.encode()) + compressor.flush() + b"more"
    with pytest.raises(DocumentRefused):
        redirect.read(urlencode({"SAMLRequest": base64.b64encode(octets)}))


def test_another_encoding_is_refused_and_the_usual_one_may_be_named() -> None:
    encoding = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
    assert redirect.read(query(SAMLEncoding=encoding)).xml.decode() == XML
    with pytest.raises(DocumentRefused, match="DEFLATE"):
        redirect.read(query(SAMLEncoding="urn:other"))


def test_a_query_that_is_too_long_is_refused() -> None:
    with pytest.raises(DocumentRefused, match="longer"):
        redirect.read("x=" + "a" * 70_000)
