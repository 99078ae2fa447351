"""A person, and an application, in front of the practice identity provider."""

from __future__ import annotations

import base64
import zlib
from typing import Any
from urllib.parse import urlencode

import httpx
import lxml.html
from lxml import etree

from core.testing.identity_provider import ASSERTION, PROTOCOL
from core.testing.practice.state import Application

ACS = "http://localhost:8000/sso/one/acs"
AUDIENCE = "http://localhost:8000/sso/one"
PRIYA = "priya.raman@northwind.example"


def authn_request(*, issuer: str = AUDIENCE, acs_url: str = ACS, name_id_format: str = "") -> bytes:
    policy = f'<samlp:NameIDPolicy Format="{name_id_format}"/>' if name_id_format else ""
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID="_asked" Version="2.0" '
        f'IssueInstant="2030-01-01T00:00:00Z" AssertionConsumerServiceURL="{acs_url}">'
        f"<saml:Issuer>{issuer}</saml:Issuer>{policy}</samlp:AuthnRequest>"
    ).encode()


def redirect_url(application: Application, request: bytes | None = None, **fields: str) -> str:
    deflate = zlib.compressobj(wbits=-15)
    deflated = deflate.compress(request or authn_request()) + deflate.flush()
    query = urlencode({"SAMLRequest": base64.b64encode(deflated).decode(), **fields})
    return f"{application.sign_in_url}?{query}"


def sign_in(client: httpx.Client, user_name: str = PRIYA) -> None:
    assert client.post("/signin", data={"person": user_name}).status_code == 303


def sent(page: str) -> tuple[str, dict[str, str]]:
    """Where the form of a page sends a response to, and its fields."""
    document: Any = lxml.html.fromstring(page)
    form = next(form for form in document.forms if "SAMLResponse" in form.fields)
    return form.action or "", {name: value or "" for name, value in form.fields.items()}


def received(fields: dict[str, str]) -> etree._Element:
    return etree.fromstring(base64.b64decode(fields["SAMLResponse"]))
