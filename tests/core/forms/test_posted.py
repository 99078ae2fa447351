"""What a browser sends becomes values; nothing that was typed is lost."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as some

from core.errors import MetadataRejected
from core.forms import Form, FormInvalid, Posted, Upload, Values
from core.plugin_host import PluginHost
from core.testing.identity_provider import IdentityProvider
from tests.core.forms.conftest import NOW, SIGN_IN_URL, SITE


@dataclass(frozen=True)
class Metadata:
    entity_id: str
    sign_in_url: str
    certificates: str
    single_logout_url: str = ""


def read(form: Form, stored: Values | None = None, /, **posted: str | list[str]) -> dict[str, Any]:
    sent: Posted = {
        f"everything.{name.replace('__', '.')}": [value] if isinstance(value, str) else value
        for name, value in posted.items()
    }
    return form.read(sent, stored or {})["everything"]


@pytest.mark.parametrize(
    ("field", "sent", "value"),
    [
        ("size", "500", 500),
        ("mode", "daily", "daily"),
        ("region", "north_america", "north_america"),
        ("enabled", ["", "true"], True),
        ("enabled", ["", "on"], True),
        ("enabled", [""], False),
        ("events", ["", "created", "deleted", "created"], ["created", "deleted"]),
        ("events", [""], []),
        ("recipients", " a@example.com \r\n\r\n  \r\nb@example.com\r\n", ["a@example.com", "b@example.com"]),
        ("recipients", ["a@example.com", "b@example.com"], ["a@example.com", "b@example.com"]),
        ("retries", " 7 ", 7),
        ("factor", "2.5", 2.5),
        ("webhook", "  https://example.com/hook\r\n", "https://example.com/hook"),
        ("since", "2026-05-31", "2026-05-31"),
        ("until", "2026-05-31T14:30", "2026-05-31T14:30Z"),
        ("until", "2026-05-31T14:30+02:00", "2026-05-31T14:30+02:00"),
        ("api_key", " with spaces ", " with spaces "),
        ("message", "two\r\nlines", "two\nlines"),
        ("name", "a\x00d\x07a\ud800", "ada"),
    ],
)
def test_a_value_is_read_as_its_type(everything: Form, field: str, sent: str | list[str], value: Any) -> None:
    assert read(everything, None, **{field: sent}) == {field: value}


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("retries", "many"),
        ("retries", "1.5"),
        ("factor", "nan"),
        ("factor", "1e999"),
        ("mode", "weekly"),
        ("enabled", "perhaps"),
    ],
)
def test_what_cannot_be_read_stays_as_it_was_typed(everything: Form, field: str, typed: str) -> None:
    assert read(everything, None, **{field: typed}) == {field: typed}


def test_an_emptied_optional_field_is_none_and_another_one_is_left_to_its_default(everything: Form) -> None:
    stored = {"everything": {"region": "asia", "contact": "a@example.com", "retries": 9, "name": "ada"}}
    assert read(everything, stored, region="", contact=" ", retries="", name="") == {"region": None, "contact": None}


def test_what_was_not_sent_keeps_its_stored_value(everything: Form) -> None:
    stored = {"everything": {"name": "ada", "enabled": False, "events": ["deleted"]}}
    assert read(everything, stored, retries="4") == {
        "name": "ada",
        "enabled": False,
        "events": ["deleted"],
        "retries": 4,
    }


def test_an_empty_secret_keeps_the_stored_one_and_a_new_one_replaces_it(everything: Form) -> None:
    stored = {"everything": {"api_key": "old", "proxy": {"host": "p", "password": "inner"}}}
    assert read(everything, stored, api_key="", proxy__password="")["api_key"] == "old"
    assert read(everything, stored, api_key="", proxy__password="")["proxy"] == {"host": "p", "password": "inner"}
    assert read(everything, stored, api_key="new")["api_key"] == "new"


def test_only_an_optional_secret_is_removed_and_not_where_a_new_one_was_typed(everything: Form) -> None:
    stored = {"everything": {"api_key": "old", "proxy": {"host": "p", "password": "inner"}}}
    gone = read(everything, stored, proxy__password="", proxy__password__remove="true")
    assert gone["proxy"] == {"host": "p", "password": None}
    new = read(everything, stored, proxy__password="new", proxy__password__remove="true")
    assert new["proxy"]["password"] == "new"
    assert read(everything, stored, api_key="", api_key__remove="true")["api_key"] == "old"


def test_names_that_the_schema_does_not_declare_are_ignored(everything: Form) -> None:
    sent = {
        "everything.colour": ["red"],
        "other.name": ["x"],
        "name": ["x"],
        "everything": ["x"],
        "everything.proxy.user": ["x"],
    }
    assert everything.read(sent, {}) == {"everything": {"proxy": None}}
    assert everything.read({}, {"everything": {"colour": "red"}, "other": {"name": "x"}}) == {"everything": {}}


def test_read_only_values_are_never_taken_from_the_browser(aws: Form) -> None:
    sent = {f"sso.{name}": ["https://evil.example"] for name in ("acs_url", "audience")}
    stored = {"sso": {"acs_url": "https://evil.example"}, "provisioning": {}}
    assert aws.read({**sent, "provisioning.base_url": ["https://evil.example"]}, stored) == {
        "sso": {},
        "provisioning": {},
    }


def test_a_value_whose_condition_does_not_hold_is_ignored(everything: Form) -> None:
    assert read(everything, mode="daily", times="06:00") == {"mode": "daily"}
    assert read(everything, times="06:00") == {}
    assert read(everything, mode="custom", times="06:00") == {"mode": "custom", "times": ["06:00"]}


def test_a_nested_object_is_read_and_an_optional_one_left_empty_is_none(everything: Form) -> None:
    assert read(everything, proxy__host="proxy", proxy__port="8080")["proxy"] == {"host": "proxy", "port": 8080}
    assert read(everything, proxy__host="", proxy__port="")["proxy"] is None


# ---- certificates


def test_a_certificate_is_stored_as_plain_pem_whatever_stands_around_it(aws: Form, provider: IdentityProvider) -> None:
    pem = provider.certificate_pem
    for text in (pem, f"Here it is:\r\n{pem}\r\nBye", "".join(pem.split("\n")[1:-2])):
        assert aws.read({"sso.certificate": [text]}, {})["sso"]["certificate"].strip() == pem.strip()


def test_a_certificate_file_wins_over_the_text(
    aws: Form, provider: IdentityProvider, expired: IdentityProvider
) -> None:
    der = x509.load_pem_x509_certificate(provider.certificate_pem.encode()).public_bytes(serialization.Encoding.DER)
    for data in (der, provider.certificate_pem.encode()):
        sent: Posted = {"sso.certificate": [expired.certificate_pem], "sso.certificate_file": [Upload("aws.cer", data)]}
        assert aws.read(sent, {})["sso"]["certificate"].strip() == provider.certificate_pem.strip()


def test_no_file_chosen_is_no_file(aws: Form, provider: IdentityProvider) -> None:
    sent: Posted = {"sso.certificate": [provider.certificate_pem], "sso.certificate_file": [Upload("", b"")]}
    assert "BEGIN CERTIFICATE" in aws.read(sent, {})["sso"]["certificate"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"x" * (64 * 1024 + 1), "The certificate file must be smaller than 64 KB"),
        (b"\xff\xd8\xff\xe0 a picture", "This is not a certificate"),
        ("Bär".encode("utf-16"), "This is not a certificate"),
    ],
)
def test_a_file_that_is_no_certificate_gets_a_sentence_and_nothing_is_lost(
    aws: Form, provider: IdentityProvider, data: bytes, sentence: str
) -> None:
    sent: Posted = {
        "sso.sign_in_url": [SIGN_IN_URL],
        "sso.certificate": [provider.certificate_pem],
        "sso.certificate_file": [Upload("x.pem", data)],
    }
    with pytest.raises(FormInvalid) as invalid:
        aws.read(sent, {})
    (error,) = invalid.value.errors
    assert (error.field, error.id, error.label) == ("sso.certificate", "sso-certificate", "X.509 Certificate")
    assert error.sentence.startswith(sentence)
    assert invalid.value.values["sso"]["sign_in_url"] == SIGN_IN_URL
    assert invalid.value.values["sso"]["certificate"].strip() == provider.certificate_pem.strip()


def test_a_private_key_is_refused_at_once_and_kept_nowhere(aws: Form) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"
    with pytest.raises(FormInvalid) as invalid:
        aws.read({"sso.certificate": [key], "sso.sign_in_url": [SIGN_IN_URL]}, {})
    assert invalid.value.errors[0].sentence.startswith("This is a private key.")
    assert invalid.value.values == {"provisioning": {}, "sso": {"sign_in_url": SIGN_IN_URL}}


def test_a_text_that_is_no_certificate_is_kept_for_the_person_to_see(aws: Form) -> None:
    assert aws.read({"sso.certificate": ["not yet"]}, {})["sso"] == {"certificate": "not yet"}


# ---- metadata


def metadata_of(provider: IdentityProvider) -> Metadata:
    return Metadata("https://idp.example/entity", SIGN_IN_URL, provider.certificate_pem)


@pytest.mark.parametrize("place", ["sso.metadata", "sso.metadata_file", "sso.certificate", "sso.certificate_file"])
def test_metadata_fills_sign_in_url_certificate_and_issuer(
    host: PluginHost, provider: IdentityProvider, place: str
) -> None:
    form = host.plugins["custom_saml"].form
    xml = provider.metadata()
    seen: list[bytes] = []

    def reader(document: bytes) -> Metadata:
        seen.append(document.strip())
        return metadata_of(provider)

    sent: dict[str, list[str | Upload]] = {"sso.sign_in_url": ["https://old.example"], "sso.certificate": [""]}
    sent[place] = [Upload("metadata.xml", xml) if place.endswith("_file") else xml.decode()]
    values = form.read(sent, {}, reader)["sso"]
    assert seen == [xml.strip()]
    assert values["issuer"] == "https://idp.example/entity"
    assert values["sign_in_url"] == SIGN_IN_URL
    assert values["certificate"] == provider.certificate_pem


def test_metadata_fills_the_single_logout_url_and_leaves_one_that_it_does_not_name(
    host: PluginHost, aws: Form, provider: IdentityProvider
) -> None:
    form, plain = host.plugins["custom_saml"].form, metadata_of(provider)
    offered = replace(plain, single_logout_url="https://idp.example/slo")
    sent = {"sso.metadata": ["<EntityDescriptor/>"], "sso.single_logout_url": ["https://old.example/slo"]}
    assert form.read(sent, {}, lambda _: offered)["sso"]["single_logout_url"] == "https://idp.example/slo"
    assert form.read(sent, {}, lambda _: plain)["sso"]["single_logout_url"] == "https://old.example/slo"
    assert "single_logout_url" not in aws.read(sent, {}, lambda _: offered)["sso"]


def test_metadata_that_cannot_be_used_gets_its_sentence_and_is_shown_again(aws: Form) -> None:
    def reader(_: bytes) -> Metadata:
        raise MetadataRejected("This is metadata of a service, not of an identity provider")

    sent = {"sso.metadata": ["<EntityDescriptor/>"], "sso.sign_in_url": [SIGN_IN_URL]}
    with pytest.raises(FormInvalid) as invalid:
        aws.read(sent, {}, reader)
    assert [(e.field, e.id) for e in invalid.value.errors] == [("sso.metadata", "sso-metadata")]
    assert invalid.value.values["sso"]["sign_in_url"] == SIGN_IN_URL
    view = aws.view(invalid.value.values, SITE, invalid.value.errors, now=NOW, metadata=invalid.value.metadata)
    box = view.tabs[1].metadata
    assert box
    assert (box.value, box.error) == (
        "<EntityDescriptor/>",
        "This is metadata of a service, not of an identity provider",
    )
    assert view.selected == "sso"


def test_metadata_in_the_certificate_box_that_cannot_be_used_is_said_there(aws: Form) -> None:
    def reader(_: bytes) -> Metadata:
        raise MetadataRejected("This is no metadata")

    with pytest.raises(FormInvalid) as invalid:
        aws.read({"sso.certificate": ["<html/>"]}, {}, reader)
    assert [(e.field, e.sentence) for e in invalid.value.errors] == [("sso.certificate", "This is no metadata")]
    assert invalid.value.values["sso"]["certificate"] == "<html/>"


def test_metadata_that_is_too_large_is_not_read(aws: Form) -> None:
    def reader(_: bytes) -> Metadata:
        raise AssertionError("read")

    with pytest.raises(FormInvalid, match="The metadata must be smaller than 1 MB"):
        aws.read({"sso.metadata_file": [Upload("m.xml", b"<" * (1024 * 1024 + 1))]}, {}, reader)


def test_a_tab_without_a_sign_in_takes_no_metadata(everything: Form) -> None:
    def reader(_: bytes) -> Metadata:
        raise AssertionError("read")

    assert everything.read({"everything.metadata": ["<x/>"]}, {}, reader) == {"everything": {}}


FIELDS = [
    "size",
    "mode",
    "times",
    "region",
    "enabled",
    "events",
    "recipients",
    "retries",
    "factor",
    "webhook",
    "directory",
    "contact",
    "since",
    "until",
    "api_key",
    "message",
    "footer",
    "name",
    "certificate",
    "proxy",
    "proxy.host",
    "proxy.port",
    "proxy.password",
]


def problems(form: Form, values: Values) -> list[str]:
    try:
        form.validate(values, SITE, NOW)
    except FormInvalid as invalid:
        return [error.sentence for error in invalid.errors]
    return []


@given(some.dictionaries(some.sampled_from(FIELDS), some.lists(some.text(max_size=30), max_size=3)))
def test_whatever_is_sent_can_be_read_stored_and_shown_again(everything: Form, sent: dict[str, list[str]]) -> None:
    posted: Posted = {f"everything.{name}": value for name, value in sent.items()}
    try:
        values = everything.read(posted, {})
    except FormInvalid as invalid:
        values = invalid.values
    assert json.loads(json.dumps(values)) == values
    json.dumps(values, ensure_ascii=False).encode()
    said = problems(everything, values)
    assert all(said)
    assert "Input should" not in "".join(said)
    everything.view(values, SITE, now=NOW)
