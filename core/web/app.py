"""The web application: every route, what stands around them, and what is shown when one fails."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from core.flows.services import Services
from core.web import api, middleware, scim, serving, single_logout, sso, view
from core.web.pages import doors, home, integration, integrations, keys, people, problems, provisioning


class _Static(StaticFiles):
    """Static files. One that is asked for by its hash never changes; the others are asked for again each day."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = f"public, max-age={31_536_000 if versioned else 86_400}" + (
            ", immutable" if versioned else ""
        )
        return response


def create_app(services: Services) -> Starlette:
    """The ASGI application over these services. While it is served, it deletes what has expired."""
    view.environment()  # a template that does not compile stops the start, not the first visitor
    routes = [
        *home.routes,
        *integrations.routes,  # before the pages of one integration: "catalog" is no plugin's id
        *provisioning.routes,
        *keys.routes,
        *integration.routes,
        *people.routes,
        *doors.routes,
        *sso.routes,
        *single_logout.routes,
        *scim.routes,
        *api.routes,
        Route("/favicon.ico", _favicon, methods=["GET"]),
        Mount("/static", _Static(directory=view.STATIC), name="static"),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(middleware.PublicOrigin, public_url=services.settings.public_url),
            Middleware(middleware.SecurityHeaders, secure=services.settings.secure),
            Middleware(middleware.Failures, page=problems.internal),
            Middleware(middleware.BodyLimit),
        ],
        exception_handlers=problems.HANDLERS,
        lifespan=serving.background(services),
    )
    app.state.services = services
    app.state.sign_ins = asyncio.Semaphore(sso.AT_ONCE)
    return app


def _favicon(_request: object) -> Response:
    return Response((view.STATIC / "icon.svg").read_bytes(), media_type="image/svg+xml")
