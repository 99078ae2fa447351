"""A first sign-in set up by commands alone, as an operator does on a server."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from core.testing.identity_provider import IdentityProvider
from tests.end_to_end.product import Connection, Product, begin, deliver, signed_in_as, words


def test_a_person_signs_in_after_two_commands(siq: Product, client: httpx.Client, tmp_path: Path) -> None:
    provider = IdentityProvider.create("http://127.0.0.1:9/saml/assertion/commands")
    certificates = tmp_path / "certificates.pem"
    certificates.write_text(provider.rotate().certificate_pem + provider.certificate_pem)

    organization = siq.run("organization", "create", "Commands Ltd")["organization"]
    settings = ("--set", f"sso.sign_in_url={provider.sign_in_url}", "--set", f"sso.certificate=@{certificates}")
    printed = siq.run("activate", "aws_sso", "--organization", organization, *settings)
    assert set(printed) == {
        "connection",
        "acs_url",
        "audience",
        "login_url",
        "metadata_url",
        "single_logout_url",
        "scim_base_url",
    }
    assert printed["single_logout_url"] is None

    connection = Connection(**printed)
    asked = begin(client, connection)
    minted = provider.response(connection.acs_url, connection.audience, in_response_to=asked.id)
    answer = deliver(client, connection, minted.form_value, asked.relay_state)
    assert answer.status_code == httpx.codes.SEE_OTHER, words(answer)
    person = signed_in_as(client)
    assert person
    assert person["email"] == "ada@example.test"
    assert person["role"] == "Viewer"


def test_a_refused_value_is_one_sentence_and_changes_nothing(siq: Product) -> None:
    organization = siq.organization("Refused values")
    with pytest.raises(AssertionError, match=r"sso\.certificate"):
        siq.run("activate", "aws_sso", "--organization", organization, "--set", "sso.certificate=no certificate")
