"""What bench/saml.py compares: this project, the floor, python3-saml, stock pysaml2, and the libraries for Node.js.

A candidate is made for one :class:`Given`: what a deployment prepares once (keys, settings, clients, metadata) is prepared
then. It takes a form value and answers the NameID, or raises whatever it raises for a response that it refuses.
"""

from __future__ import annotations

import atexit
import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_der_x509_certificate
from lxml import etree
from onelogin.saml2.auth import OneLogin_Saml2_Auth  # type: ignore[import-not-found]  # only in bench/.venv
from onelogin.saml2.settings import OneLogin_Saml2_Settings  # type: ignore[import-not-found]  # only in bench/.venv
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import SPConfig

from core.certificates import to_pem
from core.plugin_api import Site
from core.saml.encryption import Decryption
from core.saml.pinned_keys import Keys
from core.saml.response import Expected, read
from core.saml.service_keys import ServiceKey, ServiceKeys
from core.testing.encryption import Encryptor
from core.testing.identity_provider import ASSERTION, IdentityProvider, Minted, serialize

NODE = Path(__file__).parent / "node"
NODE_LIBRARIES = ("node-saml", "samlify", "saml20")

ATTRIBUTES = {
    name: [f"value of {name}"]
    for name in ("email", "givenName", "familyName", "name", "userName", "guid", "groups", "phone")
}
"""Of every response."""


def tile_click(provider: IdentityProvider, there: Site, number: int) -> Minted:
    """A fresh response that answers no request of ours, about the person of this number: good for an hour."""
    address = f"person-{number}@example.test"
    return provider.response(
        there.acs_url,
        there.audience,
        subject=address,
        attributes={**ATTRIBUTES, "email": [address]},
        sign=("assertion",),
        lifetime=timedelta(hours=1),
        session=timedelta(hours=8),
    )


Candidate = Callable[[str], str]
"""From a form value to the NameID."""
Timed = Callable[[str, int], float]
"""Seconds of one run, from a form value and how often to run. Raises where the response is refused."""


def pem_of(own: ServiceKey) -> str:
    """Our own private key as PEM text."""
    return own.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Refused(Exception):
    """A candidate did not accept a response."""


@dataclass(frozen=True, slots=True)
class Given:
    """One connection as both sides know it, the request that waits, and the time. ``sign`` names what is signed; where
    there is a key of our own, the Assertion is encrypted for it.
    """

    provider: IdentityProvider
    audience: str
    acs_url: str
    request: str
    subject: str
    sign: Sequence[str]
    now: datetime
    own: ServiceKey | None = None

    @property
    def encryptor(self) -> Encryptor | None:
        """AES-256-GCM under RSA-OAEP."""
        return Encryptor(load_der_x509_certificate(self.own.certificate.der)) if self.own else None

    def response(self, **different: Any) -> str:
        """The form value of a good response, or of one that differs in some argument of IdentityProvider.response."""
        usual = {
            "subject": self.subject,
            "in_response_to": self.request,
            "sign": self.sign,
            "now": self.now,
            "encrypt": self.encryptor,
        }
        provider = different.pop("provider", self.provider)
        audience = different.pop("audience", self.audience)
        return str(provider.response(self.acs_url, audience, **{**usual, **different}).form_value)

    def altered(self, before: bytes, after: bytes, **different: Any) -> str:
        """A response that was changed after it was signed; what is to be encrypted is encrypted after that."""
        xml = base64.b64decode(self.response(**different, encrypt=None)).replace(before, after)
        if self.encryptor:
            root = etree.fromstring(xml)
            self.encryptor.encrypt(root.findall(f"{{{ASSERTION}}}Assertion")[0])
            xml = serialize(root)
        return base64.b64encode(xml).decode()


def this_project(given: Given) -> Candidate:
    keys = Keys.of(given.provider.certificate_pem)
    expected = Expected(
        given.provider.entity_id, given.audience, given.acs_url, given.request, unsolicited_allowed=False
    )

    decryption = Decryption(ServiceKeys(given.own)) if given.own else None

    def run(form_value: str) -> str:
        return read(form_value, keys, expected, given.now, decryption).name_id.value

    return run


def python3_saml_settings(
    issuer: str, audience: str, acs_url: str, certificate: str, signed: Sequence[str], *, own: ServiceKey | None = None
) -> OneLogin_Saml2_Settings:
    """What a deployment of python3-saml prepares once: strict, and what is signed (and encrypted) has to be."""
    return OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {
                "entityId": audience,
                "assertionConsumerService": {"url": acs_url, "binding": BINDING_HTTP_POST},
                "privateKey": pem_of(own) if own else "",
                "x509cert": to_pem([own.certificate]) if own else "",
            },
            "idp": {
                "entityId": issuer,
                "singleSignOnService": {"url": issuer, "binding": BINDING_HTTP_REDIRECT},
                "x509cert": certificate,
            },
            "security": {
                "wantMessagesSigned": "response" in signed,
                "wantAssertionsSigned": "assertion" in signed,
                "wantAssertionsEncrypted": own is not None,
                "rejectDeprecatedAlgorithm": True,
            },
        }
    )


def request_of(acs_url: str) -> dict[str, Any]:
    """The request to this URL as python3-saml wants it described."""
    scheme, _, rest = acs_url.partition("://")
    host, _, path = rest.partition("/")
    return {
        "https": "on" if scheme == "https" else "off",
        "http_host": host,
        "script_name": f"/{path}",
        "get_data": {},
    }


def python3_saml(given: Given) -> Candidate:
    settings = python3_saml_settings(
        given.provider.entity_id,
        given.audience,
        given.acs_url,
        given.provider.certificate_pem,
        given.sign,
        own=given.own,
    )
    request = request_of(given.acs_url)

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
            "encryption_keypairs": _files(given),
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


def _files(given: Given) -> list[dict[str, str]]:
    """Our own key in files, as pysaml2 wants it. They stay until the process ends."""
    if not given.own:
        return []
    folder = Path(tempfile.mkdtemp(prefix="siq-bench-"))
    atexit.register(shutil.rmtree, folder)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    key.write_text(pem_of(given.own))
    certificate.write_text(to_pem([given.own.certificate]))
    return [{"key_file": str(key), "cert_file": str(certificate)}]


def floor(given: Given, response: str) -> Candidate:
    """The least that any verification needs: one parse, one canonical form, one digest and one RSA verification. Where
    the Assertion is encrypted, also one RSA decryption, one AES decryption, and a parse of what was in it.
    For one response, which it does not even decode.
    """
    private, public = given.provider.key, given.provider.certificate.public_key()
    assert isinstance(private, rsa.RSAPrivateKey)
    assert isinstance(public, rsa.RSAPublicKey)
    xml = base64.b64decode(response)
    opened = _decryption(given) if given.own else None
    signed = opened() if opened else xml
    signature = private.sign(_canonical(signed), padding.PKCS1v15(), hashes.SHA256())

    def run(_form_value: str) -> str:
        if opened:
            etree.fromstring(xml)
        canonical = _canonical(opened() if opened else xml)
        hashlib.sha256(canonical).digest()
        public.verify(signature, canonical, padding.PKCS1v15(), hashes.SHA256())
        return given.subject

    return run


def _decryption(given: Given) -> Callable[[], bytes]:
    """RSA-OAEP and AES-256-GCM, of an Assertion as this variant's."""
    assert given.own
    private = given.own.private
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303  nearly every provider's
    assertion = etree.fromstring(base64.b64decode(given.response(encrypt=None, attributes=ATTRIBUTES))).findall(
        f"{{{ASSERTION}}}Assertion"
    )[0]
    key, nonce = os.urandom(32), os.urandom(12)
    wrapped = private.public_key().encrypt(key, oaep)
    ciphertext = AESGCM(key).encrypt(nonce, etree.tostring(assertion), None)
    return lambda: AESGCM(private.decrypt(wrapped, oaep)).decrypt(nonce, ciphertext, None)


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
                    "privateKey": pem_of(given.own) if given.own else None,
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
