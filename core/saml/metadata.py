"""Metadata: ours, made for a provider to read, and a provider's, read for the form to be filled (SAML Metadata 2.0)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.md import NAMESPACE as METADATA
from saml2.md import (
    AssertionConsumerService,
    EncryptionMethod,
    EntityDescriptor,
    KeyDescriptor,
    SingleLogoutService,
    SPSSODescriptor,
)
from saml2.samlp import NAMESPACE as PROTOCOL
from saml2.xmldsig import NAMESPACE as DSIG
from saml2.xmldsig import KeyInfo, X509Certificate, X509Data

from core import certificates
from core.certificates import Certificate
from core.errors import CertificateRejected, MetadataRejected
from core.saml import document
from core.saml.document import DocumentRefused, Element
from core.saml.encryption import algorithms_taken

_M: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"


@dataclass(frozen=True, slots=True)
class IdentityProviderMetadata:
    """What a connection needs of a provider's metadata; ``certificates`` is PEM text of one or two certificates.
    ``single_logout_url`` is empty where the provider takes no part in it by HTTP-Redirect.
    """

    entity_id: str
    sign_in_url: str
    certificates: str
    single_logout_url: str = ""


def service_provider(
    audience: str,
    acs_url: str,
    own: Sequence[Certificate] = (),
    *,
    requests_signed: bool = False,
    allow_cbc: bool = False,
    single_logout_url: str = "",
) -> bytes:
    """Our metadata as XML: ``audience`` is the entity ID; assertions come signed, by HTTP-POST, to ``acs_url``.

    ``own`` are the certificates of our keys: what we sign is signed with the first, and the provider may encrypt for
    any, with AES-CBC where ``allow_cbc``. ``requests_signed``: our AuthnRequests are signed. ``single_logout_url`` takes
    messages of single logout by both bindings; without it the provider sends none.
    """
    descriptor = SPSSODescriptor(
        protocol_support_enumeration=PROTOCOL,
        authn_requests_signed="true" if requests_signed else "false",
        want_assertions_signed="true",
        key_descriptor=[
            *(_key(one, "signing") for one in own),
            *(_key(one, "encryption", algorithms_taken(allow_cbc=allow_cbc)) for one in own),
        ],
        single_logout_service=[
            SingleLogoutService(binding=binding, location=single_logout_url)
            for binding in (BINDING_HTTP_REDIRECT, BINDING_HTTP_POST)
            if single_logout_url
        ],
        assertion_consumer_service=[
            AssertionConsumerService(binding=BINDING_HTTP_POST, location=acs_url, index="0", is_default="true")
        ],
    )
    xml: bytes = EntityDescriptor(entity_id=audience, spsso_descriptor=descriptor).to_string(
        {"md": METADATA, "ds": DSIG}
    )
    return xml


def _key(certificate: Certificate, use: str, algorithms: Sequence[str] = ()) -> KeyDescriptor:
    """One key, with the algorithms that may be used to encrypt for it (SAML Metadata 2.4.1.1)."""
    encoded = X509Certificate(text=base64.b64encode(certificate.der).decode("ascii"))
    return KeyDescriptor(
        use=use,
        key_info=KeyInfo(x509_data=[X509Data(x509_certificate=[encoded])]),
        encryption_method=[EncryptionMethod(algorithm=algorithm) for algorithm in algorithms],
    )


def identity_provider(xml: bytes) -> IdentityProviderMetadata:
    """The values in a provider's metadata: of one EntityDescriptor with one role of an identity provider.

    Its signature, if any, is not looked at: an administrator vouches for the file. Raises MetadataRejected with the
    sentence for the administrator.
    """
    try:
        root = document.metadata(xml.strip())
    except DocumentRefused as refused:
        raise MetadataRejected(
            f"This file cannot be read as metadata. {refused}. Download it again from your provider"
        ) from None
    entity, role = _identity_provider_role(root)
    entity_id = entity.get("entityID", "").strip()
    if not entity_id:
        raise MetadataRejected("This metadata names no entity ID. Download it again from your provider")
    pem = certificates.to_pem(_signing_certificates(role))
    return IdentityProviderMetadata(entity_id, _sign_in_url(role), pem, _redirected(role, "SingleLogoutService"))


def _identity_provider_role(root: Element) -> tuple[Element, Element]:
    if root.tag not in {f"{_M}EntityDescriptor", f"{_M}EntitiesDescriptor"}:
        raise MetadataRejected(
            "This file is XML but not SAML metadata. Download the SAML metadata file from your provider"
        )
    roles = [
        (entity, role)
        for entity in root.iter(f"{_M}EntityDescriptor")
        for role in entity.iterchildren(f"{_M}IDPSSODescriptor")
        if PROTOCOL in role.get("protocolSupportEnumeration", "").split()
    ]
    if not roles and next(root.iter(f"{_M}SPSSODescriptor"), None) is not None:
        raise MetadataRejected("This is the metadata of a service provider. Download the one of your identity provider")
    if len(roles) != 1:
        raise MetadataRejected(
            f"This metadata describes {len(roles)} SAML 2.0 identity providers. Choose a file with exactly one"
        )
    return roles[0]


def _sign_in_url(role: Element) -> str:
    if url := _redirected(role, "SingleSignOnService"):
        return url
    raise MetadataRejected(
        "This metadata offers no sign-in URL for the HTTP-Redirect binding. Switch that on at your provider"
    )


def _redirected(role: Element, name: str) -> str:
    """Where a service of the provider takes the HTTP-Redirect binding, or empty. The form judges the address."""
    for service in role.iterchildren(f"{_M}{name}"):
        location = service.get("Location", "").strip()
        if service.get("Binding") == BINDING_HTTP_REDIRECT and location.lower().startswith(("https://", "http://")):
            return location
    return ""


def _signing_certificates(role: Element) -> tuple[Certificate, ...]:
    texts = [
        certificate.text or ""
        for key in role.iterchildren(f"{_M}KeyDescriptor")
        if key.get("use", "signing") == "signing"
        for certificate in key.iter(f"{_DS}X509Certificate")
    ]
    if not texts:
        raise MetadataRejected("This metadata holds no signing certificate. Paste the certificate beside it")
    try:
        found = [certificate for text in texts for certificate in certificates.read(text)]
        return certificates.read(certificates.to_pem(found))
    except CertificateRejected as refused:
        raise MetadataRejected(f"The certificate in this metadata cannot be used. {refused.public}") from None
