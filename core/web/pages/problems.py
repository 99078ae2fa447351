"""What is shown when something cannot be done. Each page says what is the case, what to do, and where to go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

import structlog
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from core import clock, correlation
from core.errors import Conflict, Forbidden, NotFound, PluginMisbehaved, SignInRefused
from core.flows.local_path import local_path
from core.flows.refused import SignInFailed
from core.web import guards, view
from core.web.filters import iso, query

log = structlog.get_logger()

_SCIM_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@dataclass(frozen=True, slots=True)
class Problem:
    """A page: its status, icon, title and text. ``ways`` are links onward, the first one the best; none: where one starts."""

    status: int
    icon: str
    title: str
    text: str
    ways: tuple[tuple[str, str], ...] = ()


def show(request: Request, problem: Problem) -> Response:
    """The page of a problem, inside the product for people who are signed in. Programs get it as JSON."""
    if request.url.path.startswith("/scim/"):  # RFC 7644 3.12
        error = {"schemas": [_SCIM_ERROR], "status": str(problem.status), "detail": f"{problem.title}. {problem.text}"}
        return JSONResponse(error, problem.status, media_type="application/scim+json")
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": problem.title, "message": problem.text}, status_code=problem.status)
    signed_in = guards.actor_of(request) is not None
    ways = problem.ways or ((("/", "Overview"),) if signed_in else (("/signin", "Sign-in page"),))
    template = "problem.j2" if signed_in else "problem-door.j2"
    return view.render(request, template, {"problem": replace(problem, ways=ways)}, status=problem.status)


def sign_in_needed(request: Request, _error: Exception) -> Response:
    """401 for scripts and posts, which would lose what was typed; else to the sign-in page and back."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    to = query("/signin", next="" if path == "/" else local_path(path))
    if request.method in ("GET", "HEAD") and not view.wants_fragment(request):
        return RedirectResponse(to, status_code=303)
    text = "Nothing was saved. Sign in in another tab, come back here and send the form again: your browser keeps what you typed."
    return show(request, Problem(401, "key", "You are signed out", text, (("/signin", "Sign in"),)))


def form_not_ours(request: Request, _error: Exception) -> Response:
    """403, with a fresh token for scripts (other sites cannot read it), so that what was typed can be sent again."""
    text = "Nothing was saved. Go back, reload the page and send the form again."
    response = show(request, Problem(403, "shield", "This form is out of date", text))
    response.headers["X-Form-Token"] = guards.form_token(request)
    return response


def forbidden(request: Request, error: Exception) -> Response:
    """403, with who can help."""
    assert isinstance(error, Forbidden)
    return show(request, Problem(403, "shield", "You cannot open this page", error.public))


def not_found(request: Request, error: Exception) -> Response:
    """404, with the flow's own sentence where there is one."""
    text = error.public if isinstance(error, NotFound) else "Check the address, or start from the overview."
    return show(request, Problem(404, "search", "There is no such page", text))


def conflict(request: Request, error: Exception) -> Response:
    """409, with what to do first."""
    assert isinstance(error, Conflict)
    return show(request, Problem(409, "info", "That is not possible now", error.public))


def plugin_misbehaved(request: Request, _error: Exception) -> Response:
    """500: an integration's own code failed; everything else goes on. What failed is in the log, not on the page."""
    text = "Its own code failed; nothing was changed. Its maker has to mend it: give the correlation ID to whoever runs SiQ."
    back = request.path_params.get("plugin", "")
    ways = ((f"/settings/integrations/{back}/activate", "Back to the integration"),) if back else ()
    return show(request, Problem(500, "alert", "This integration could not do that", text, ways))


def http_error(request: Request, error: Exception) -> Response:
    """Everything that Starlette refuses: 400, 404, 405, 413, 415, …"""
    assert isinstance(error, HTTPException)
    said = "" if error.detail == HTTPException(error.status_code).detail else error.detail
    problem = {
        404: Problem(404, "search", "There is no such page", said or "Check the address, or start from the overview."),
        405: Problem(405, "info", "That is not possible here", "This address takes no request of this kind."),
        413: Problem(
            413,
            "box",
            "That is too large",
            "Send at most 256 KB, or 512 KB with files. A certificate has less than 8 KB.",
        ),
        503: Problem(503, "alert", "SiQ is busy", said or "Try again in a minute."),
    }.get(
        error.status_code,
        Problem(
            error.status_code,
            "alert",
            "The request cannot be read",
            said or "The form arrived damaged. Nothing was saved. Go back and send it again.",
        ),
    )
    response = show(request, problem)
    response.headers.update(error.headers or {})
    return response


def unstorable(request: Request, _error: Exception) -> Response:
    """400 for text that the database cannot hold: a NUL character, or one far longer than anything of its kind."""
    text = "It holds characters or lengths that nothing here can have. Check the address, or what was typed."
    return show(request, Problem(400, "alert", "The request cannot be read", text))


def internal(request: Request, error: Exception) -> Response:
    """500, with the correlation id by which the operator finds the cause."""
    log.error("request failed", path=request.url.path, method=request.method, exc_info=error)
    problem = Problem(
        500,
        "alert",
        "Something went wrong on our side",
        "Try again in a minute. If it goes on, give the correlation ID to whoever runs SiQ.",
    )
    try:
        return show(request, problem)
    except Exception:  # noqa: BLE001  the database may be what failed; a page without a person still says it
        request.state.actor = None
        anywhere = replace(problem, ways=(("/", "Overview"),))
        return view.render(request, "problem-door.j2", {"problem": anywhere}, status=500)


def sign_in_failed(request: Request, error: Exception) -> Response:
    """A refused sign-in, or message of single logout: code, sentence, correlation id, a way on. Nothing of the message
    is shown.
    """
    if isinstance(error, SignInRefused):
        refused, known = error.refusal, None
    else:
        assert isinstance(error, SignInFailed)
        refused, known = error.refusal, error
    provider = known.provider if known else ""
    contact = known.contact if known else ""
    connection = known.connection_id if known else ""
    at = known.at if known else clock.now()
    correlation_id = known.correlation_id if known else correlation.current()
    details = [
        f"Error code: {refused.code} {refused.name}",
        f"Correlation ID: {correlation_id}",
        f"Time: {iso(at)}",
        *([f"Sign-in with: {provider}"] if provider else []),
    ]
    what = "Sign-out" if refused.of_sign_out else "Sign-in"
    mail = urlencode({"subject": f"{what} error {refused.code}", "body": "\n".join(details)}, quote_via=quote)
    context = {
        "refusal": refused,
        "provider": provider,
        "contact": contact,
        "organization": known.organization_name if known else "",
        "at": at,
        "correlation_id": correlation_id,
        "report": "\n".join([f"SiQ {what.lower()} error", *details]),
        "mailto": f"mailto:{contact}?{mail}",
        "retry": f"/sso/{connection}/login" if connection and provider else "/signin",
        "trace": f"/settings/integrations/{known.plugin_id}/attempts/{correlation_id}"
        if known and known.plugin_id
        else "",
    }
    status = 400 if refused.code < "SSO-2" or refused.of_sign_out else 403
    return view.render(request, "refused.j2", context, status=status)


HANDLERS = {
    guards.SignInNeeded: sign_in_needed,
    guards.FormNotOurs: form_not_ours,
    Forbidden: forbidden,
    NotFound: not_found,
    Conflict: conflict,
    PluginMisbehaved: plugin_misbehaved,
    SignInFailed: sign_in_failed,
    SignInRefused: sign_in_failed,
    HTTPException: http_error,
    DataError: unstorable,
}
