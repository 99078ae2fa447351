"""The SCIM endpoint of a connection: ``/scim/v2/{connection}/…`` (RFC 7644). Thin: the flow decides everything."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from core.flows import provisioning
from core.flows.scim_requests import Call
from core.scim.resources import MOST_BYTES
from core.web import guards

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_TOO_LARGE = 413


async def scim(request: Request) -> Response:
    """Every request of a directory, by its bearer token. Answers are ``application/scim+json``, errors too."""
    try:
        body = await _body(request)
    except ClientDisconnect:  # half a request is none
        return Response(status_code=400)
    call = Call(
        method="GET" if request.method == "HEAD" else request.method,
        path="/" + request.path_params.get("path", ""),
        query=dict(request.query_params),
        headers=dict(request.headers),
        body=body,
        address=request.client.host if request.client else "",
    )
    services, connection = guards.services_of(request), request.path_params["connection"]
    answer = await run_in_threadpool(provisioning.serve, services, connection, call)
    return Response(answer.body, answer.status, {"Cache-Control": "no-store", **answer.headers})


async def _body(request: Request) -> bytes | None:
    """The body; none where it is larger than any request may be."""
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= MOST_BYTES:
                chunks.append(chunk)
    except HTTPException as refused:  # the limit of the whole application
        if refused.status_code != _TOO_LARGE:
            raise
        return None
    return b"".join(chunks) if size <= MOST_BYTES else None


routes = [
    Route("/scim/v2/{connection}", scim, methods=_METHODS),
    Route("/scim/v2/{connection}/{path:path}", scim, methods=_METHODS),
]
