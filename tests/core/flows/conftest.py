"""An organization whose Amazon AWS connection trusts a provider that the tests hold the key of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from core import correlation
from core.flows import activation, sign_in
from core.flows.activation import Activated
from core.flows.actors import Actor
from core.flows.attempts import Delivery, Visitor
from core.flows.services import Services
from core.flows.sign_in import SignedIn
from core.testing.identity_provider import IdentityProvider, Minted, parse_authn_request
from tests.core.scim.conftest import Directory, directory_of

SIGN_IN_URL = "https://portal.sso.eu-west-1.amazonaws.com/saml/assertion/MTExMTIyMjIzMzMzX2lucy0wMTIzNDU2Nzg5YWJjZGVm"
ADDRESS = "203.0.113.24"


@dataclass(frozen=True)
class Browser:
    """One browser at one connection: what it carries from ``begin`` to ``finish``."""

    services: Services
    activated: Activated
    provider: IdentityProvider
    token: str | None = None
    relay_state: str = ""
    request_id: str | None = None

    def begin(self, next_path: str | None = None) -> Browser:
        """The browser after the click: it has a pending request."""
        begun = sign_in.begin(self.services, self.activated.connection_id, next_path, self.token)
        request = parse_authn_request(urlsplit(begun.url).query)
        return Browser(
            self.services, self.activated, self.provider, begun.browser_token, request.relay_state, request.id
        )

    def mint(self, provider: IdentityProvider | None = None, **changes: Any) -> Minted:
        """A response for this browser's request (unsolicited where it has none), with ``changes``."""
        site = self.activated.site
        defaults: dict[str, Any] = {"in_response_to": self.request_id, "attributes": {}}
        return (provider or self.provider).response(site.acs_url, site.audience, **{**defaults, **changes})

    def deliver(self, minted: Minted, relay_state: str | None = None) -> SignedIn:
        """What the flow answers to a response that this browser brings."""
        delivery = Delivery(
            minted.form_value,
            self.relay_state if relay_state is None else relay_state,
            self.token,
            Visitor(ADDRESS, "Firefox"),
        )
        correlation.begin()  # as each request of a browser does
        result = sign_in.finish(self.services, self.activated.connection_id, delivery)
        assert isinstance(result, SignedIn)
        return result


@pytest.fixture(scope="session")
def provider() -> IdentityProvider:
    """The identity provider behind the connection."""
    return IdentityProvider.create(SIGN_IN_URL)


def activate(services: Services, actor: Actor, provider: IdentityProvider, **more: str) -> Activated:
    """Amazon AWS, activated for the actor's organization."""
    values: dict[str, str | bytes] = {
        "sso.sign_in_url": provider.sign_in_url,
        "sso.certificate": provider.certificate_pem,
        **{f"sso.{name}": value for name, value in more.items()},
    }
    return activation.set_values(services, actor, "aws_sso", values)


@pytest.fixture
def browser(services: Services, admin: Actor, provider: IdentityProvider) -> Browser:
    """A new browser in front of Northwind's Amazon AWS connection."""
    return Browser(services, activate(services, admin, provider), provider)


@pytest.fixture
def directory(services: Services, admin: Actor, browser: Browser) -> Directory:
    """The directory of the connection that ``browser`` signs in through."""
    assert browser.activated.connection_id
    return directory_of(services, admin)
