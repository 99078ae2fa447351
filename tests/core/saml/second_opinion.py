"""What others say of the same response: stock pysaml2 with xmlsec1, and pybergshamra of its signatures.

They share no line with our gate, canonicalization and all. They are opinions, never the gate: they may accept more.
pysaml2 takes some 50 ms for each response and goes by the real clock.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pybergshamra
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from saml2 import BINDING_HTTP_POST
from saml2.client import Saml2Client
from saml2.config import SPConfig

from core.certificates import to_pem
from core.plugin_api import VerifiedAssertion
from core.saml.service_keys import ServiceKey, ServiceKeys
from core.testing.identity_provider import IdentityProvider

XMLSEC1 = "/usr/bin/xmlsec1"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader believes: who it is, their attributes by name, when the session ends."""

    name_id: str
    attributes: Mapping[str, tuple[str, ...]]
    session_end: datetime | None

    @classmethod
    def ours(cls, assertion: VerifiedAssertion) -> Reading:
        """What our gate believes, to the second."""
        end = assertion.session_not_on_or_after
        return cls(assertion.name_id.value, dict(assertion.attributes), end and end.replace(microsecond=0))


class SecondOpinion:
    """One service provider in the words of pysaml2."""

    def __init__(self, provider: IdentityProvider, audience: str, acs_url: str, own: ServiceKeys | None = None) -> None:
        """``own`` are the keys with which it reads what is encrypted."""
        self._folder = tempfile.TemporaryDirectory(prefix="siq-second-opinion-")  # it takes keys as files only
        logging.getLogger("saml2").setLevel(logging.CRITICAL)  # it logs each response that it refuses
        self._client = Saml2Client(
            config=SPConfig().load(
                {
                    "entityid": audience,
                    "xmlsec_binary": XMLSEC1,
                    "accepted_time_diff": 60,
                    "encryption_keypairs": [self._files(key) for key in own.all] if own else [],
                    "metadata": {"inline": [provider.metadata().decode()]},
                    "service": {
                        "sp": {
                            "endpoints": {"assertion_consumer_service": [(acs_url, BINDING_HTTP_POST)]},
                            "want_assertions_or_response_signed": True,
                            "want_response_signed": False,
                            "want_assertions_signed": False,
                            "allow_unsolicited": True,
                            "allow_unknown_attributes": True,
                        }
                    },
                }
            )
        )

    def _files(self, key: ServiceKey) -> dict[str, str]:
        name = Path(self._folder.name) / key.certificate.fingerprint.replace(":", "")
        pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        name.with_suffix(".key").write_bytes(pem)
        name.with_suffix(".pem").write_text(to_pem([key.certificate]))
        return {"key_file": str(name.with_suffix(".key")), "cert_file": str(name.with_suffix(".pem"))}

    def of(self, form_value: str, request_id: str) -> Reading | str:
        """What it reads, or why it refuses."""
        try:
            answer = self._client.parse_authn_request_response(
                form_value, BINDING_HTTP_POST, outstanding={request_id: "/"}
            )
        except Exception as error:  # noqa: BLE001  it raises dozens of kinds, and some that it did not mean to
            return f"{type(error).__name__}: {error}"
        if answer is None or answer.assertion is None or answer.name_id is None:
            return "it answers without a person"
        end = answer.session_not_on_or_after
        attributes: dict[str, tuple[str, ...]] = {}
        for statement in answer.assertion.attribute_statement:
            for attribute in statement.attribute:
                values = tuple((value.text or "").strip(" \t\r\n") for value in attribute.attribute_value)
                attributes[attribute.name] = (*attributes.get(attribute.name, ()), *values)
        return Reading(
            answer.name_id.text.strip(" \t\r\n"), attributes, datetime.fromtimestamp(end, UTC) if end else None
        )


def third_opinion(document: bytes, provider: IdentityProvider) -> bool:
    """Whether pybergshamra, with the provider's key and no other, finds every signature of a document to be valid."""
    key = provider.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    manager = pybergshamra.KeysManager()
    manager.add_key(pybergshamra.load_spki_der(key))
    results = pybergshamra.verify_all(pybergshamra.DsigContext.secure(manager), document.decode())
    return all(result.is_valid and result.all_reference_digests_verified for result in results)


def needs_xmlsec1() -> None:
    """Skip the test where the program is missing."""
    if not Path(XMLSEC1).exists():
        pytest.skip("install with: apt-get install xmlsec1 libxmlsec1-openssl")
