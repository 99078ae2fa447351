"""The pages outside: signing in without a provider, one-time links, signing out, the SiQ Portal."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.errors import NotFound
from core.flows import passwords, portal, sessions
from core.flows import sign_out as signing_out
from core.flows.local_path import local_path
from core.flows.passwords import PasswordRefused, Throttled
from core.flows.services import Services
from core.flows.sign_out import AtTheProvider, SignedOut
from core.web import cookies, guards, view
from core.web.sso import visitor

_ONWARD_SECONDS = 600  # for how long the way on from the signed-out page may be followed
_READING_SECONDS = 2  # before the signed-out page goes on to a page of the provider that only shows something
_OF_A_URL = ":/%#?=@[]!$&'()*+,;"  # what stays as it is in a header, which has no letter beyond Latin-1


def sign_in_page(request: Request) -> Response:
    """``GET /signin?next=&organization=``."""
    next_path = local_path(request.query_params.get("next")) or ""
    if guards.actor_of(request):
        return RedirectResponse(next_path or "/", status_code=303)
    return _sign_in(request, request.query_params.get("organization", ""), next_path)


def sign_in(request: Request, sent: guards.Sent) -> Response:
    """``POST /signin``: email address and password of an administrator."""
    services = guards.services_of(request)
    slug, next_path = sent.text("organization"), local_path(sent.text("next")) or ""
    email, password = sent.text("email").strip(), sent.text("password")
    if not email or not password:
        missing = "Enter your email address." if not email else "Enter your password."
        return _sign_in(request, slug, next_path, email=email, error=missing, status=422)
    try:
        opened = passwords.sign_in(services, email, password, visitor(request).address)
    except Throttled as throttled:
        response = _sign_in(request, slug, next_path, email=email, error=throttled.public, status=429)
        response.headers["Retry-After"] = str(throttled.retry_after)
        return response
    except PasswordRefused as refused:
        return _sign_in(request, slug, next_path, email=email, error=refused.public, status=422)
    return _signed_in(request, opened, next_path or "/")


def _sign_in(
    request: Request, slug: str, next_path: str, *, email: str = "", error: str = "", status: int = 200
) -> Response:
    door = portal.door(guards.services_of(request), slug, next_path)
    context = {"door": door, "next": next_path, "email": email, "error": error}
    return view.render(request, "signin.j2", context, status=status)


def _signed_in(request: Request, opened: sessions.OpenedSession, path: str) -> Response:
    response = view.go(request, path)
    cookies.set_session(response, opened, secure=guards.services_of(request).settings.secure)
    cookies.forget_portal_pause(response)
    return response


def link_page(request: Request) -> Response:
    """``GET /signin/link/{token}``: asks first, so that a preview of the link does not use it up."""
    if not passwords.link_is_valid(guards.services_of(request), request.path_params["token"]):
        raise NotFound("This link was used or has expired. Ask the operator for a new one.")
    return view.render(request, "link.j2", {})


def redeem_link(request: Request, sent: guards.Sent) -> Response:  # noqa: ARG001  nothing but its token is asked
    """``POST /signin/link/{token}``."""
    opened = passwords.redeem_link(guards.services_of(request), request.path_params["token"])
    return _signed_in(request, opened, "/")


def sign_out(request: Request, sent: guards.Sent) -> Response:  # noqa: ARG001  nothing but its token is asked
    """``POST /signout``: end the session here, then to the signed-out page, which leads on to the provider's.

    The provider's page is on another origin, and ``form-action`` stops a redirect there that follows a form post
    (CSP 3, 6.4.2): so it is our own page that goes on.
    """
    services = guards.services_of(request)
    done = signing_out.sign_out(services, cookies.session_token(request), cookies.binding(request))
    response = signed_out_now(request, done)
    secure = services.settings.secure
    if done.browser_token:
        cookies.set_binding(response, done.browser_token, done.lifetime, secure=secure)
    cookies.forget_session(response, secure=secure)
    cookies.pause_portal(response, secure=secure)
    return response


def signed_out_now(request: Request, done: SignedOut) -> Response:
    """On to the signed-out page, which knows what it says from nobody but us."""
    said = [done.organization_slug, done.provider, done.url, done.at_provider.value]
    return view.go(request, f"/signed-out?to={_onward(guards.services_of(request)).dumps(said)}")


def signed_out(request: Request) -> Response:
    """``GET /signed-out?to=``: says so, and goes on to the provider where there is anything to do."""
    try:
        said = _onward(guards.services_of(request)).loads(request.query_params.get("to", ""), max_age=_ONWARD_SECONDS)
    except BadSignature:
        said = ["", "", "", AtTheProvider.NOT_ASKED.value]
    slug, title, url, at_provider = said
    context = {
        "slug": slug,
        "title": title,
        "onward": url,
        "onward_host": urlsplit(url).netloc,
        "at_provider": at_provider,
    }
    response = view.render(request, "signed-out.j2", context)
    if url:
        seconds = 0 if at_provider == AtTheProvider.ASKING else _READING_SECONDS
        response.headers["Refresh"] = f"{seconds}; url={quote(url, safe=_OF_A_URL)}"
    return response


def _onward(services: Services) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        services.vault.signing_keys("onward"), salt="onward", signer_kwargs={"digest_method": hashlib.sha256}
    )


def portal_page(request: Request) -> Response:
    """``GET /portal/{organization}?local=``: straight to sign-in by SSO where that is set up, else the sign-in page."""
    services = guards.services_of(request)
    slug = request.path_params["organization"]
    local = "local" in request.query_params
    actor = guards.actor_of(request)
    if actor and actor.organization_slug == slug:
        response: Response = RedirectResponse("/", status_code=303)
        cookies.forget_portal_pause(response)
        return response
    visit = portal.visit(
        services,
        slug,
        local=local,
        just_sent=cookies.portal_sent(request),
        signed_out=cookies.portal_paused(request),
    )
    if visit.send_to:
        response = RedirectResponse(visit.send_to, status_code=303)
        cookies.set_portal_sent(response, secure=services.settings.secure)
        return response
    return view.render(request, "portal.j2", {"visit": visit, "door": visit.door})


routes = [
    Route("/signin", sign_in_page, methods=["GET"]),
    Route("/signin", guards.takes_form(sign_in), methods=["POST"]),
    Route("/signin/link/{token}", link_page, methods=["GET"]),
    Route("/signin/link/{token}", guards.takes_form(redeem_link), methods=["POST"]),
    Route("/signout", guards.takes_form(sign_out), methods=["POST"]),
    Route("/signed-out", signed_out, methods=["GET"]),
    Route("/portal/{organization}", portal_page, methods=["GET"]),
]
