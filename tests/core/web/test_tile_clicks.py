"""What a click on the tile in AWS does, per connection, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from core.flows import activation, organizations
from core.flows.activation import Activated
from core.flows.actors import actor_of
from core.testing.identity_provider import IdentityProvider, Minted, parse_authn_request
from tests.website import Website, running, text_of

OK, UNAUTHORIZED, SEE_OTHER, BAD_REQUEST = 200, 401, 303, 400


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    with running(tmp_path_factory.mktemp("siq")) as website:
        yield website


@pytest.fixture(scope="module")
def connections(site: Website, provider: IdentityProvider) -> dict[str, Activated]:
    """Amazon AWS in three organizations at once, each with another choice."""
    made = {}
    for choice in ("accept", "bounce", "refuse"):
        organization = organizations.create_organization(site.services, choice)
        admin = organizations.create_admin(site.services, organization, f"it@{choice}.example")
        values: dict[str, str | bytes] = {
            "sso.sign_in_url": provider.sign_in_url,
            "sso.certificate": provider.certificate_pem,
            "sso.tile_clicks": choice,
        }
        made[choice] = activation.set_values(site.services, actor_of(admin, organization), "aws_sso", values)
    return made


def click(connection: Activated, provider: IdentityProvider, in_response_to: str | None = None) -> Minted:
    site = connection.site
    return provider.response(site.acs_url, site.audience, attributes={}, in_response_to=in_response_to)


def deliver(browser: httpx.Client, connection: Activated, minted: Minted, relay_state: str = "") -> httpx.Response:
    fields = {"SAMLResponse": minted.form_value, "RelayState": relay_state}
    return browser.post(urlsplit(connection.site.acs_url).path, data=fields)


def signed_in(browser: httpx.Client) -> bool:
    status = browser.get("/api/v1/me").status_code
    assert status in (OK, UNAUTHORIZED)
    return status == OK


def sign_in_from(browser: httpx.Client, address: str, connection: Activated, provider: IdentityProvider) -> str:
    """Open a login URL and come back with an answer; where the person lands."""
    begun = browser.get(address)
    asked = parse_authn_request(urlsplit(begun.headers["location"]).query)
    answer = deliver(browser, connection, click(connection, provider, asked.id), asked.relay_state)
    location: str = answer.headers["location"]
    return location


def test_a_click_is_accepted_once(site: Website, connections: dict[str, Activated], provider: IdentityProvider) -> None:
    connection = connections["accept"]
    minted = click(connection, provider)
    with site.browser() as browser, site.browser() as thief:
        answer = deliver(browser, connection, minted, "/users")
        assert (answer.status_code, answer.headers["location"]) == (SEE_OTHER, "/users")
        assert signed_in(browser)
        copied = deliver(thief, connection, minted)
        assert copied.status_code == BAD_REQUEST
        assert "SSO-121" in text_of(copied)
        assert not signed_in(thief)


def test_a_click_is_bounced_into_a_sign_in_of_ours(
    site: Website, connections: dict[str, Activated], provider: IdentityProvider
) -> None:
    connection = connections["bounce"]
    minted = click(connection, provider)
    with site.browser() as browser:
        for _ in range(2):  # a copied response is worth nothing, however often it comes
            answer = deliver(browser, connection, minted)
            assert answer.status_code == SEE_OTHER
            assert connection.site.login_url.endswith(answer.headers["location"])
            assert not signed_in(browser)
        assert sign_in_from(browser, answer.headers["location"], connection, provider) == "/"
        assert signed_in(browser)


@pytest.mark.parametrize(
    ("relay_state", "lands"),
    [("/users?q=ada", "/users?q=ada"), ("https://evil.example/", "/"), ("//evil.example", "/")],
)
def test_a_bounced_click_still_lands_where_its_relay_state_says_within_this_site(
    site: Website, connections: dict[str, Activated], provider: IdentityProvider, relay_state: str, lands: str
) -> None:
    connection = connections["bounce"]
    with site.browser() as browser:
        answer = deliver(browser, connection, click(connection, provider), relay_state)
        assert sign_in_from(browser, answer.headers["location"], connection, provider) == lands


def test_a_click_is_refused_and_the_login_url_still_works(
    site: Website, connections: dict[str, Activated], provider: IdentityProvider
) -> None:
    connection = connections["refuse"]
    with site.browser() as browser:
        answer = deliver(browser, connection, click(connection, provider))
        assert answer.status_code == BAD_REQUEST
        assert "SSO-118" in text_of(answer)
        assert not signed_in(browser)
        assert sign_in_from(browser, urlsplit(connection.site.login_url).path, connection, provider) == "/"
        assert signed_in(browser)


def test_the_dialog_offers_the_three_with_their_help(site: Website) -> None:
    with site.signed_in() as admin:
        words = text_of(admin.get("/settings/integrations/aws_sso/activate"))
    assert "When people click the tile in AWS" in words
    for word in ("Sign them in", "Start a new sign-in here", "Refuse", "People start at SiQ."):
        assert word in words
