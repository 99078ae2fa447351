"""How the practice identity provider shows a page, reads a form and says that something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.testing.practice.state import Application, Person, Practice

STRIPE = "Practice identity provider: a test instrument, not Amazon Web Services"
SESSION_COOKIE = "practice_portal"
HERE = Path(__file__).parent

_MOST_FORM_BYTES = 1024 * 1024
"""Nothing that is typed or uploaded here is larger than a metadata file."""

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(request: Request, template: str, *, status: int = 200, form_action: str = "", **context: object) -> Response:
    """A page. ``form_action`` is an origin to which a form of it may post besides our own."""
    path = request.url.path
    here = "console" if path.startswith("/console") else "bench" if path.startswith("/bench") else ""
    here = "portal" if path.startswith("/start") else here
    defaults = {"stripe": STRIPE, "here": here, "errors": {}, "done": ""}
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"form-action 'self' {form_action}; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_TEMPLATES.get_template(template).render(defaults | context), status, headers)


def problem(
    request: Request,
    status: int,
    heading: str,
    *lines: str,
    facts: Sequence[tuple[str, str]] = (),
    links: Sequence[tuple[str, str]] = (("/", "Start"),),
) -> Response:
    """A page that says what went wrong. ``facts`` are pairs of a name and a value, ``links`` of a URL and a name."""
    return render(request, "problem.j2", status=status, heading=heading, lines=lines, facts=facts, links=links)


def go(url: str) -> Response:
    """On to another page, by GET."""
    return RedirectResponse(url, 303)


def practice_of(request: Request) -> Practice:
    """The state of the application that serves this request."""
    practice = request.app.state.practice
    assert isinstance(practice, Practice)
    return practice


def application_of(request: Request) -> Application:
    """The application that the URL names; raises 404."""
    application = practice_of(request).applications.get(request.path_params["id"])
    if application is None:
        raise HTTPException(404)
    return application


def person_of(request: Request) -> Person | None:
    """Who is signed in at the portal in this browser."""
    return practice_of(request).sessions.get(request.cookies.get(SESSION_COOKIE, ""))


async def form_of(request: Request) -> FormData:
    """The posted form. Raises 403 for a form that stands on another site, 413 and 400."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise HTTPException(403)
    if int(request.headers.get("Content-Length", "0")) > _MOST_FORM_BYTES:
        raise HTTPException(413)
    return await request.form(max_files=1, max_fields=300, max_part_size=_MOST_FORM_BYTES)


def text_of(form: FormData, name: str) -> str:
    """One field of a form as text without surrounding spaces; empty when it is missing or a file."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def texts_of(form: FormData, name: str) -> list[str]:
    """Every value of a field as text."""
    return [value.strip() for value in form.getlist(name) if isinstance(value, str)]


def origin_of(url: str) -> str:
    """Scheme and host of a URL, as the policy header takes them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
