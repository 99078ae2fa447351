"""The endpoint of single logout at a connection (SAML Profiles 4.4). Thin: the flow decides everything."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.flows import sign_out
from core.flows.sign_out import Answered, LogoutDelivery, SignedOut
from core.saml.redirect import Name
from core.web import cookies, guards
from core.web.pages import doors
from core.web.sso import one_field, posted_form, visitor

_FIELDS: tuple[Name, ...] = ("SAMLRequest", "SAMLResponse")


def redirected(request: Request) -> Response:
    """``GET /sso/{connection}/slo``: a message in the query, read as it was sent (SAML Bindings 3.4)."""
    if request.method == "HEAD":
        raise HTTPException(405)
    query: bytes = request.scope["query_string"]
    return _receive(
        request,
        LogoutDelivery(query=query.decode("latin-1"), browser_token=cookies.binding(request), visitor=visitor(request)),
    )


async def posted(request: Request) -> Response:
    """``POST /sso/{connection}/slo``: a message in a form (SAML Bindings 3.5)."""
    form = await posted_form(request)
    found = [name for name in _FIELDS if name in form]
    if len(found) != 1:
        raise HTTPException(400, "The form must hold SAMLRequest or SAMLResponse, exactly once.")
    delivery = LogoutDelivery(
        form_name=found[0],
        form_value=one_field(form, found[0]),
        relay_state=one_field(form, "RelayState", required=False),
        browser_token=cookies.binding(request),
        visitor=visitor(request),
    )
    return await run_in_threadpool(_receive, request, delivery)


def _receive(request: Request, delivery: LogoutDelivery) -> Response:
    result: Answered | SignedOut = sign_out.receive(
        guards.services_of(request), request.path_params["connection"], delivery
    )
    if isinstance(result, SignedOut):
        return doors.signed_out_now(request, result)
    response = RedirectResponse(result.url, status_code=303)
    response.headers["Cache-Control"] = "no-store"
    return response


routes = [
    Route("/sso/{connection}/slo", redirected, methods=["GET"]),
    Route("/sso/{connection}/slo", posted, methods=["POST"]),
]
