from __future__ import annotations

import pytest

from core.errors import NotFound
from core.flows import activation, organizations, portal
from core.flows.actors import Actor
from core.flows.portal import PortalVisit
from core.flows.services import Services
from core.testing.identity_provider import IdentityProvider
from tests.core.flows.conftest import Browser, activate

TILE = "https://d-93677f1c2a.awsapps.com/start/#/saml/default/SiQ/ins-1"


def visit(services: Services, *, local: bool = False, just_sent: bool = False, signed_out: bool = False) -> PortalVisit:
    return portal.visit(services, "northwind", local=local, just_sent=just_sent, signed_out=signed_out)


@pytest.fixture
def redirecting(services: Services, admin: Actor, provider: IdentityProvider) -> None:
    """Northwind's connection has an SSO Redirect URL."""
    activate(services, admin, provider, redirect_url=TILE)


@pytest.mark.usefixtures("redirecting")
def test_an_anonymous_visitor_is_sent_straight_to_the_redirect_url(services: Services) -> None:
    assert visit(services).send_to == TILE


@pytest.mark.usefixtures("browser")
def test_without_a_redirect_url_the_page_offers_the_ways_in(services: Services, browser: Browser) -> None:
    shown = visit(services)
    assert shown.send_to is None
    assert [(way.title, way.login_path) for way in shown.door.ways] == [
        ("Amazon AWS", f"/sso/{browser.activated.connection_id}/login?next=%2Fportal%2Fnorthwind")
    ]


@pytest.mark.usefixtures("redirecting")
def test_local_is_a_way_past_the_redirect(services: Services) -> None:
    assert visit(services, local=True).send_to is None


@pytest.mark.usefixtures("redirecting")
def test_a_visitor_who_comes_back_without_a_session_is_not_sent_again(services: Services) -> None:
    shown = visit(services, just_sent=True)
    assert (shown.send_to, shown.looped) == (None, True)


@pytest.mark.usefixtures("redirecting")
def test_after_signing_out_nobody_is_sent_until_they_ask(services: Services) -> None:
    shown = visit(services, signed_out=True)
    assert (shown.send_to, shown.paused) == (None, True)


def test_our_own_login_url_as_redirect_url_brings_people_back_to_the_portal(
    services: Services, admin: Actor, browser: Browser
) -> None:
    login_url = browser.activated.site.login_url
    activate(services, admin, browser.provider, redirect_url=login_url)
    assert visit(services).send_to == f"{login_url}?next=%2Fportal%2Fnorthwind"


@pytest.mark.usefixtures("redirecting")
def test_a_disabled_connection_sends_nobody(services: Services, admin: Actor) -> None:
    activation.disable(services, admin, "aws_sso")
    shown = visit(services)
    assert (shown.send_to, shown.door.ways) == (None, ())


def test_an_unknown_organization_has_no_portal(services: Services) -> None:
    with pytest.raises(NotFound):
        portal.visit(services, "nobody", local=False, just_sent=False, signed_out=False)


def test_the_only_organization_is_the_one_to_sign_in_to_and_among_several_none_is(
    services: Services, admin: Actor
) -> None:
    assert portal.door(services).organization_name == admin.organization_name
    organizations.create_organization(services, "contoso")
    assert portal.door(services).organization_name == ""


def test_signing_out_goes_to_the_providers_portal_where_it_is_set(
    services: Services, admin: Actor, browser: Browser
) -> None:
    from core.flows.sessions import current_actor  # noqa: PLC0415  one use

    actor = current_actor(services, browser.deliver(browser.mint()).session.token)
    assert actor
    assert portal.after_sign_out(services, actor.connection_id) is None
    activate(services, admin, browser.provider, portal_url="https://d-93677f1c2a.awsapps.com/start")
    assert portal.after_sign_out(services, actor.connection_id) == (
        "Amazon AWS",
        "https://d-93677f1c2a.awsapps.com/start",
    )
    assert portal.after_sign_out(services, admin.connection_id) is None
