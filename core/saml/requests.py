"""An AuthnRequest, and the URL that carries it (SAML Core 3.4.1, HTTP-Redirect binding: SAML Bindings 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from saml2 import BINDING_HTTP_POST
from saml2.saml import Issuer
from saml2.samlp import AuthnRequest

from core import clock

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
    message = redirect_binding()(str(request), destination, relay_state)
    return LoginRequest(identifier, dict(message["headers"])["Location"])


@cache
def redirect_binding() -> Callable[[str, str, str], dict[str, Any]]:
    """pysaml2's HTTP-Redirect binding. Its module compiles the XML schemas of SAML when it is imported, for half a
    second: a server does that beside its start, and a command that sends nobody to sign in never does.
    """
    from saml2.pack import http_redirect_message  # noqa: PLC0415  see above

    binding: Callable[[str, str, str], dict[str, Any]] = http_redirect_message
    return binding
