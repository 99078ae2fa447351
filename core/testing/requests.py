"""What a provider reads of a request, in whatever way it comes (SAML Bindings 3.4, 3.5)."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Final
from urllib.parse import parse_qs

from lxml import etree

from core.testing.signing import ASSERTION, PROTOCOL

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_MOST_REQUEST_BYTES: Final = 64 * 1024
"""An AuthnRequest inflates to 1 KiB; what inflates to more is not read on."""


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """What a provider reads from a request: its ID, the audience, where to answer, what to send back unchanged, and the
    Format of its NameIDPolicy (empty where it asks for none).
    """

    id: str
    issuer: str
    acs_url: str
    relay_state: str
    name_id_format: str = ""


def parse_authn_request(query: str) -> AuthnRequest:
    """The request in the query string of an HTTP-Redirect binding (SAML Bindings 3.4.4.1).

    Raises ValueError when there is none, or when it is no AuthnRequest.
    """
    fields = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    try:
        inflater = zlib.decompressobj(-15)
        document = inflater.decompress(base64.b64decode(fields["SAMLRequest"], validate=True), _MOST_REQUEST_BYTES)
    except (KeyError, ValueError, zlib.error) as error:
        raise ValueError("The query holds no readable SAMLRequest") from error
    return _request(document, fields.get("RelayState", ""))


def parse_posted_request(fields: Mapping[str, str]) -> AuthnRequest:
    """The request in the fields of an HTTP-POST binding (SAML Bindings 3.5.4). Raises ValueError as above."""
    try:
        document = base64.b64decode(fields["SAMLRequest"], validate=True)
    except (KeyError, ValueError) as error:
        raise ValueError("The form holds no readable SAMLRequest") from error
    return _request(document, fields.get("RelayState", ""))


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden fields of the forms of a page."""
    return {unescape(name): unescape(value) for name, value in _HIDDEN.findall(page)}


def _request(document: bytes, relay_state: str) -> AuthnRequest:
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        raise ValueError("The SAMLRequest is no XML") from error
    if root.tag != f"{{{PROTOCOL}}}AuthnRequest":
        raise ValueError("The SAMLRequest is no AuthnRequest")
    policy = root.find(f"{{{PROTOCOL}}}NameIDPolicy")
    return AuthnRequest(
        id=root.get("ID", ""),
        issuer=(root.findtext(f"{{{ASSERTION}}}Issuer") or "").strip(),
        acs_url=root.get("AssertionConsumerServiceURL", ""),
        relay_state=relay_state,
        name_id_format="" if policy is None else policy.get("Format", ""),
    )
