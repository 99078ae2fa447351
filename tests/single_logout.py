"""Sign-ins and sign-outs through a connection that takes part in single logout, as a browser without scripts does them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

from core.flows import activation
from core.flows.activation import Activated
from core.testing import logout as theirs
from core.testing.identity_provider import SUCCESS, IdentityProvider, parse_authn_request
from tests.website import Website, post

PLUGIN = "custom_saml"
THERE = "https://idp.example.test/slo?tenant=1"
ADA = "ada@northwind.example"


def activated(site: Website, provider: IdentityProvider, **more: str) -> Activated:
    values: dict[str, str | bytes] = {
        "sso.issuer": provider.entity_id,
        "sso.sign_in_url": provider.sign_in_url,
        "sso.certificate": provider.certificate_pem,
        "sso.single_logout_url": THERE,
        "sso.logout_url": "",
        "sso.redirect_url": "",
        **{f"sso.{name}": value for name, value in more.items()},
    }
    return activation.set_values(site.services, site.actor, PLUGIN, values)


def path(url: str) -> str:
    return urlsplit(url).path


@contextmanager
def signed_in(site: Website, connection: Activated, provider: IdentityProvider) -> Iterator[httpx.Client]:
    """A browser in which Ada has signed in through the connection."""
    with site.browser() as browser:
        begun = browser.get(path(connection.site.login_url))
        request = parse_authn_request(urlsplit(begun.headers["location"]).query)
        minted = provider.response(
            connection.site.acs_url, connection.site.audience, in_response_to=request.id, subject=ADA
        )
        fields = {"SAMLResponse": minted.form_value, "RelayState": request.relay_state}
        assert browser.post(path(connection.site.acs_url), data=fields).headers["location"] == "/"
        yield browser


def leave(browser: httpx.Client) -> tuple[httpx.Response, str]:
    """Press Sign out; answers the page that follows, and where it goes on."""
    answer = post(browser, "/signout", page="/")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/signed-out?to=")
    page = browser.get(answer.headers["location"])
    return page, page.headers["refresh"].partition("url=")[2]


def come_back(
    browser: httpx.Client,
    connection: Activated,
    provider: IdentityProvider,
    asked: theirs.Read,
    status: Sequence[str] = (SUCCESS,),
) -> httpx.Response:
    xml = theirs.logout_response(provider, connection.site.single_logout_url, asked.id, status=status)
    url = path(connection.site.single_logout_url)
    return browser.get(f"{url}?{theirs.query('SAMLResponse', xml, asked.relay_state, provider)}")
