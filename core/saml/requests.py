"""An AuthnRequest, and the URL that carries it (SAML Core 3.4.1, HTTP-Redirect binding: SAML Bindings 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

from saml2 import BINDING_HTTP_POST
from saml2.saml import Issuer
from saml2.samlp import AuthnRequest

from core import clock
from core.saml import redirect

LONGEST_RELAY_STATE = 80
"""Bytes (SAML Bindings 3.4.3)."""


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """One request: the ID that the answer has to name, and the URL to send the browser to."""

    id: str
    url: str


def login_request(sign_in_url: str, issuer: str, acs_url: str, relay_state: str) -> LoginRequest:
    """A new AuthnRequest of ``issuer`` (our entity ID), answered to ``acs_url`` by HTTP-POST.

    It is unsigned and asks for no NameID format: AWS answers 403 when a format differs from the one configured there.
    A query that ``sign_in_url`` already has is kept. ``relay_state`` is opaque ASCII of at most 80 bytes; raises
    ValueError for any other, because some providers change it.
    """
    if not relay_state.isascii() or len(relay_state) > LONGEST_RELAY_STATE:
        raise ValueError("The relay state is not ASCII or longer than 80 bytes")
    identifier = f"_{token_hex(20)}"
    destination = urlunsplit(urlsplit(sign_in_url)._replace(fragment=""))
    request = AuthnRequest(
        id=identifier,
        version="2.0",
        issue_instant=f"{clock.now():%Y-%m-%dT%H:%M:%SZ}",
        destination=destination,
        protocol_binding=BINDING_HTTP_POST,
        assertion_consumer_service_url=acs_url,
        issuer=Issuer(text=issuer),
    )
    return LoginRequest(identifier, redirect.location(destination, "SAMLRequest", str(request), relay_state))
