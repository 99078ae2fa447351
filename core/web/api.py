"""The endpoints for programs: who is signed in, and how the process is doing."""

from __future__ import annotations

import secrets

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.flows import metrics
from core.flows.sessions import current_actor
from core.web import cookies, guards


def me(request: Request) -> Response:
    """``GET /api/v1/me``: the signed-in person as JSON, else 401."""
    actor = current_actor(guards.services_of(request), cookies.session_token(request))
    if actor is None:
        return JSONResponse(
            {"error": "not_signed_in", "message": "Nobody is signed in. Sign in first."},
            status_code=401,
            headers={"Cache-Control": "no-store"},
        )
    return JSONResponse(
        {
            "id": actor.user_id,
            "user_name": actor.user_name,
            "email": actor.email,
            "display_name": actor.display_name,
            "role": actor.role.value,
            "organization": {"slug": actor.organization_slug, "name": actor.organization_name},
            "connection": actor.connection_id,
        },
        headers={"Cache-Control": "no-store"},
    )


def healthz(_request: Request) -> Response:
    """``GET /healthz``: the process answers."""
    return JSONResponse({"status": "ok"})


def readyz(request: Request) -> Response:
    """``GET /readyz``: the process can serve: the database answers. Else 503."""
    services = guards.services_of(request)
    try:
        with services.database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return JSONResponse({"status": "the database does not answer"}, status_code=503)
    return JSONResponse({"status": "ok"})


def prometheus(request: Request) -> Response:
    """``GET /metrics``, with the bearer token of ``SIQ_METRICS_TOKEN``; without that setting there is none."""
    services = guards.services_of(request)
    token = services.settings.metrics_token.get_secret_value()
    if not token:
        return PlainTextResponse("Set SIQ_METRICS_TOKEN to have metrics.\n", status_code=404)
    given = request.headers.get("authorization", "")
    if not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return PlainTextResponse(
            "Send the token of SIQ_METRICS_TOKEN.\n", status_code=401, headers={"WWW-Authenticate": "Bearer"}
        )
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


routes = [
    Route("/api/v1/me", me),
    Route("/healthz", healthz),
    Route("/readyz", readyz),
    Route("/metrics", prometheus),
]
