"""How long one SAML response takes: this project, python3-saml and stock pysaml2, on the same bytes in the same run.

    make bench

The response has the shape of AWS IAM Identity Center: RSA-2048, SHA-256, Response and Assertion signed, 8 attributes. Each
candidate verifies both signatures and makes all of its checks; what can be prepared once is prepared before. The
candidates take turns, so that a busy moment of the machine meets all of them. Medians, in microseconds.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import importlib.metadata
import logging
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree
from onelogin.saml2.auth import OneLogin_Saml2_Auth  # type: ignore[import-not-found]  # only in bench/.venv
from onelogin.saml2.settings import OneLogin_Saml2_Settings  # type: ignore[import-not-found]  # only in bench/.venv
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import SPConfig

from core import clock
from core.saml.response import Expected, read
from core.saml.signature import Keys
from core.testing.identity_provider import IdentityProvider, Minted

ISSUER = "https://portal.sso.us-east-1.amazonaws.com/saml/assertion/MTExMTIyMjIzMzMzX2lucy0wMTIzNDU2Nzg5YWJjZGVm"
AUDIENCE = "https://siq.example.test/sso/inst-1/metadata"
ACS_URL = "https://siq.example.test/sso/inst-1/acs"
REQUEST = "_req-0001"
ATTRIBUTES = {
    name: [f"value of {name}"]
    for name in ("email", "givenName", "familyName", "name", "userName", "guid", "groups", "phone")
}

ROUNDS = 40
LEAST = {"python3-saml": 5.9, "pysaml2": 75.0}
"""How many times faster this project has to be."""

Candidate = Callable[[], object]


def ours(provider: IdentityProvider, minted: Minted, now: datetime) -> Candidate:
    keys = Keys.of(provider.certificate_pem)
    expected = Expected(ISSUER, AUDIENCE, ACS_URL, REQUEST, unsolicited_allowed=False)
    form_value = minted.form_value

    def run() -> object:
        return read(form_value, keys, expected, now)

    return run


def python3_saml(provider: IdentityProvider, minted: Minted) -> Candidate:
    settings = OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {"entityId": AUDIENCE, "assertionConsumerService": {"url": ACS_URL, "binding": BINDING_HTTP_POST}},
            "idp": {
                "entityId": ISSUER,
                "singleSignOnService": {"url": ISSUER, "binding": BINDING_HTTP_REDIRECT},
                "x509cert": provider.certificate_pem,
            },
            "security": {"wantMessagesSigned": True, "wantAssertionsSigned": True, "rejectDeprecatedAlgorithm": True},
        }
    )
    request = {
        "https": "on",
        "http_host": "siq.example.test",
        "script_name": "/sso/inst-1/acs",
        "get_data": {},
        "post_data": {"SAMLResponse": minted.form_value},
    }

    def run() -> object:
        auth = OneLogin_Saml2_Auth(request, old_settings=settings)
        auth.process_response(request_id=REQUEST)
        assert auth.is_authenticated(), auth.get_last_error_reason()
        return auth

    return run


def stock_pysaml2(provider: IdentityProvider, minted: Minted) -> Candidate:
    config = SPConfig().load(
        {
            "entityid": AUDIENCE,
            "xmlsec_binary": shutil.which("xmlsec1"),
            "metadata": {"inline": [provider.metadata().decode()]},
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(ACS_URL, BINDING_HTTP_POST)]},
                    "want_response_signed": True,
                    "want_assertions_signed": True,
                    "allow_unknown_attributes": True,
                }
            },
        }
    )
    client = Saml2Client(config=config)
    form_value = minted.form_value

    def run() -> object:
        answer = client.parse_authn_request_response(form_value, BINDING_HTTP_POST, outstanding={REQUEST: "/"})
        assert answer is not None
        assert answer.name_id.text == "ada@example.test"
        return answer

    return run


def floor(provider: IdentityProvider, minted: Minted) -> Candidate:
    """The least that any verification needs: one parse, one canonical form, one digest and one RSA verification."""
    key = provider.certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    xml = base64.b64decode(minted.form_value)
    octets = etree.tostring(etree.fromstring(xml), method="c14n", exclusive=True, with_comments=False)
    private = provider.key
    assert isinstance(private, rsa.RSAPrivateKey)
    signature = private.sign(octets, padding.PKCS1v15(), hashes.SHA256())

    def run() -> object:
        canonical = etree.tostring(etree.fromstring(xml), method="c14n", exclusive=True, with_comments=False)
        hashlib.sha256(canonical).digest()
        key.verify(signature, canonical, padding.PKCS1v15(), hashes.SHA256())
        return canonical

    return run


def medians(candidates: dict[str, tuple[Candidate, int]]) -> dict[str, float]:
    """Microseconds of one run each; a candidate is a callable and how often it runs in a round."""
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for run, _ in candidates.values():
        run()
    gc.collect()
    for _ in range(ROUNDS):
        for name, (run, times) in candidates.items():
            start = time.perf_counter()
            for _ in range(times):
                run()
            samples[name].append((time.perf_counter() - start) / times * 1e6)
    return {name: statistics.median(values) for name, values in samples.items()}


def main() -> int:
    logging.disable(logging.CRITICAL)
    now = clock.now()
    provider = IdentityProvider.create(ISSUER)
    minted = provider.response(ACS_URL, AUDIENCE, attributes=ATTRIBUTES, in_response_to=REQUEST, now=now)
    candidates = {
        "floor": (floor(provider, minted), 50),
        "this project": (ours(provider, minted, now), 50),
        "python3-saml": (python3_saml(provider, minted), 10),
        "pysaml2": (stock_pysaml2(provider, minted), 1),
    }
    result = medians(candidates)
    versions = {
        name: importlib.metadata.version(name) for name in ("python3-saml", "pysaml2", "lxml", "xmlsec", "pybergshamra")
    }
    print(
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version}" for name, version in versions.items())
    )
    print(f"One response of {len(minted.xml)} bytes; medians of {ROUNDS} rounds\n")
    print("| candidate | microseconds | times as long as this project |\n|---|---:|---:|")
    for name, value in result.items():
        print(f"| {name} | {value:,.0f} | {value / result['this project']:.1f} |")
    missed = [name for name, least in LEAST.items() if result[name] / result["this project"] < least]
    if missed:
        print(f"\nToo slow against {', '.join(missed)}; wanted: {LEAST}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
