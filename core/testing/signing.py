"""Puts signatures into messages, the right ones and the wrong ones. On lxml and cryptography alone, as the provider is."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from lxml import etree

if TYPE_CHECKING:  # a provider signs with this
    from core.testing.identity_provider import IdentityProvider

Element: TypeAlias = etree._Element  # noqa: SLF001  lxml publishes the class under this name only
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_PSS: Final = "http://www.w3.org/2007/05/xmldsig-more#"
DIGESTS: Final[Mapping[str, tuple[str, type[hashes.HashAlgorithm]]]] = {
    "sha1": (f"{DSIG}sha1", hashes.SHA1),
    "sha256": ("http://www.w3.org/2001/04/xmlenc#sha256", hashes.SHA256),
    "sha384": (f"{_MORE}sha384", hashes.SHA384),
    "sha512": ("http://www.w3.org/2001/04/xmlenc#sha512", hashes.SHA512),
}
SIGNATURES: Final[Mapping[str, str]] = {
    "rsa-sha1": f"{DSIG}rsa-sha1",
    "rsa-sha256": f"{_MORE}rsa-sha256",
    "rsa-sha384": f"{_MORE}rsa-sha384",
    "rsa-sha512": f"{_MORE}rsa-sha512",
    "pss-sha256": f"{_PSS}sha256-rsa-MGF1",
    "pss-sha384": f"{_PSS}sha384-rsa-MGF1",
    "pss-sha512": f"{_PSS}sha512-rsa-MGF1",
    "ecdsa-sha256": f"{_MORE}ecdsa-sha256",
    "ecdsa-sha384": f"{_MORE}ecdsa-sha384",
    "ecdsa-sha512": f"{_MORE}ecdsa-sha512",
}


@dataclass(frozen=True, slots=True)
class Signer:
    """Puts an enveloped signature into an element (XML Signature 1.1; SAML Core 5.4)."""

    provider: IdentityProvider
    signature: str = ""
    digest: str = "sha256"
    inclusive_prefixes: str = ""
    prefix: str = "ds"
    key_info: bool = True
    edit: Callable[[Element], None] | None = None
    signed_info_prefixes: str = ""

    def sign(self, element: Element) -> None:
        """Sign ``element`` by its ID and put the signature after its Issuer, or first where it has none."""
        signature = etree.fromstring(self._skeleton(element.get("ID", ""), self._digest(element)))
        has_issuer = len(element) > 0 and element[0].tag == f"{{{ASSERTION}}}Issuer"
        element.insert(1 if has_issuer else 0, signature)
        if self.edit:
            self.edit(signature)
        signed_info = signature.find(f"{{{DSIG}}}SignedInfo")
        value = signature.find(f"{{{DSIG}}}SignatureValue")
        assert signed_info is not None
        assert value is not None
        octets = _canonical(signed_info, self.signed_info_prefixes)
        value.text = base64.b64encode(self.sign_octets(octets)).decode("ascii")

    @property
    def algorithm(self) -> str:
        """The key in SIGNATURES of the algorithm that is used."""
        return self.signature or ("rsa-sha256" if isinstance(self.provider.key, rsa.RSAPrivateKey) else "ecdsa-sha256")

    def _digest(self, element: Element) -> str:
        digest = hashes.Hash(DIGESTS[self.digest][1]())
        digest.update(_canonical(element, self.inclusive_prefixes))
        return base64.b64encode(digest.finalize()).decode("ascii")

    def sign_octets(self, octets: bytes) -> bytes:
        """The bare signature of some bytes, by :attr:`algorithm`."""
        algorithm = DIGESTS[self.algorithm.rpartition("-")[2]][1]()
        key = self.provider.key
        if isinstance(key, rsa.RSAPrivateKey):
            if self.algorithm.startswith("pss"):
                return key.sign(octets, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
            return key.sign(octets, padding.PKCS1v15(), algorithm)
        r, s = utils.decode_dss_signature(key.sign(octets, ec.ECDSA(algorithm)))
        size = (key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def _skeleton(self, reference: str, digest_value: str) -> str:
        d, xmlns = (f"{self.prefix}:", f"xmlns:{self.prefix}") if self.prefix else ("", "xmlns")
        inclusive, of_signed_info = (
            f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{prefixes}"/>' if prefixes else ""
            for prefixes in (self.inclusive_prefixes, self.signed_info_prefixes)
        )
        key_info = ""
        if self.key_info:
            certificate = self.provider.certificate_base64
            key_info = f"<{d}KeyInfo><{d}X509Data><{d}X509Certificate>{certificate}</{d}X509Certificate></{d}X509Data></{d}KeyInfo>"
        return (
            f'<{d}Signature {xmlns}="{DSIG}"><{d}SignedInfo><{d}CanonicalizationMethod Algorithm="{EXCLUSIVE}">'
            f'{of_signed_info}</{d}CanonicalizationMethod><{d}SignatureMethod Algorithm="{SIGNATURES[self.algorithm]}"/><{d}Reference URI="#{reference}">'
            f'<{d}Transforms><{d}Transform Algorithm="{ENVELOPED}"/><{d}Transform Algorithm="{EXCLUSIVE}">{inclusive}'
            f'</{d}Transform></{d}Transforms><{d}DigestMethod Algorithm="{DIGESTS[self.digest][0]}"/>'
            f"<{d}DigestValue>{digest_value}</{d}DigestValue></{d}Reference></{d}SignedInfo>"
            f"<{d}SignatureValue/>{key_info}</{d}Signature>"
        )


def _canonical(element: Element, prefixes: str) -> bytes:
    etree.fromstring('<a xmlns:a="#default"/>')  # without having read it as a name, lxml leaves it out of the prefixes
    return etree.tostring(
        element,
        method="c14n",
        exclusive=True,
        with_comments=False,
        with_tail=False,
        inclusive_ns_prefixes=prefixes.split() or None,
    )
