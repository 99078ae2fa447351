"""The HTTP-Redirect binding: a message in the query of a URL, with or without a signature (SAML Bindings 3.4).

The signature covers the octets of the query as they were sent, not what they say: whoever writes them anew breaks it.
So a received query is taken apart as text, and only what was verified is decoded.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from core.errors import SignInRefused
from core.refusals import SIGNATURE_INVALID, SIGNATURE_MISSING, SIGNATURE_PROFILE, SIGNATURE_WEAK
from core.saml import document
from core.saml.document import DocumentRefused
from core.saml.pinned_keys import LEAST_SIGNATURE_BYTES, RSA_SHA256, Keys
from core.saml.service_keys import ServiceKey

Name = Literal["SAMLRequest", "SAMLResponse"]

_DEFLATE: Final = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
_KNOWN: Final = ("SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding")
_LONGEST_QUERY: Final = 64 * 1024
"""Characters; browsers and servers stop at a few thousand."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came in a query. Its ``xml`` (bounded bytes) is believed only after :func:`verify`.

    ``octets`` is what a signature covers; ``algorithm`` and ``signature`` are empty where there is none.
    """

    name: Name
    xml: bytes
    relay_state: str
    octets: bytes
    algorithm: str
    signature: str


def destination(url: str) -> str:
    """Where a message goes that is meant for ``url``: without its fragment, which no browser sends."""
    return urlunsplit(urlsplit(url)._replace(fragment=""))


def location(url: str, name: Name, xml: str, relay_state: str = "", key: ServiceKey | None = None) -> str:
    """The URL that carries a message to ``url``, signed with RSA-SHA256 where there is a ``key``.

    A query that ``url`` already has is kept, and no part of what is signed. ``url`` is a :func:`destination`.
    """
    sent: str = dict(binding()(xml, url, relay_state, name)["headers"])["Location"]
    if key is None:
        return sent
    query = sent.removeprefix(url)[1:] + "&" + urlencode({"SigAlg": RSA_SHA256})
    signature = base64.b64encode(key.private.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256()))
    return f"{sent[: len(url) + 1]}{query}&{urlencode({'Signature': signature})}"


def read(query: str) -> Received:
    """The message in a query, inflated to at most :data:`core.saml.document.MOST_BYTES` bytes.

    ``query`` is the query string as it was sent, still percent-encoded. Raises DocumentRefused with what is wrong.
    """
    if len(query) > _LONGEST_QUERY:
        raise DocumentRefused(f"The query is longer than {_LONGEST_QUERY} characters")
    raw: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        name = unquote_plus(name)
        if name in raw:
            raise DocumentRefused(f"{name} stands twice in the query")
        if name in _KNOWN:
            raw[name] = value
    messages: list[Name] = [name for name in ("SAMLRequest", "SAMLResponse") if name in raw]
    if len(messages) != 1:
        raise DocumentRefused("The query holds no message, or two")
    if unquote_plus(raw.get("SAMLEncoding", "")) not in {"", _DEFLATE}:
        raise DocumentRefused("The message is not in the DEFLATE encoding")
    signed = [f"{name}={raw[name]}" for name in (messages[0], "RelayState", "SigAlg") if name in raw]
    return Received(
        name=messages[0],
        xml=_inflated(unquote_plus(raw[messages[0]])),
        relay_state=unquote_plus(raw.get("RelayState", "")),
        octets="&".join(signed).encode(),
        algorithm=unquote_plus(raw.get("SigAlg", "")),
        signature=unquote_plus(raw.get("Signature", "")),
    )


def verify(received: Received, keys: Keys, now: datetime) -> str:
    """The fingerprint of the pinned certificate whose key made the signature of a query (SAML Bindings 3.4.4.1).

    Raises SignInRefused with SIGNATURE_MISSING, SIGNATURE_PROFILE, SIGNATURE_WEAK, CERTIFICATE_EXPIRED or
    SIGNATURE_INVALID.
    """
    if not received.algorithm or not received.signature:
        raise SignInRefused(SIGNATURE_MISSING, "The query is not signed")
    if received.algorithm not in LEAST_SIGNATURE_BYTES:
        raise SignInRefused(
            SIGNATURE_WEAK, "The algorithm is not taken", expected=RSA_SHA256, received=received.algorithm
        )
    try:
        signature = document.octets(received.signature)
    except ValueError:
        raise SignInRefused(SIGNATURE_PROFILE, "Signature is not base64") from None
    usable = keys.usable(now)
    for key in usable:
        if key.made(signature, received.octets, received.algorithm):
            return key.certificate.fingerprint
    known = ", ".join(key.certificate.fingerprint for key in usable)
    raise SignInRefused(SIGNATURE_INVALID, "No certificate of this connection fits", expected=known)


def _inflated(text: str) -> bytes:
    inflater = zlib.decompressobj(-15)
    try:
        xml = inflater.decompress(document.octets(text), document.MOST_BYTES)
    except (ValueError, zlib.error):
        raise DocumentRefused("The message is not base64 of DEFLATE") from None
    if not inflater.eof or inflater.unused_data:
        raise DocumentRefused(f"The message is cut off, or longer than {document.MOST_BYTES // 1024} KiB")
    return xml


@cache
def binding() -> Callable[[str, str, str, str], dict[str, Any]]:
    """pysaml2's HTTP-Redirect binding. Its module compiles the XML schemas of SAML when it is imported, for half a
    second: a server does that beside its start, and a command that sends nobody to sign in never does.
    """
    from saml2.pack import http_redirect_message  # noqa: PLC0415  see above

    made: Callable[[str, str, str, str], dict[str, Any]] = http_redirect_message
    return made
