"""The SAML endpoints of a connection: login, assertion consumer service, metadata. Thin: the flows decide everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.flows import sign_in
from core.flows.attempts import Delivery, Visitor
from core.flows.connections import published
from core.flows.sign_in import Begun
from core.saml import metadata
from core.web import cookies, guards, view
from core.web.middleware import CONTENT_SECURITY_POLICY

log = structlog.get_logger()

AT_ONCE = 4
"""Sign-ins on which one process works at a time; others wait in line. They need the interpreter more than they wait for
the database: with forty at once fewer are done in a second, and every page waits behind them (bench/acs.py).
"""

LONGEST_IN_LINE = 10.0
"""Seconds. Then what has the places does not come to its end, and whoever waits is told so: nothing of theirs is used up."""


def login(request: Request) -> Response:
    """``GET /sso/{connection}/login?next=/path``: begin a sign-in (SAML Bindings 3.4 or 3.5, as the connection says)."""
    services = guards.services_of(request)
    begun = sign_in.begin(
        services,
        request.path_params["connection"],
        request.query_params.get("next"),
        cookies.binding(request),
    )
    response = _form_to_post(request, begun) if begun.fields else RedirectResponse(begun.url, status_code=303)
    cookies.set_binding(response, begun.browser_token, begun.lifetime, secure=services.settings.secure)
    response.headers["Cache-Control"] = "no-store"
    return response


def _form_to_post(request: Request, begun: Begun) -> Response:
    """A page with the request in a form, which a script sends at once and a person where there is none.

    ``form-action`` holds for where the form goes and for every redirect that follows it (CSP 3, 6.4.2); a provider may
    send the browser on to hosts of its own that nobody told us of. The page has this one form.
    """
    there = urlsplit(begun.url)
    response = view.render(request, "post.j2", {"begun": begun, "host_there": there.netloc})
    allowed = "form-action https: http:" if there.scheme == "http" else "form-action https:"  # http: this machine only
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace("form-action 'self'", allowed)
    return response


async def acs(request: Request) -> Response:
    """``POST /sso/{connection}/acs``: take a SAMLResponse (SAML Bindings 3.5, HTTP-POST).

    A GET means that somebody put this URL where the login URL belongs; it goes there.
    """
    services, connection = guards.services_of(request), request.path_params["connection"]
    if request.method in ("GET", "HEAD"):
        return RedirectResponse(f"/sso/{connection}/login", status_code=303)
    form = await posted_form(request)
    delivery = Delivery(
        form_value=one_field(form, "SAMLResponse"),
        relay_state=one_field(form, "RelayState", required=False),
        browser_token=cookies.binding(request),
        visitor=visitor(request),
    )
    async with _place(request.app.state.sign_ins):
        result = await run_in_threadpool(sign_in.finish, services, connection, delivery)
    response = RedirectResponse(result.location, status_code=303)
    response.headers["Cache-Control"] = "no-store"
    if isinstance(result, sign_in.SignedIn):
        cookies.set_session(response, result.session, secure=services.settings.secure)
        cookies.forget_portal_pause(response)
    return response


@asynccontextmanager
async def _place(places: asyncio.Semaphore) -> AsyncIterator[None]:
    """One of the places for sign-ins; 503 where none was free for :data:`LONGEST_IN_LINE`."""
    try:
        async with asyncio.timeout(LONGEST_IN_LINE):
            await places.acquire()
    except TimeoutError:
        log.error("no place for a sign-in", seconds=LONGEST_IN_LINE, at_once=AT_ONCE)  # noqa: TRY400  its trace says nothing
        raise HTTPException(
            503,
            "Other sign-ins take too long at the moment. Wait a minute, reload this page and let it send the form again.",
            {"Retry-After": "60"},
        ) from None
    try:
        yield
    finally:
        places.release()


def service_provider_metadata(request: Request) -> Response:
    """``GET /sso/{connection}/metadata``: what the provider may import (SAML Metadata 2.4.4)."""
    ours = published(guards.services_of(request), request.path_params["connection"])
    xml = metadata.service_provider(
        ours.site.audience,
        ours.site.acs_url,
        ours.certificates,
        requests_signed=bool(ours.trust and ours.trust.sign_requests),
        allow_cbc=bool(ours.trust and ours.trust.allow_cbc),
        single_logout_url=ours.single_logout_url,
    )
    return Response(xml, media_type="application/samlmetadata+xml")


def visitor(request: Request) -> Visitor:
    """The browser of a request, for the record."""
    return Visitor(request.client.host if request.client else "", request.headers.get("user-agent", ""))


async def posted_form(request: Request) -> FormData:
    """The fields of a form that a provider's page sends here. Refuses every other content type with 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Send the response as an HTML form does (application/x-www-form-urlencoded).")
    return await request.form(max_files=0, max_fields=10)


def one_field(form: FormData, name: str, *, required: bool = True) -> str:
    """The text of a field that stands in a form once, or at most once where it is not required; 400 otherwise."""
    values = form.getlist(name)
    if len(values) > 1 or (required and not values):
        raise HTTPException(400, f"The form must hold {name} exactly once. Start again from the sign-in page.")
    value = values[0] if values else ""
    if isinstance(value, UploadFile):
        raise HTTPException(400, f"{name} must be a text, not a file.")
    return value


routes = [
    Route("/sso/{connection}/login", login),
    Route("/sso/{connection}/acs", acs, methods=["GET", "POST"], name="acs"),
    Route("/sso/{connection}/metadata", service_provider_metadata),
]
