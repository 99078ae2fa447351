from __future__ import annotations

import base64
import re

import pytest
from lxml import etree
from saml2.mdstore import InMemoryMetaData

from core import certificates
from core.errors import MetadataRejected
from core.saml import metadata, service_keys
from core.testing.encryption import TRANSPORTS
from core.testing.identity_provider import DSIG, EMAIL, METADATA, IdentityProvider
from tests.core.saml.given import ACS_URL, AUDIENCE, ISSUER, NOW, provider

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


def rejected(xml: bytes) -> str:
    with pytest.raises(MetadataRejected) as caught:
        metadata.identity_provider(xml)
    return caught.value.public


def changed(old: str, new: str) -> bytes:
    text = provider().metadata().decode()
    assert old in text
    return text.replace(old, new).encode()


# Ours


def test_our_metadata_names_the_audience_and_the_acs() -> None:
    root = etree.fromstring(metadata.service_provider(AUDIENCE, ACS_URL))
    assert root.tag == f"{{{METADATA}}}EntityDescriptor"
    assert root.prefix == "md"
    assert root.get("entityID") == AUDIENCE
    (role,) = root
    assert role.get("WantAssertionsSigned") == "true"
    assert role.get("AuthnRequestsSigned") == "false"
    (acs,) = role
    assert acs.get("Location") == ACS_URL
    assert acs.get("Binding") == "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    assert acs.get("index") == "0"


def test_our_metadata_is_read_by_pysaml2() -> None:
    store = InMemoryMetaData(None, metadata.service_provider(AUDIENCE, ACS_URL).decode())
    store.load()
    assert AUDIENCE in store
    assert store.service(AUDIENCE, "spsso_descriptor", "assertion_consumer_service")


def test_our_metadata_holds_every_key_the_one_that_signs_first() -> None:
    own = [service_keys.create("siq.example.test", "c-1", NOW).certificate for _ in range(2)]
    (role,) = etree.fromstring(metadata.service_provider(AUDIENCE, ACS_URL, own))
    *keys, acs = role
    assert acs.get("Location") == ACS_URL
    assert [key.get("use") for key in keys] == ["signing", "signing", "encryption", "encryption"]
    texts = [key.findtext(f".//{{{DSIG}}}X509Certificate") for key in keys]
    assert texts == 2 * [base64.b64encode(one.der).decode() for one in own]


@pytest.mark.parametrize("allow_cbc", [False, True])
def test_our_metadata_asks_for_algorithms_that_are_taken(allow_cbc: bool) -> None:
    own = [service_keys.create("siq.example.test", "c-1", NOW).certificate]
    root = etree.fromstring(metadata.service_provider(AUDIENCE, ACS_URL, own, allow_cbc=allow_cbc))
    asked = [method.get("Algorithm", "") for method in root.iter(f"{{{METADATA}}}EncryptionMethod")]
    assert asked[0].endswith("#aes256-gcm")
    assert asked[-2:] == [TRANSPORTS["rsa-oaep"], TRANSPORTS["rsa-oaep-mgf1p"]]
    assert any(algorithm.endswith("-cbc") for algorithm in asked) == allow_cbc
    assert TRANSPORTS["rsa-1_5"] not in asked


def test_our_metadata_says_whether_requests_are_signed() -> None:
    (role,) = etree.fromstring(metadata.service_provider(AUDIENCE, ACS_URL, requests_signed=True))
    assert role.get("AuthnRequestsSigned") == "true"


def test_our_metadata_says_where_single_logout_goes_by_both_bindings() -> None:
    url = "https://siq.example.test/sso/c1/slo"
    store = InMemoryMetaData(None, metadata.service_provider(AUDIENCE, ACS_URL, single_logout_url=url).decode())
    store.load()
    found = store.service(AUDIENCE, "spsso_descriptor", "single_logout_service")
    assert {binding: [one["location"] for one in services] for binding, services in found.items()} == {
        REDIRECT: [url],
        "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST": [url],
    }


def test_our_keys_are_found_by_pysaml2() -> None:
    key = service_keys.create("siq.example.test", "c-1", NOW)
    store = InMemoryMetaData(None, metadata.service_provider(AUDIENCE, ACS_URL, [key.certificate]).decode())
    store.load()
    found = [base64.b64decode(text) for _, text in store.certs(AUDIENCE, "spsso", "signing")]
    assert found == [key.certificate.der]


# A provider's


@pytest.mark.parametrize("name_id_format", ["", EMAIL])
def test_the_metadata_of_aws_is_read(name_id_format: str) -> None:
    xml = provider().metadata(name_id_format=name_id_format)
    assert (b"<md:NameIDFormat/>" in xml) == (not name_id_format)
    read = metadata.identity_provider(xml)
    assert (read.entity_id, read.sign_in_url) == (ISSUER, ISSUER)
    assert read.certificates == provider().certificate_pem


def test_the_sign_in_url_is_the_one_for_redirects() -> None:
    read = metadata.identity_provider(IdentityProvider.create("urn:idp", "https://idp.example.test/sso").metadata())
    assert (read.entity_id, read.sign_in_url) == ("urn:idp", "https://idp.example.test/sso")


def test_the_single_logout_url_is_the_one_for_redirects_or_none() -> None:
    assert metadata.identity_provider(provider().metadata()).single_logout_url == ISSUER.replace("assertion", "logout")
    written = re.findall("<md:SingleLogoutService [^>]*>", provider().metadata().decode())[-1]
    for old, new in (("HTTP-Redirect", "HTTP-Artifact"), ("https://", "urn:")):
        assert metadata.identity_provider(changed(written, written.replace(old, new))).single_logout_url == ""


def test_two_signing_certificates_are_read_and_an_encryption_key_is_not() -> None:
    def key(use: str, number: int) -> str:
        certificate = provider(number=number).certificate_base64
        return (
            f'<md:KeyDescriptor{use}><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>\n'
            f"{certificate}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        )

    more = key("", 2) + key(' use="encryption"', 3)
    read = metadata.identity_provider(changed("<md:SingleLogoutService", f"{more}<md:SingleLogoutService"))
    assert certificates.read(read.certificates) == certificates.read(
        provider(number=2).certificate_pem + provider().certificate_pem
    )
    three = key("", 2) + key("", 3)
    assert "more than two certificates" in rejected(
        changed("<md:SingleLogoutService", f"{three}<md:SingleLogoutService")
    )


def test_one_entity_in_a_list_is_read() -> None:
    inside = provider().metadata().decode().partition("?>")[2]
    xml = f'<md:EntitiesDescriptor xmlns:md="{METADATA}">{inside}</md:EntitiesDescriptor>'
    assert metadata.identity_provider(xml.encode()).entity_id == ISSUER
    twice = f'<md:EntitiesDescriptor xmlns:md="{METADATA}">{inside}{inside}</md:EntitiesDescriptor>'
    assert "2 SAML 2.0 identity providers" in rejected(twice.encode())


def test_comments_spaces_and_a_byte_order_mark_are_accepted() -> None:
    xml = b"\xef\xbb\xbf" + changed("<md:IDPSSODescriptor", "<!-- made by hand --><md:IDPSSODescriptor") + b"\n\n"
    assert metadata.identity_provider(xml).entity_id == ISSUER


def test_a_doctype_is_refused() -> None:
    assert "DOCTYPE" in rejected(changed("<md:EntityDescriptor", '<!DOCTYPE x [<!ENTITY a "b">]><md:EntityDescriptor'))


def test_a_file_that_is_too_long_is_refused() -> None:
    assert "256 KiB" in rejected(provider().metadata() + b" " * 10 + b"<!--" + b"x" * 300_000 + b"-->")


@pytest.mark.parametrize("xml", [b"", b"hello", b"<a>", b"\xff\xfe"])
def test_what_is_no_xml_is_refused(xml: bytes) -> None:
    assert rejected(xml).startswith("This file cannot be read as metadata.")
    assert rejected(xml).endswith(". Download it again from your provider")


def test_other_xml_is_refused() -> None:
    assert "not SAML metadata" in rejected(b"<html/>")


def test_the_metadata_of_a_service_provider_is_refused() -> None:
    assert "service provider" in rejected(metadata.service_provider(AUDIENCE, ACS_URL))


def test_metadata_without_saml_2_is_refused() -> None:
    assert "0 SAML 2.0" in rejected(
        changed("urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:1.1:protocol")
    )


def test_metadata_without_an_entity_id_is_refused() -> None:
    assert "no entity ID" in rejected(changed(f'entityID="{ISSUER}"', 'entityID=""'))


@pytest.mark.parametrize(
    ("old", "new"), [(REDIRECT, "urn:other"), (f'Location="{ISSUER}"', 'Location="javascript:alert(1)"')]
)
def test_metadata_without_a_sign_in_url_is_refused(old: str, new: str) -> None:
    assert "no sign-in URL" in rejected(changed(old, new))


def test_an_address_that_no_reader_of_addresses_takes_is_left_to_the_form() -> None:
    strange = "https://[portal.example"
    assert metadata.identity_provider(changed(f'Location="{ISSUER}"', f'Location="{strange}"')).sign_in_url == strange


def test_metadata_without_a_certificate_is_refused() -> None:
    assert "no signing certificate" in rejected(changed('use="signing"', 'use="encryption"'))


def test_metadata_with_a_weak_certificate_is_refused() -> None:
    assert "1024-bit" in rejected(provider("rsa-1024").metadata())
    assert "cannot be used" in rejected(changed(provider().certificate_base64, "RkFLRQ=="))
