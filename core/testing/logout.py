"""The provider's side of single logout (SAML Core 3.7; Bindings 3.4, 3.5).

On lxml and cryptography alone, as the provider is.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from core import clock
from core.testing.identity_provider import EMAIL, SUCCESS, IdentityProvider, serialize
from core.testing.signing import ASSERTION, PROTOCOL, SIGNATURES, Element, Signer

PARTIAL_LOGOUT: Final = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"


@dataclass(frozen=True, slots=True)
class Read:
    """A message that SiQ sent: its root element, and what stood beside it. ``signed`` says that one of the certificates
    given made the signature of the query.
    """

    root: Element
    relay_state: str
    signed: bool

    @property
    def id(self) -> str:
        """Its ID."""
        return self.root.get("ID", "")

    @property
    def statuses(self) -> list[str]:
        """The status codes of a response, the outer one first, by their last words."""
        return [each.get("Value", "").rpartition(":")[2] for each in self.root.iter(f"{{{PROTOCOL}}}StatusCode")]

    @property
    def message(self) -> str:
        """The StatusMessage of a response."""
        return self.root.findtext(f".//{{{PROTOCOL}}}StatusMessage", "")


def logout_request(
    provider: IdentityProvider,
    destination: str | None,
    subject: str,
    *,
    name_id_format: str = EMAIL,
    session_indexes: Sequence[str] = (),
    identifier: str = "",
    now: datetime | None = None,
    not_on_or_after: datetime | None = None,
    issuer: str = "",
    version: str = "2.0",
    inside: str = "",
) -> str:
    """A LogoutRequest, unsigned. ``destination`` None leaves it out; ``inside`` is XML put after the NameID, and an empty
    ``subject`` leaves that out.
    """
    name_id = f"<a:NameID{_attributes(Format=name_id_format or None)}>{escape(subject)}</a:NameID>" if subject else ""
    indexes = "".join(f"<p:SessionIndex>{escape(index)}</p:SessionIndex>" for index in session_indexes)
    head = _attributes(
        ID=identifier or f"_l-{token_hex(16)}",
        Version=version,
        IssueInstant=_time(now or clock.now()),
        Destination=destination,
        NotOnOrAfter=_time(not_on_or_after) if not_on_or_after else None,
    )
    return (
        f'<p:LogoutRequest xmlns:p="{PROTOCOL}" xmlns:a="{ASSERTION}"{head}><a:Issuer>'
        f"{escape(issuer or provider.entity_id)}</a:Issuer>{name_id}{inside}{indexes}</p:LogoutRequest>"
    )


def logout_response(
    provider: IdentityProvider,
    destination: str,
    in_response_to: str | None,
    *,
    status: Sequence[str] = (SUCCESS,),
    now: datetime | None = None,
    issuer: str = "",
) -> str:
    """A LogoutResponse, unsigned. ``status`` holds the StatusCode and those nested in it."""
    nested = ""
    for code in reversed(status):
        nested = f"<p:StatusCode{_attributes(Value=code)}>{nested}</p:StatusCode>"
    head = _attributes(
        ID=f"_l-{token_hex(16)}",
        Version="2.0",
        IssueInstant=_time(now or clock.now()),
        Destination=destination,
        InResponseTo=in_response_to,
    )
    return (
        f'<p:LogoutResponse xmlns:p="{PROTOCOL}" xmlns:a="{ASSERTION}"{head}><a:Issuer>'
        f"{escape(issuer or provider.entity_id)}</a:Issuer><p:Status>{nested}</p:Status></p:LogoutResponse>"
    )


def query(
    name: str,
    xml: str,
    relay_state: str | None = None,
    by: IdentityProvider | None = None,
    algorithm: str = "",
) -> str:
    """The query that carries a message, signed ``by`` a provider with a key of SIGNATURES, or by nobody."""
    compressor = zlib.compressobj(wbits=-15)
    octets = compressor.compress(xml.encode()) + compressor.flush()
    fields = {name: base64.b64encode(octets).decode()} | ({} if relay_state is None else {"RelayState": relay_state})
    if by is None:
        return urlencode(fields)
    signer = Signer(by, algorithm)
    text = urlencode({**fields, "SigAlg": SIGNATURES[signer.algorithm]})
    return f"{text}&{urlencode({'Signature': base64.b64encode(signer.sign_octets(text.encode()))})}"


def form_value(
    xml: str, by: IdentityProvider | None = None, edit: Callable[[Element], None] | None = None, signature: str = ""
) -> str:
    """The form field that carries a message, signed ``by`` a provider, or by nobody. ``edit`` changes it after that."""
    root = etree.fromstring(xml)
    if by:
        Signer(by, signature).sign(root)
    if edit:
        edit(root)
    return base64.b64encode(serialize(root)).decode("ascii")


def read(url: str, certificates: Sequence[x509.Certificate] = ()) -> Read:
    """The message in a URL that SiQ sends a browser to. Raises ValueError where there is none."""
    text = urlsplit(url).query
    fields = {name: values[0] for name, values in parse_qs(text).items()}
    message = fields.get("SAMLRequest") or fields.get("SAMLResponse")
    if message is None:
        raise ValueError("The query holds no message")
    signed_text = text[text.index("SAMLRe") : text.index("&Signature=")] if "&Signature=" in text else ""
    value = base64.b64decode(fields.get("Signature", ""))
    return Read(
        etree.fromstring(zlib.decompress(base64.b64decode(message), -15)),
        fields.get("RelayState", ""),
        any(_verifies(certificate, value, signed_text) for certificate in certificates),
    )


def _verifies(certificate: x509.Certificate, value: bytes, text: str) -> bool:
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    try:
        key.verify(value, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except Exception:  # noqa: BLE001  whatever is wrong with it, it does not verify
        return False
    return True


def _attributes(**values: str | None) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items() if value is not None)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
