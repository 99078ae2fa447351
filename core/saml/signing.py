"""Signing a message of ours as XML, for the HTTP-POST binding (SAML Core 5.4; SAML Bindings 3.5)."""

from __future__ import annotations

import base64
from typing import Final

import pybergshamra
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from core.saml import document
from core.saml.service_keys import ServiceKey
from core.saml.signature import ISSUER

_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TEMPLATE: Final = (
    f'<ds:Signature xmlns:ds="{_DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{_EXCLUSIVE}"/>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
    f'<ds:Reference><ds:Transforms><ds:Transform Algorithm="{_DS}enveloped-signature"/>'
    f'<ds:Transform Algorithm="{_EXCLUSIVE}"/></ds:Transforms>'
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>'
    "<ds:SignatureValue/><ds:KeyInfo><ds:X509Data><ds:X509Certificate/></ds:X509Data></ds:KeyInfo></ds:Signature>"
)


def signed(xml: str, key: ServiceKey) -> str:
    """The message with an enveloped signature over all of it, by RSA-SHA256, after its Issuer.

    ``xml`` is a message of our own making: its root has an ID, and an Issuer as its first child. The signature names our
    certificate, for a provider that knows two.
    """
    root = document.parse(xml.encode())
    signature = etree.fromstring(_TEMPLATE)
    reference = signature.find(f".//{{{_DS}}}Reference")
    certificate = signature.find(f".//{{{_DS}}}X509Certificate")
    assert reference is not None
    assert certificate is not None
    assert root[0].tag == ISSUER
    reference.set("URI", f"#{root.get('ID')}")
    certificate.text = base64.b64encode(key.certificate.der).decode("ascii")
    root.insert(1, signature)
    return pybergshamra.sign(_context(key), etree.tostring(root, encoding="unicode"))


def _context(key: ServiceKey) -> pybergshamra.DsigContext:
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    manager = pybergshamra.KeysManager()
    manager.add_key(pybergshamra.load_pem_auto(pem))
    return pybergshamra.DsigContext.secure(manager)
