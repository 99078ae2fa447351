"""What bench/saml.py compares: this project, the floor, python3-saml, stock pysaml2, and the libraries for Node.js.

A candidate is made for one :class:`Given`: what a deployment prepares once (keys, settings, clients, metadata) is prepared
then. It takes a form value and answers the NameID, or raises whatever it raises for a response that it refuses.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree
from onelogin.saml2.auth import OneLogin_Saml2_Auth  # type: ignore[import-not-found]  # only in bench/.venv
from onelogin.saml2.settings import OneLogin_Saml2_Settings  # type: ignore[import-not-found]  # only in bench/.venv
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import SPConfig

from core.saml.response import Expected, read
from core.saml.signature import Keys
from core.testing.identity_provider import IdentityProvider

NODE = Path(__file__).parent / "node"
NODE_LIBRARIES = ("node-saml", "samlify", "saml20")

Candidate = Callable[[str], str]
"""From a form value to the NameID."""
Timed = Callable[[str, int], float]
"""Seconds of one run, from a form value and how often to run. Raises where the response is refused."""


class Refused(Exception):
    """A candidate did not accept a response."""


@dataclass(frozen=True, slots=True)
class Given:
    """One connection as both sides know it, the request that waits, and the time. ``sign`` names what is signed."""

    provider: IdentityProvider
    audience: str
    acs_url: str
    request: str
    subject: str
    sign: Sequence[str]
    now: datetime

    def response(self, **different: Any) -> str:
        """The form value of a good response, or of one that differs in some argument of IdentityProvider.response."""
        usual = {"subject": self.subject, "in_response_to": self.request, "sign": self.sign, "now": self.now}
        provider = different.pop("provider", self.provider)
        audience = different.pop("audience", self.audience)
        return str(provider.response(self.acs_url, audience, **{**usual, **different}).form_value)


def this_project(given: Given) -> Candidate:
    keys = Keys.of(given.provider.certificate_pem)
    expected = Expected(
        given.provider.entity_id, given.audience, given.acs_url, given.request, unsolicited_allowed=False
    )

    def run(form_value: str) -> str:
        return read(form_value, keys, expected, given.now).name_id.value

    return run


def python3_saml(given: Given) -> Candidate:
    issuer = given.provider.entity_id
    settings = OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {
                "entityId": given.audience,
                "assertionConsumerService": {"url": given.acs_url, "binding": BINDING_HTTP_POST},
            },
            "idp": {
                "entityId": issuer,
                "singleSignOnService": {"url": issuer, "binding": BINDING_HTTP_REDIRECT},
                "x509cert": given.provider.certificate_pem,
            },
            "security": {
                "wantMessagesSigned": "response" in given.sign,
                "wantAssertionsSigned": "assertion" in given.sign,
                "rejectDeprecatedAlgorithm": True,
            },
        }
    )
    scheme, _, rest = given.acs_url.partition("://")
    host, _, path = rest.partition("/")
    request: dict[str, Any] = {
        "https": "on" if scheme == "https" else "off",
        "http_host": host,
        "script_name": f"/{path}",
        "get_data": {},
    }

    def run(form_value: str) -> str:
        auth = OneLogin_Saml2_Auth({**request, "post_data": {"SAMLResponse": form_value}}, old_settings=settings)
        auth.process_response(request_id=given.request)
        if not auth.is_authenticated():
            raise Refused(auth.get_last_error_reason())
        return str(auth.get_nameid())

    return run


def stock_pysaml2(given: Given) -> Candidate:
    config = SPConfig().load(
        {
            "entityid": given.audience,
            "xmlsec_binary": shutil.which("xmlsec1"),
            "metadata": {"inline": [given.provider.metadata().decode()]},
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(given.acs_url, BINDING_HTTP_POST)]},
                    "want_response_signed": "response" in given.sign,
                    "want_assertions_signed": "assertion" in given.sign,
                    "allow_unknown_attributes": True,
                }
            },
        }
    )
    client = Saml2Client(config=config)

    def run(form_value: str) -> str:
        answer = client.parse_authn_request_response(form_value, BINDING_HTTP_POST, outstanding={given.request: "/"})
        if answer is None:  # so it says that a signature does not fit
            raise Refused
        return str(answer.name_id.text)

    return run


def floor(given: Given, response: str) -> Candidate:
    """The least that any verification needs: one parse, one canonical form, one digest and one RSA verification.
    For one response, which it does not even decode.
    """
    private, public = given.provider.key, given.provider.certificate.public_key()
    assert isinstance(private, rsa.RSAPrivateKey)
    assert isinstance(public, rsa.RSAPublicKey)
    xml = base64.b64decode(response)
    signature = private.sign(_canonical(xml), padding.PKCS1v15(), hashes.SHA256())

    def run(_form_value: str) -> str:
        canonical = _canonical(xml)
        hashlib.sha256(canonical).digest()
        public.verify(signature, canonical, padding.PKCS1v15(), hashes.SHA256())
        return given.subject

    return run


def _canonical(xml: bytes) -> bytes:
    return bytes(etree.tostring(etree.fromstring(xml), method="c14n", exclusive=True, with_comments=False))


PYTHON: Mapping[str, Callable[[Given], Candidate]] = {
    "this project": this_project,
    "python3-saml": python3_saml,
    "pysaml2 (xmlsec1)": stock_pysaml2,
}


def timed(candidate: Candidate, subject: str) -> Timed:
    """A candidate of this process, with the clock around it."""

    def run(form_value: str, times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            found = candidate(form_value)
        taken = (time.perf_counter() - start) / times
        assert found == subject, found
        return taken

    return run


class Node:
    """The libraries for Node.js in a process of theirs (bench/node/candidates.js), which takes the time itself."""

    def __init__(self) -> None:
        node = shutil.which("node")
        assert node, "this needs Node.js"
        self._process = subprocess.Popen(  # noqa: S603  our own script
            [node, str(NODE / "candidates.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def prepare(self, given: Given) -> dict[str, Timed]:
        """Each library, made for this connection."""
        ready = self._ask(
            {
                "prepare": {
                    "issuer": given.provider.entity_id,
                    "audience": given.audience,
                    "acsUrl": given.acs_url,
                    "request": given.request,
                    "certificate": given.provider.certificate_pem,
                    "metadata": given.provider.metadata().decode(),
                    "signed": list(given.sign),
                    "privateKey": None,
                }
            }
        )
        return {name: self._timed(name, given.subject) for name in ready["ready"]}

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _timed(self, name: str, subject: str) -> Timed:
        def run(form_value: str, times: int) -> float:
            answer = self._ask({"run": name, "response": form_value, "times": times, "subject": subject})
            if "refused" in answer:
                raise Refused(answer["refused"])
            return float(answer["nanoseconds"]) / 1e9

        return run

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def node_versions() -> dict[str, str]:
    """The exact versions of the libraries for Node.js."""
    wanted = json.loads((NODE / "package.json").read_text())["dependencies"]
    return {str(name): str(version) for name, version in wanted.items()}
