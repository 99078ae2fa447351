"""An identity provider that signs, in the words and the shape of AWS IAM Identity Center.

Built on lxml and cryptography alone. It shares no code with :mod:`core.saml`, so that each checks the other. It makes
whatever it is asked for, weak algorithms and broken messages included, because the gate must be tried with them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

from core import clock
from core.testing.encryption import Encryptor
from core.testing.requests import AuthnRequest, parse_authn_request
from core.testing.signing import (
    ASSERTION,
    DIGESTS,
    DSIG,
    ENVELOPED,
    EXCLUSIVE,
    PROTOCOL,
    SIGNATURES,
    Element,
    PrivateKey,
    Signer,
)

__all__ = [
    "ASSERTION",
    "BEARER",
    "DIGESTS",
    "DSIG",
    "EMAIL",
    "ENVELOPED",
    "EXCLUSIVE",
    "METADATA",
    "NAME_BASIC",
    "NAME_UNSPECIFIED",
    "NAME_URI",
    "PERSISTENT",
    "PROTOCOL",
    "REQUESTER",
    "REQUEST_DENIED",
    "RESPONDER",
    "SIGNATURES",
    "SUCCESS",
    "TRANSIENT",
    "UNSPECIFIED",
    "AuthnRequest",
    "Element",
    "IdentityProvider",
    "Minted",
    "Names",
    "PrivateKey",
    "Signer",
    "parse_authn_request",
    "self_signed",
    "serialize",
]

METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

EMAIL: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
NAME_UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
NAME_BASIC: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
NAME_URI: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"

SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
RESPONDER: Final = "urn:oasis:names:tc:SAML:2.0:status:Responder"
REQUESTER: Final = "urn:oasis:names:tc:SAML:2.0:status:Requester"
REQUEST_DENIED: Final = "urn:oasis:names:tc:SAML:2.0:status:RequestDenied"

_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    "p-192": ec.SECP192R1,
    "p-256": ec.SECP256R1,
    "p-384": ec.SECP384R1,
    "p-521": ec.SECP521R1,
}


@dataclass(frozen=True, slots=True)
class Minted:
    """A response: its XML, and the value of the form field SAMLResponse (base64 in one line)."""

    xml: bytes

    @property
    def form_value(self) -> str:
        """The value of the form field SAMLResponse."""
        return base64.b64encode(self.xml).decode("ascii")


@dataclass(frozen=True, slots=True)
class Names:
    """The namespace prefixes of a response; an empty one stands for a default namespace."""

    protocol: str = "saml2p"
    assertion: str = "saml2"
    signature: str = "ds"


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """One provider with one key pair. It never changes: :meth:`rotate` answers a new one."""

    entity_id: str
    sign_in_url: str
    key: PrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(
        cls,
        entity_id: str,
        sign_in_url: str | None = None,
        key: str = "rsa-2048",
        *,
        valid_from: datetime | None = None,
        valid_for: timedelta = timedelta(days=5 * 365),
    ) -> IdentityProvider:
        """A provider with a new key and a self-signed certificate like those of AWS (five years, no extensions).

        ``key`` is ``rsa-<bits>`` or ``p-192``, ``p-256``, ``p-384``, ``p-521``. The sign-in URL is the entity ID unless given.
        """
        kind, _, size = key.partition("-")
        private: PrivateKey
        if kind == "rsa":
            private = rsa.generate_private_key(public_exponent=65537, key_size=int(size))
        else:
            private = ec.generate_private_key(_CURVES[key]())
        certificate = self_signed(private, valid_from or clock.now() - timedelta(days=1), valid_for)
        return cls(entity_id, sign_in_url or entity_id, private, certificate)

    def rotate(self) -> IdentityProvider:
        """The same provider after a change of its certificate: a new key of the same kind."""
        fresh = IdentityProvider.create(self.entity_id, self.sign_in_url, self.key_kind)
        return replace(self, key=fresh.key, certificate=fresh.certificate)

    @property
    def key_kind(self) -> str:
        """The kind of key as :meth:`create` takes it."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return f"rsa-{self.key.key_size}"
        return f"p-{self.key.curve.key_size}"

    @property
    def certificate_pem(self) -> str:
        """The certificate as PEM text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def certificate_base64(self) -> str:
        """The certificate as one line of base64, as metadata and KeyInfo hold it."""
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode("ascii")

    def metadata(self, *, name_id_format: str = "") -> bytes:
        """Metadata as AWS writes it: unsigned, one signing key, an empty NameIDFormat until a format is chosen."""
        location = quoteattr(self.sign_in_url)
        logout = quoteattr(self.sign_in_url.replace("/saml/assertion/", "/saml/logout/"))
        binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP"
        return (
            (
                '<?xml version="1.0" encoding="UTF-8"?>'
                f'<md:EntityDescriptor xmlns:md="{METADATA}" entityID={quoteattr(self.entity_id)}>\n'
                f'  <md:IDPSSODescriptor WantAuthnRequestsSigned="false" protocolSupportEnumeration="{PROTOCOL}">\n'
                f'    <md:KeyDescriptor use="signing">\n      <ds:KeyInfo xmlns:ds="{DSIG}">\n        <ds:X509Data>\n'
                f"          <ds:X509Certificate>{self.certificate_base64}</ds:X509Certificate>\n"
                "        </ds:X509Data>\n      </ds:KeyInfo>\n    </md:KeyDescriptor>\n"
                f'    <md:SingleLogoutService Binding="{binding}-POST" Location={logout}/>\n'
                f'    <md:SingleLogoutService Binding="{binding}-Redirect" Location={logout}/>\n'
                f"    <md:NameIDFormat>{escape(name_id_format)}</md:NameIDFormat>\n"
                f'    <md:SingleSignOnService Binding="{binding}-POST" Location={location}/>\n'
                f'    <md:SingleSignOnService Binding="{binding}-Redirect" Location={location}/>\n'
                "  </md:IDPSSODescriptor>\n</md:EntityDescriptor>\n"
            )
            .replace("<md:NameIDFormat></md:NameIDFormat>", "<md:NameIDFormat/>")
            .encode()
        )

    def response(
        self,
        acs_url: str,
        audience: str,
        *,
        subject: str = "ada@example.test",
        name_id_format: str = EMAIL,
        attributes: Mapping[str, Sequence[str]] | None = None,
        attribute_name_format: str = "",
        attribute_type: str = "",
        in_response_to: str | None = None,
        sign: Sequence[str] = ("response", "assertion"),
        now: datetime | None = None,
        lifetime: timedelta = timedelta(minutes=5),
        session: timedelta | None = timedelta(hours=1),
        destination: str | None = "",
        recipient: str | None = "",
        issuer: str = "",
        response_issuer: str | None = "",
        version: str = "2.0",
        status: Sequence[str] = (SUCCESS,),
        status_message: str = "",
        milliseconds: bool = True,
        names: Names = Names(),
        signature: str = "",
        digest: str = "sha256",
        inclusive_prefixes: str = "",
        key_info: bool = True,
        encrypt: Encryptor | None = None,
        edit: Callable[[Element], None] | None = None,
        edit_signature: Callable[[Element], None] | None = None,
    ) -> Minted:
        """A response of the shape that AWS sends.

        ``attributes`` None leaves the AttributeStatement out, an empty mapping makes the empty one that AWS sends when
        only the subject is mapped. ``destination``, ``recipient``, ``issuer`` and ``response_issuer`` are the right
        ones when empty and absent when None. ``status`` holds the StatusCode and those nested in it; without Success
        there is no assertion. ``sign`` names what is signed. ``signature`` is a key of SIGNATURES (by default SHA-256 with
        the provider's own kind of key), ``digest`` one of DIGESTS. ``encrypt`` acts between the two signatures.
        ``edit`` changes the Response before it is signed, ``edit_signature`` each ds:Signature after its digest and before
        its value is computed.
        """
        shape = _Shape(names, now or clock.now(), milliseconds)
        issuer = issuer or self.entity_id
        attributes_of_response = shape.attributes(
            Destination=acs_url if destination == "" else destination,
            ID=f"_r-{token_hex(16)}",
            InResponseTo=in_response_to,
            IssueInstant=shape.time(),
            Version=version,
        )
        assertion = ""
        if status[0] == SUCCESS:
            assertion = "".join(
                [
                    shape.assertion_start(version, issuer),
                    shape.subject(
                        subject, name_id_format, acs_url if recipient == "" else recipient, in_response_to, lifetime
                    ),
                    shape.conditions(audience, lifetime),
                    shape.authn(session),
                    shape.attribute_statement(attributes, attribute_name_format, attribute_type),
                    shape.assertion_end(),
                ]
            )
        root = etree.fromstring(
            f"<{shape.p}Response {shape.xmlns('protocol')}{attributes_of_response}>"
            + ("" if response_issuer is None else shape.issuer(response_issuer or issuer, declared=False))
            + shape.status(status, status_message)
            + assertion
            + f"</{shape.p}Response>"
        )
        if edit:
            edit(root)
        signer = Signer(self, signature, digest, inclusive_prefixes, names.signature, key_info, edit_signature)
        if "assertion" in sign:
            for element in root.findall(f"{{{ASSERTION}}}Assertion"):
                signer.sign(element)
        if encrypt:
            for element in root.findall(f"{{{ASSERTION}}}Assertion"):
                encrypt.encrypt(element)
        if "response" in sign:
            signer.sign(root)
        return Minted(serialize(root))


def serialize(root: Element) -> bytes:
    """The document as AWS writes it: the declaration and the root element on one line."""
    return b'<?xml version="1.0" encoding="UTF-8"?>' + etree.tostring(root, encoding="unicode").encode()


def self_signed(key: PrivateKey, valid_from: datetime, valid_for: timedelta) -> x509.Certificate:
    """A certificate as AWS makes it: its own issuer, no extensions, the same name for every customer."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Amazon"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "IDAS"),
            x509.NameAttribute(NameOID.COMMON_NAME, "amazonaws.com"),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(token_hex(4), 16) or 1)
        .not_valid_before(valid_from)
        .not_valid_after(valid_from + valid_for)
        .sign(key, hashes.SHA256())
    )


class _Shape:
    """Writes the parts of a response as text, with the prefixes asked for."""

    def __init__(self, names: Names, now: datetime, milliseconds: bool) -> None:  # noqa: FBT001  one private caller
        self.names = names
        self.now = now
        self.milliseconds = milliseconds
        self.p = f"{names.protocol}:" if names.protocol else ""
        self.a = f"{names.assertion}:" if names.assertion else ""

    def xmlns(self, which: str) -> str:
        prefix, uri = {"protocol": (self.names.protocol, PROTOCOL), "assertion": (self.names.assertion, ASSERTION)}[
            which
        ]
        return f'xmlns:{prefix}="{uri}"' if prefix else f'xmlns="{uri}"'

    def attributes(self, **values: str | None) -> str:
        return "".join(f" {name}={quoteattr(value)}" for name, value in values.items() if value is not None)

    def time(self, offset: timedelta = timedelta(0)) -> str:
        moment = (self.now + offset).astimezone(UTC)
        fraction = f".{moment.microsecond // 1000:03}" if self.milliseconds else ""
        return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"

    def issuer(self, value: str, *, declared: bool) -> str:
        start = f"{self.a}Issuer" if declared else f"{self.a}Issuer {self.xmlns('assertion')}"
        return f"<{start}>{escape(value)}</{self.a}Issuer>"

    def status(self, codes: Sequence[str], message: str) -> str:
        nested = ""
        for code in reversed(codes):
            start = f"<{self.p}StatusCode{self.attributes(Value=code)}"
            nested = f"{start}>{nested}</{self.p}StatusCode>" if nested else f"{start}/>"
        text = f"<{self.p}StatusMessage>{escape(message)}</{self.p}StatusMessage>" if message else ""
        return f"<{self.p}Status>{nested}{text}</{self.p}Status>"

    def assertion_start(self, version: str, issuer: str) -> str:
        attributes = self.attributes(ID=f"_a-{token_hex(16)}", IssueInstant=self.time(), Version=version)
        return f"<{self.a}Assertion {self.xmlns('assertion')}{attributes}>{self.issuer(issuer, declared=True)}"

    def assertion_end(self) -> str:
        return f"</{self.a}Assertion>"

    def subject(
        self, subject: str, name_id_format: str, recipient: str | None, in_response_to: str | None, lifetime: timedelta
    ) -> str:
        a = self.a
        data = self.attributes(InResponseTo=in_response_to, NotOnOrAfter=self.time(lifetime), Recipient=recipient)
        return (
            f"<{a}Subject><{a}NameID{self.attributes(Format=name_id_format or None)}>{escape(subject)}</{a}NameID>"
            f'<{a}SubjectConfirmation Method="{BEARER}"><{a}SubjectConfirmationData{data}/></{a}SubjectConfirmation>'
            f"</{a}Subject>"
        )

    def conditions(self, audience: str, lifetime: timedelta) -> str:
        a = self.a
        window = self.attributes(NotBefore=self.time(-timedelta(minutes=5)), NotOnOrAfter=self.time(lifetime))
        restriction = f"<{a}AudienceRestriction><{a}Audience>{escape(audience)}</{a}Audience></{a}AudienceRestriction>"
        return f"<{a}Conditions{window}>{restriction}</{a}Conditions>"

    def authn(self, session: timedelta | None) -> str:
        a = self.a
        end = None if session is None else self.time(session)
        attributes = self.attributes(
            AuthnInstant=self.time(), SessionIndex=f"_s-{token_hex(8)}", SessionNotOnOrAfter=end
        )
        context = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
        return (
            f"<{a}AuthnStatement{attributes}><{a}AuthnContext><{a}AuthnContextClassRef>{context}</{a}AuthnContextClassRef>"
            f"</{a}AuthnContext></{a}AuthnStatement>"
        )

    def attribute_statement(
        self, attributes: Mapping[str, Sequence[str]] | None, name_format: str, xsi_type: str
    ) -> str:
        a = self.a
        if attributes is None:
            return ""
        if not attributes:
            return f"<{a}AttributeStatement/>"
        typed = ""
        if xsi_type:
            typed = (
                ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
                f" xsi:type={quoteattr(xsi_type)}"
            )
        rows = []
        for name, values in attributes.items():
            start = f"<{a}Attribute{self.attributes(Name=name, NameFormat=name_format or None)}>"
            inside = "".join(f"<{a}AttributeValue{typed}>{escape(value)}</{a}AttributeValue>" for value in values)
            rows.append(f"{start}{inside}</{a}Attribute>")
        return f"<{a}AttributeStatement>{''.join(rows)}</{a}AttributeStatement>"
