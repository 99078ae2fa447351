"""The ways into an organization: its sign-in page, and the SiQ Portal that signs people in by itself."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from core.errors import NotFound, SignInRefused
from core.flows.connections import active_connection, login_path
from core.flows.prepared import PreparedConnection
from core.flows.services import Services
from core.plugin_api import Kind
from core.store import directory
from core.store.tables import Connection, ConnectionState, Organization


@dataclass(frozen=True, slots=True)
class WayIn:
    """A provider by which people of an organization sign in: its title, and the path that begins it."""

    title: str
    login_path: str


@dataclass(frozen=True, slots=True)
class Door:
    """An organization's sign-in page."""

    organization_slug: str
    organization_name: str
    contact_email: str
    ways: tuple[WayIn, ...]


@dataclass(frozen=True, slots=True)
class PortalVisit:
    """What a visit of the portal does: ``send_to`` an absolute URL at once, or show the page. ``looped`` says that
    an automatic sign-in has just come back without one, ``paused`` that the person signed out here.
    """

    door: Door
    send_to: str | None = None
    looped: bool = False
    paused: bool = False


def door(services: Services, slug: str = "", next_path: str = "") -> Door:
    """The sign-in page of an organization; of the only one where ``slug`` is empty and there is just one, else one
    without a company's name. Raises ``NotFound`` for a slug that no organization has.
    """
    organization = (
        directory.organization_by_slug(services.database, slug)
        if slug
        else directory.only_organization(services.database)
    )
    if organization is None:
        if slug:
            raise NotFound("There is no such organization. Check the address.")
        return Door("", "", "", ())
    ways = tuple(
        WayIn(one.title, login_path(one.id, next_path)) for one in _sign_in_connections(services, organization)
    )
    return Door(organization.slug, organization.name, organization.contact_email, ways)


def visit(services: Services, slug: str, *, local: bool, just_sent: bool, signed_out: bool) -> PortalVisit:
    """An anonymous visit of an organization's portal.

    Sends the visitor to the SSO Redirect URL of its connection, if there is one, unless: ``local`` was asked for,
    the visitor was ``just_sent`` there and came back (a loop), or has ``signed_out`` and not asked to sign in since
    (the provider's own session is alive, and would sign the person straight back in).
    Raises ``NotFound`` for an unknown organization.
    """
    here = f"/portal/{slug}"
    at_the_door = door(services, slug, here)
    if local:
        return PortalVisit(at_the_door)
    target = _redirect_url(services, slug, here)
    if target is None or just_sent or signed_out:
        return PortalVisit(at_the_door, looped=bool(target) and just_sent, paused=bool(target) and signed_out)
    return PortalVisit(at_the_door, send_to=target)


def after_sign_out(services: Services, connection_id: str | None) -> tuple[str, str] | None:
    """(title, URL) of the provider's page where people of a connection go after signing out; none where none is set."""
    if connection_id is None:
        return None
    try:
        connection = active_connection(services, connection_id)
    except (NotFound, SignInRefused):
        return None
    url = _value(services, connection, Kind.POST_LOGOUT_URL)
    return (connection.title, url) if url else None


def _redirect_url(services: Services, slug: str, next_path: str) -> str | None:
    organization = directory.organization_by_slug(services.database, slug)
    assert organization is not None  # ``door`` has looked
    for connection in _sign_in_connections(services, organization):
        url = _value(services, connection, Kind.PORTAL_REDIRECT_URL)
        if url == connection.site.login_url:  # our own: we know how to come back from there
            return services.settings.public_url + login_path(connection.id, next_path)
        if url:
            return url
    return None


def _sign_in_connections(services: Services, organization: Organization) -> list[PreparedConnection]:
    with services.database.reading(organization.id) as session:
        ids = session.scalars(
            select(Connection.id).where(Connection.state == ConnectionState.ACTIVE).order_by(Connection.activated_at)
        ).all()
    found = []
    for connection_id in ids:
        try:
            connection = active_connection(services, connection_id)
        except SignInRefused:  # not working: its tile says why; the other ways in stay open
            continue
        if connection.activation.saml:
            found.append(connection)
    return found


def _value(services: Services, connection: PreparedConnection, kind: Kind) -> str | None:
    value = services.plugins.plugins[connection.plugin_id].form.value(connection.config, kind)
    return value if isinstance(value, str) and value else None
