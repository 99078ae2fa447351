"""What the tests of encrypted assertions begin with: keys of ours, and responses that are encrypted for them."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography import x509
from lxml import etree

from core.saml import service_keys
from core.saml.response import Decryption
from core.saml.service_keys import ServiceKey, ServiceKeys
from core.testing.attacks.edits import find
from core.testing.encryption import Encryptor
from core.testing.identity_provider import Minted, serialize
from tests.core.saml.given import NOW, minted, tree

GCM = ("aes128-gcm", "aes192-gcm", "aes256-gcm")
CBC = ("aes128-cbc", "aes192-cbc", "aes256-cbc")
SIGNED = (("assertion",), ("response",), ("response", "assertion"))
VICTIM = "admin@victim.example"


def own(number: int = 1) -> ServiceKey:
    """A key of ours; another number is another key."""
    return _own(number)


@cache
def _own(number: int) -> ServiceKey:
    return service_keys.create("siq.example.test", f"c-{number}", NOW)


def certificate(number: int = 1) -> x509.Certificate:
    return x509.load_der_x509_certificate(own(number).certificate.der)


def decryption(*, allow_cbc: bool = False) -> Decryption:
    return Decryption(ServiceKeys(own()), allow_cbc)


STRICT, LENIENT = decryption(), decryption(allow_cbc=True)
EVERY = (STRICT, LENIENT)


def encryptor(content: str = "aes256-gcm", **more: Any) -> Encryptor:
    return Encryptor(certificate(more.pop("number", 1)), content, **more)


def encrypted(sign: tuple[str, ...] = ("assertion",), changes: dict[str, Any] | None = None, **how: Any) -> Minted:
    return minted(sign=sign, encrypt=encryptor(**how), **(changes or {}))


def holding(plaintext: bytes, **how: Any) -> bytes:
    """A Response without a signature, with these bytes encrypted in the place of its assertion."""
    root = tree(minted(sign=()))
    root.replace(find(root, "a:Assertion"), encryptor(**how).encrypted(plaintext))
    return serialize(root)


def signed_assertion() -> bytes:
    return etree.tostring(find(tree(minted(sign=("assertion",))), "a:Assertion"), with_tail=False)
