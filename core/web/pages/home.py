"""The overview, the settings that are not integrations, and the theme."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import NotFound, SignInRefused
from core.flows import catalog
from core.flows.actors import Actor
from core.flows.connections import active_connection
from core.flows.local_path import local_path
from core.web import cookies, guards, view


def home(request: Request) -> Response:
    """``GET /``: where a person lands after signing in."""
    actor = guards.require_actor(request)
    services = guards.services_of(request)
    overview = catalog.overview(services, actor) if actor.manages_integrations else None
    context = {"overview": overview, "signed_in_with": _signed_in_with(request, actor)}
    return view.render(request, "home.j2", context)


def settings(request: Request) -> Response:
    """``GET /settings``: the organization and the person's own profile."""
    actor = guards.require_actor(request)
    public_url = guards.services_of(request).settings.public_url
    context = {
        "portal_url": f"{public_url}/portal/{actor.organization_slug}",
        "signed_in_with": _signed_in_with(request, actor),
    }
    return view.render(request, "settings.j2", context)


def theme(request: Request, sent: guards.Sent) -> Response:
    """``POST /theme``: keep the chosen theme in a cookie, and back to the page."""
    response = view.go(request, local_path(sent.text("next")) or "/")
    chosen = sent.text("theme")
    if chosen in view.THEMES:
        cookies.set_theme(response, chosen, secure=guards.services_of(request).settings.secure)
    return response


def _signed_in_with(request: Request, actor: Actor) -> str:
    if actor.connection_id is None:
        return "SiQ (password or one-time link)"
    try:
        return active_connection(guards.services_of(request), actor.connection_id).title
    except (NotFound, SignInRefused):
        return "An integration that is no longer active"


routes = [
    Route("/", home, methods=["GET"]),
    Route("/settings", settings, methods=["GET"]),
    Route("/theme", guards.takes_form(theme), methods=["POST"]),
]
