"""An AuthnRequest, and what carries it (SAML Core 3.4.1): a URL (Bindings 3.4) or the fields of a form (Bindings 3.5)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex

from saml2 import BINDING_HTTP_POST
from saml2.saml import Issuer
from saml2.samlp import AuthnRequest

from core import clock
from core.plugin_api import RequestBinding
from core.saml import redirect, signing
from core.saml.elements import stamp
from core.saml.service_keys import ServiceKey

LONGEST_RELAY_STATE = 80
"""Bytes (SAML Bindings 3.4.3)."""


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """One request: the ID that the answer has to name, and the URL to send the browser to. Where there are ``fields``,
    the browser posts them there; otherwise it just goes there.
    """

    id: str
    url: str
    fields: Mapping[str, str] = field(default_factory=dict)


def login_request(  # noqa: PLR0917  what makes a request, each part from somewhere else
    sign_in_url: str,
    issuer: str,
    acs_url: str,
    relay_state: str,
    binding: RequestBinding = RequestBinding.REDIRECT,
    key: ServiceKey | None = None,
) -> LoginRequest:
    """A new AuthnRequest of ``issuer`` (our entity ID), answered to ``acs_url`` by HTTP-POST.

    It asks for no NameID format: AWS answers 403 when a format differs from the one configured there. It is signed where
    there is a ``key``: in the query of a redirect, in the XML of a form. A query that ``sign_in_url`` already has is kept.
    ``relay_state`` is opaque ASCII of at most 80 bytes; raises ValueError for any other, because some providers change it.
    """
    if not relay_state.isascii() or len(relay_state) > LONGEST_RELAY_STATE:
        raise ValueError("The relay state is not ASCII or longer than 80 bytes")
    identifier = f"_{token_hex(20)}"
    destination = redirect.destination(sign_in_url)
    request = AuthnRequest(
        id=identifier,
        version="2.0",
        issue_instant=stamp(clock.now()),
        destination=destination,
        protocol_binding=BINDING_HTTP_POST,
        assertion_consumer_service_url=acs_url,
        issuer=Issuer(text=issuer),
    )
    xml = str(request)
    if binding is RequestBinding.REDIRECT:
        return LoginRequest(identifier, redirect.location(destination, "SAMLRequest", xml, relay_state, key))
    message = base64.b64encode((signing.signed(xml, key) if key else xml).encode()).decode("ascii")
    return LoginRequest(identifier, destination, {"SAMLRequest": message, "RelayState": relay_state})
