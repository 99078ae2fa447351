"""The lists: users, audit log."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.flows import audit, people
from core.web import guards, view


def users(request: Request) -> Response:
    """``GET /users?q=&status=&page=``."""
    actor = guards.require_actor(request)
    asked = request.query_params
    page = people.people(
        guards.services_of(request),
        actor,
        view.asked_query(request),
        asked.get("status", "all"),
        view.number(asked.get("page")) or 1,
    )
    return view.render(request, "users.j2", {"page": page})


def audit_log(request: Request) -> Response:
    """``GET /audit?q=&before=``."""
    actor = guards.require_actor(request)
    before = view.number(request.query_params.get("before"))
    page = audit.entries(guards.services_of(request), actor, view.asked_query(request), before)
    return view.render(request, "audit.j2", {"log": page})


routes = [
    Route("/users", users, methods=["GET"]),
    Route("/audit", audit_log, methods=["GET"]),
]
