"""The minter itself: what it makes is what a second implementation, xmlsec, calls signed."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from core.testing import identity_provider as idp
from core.testing.identity_provider import IdentityProvider, Names

ENTITY = "https://portal.sso.us-east-1.amazonaws.com/saml/assertion/MTEx"
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def provider() -> IdentityProvider:
    return IdentityProvider.create(ENTITY)


def test_the_default_shape_is_that_of_aws(provider: IdentityProvider) -> None:
    minted = provider.response("https://acs", "https://aud", in_response_to="_req", now=NOW, attributes={})
    text = minted.xml.decode()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?><saml2p:Response xmlns:saml2p=')
    assert 'Destination="https://acs"' in text
    assert 'IssueInstant="2030-01-01T12:00:00.000Z"' in text
    assert "<saml2:AttributeStatement/>" in text
    assert (
        '<saml2:SubjectConfirmationData InResponseTo="_req" NotOnOrAfter="2030-01-01T12:05:00.000Z" Recipient="https://acs"/>'
        in text
    )
    assert text.count("<ds:Signature ") == 2
    assert text.count("rsa-sha256") == 2


def test_what_is_left_out_is_left_out(provider: IdentityProvider) -> None:
    text = provider.response(
        "https://acs",
        "https://aud",
        destination=None,
        recipient=None,
        response_issuer=None,
        session=None,
        sign=(),
        name_id_format="",
    ).xml.decode()
    for name in (
        "Destination",
        "Recipient",
        "InResponseTo",
        "SessionNotOnOrAfter",
        "ds:Signature",
        "AttributeStatement",
        "NameID Format",
    ):
        assert name not in text
    assert text.count("Issuer>") == 2


def test_a_failure_has_no_assertion(provider: IdentityProvider) -> None:
    text = provider.response(
        "https://acs", "https://aud", status=(idp.RESPONDER, idp.REQUEST_DENIED), status_message="No <way>"
    ).xml.decode()
    assert "Assertion" not in text
    assert (
        f'<saml2p:StatusCode Value="{idp.RESPONDER}"><saml2p:StatusCode Value="{idp.REQUEST_DENIED}"/></saml2p:StatusCode>'
        in text
    )
    assert "No &lt;way&gt;" in text


def test_the_certificate_is_like_those_of_aws(provider: IdentityProvider) -> None:
    certificate = provider.certificate
    assert certificate.issuer == certificate.subject
    assert certificate.subject.rfc4514_string() == "CN=amazonaws.com,OU=IDAS,O=Amazon,C=US"
    assert len(certificate.extensions) == 0
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=1825)


def test_a_rotation_changes_the_key_and_nothing_else() -> None:
    before = IdentityProvider.create(ENTITY, "https://sign.in", key="p-384")
    after = before.rotate()
    assert (after.entity_id, after.sign_in_url, after.key_kind) == (ENTITY, "https://sign.in", "p-384")
    assert after.certificate_pem != before.certificate_pem


@pytest.mark.parametrize("query", ["", "SAMLRequest=", "SAMLRequest=%%%", "SAMLRequest=AAAA", "RelayState=x"])
def test_a_query_without_a_request_is_an_error(query: str) -> None:
    with pytest.raises(ValueError, match="SAMLRequest"):
        idp.parse_authn_request(query)


XMLSEC1 = shutil.which("xmlsec1")


@pytest.mark.skipif(XMLSEC1 is None, reason="install with: apt-get install xmlsec1")
@pytest.mark.parametrize(
    ("key", "signature", "digest"),
    [
        ("rsa-2048", "rsa-sha256", "sha256"),
        ("rsa-2048", "rsa-sha512", "sha384"),
        ("p-256", "ecdsa-sha256", "sha256"),
        ("p-384", "ecdsa-sha384", "sha256"),
        ("p-521", "ecdsa-sha512", "sha256"),
    ],
)
@pytest.mark.parametrize("names", [Names(), Names("", "", "")])
def test_xmlsec_verifies_what_is_minted(key: str, signature: str, digest: str, names: Names, tmp_path: Path) -> None:
    assert XMLSEC1
    signing = IdentityProvider.create(ENTITY, key=key)
    minted = signing.response(
        "https://acs", "https://aud", signature=signature, digest=digest, names=names, attributes={"a": ["b"]}
    )
    (tmp_path / "certificate.pem").write_text(signing.certificate_pem)
    (tmp_path / "response.xml").write_bytes(minted.xml)
    version = subprocess.run([XMLSEC1, "--version"], check=True, capture_output=True, text=True).stdout  # noqa: S603  its own argument
    options = [] if " 1.2." in version else ["--lax-key-search"]
    options += ["--id-attr:ID", f"{idp.PROTOCOL}:Response", "--id-attr:ID", f"{idp.ASSERTION}:Assertion"]
    for element in etree.fromstring(minted.xml).iter(f"{{{idp.PROTOCOL}}}Response", f"{{{idp.ASSERTION}}}Assertion"):
        where = f"/*[@ID='{element.get('ID')}']" if element.getparent() is None else f"/*/*[@ID='{element.get('ID')}']"
        options_here = [
            *options,
            "--pubkey-cert-pem",
            "certificate.pem",
            "--node-xpath",
            f"{where}/*[local-name()='Signature']",
        ]
        command = [XMLSEC1, "--verify", *options_here, "response.xml"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)  # noqa: S603  its own arguments
