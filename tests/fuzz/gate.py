"""Coverage-guided fuzzing of the bytes that reach the gate (``make fuzz``).

Of whatever arrives, nothing but a refusal may come, or exactly what the corpus's provider signed; and at most 50 ms of
processor time, up to 256 KiB. The provider's key was thrown away when the corpus was made: nobody can sign anything new.
"""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from lxml import etree

from core.errors import SignInRefused
from core.saml import service_keys
from core.saml.pinned_keys import Keys
from core.saml.response import Decryption, Expected, read
from core.saml.service_keys import ServiceKeys
from core.testing.encryption import Encryptor
from core.testing.identity_provider import ASSERTION, serialize

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus"
MOST_BYTES = 256 * 1024
MOST_SECONDS = 0.05
NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
ISSUER, AUDIENCE = "https://provider.example.test/saml/assertion/fuzz", "https://siq.example.test/sso/c-fuzz"
ACS_URL, REQUEST = f"{AUDIENCE}/acs", "_req-0001"
SIGNED = frozenset({"ada@example.test", "zoë@example.test", "admin@victim.example.evil.test"})
"""Whom the assertions of the corpus that are good name."""


EXPECTED = Expected(ISSUER, AUDIENCE, ACS_URL, REQUEST, unsolicited_allowed=True)


@cache
def decryption() -> Decryption:
    """Keys of ours, new in each run: whoever has our certificate can encrypt, so nobody has to keep them."""
    return Decryption(ServiceKeys(service_keys.create("siq.example.test", "c-fuzz", NOW)), allow_cbc=True)


def encrypted(document: bytes, content: str = "aes256-gcm") -> bytes:
    """A document of the corpus with its assertion encrypted for us, as anybody can do who has it."""
    root = etree.fromstring(document)
    assertion = root.find(f"{{{ASSERTION}}}Assertion")
    if assertion is not None:
        certificate = x509.load_der_x509_certificate(decryption().keys.signing.certificate.der)
        Encryptor(certificate, content).encrypt(assertion)
    return serialize(root)


@cache
def keys() -> Keys:
    """The certificate of the corpus."""
    return Keys.of((FOLDER / "certificate.pem").read_text(encoding="ascii"))


class TooSlow(Exception):
    """An input took longer than it may."""


def check(data: bytes) -> str:
    """Read an input; answers the code of its refusal, or who was accepted.

    Raises AssertionError where somebody was accepted who was not signed, TooSlow, and whatever else comes out of the gate.
    """
    keys()
    form_value = base64.b64encode(data).decode("ascii")
    seconds, answer = _timed(form_value)
    if seconds > MOST_SECONDS and len(data) <= MOST_BYTES:
        seconds = min(_timed(form_value)[0] for _ in range(3))  # a collection of garbage may have fallen into the first
        if seconds > MOST_SECONDS:
            raise TooSlow(f"{len(data)} bytes took {seconds * 1000:.0f} ms and were answered {answer}")
    return answer


def _timed(form_value: str) -> tuple[float, str]:
    start = time.process_time()
    try:
        name = read(form_value, keys(), EXPECTED, NOW, decryption()).name_id.value
    except SignInRefused as refused:
        return time.process_time() - start, refused.refusal.code
    assert name in SIGNED, name
    return time.process_time() - start, name
