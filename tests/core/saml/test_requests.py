from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree
from saml2.sigver import CryptoBackendXmlSec1, SignatureError

from core import clock
from core.certificates import to_pem
from core.plugin_api import RequestBinding
from core.saml import redirect, service_keys
from core.saml.pinned_keys import Keys
from core.saml.requests import login_request
from core.saml.service_keys import ServiceKey
from core.testing.identity_provider import ASSERTION, DSIG, PROTOCOL, Element, parse_authn_request
from core.testing.requests import parse_posted_request
from tests.core.saml.given import ACS_URL, AUDIENCE, ISSUER
from tests.core.saml.second_opinion import XMLSEC1, needs_xmlsec1


@cache
def ours() -> ServiceKey:
    return service_keys.create("siq.example.test", "c-1", clock.now())


def own_keys() -> Keys:
    """What a provider knows of us."""
    return Keys.of(to_pem([ours().certificate]))


def request_in(url: str) -> Element:
    deflated = base64.b64decode(parse_qs(urlsplit(url).query)["SAMLRequest"][0])
    return etree.fromstring(zlib.decompress(deflated, -15))


def test_the_request_is_the_one_that_aws_accepts() -> None:
    made = login_request(ISSUER, AUDIENCE, ACS_URL, "rs-1")
    root = request_in(made.url)
    assert root.tag == f"{{{PROTOCOL}}}AuthnRequest"
    assert root.get("ID") == made.id
    assert root.get("Version") == "2.0"
    assert root.get("Destination") == ISSUER
    assert root.get("ProtocolBinding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    assert root.get("AssertionConsumerServiceURL") == ACS_URL
    assert root.get("IssueInstant", "")[:10] == f"{clock.now():%Y-%m-%d}"
    assert root.get("IssueInstant", "").endswith("Z")
    assert root.findtext(f"{{{ASSERTION}}}Issuer") == AUDIENCE


def test_the_request_asks_for_no_name_id_format() -> None:
    """AWS answers 403 when a format differs from the one configured there."""
    assert [child.tag for child in request_in(login_request(ISSUER, AUDIENCE, ACS_URL, "rs").url)] == [
        f"{{{ASSERTION}}}Issuer"
    ]


def test_the_request_is_not_signed_without_a_key() -> None:
    query = parse_qs(urlsplit(login_request(ISSUER, AUDIENCE, ACS_URL, "rs").url).query)
    assert set(query) == {"SAMLRequest", "RelayState"}


def test_a_request_is_signed_in_the_query_where_there_is_a_key() -> None:
    made = login_request(ISSUER, AUDIENCE, ACS_URL, "rs", key=ours())
    assert made.fields == {}
    received = redirect.read(urlsplit(made.url).query)
    assert redirect.verify(received, own_keys(), clock.now()) == ours().certificate.fingerprint
    assert request_in(made.url).find(f".//{{{DSIG}}}Signature") is None


# By HTTP-POST


def posted(key: ServiceKey | None = None) -> tuple[str, Mapping[str, str]]:
    made = login_request("https://idp.example.test/sso?x=1", AUDIENCE, ACS_URL, "rs-1", RequestBinding.POST, key)
    return made.url, made.fields


def test_a_request_by_post_is_a_form_for_the_sign_in_url() -> None:
    url, fields = posted()
    assert url == "https://idp.example.test/sso?x=1"
    read = parse_posted_request(fields)
    assert (read.issuer, read.acs_url, read.relay_state) == (AUDIENCE, ACS_URL, "rs-1")
    root = etree.fromstring(base64.b64decode(fields["SAMLRequest"]))
    assert root.get("Destination") == url
    assert root.find(f".//{{{DSIG}}}Signature") is None


def test_a_signed_request_by_post_has_its_signature_after_the_issuer() -> None:
    _, fields = posted(ours())
    assert set(fields) == {"SAMLRequest", "RelayState"}
    root = etree.fromstring(base64.b64decode(fields["SAMLRequest"]))
    issuer, signature = root
    assert (issuer.tag, signature.tag) == (f"{{{ASSERTION}}}Issuer", f"{{{DSIG}}}Signature")
    reference = signature.find(f".//{{{DSIG}}}Reference")
    assert reference is not None
    assert reference.get("URI") == f"#{root.get('ID')}"
    assert signature.findtext(f".//{{{DSIG}}}X509Certificate") == base64.b64encode(ours().certificate.der).decode()


@pytest.mark.parametrize("audience", [AUDIENCE, "https://siq.example.test/?a=1&b=<é>"])
def test_xmlsec1_verifies_a_signed_request(audience: str, tmp_path: Path) -> None:
    needs_xmlsec1()
    made = login_request(ISSUER, audience, ACS_URL, "rs", RequestBinding.POST, ours())
    xml = base64.b64decode(made.fields["SAMLRequest"])
    certificate = tmp_path / "certificate.pem"
    certificate.write_text(to_pem([ours().certificate]))

    def verified(octets: bytes) -> bool:
        backend = CryptoBackendXmlSec1(XMLSEC1)
        try:
            return bool(
                backend.validate_signature(octets, str(certificate), "pem", f"{PROTOCOL}:AuthnRequest", made.id)
            )
        except SignatureError:
            return False

    assert verified(xml)
    assert not verified(xml.replace(ACS_URL.encode(), b"https://elsewhere.example.test/acs"))


def test_an_identity_provider_reads_the_request() -> None:
    made = login_request(ISSUER, AUDIENCE, ACS_URL, "rs-1")
    read = parse_authn_request(urlsplit(made.url).query)
    assert (read.id, read.issuer, read.acs_url, read.relay_state) == (made.id, AUDIENCE, ACS_URL, "rs-1")


def test_a_query_of_the_sign_in_url_is_kept_and_a_fragment_is_not() -> None:
    made = login_request("https://idp.example.test/sso?tenant=a%20b&x=1#top", AUDIENCE, ACS_URL, "rs")
    parts = urlsplit(made.url)
    assert parts.query.startswith("tenant=a%20b&x=1&SAMLRequest=")
    assert parts.fragment == ""
    assert request_in(made.url).get("Destination") == "https://idp.example.test/sso?tenant=a%20b&x=1"


def test_special_characters_are_escaped() -> None:
    audience, acs_url = "https://siq.example.test/?a=1&b=<2>", 'https://siq.example.test/"acs"?x&y'
    root = request_in(login_request(ISSUER, audience, acs_url, "rs").url)
    assert root.get("AssertionConsumerServiceURL") == acs_url
    assert root.findtext(f"{{{ASSERTION}}}Issuer") == audience


def test_no_two_requests_have_the_same_id() -> None:
    ids = {login_request(ISSUER, AUDIENCE, ACS_URL, "rs").id for _ in range(100)}
    assert len(ids) == 100
    assert all(identifier.startswith("_") and len(identifier) == 41 for identifier in ids)


@pytest.mark.parametrize("relay_state", ["é", "a" * 81])
def test_a_relay_state_that_providers_change_is_an_error(relay_state: str) -> None:
    with pytest.raises(ValueError, match="relay state"):
        login_request(ISSUER, AUDIENCE, ACS_URL, relay_state)
