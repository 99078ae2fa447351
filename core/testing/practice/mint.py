"""Makes responses for an application of the practice identity provider, as its settings say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from core.testing.identity_provider import ASSERTION, Element, IdentityProvider, Minted
from core.testing.practice.state import ATTRIBUTE_FORMATS, NAME_ID_FORMATS, Application, Person, SigningKey

_SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
_SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")
"""The two signature algorithms as DER object identifiers (RFC 4055 5); they are of the same length."""


def mint(
    application: Application,
    person: Person,
    *,
    key: SigningKey | None = None,
    edit: Callable[[Element], None] | None = None,
    **changes: Any,
) -> Minted:
    """The response that this application gets for this person.

    ``changes`` are arguments of :meth:`IdentityProvider.response`; ``edit`` changes the Response before it is signed.
    """
    key = key or application.active_key
    formats = {mapping.name: ATTRIBUTE_FORMATS[mapping.format] for mapping in application.attributes}

    def edit_all(root: Element) -> None:
        for attribute in root.iter(f"{{{ASSERTION}}}Attribute"):
            attribute.set("NameFormat", attribute.get("NameFormat") or formats[attribute.get("Name", "")])
        if edit:
            edit(root)

    usual = {
        "acs_url": application.acs_url,
        "audience": application.audience,
        "subject": application.subject.of(person)[0],
        "name_id_format": NAME_ID_FORMATS[application.subject.format],
        "attributes": {mapping.name: mapping.of(person) for mapping in application.attributes},
        "session": application.session,
    }
    if key.algorithm == "SHA-1":
        usual |= {"signature": "rsa-sha1", "digest": "sha1"}
    return key.provider.response(**{**usual, **changes}, edit=edit_all)


def with_sha1_certificate(provider: IdentityProvider) -> IdentityProvider:
    """The provider with its certificate signed anew by SHA-1, which AWS still offers and ``cryptography`` does not make."""
    assert isinstance(provider.key, rsa.RSAPrivateKey)
    old = provider.certificate
    body = old.tbs_certificate_bytes.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    signature = provider.key.sign(body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  the weakness is what is wanted
    der = old.public_bytes(serialization.Encoding.DER)
    der = der.replace(old.tbs_certificate_bytes, body).replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    return replace(provider, certificate=x509.load_der_x509_certificate(der[: -len(signature)] + signature))
