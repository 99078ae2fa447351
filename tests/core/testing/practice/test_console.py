"""The console, where an application is set up as in AWS."""

from __future__ import annotations

import base64
import re

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from core.testing.identity_provider import ASSERTION, METADATA
from core.testing.practice.state import PEOPLE, Application, AttributeMapping, Practice
from tests.core.testing.practice.visitor import (
    ACS,
    AUDIENCE,
    PRIYA,
    received,
    sent,
    sign_in,
)


def test_the_console_sets_up_an_application_as_aws_does(client: httpx.Client, practice: Practice) -> None:
    answer = client.post("/console/applications/add", data={"preference": "own", "type": "saml"})
    page = client.get(answer.headers["Location"])
    (made,) = practice.applications.values()
    for label in (
        "IAM Identity Center sign-in URL",
        "IAM Identity Center sign-out URL",
        "IAM Identity Center SAML issuer URL",
        "IAM Identity Center Certificate",
        "Application start URL",
        "Relay state",
        "Session duration",
        "Application ACS URL",
        "Application SAML audience",
    ):
        assert label in page.text
    assert made.sign_in_url == made.entity_id
    assert base64.urlsafe_b64decode(made.id).decode() == f"111122223333_{made.instance}"
    assert re.fullmatch(r"ins-[0-9a-f]{16}", made.instance)
    assert not made.ready

    values = {"name": "SiQ", "session_hours": "4", "source": "manual", "acs_url": f" {ACS} ", "audience": AUDIENCE}
    assert client.post(f"{made.page}/configure", data=values).status_code == 303
    assert (made.name, made.acs_url, made.audience, made.session_hours) == ("SiQ", ACS, AUDIENCE, 4)
    assert "Nobody is assigned yet" in client.get(f"{made.page}?done=saved").text


def test_a_wrong_configuration_keeps_what_was_typed(client: httpx.Client, application: Application) -> None:
    values = {"name": "New", "session_hours": "1", "source": "manual", "acs_url": "siq.example/acs", "audience": "x"}
    answer = client.post(f"{application.page}/configure", data=values)
    assert answer.status_code == 422
    assert "siq.example/acs" in answer.text
    assert "Enter the Application ACS URL" in answer.text
    assert application.acs_url == ACS


@pytest.mark.parametrize(
    "url", ["http://a.test/x;script-src *", "http://a.test/ x", "http://a.test/#x", "javascript:x"]
)
def test_a_url_that_would_change_the_policy_header_is_refused(
    client: httpx.Client, application: Application, url: str
) -> None:
    values = {"name": "New", "session_hours": "1", "source": "manual", "acs_url": url, "audience": "x"}
    assert client.post(f"{application.page}/configure", data=values).status_code == 422


def test_the_application_metadata_can_be_uploaded(client: httpx.Client, application: Application) -> None:
    metadata = (
        f'<md:EntityDescriptor xmlns:md="{METADATA}" entityID="urn:siq"><md:SPSSODescriptor>'
        '<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        'Location="http://localhost:9000/acs" index="0"/></md:SPSSODescriptor></md:EntityDescriptor>'
    )
    values = {"name": "SiQ", "session_hours": "1", "source": "file"}
    files = {"metadata_file": ("sp.xml", metadata.encode(), "text/xml")}
    assert client.post(f"{application.page}/configure", data=values, files=files).status_code == 303
    assert (application.acs_url, application.audience) == ("http://localhost:9000/acs", "urn:siq")

    files = {"metadata_file": ("sp.xml", b"not xml", "text/xml")}
    answer = client.post(f"{application.page}/configure", data=values, files=files)
    assert answer.status_code == 422
    assert "Choose the metadata file" in answer.text


def test_metadata_is_shaped_as_at_aws(client: httpx.Client, practice: Practice) -> None:
    fresh = practice.add_application()
    root = etree.fromstring(client.get(f"/saml/metadata/{fresh.id}").content)
    assert root.get("entityID") == fresh.sign_in_url
    (name_id_format,) = root.iter(f"{{{METADATA}}}NameIDFormat")
    assert not name_id_format.text
    assert [one.get("Location") for one in root.iter(f"{{{METADATA}}}SingleSignOnService")] == [fresh.sign_in_url] * 2


def test_mapped_attributes_arrive_and_the_subject_is_no_attribute(
    client: httpx.Client, application: Application
) -> None:
    application.attributes = (
        AttributeMapping("email", "${user:email}", "basic"),
        AttributeMapping("groups", "${user:groups}", "uri"),
        AttributeMapping("greeting", "Hello ${user:givenName}"),
    )
    sign_in(client)
    root = received(sent(client.get(f"/start/open/{application.id}").text)[1])
    found = {
        one.get("Name"): (one.get("NameFormat", "").rpartition(":")[2], [value.text for value in one])
        for one in root.iter(f"{{{ASSERTION}}}Attribute")
    }
    assert found == {
        "email": ("basic", [PRIYA]),
        "groups": ("uri", list(PEOPLE[PRIYA].groups)),
        "greeting": ("unspecified", ["Hello Priya"]),
    }


def test_only_the_subject_mapped_makes_the_empty_statement_of_aws(
    client: httpx.Client, application: Application
) -> None:
    sign_in(client)
    root = received(sent(client.get(f"/start/open/{application.id}").text)[1])
    (statement,) = root.iter(f"{{{ASSERTION}}}AttributeStatement")
    assert len(statement) == 0


def test_attribute_mappings_are_edited(client: httpx.Client, application: Application) -> None:
    url = f"{application.page}/attributes"
    base = {"subject_value": "${user:preferredUsername}", "subject_format": "unspecified"}
    assert "givenName" in client.post(url, data={**base, "intent": "common"}).text
    row = {"name": ["mail", ""], "value": ["${user:email}", ""], "format": ["basic", "basic"]}
    assert client.post(url, data={**base, **row, "intent": "save"}).status_code == 303
    assert application.subject.value == "${user:preferredUsername}"
    assert application.attributes == (AttributeMapping("mail", "${user:email}", "basic"),)

    wrong = {"name": ["mail"], "value": ["${user:shoeSize}"], "format": ["basic"]}
    answer = client.post(url, data={**base, **wrong, "intent": "save"})
    assert answer.status_code == 422
    assert "shoeSize" in answer.text


def test_a_certificate_is_rotated(client: httpx.Client, application: Application) -> None:
    url = f"{application.page}/certificates"
    client.post(url, data={"algorithm": "SHA-256", "bits": "2048"})
    old, new = application.keys
    assert application.active_key is old
    client.post(f"{url}/{new.id}/activate")
    assert application.active_key is new
    assert new.pem == client.get(f"{url}/{new.id}.pem").text
    assert client.post(f"{url}/{new.id}/delete").status_code == 409
    client.post(f"{url}/{old.id}/delete")
    assert application.keys == [new]
    assert application.active_key is new


def test_a_weak_certificate_is_weak_throughout(client: httpx.Client, application: Application) -> None:
    client.post(f"{application.page}/certificates", data={"algorithm": "SHA-1", "bits": "1024"})
    weak = application.keys[-1]
    certificate = x509.load_pem_x509_certificate(weak.pem.encode())
    assert certificate.signature_algorithm_oid.dotted_string == "1.2.840.113549.1.1.5"
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 1024
    application.activate_key(weak)
    sign_in(client)
    _, fields = sent(client.get(f"/start/open/{application.id}").text)
    assert b"xmldsig#rsa-sha1" in base64.b64decode(fields["SAMLResponse"])


def test_people_are_assigned(client: httpx.Client, application: Application) -> None:
    client.post(f"{application.page}/users", data={"user": ["oskar", "stranger"]})
    assert application.assigned == {"oskar"}
    client.post(f"{application.page}/users", data={"everybody": "1"})
    assert application.assigned == set(PEOPLE)
