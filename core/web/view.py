"""Templates: the environment, what every page knows, and fragments for htmx."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core import clock, correlation
from core.flows.local_path import local_path
from core.web import cookies, filters, guards

HERE = Path(__file__).parent
STATIC = HERE / "static"
CATALOG = "/settings/integrations/catalog"

THEMES = ("system", "light", "dark")


@cache
def asset(name: str) -> str:
    """The address of a static file with a part of its hash, so that browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@cache
def environment() -> Environment:
    """The templates. Macros are globals, so that a fragment rendered alone has them."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters.FILTERS)
    made.globals.update(asset=asset, catalog_path=CATALOG, themes=THEMES)
    for name in ("macros.j2", "fields.j2", "tiles.j2"):
        module = made.get_template(name).module
        made.globals.update({macro: getattr(module, macro) for macro in dir(module) if not macro.startswith("_")})
    return made


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of the page."""
    return request.headers.get("HX-Request") == "true"


def theme_of(request: Request) -> str:
    """The theme of this browser: system, light or dark."""
    theme = cookies.theme(request)
    return theme if theme in THEMES else "system"


def render(
    request: Request, template: str, context: dict[str, Any], *, status: int = 200, fragment: str = ""
) -> Response:
    """A page; or, where ``fragment`` names a template and htmx asks, that template alone with the same context."""
    settings = guards.services_of(request).settings
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    everywhere = {
        "actor": guards.actor_of(request),
        "theme": theme_of(request),
        "csrf": guards.token_input(request),
        "path": local_path(path) or "/",
        "host": urlsplit(settings.public_url).netloc,
        "now": clock.now(),
        "correlation_id": correlation.current(),
    }
    name = fragment if fragment and wants_fragment(request) else template
    response = HTMLResponse(environment().get_template(name).render(everywhere | context), status_code=status)
    if fragment:
        response.headers["Vary"] = "HX-Request"
    guards.remember_visit(request, response)
    return response


def go(request: Request, path: str) -> Response:
    """Send the browser on after a post: 303 for a form, ``HX-Redirect`` for htmx."""
    if wants_fragment(request):
        return Response(status_code=204, headers={"HX-Redirect": path})
    return RedirectResponse(path, status_code=303)


def asked_query(request: Request) -> str:
    """The search text of ``?q=``, at most 100 characters."""
    return request.query_params.get("q", "").strip()[:100]


def number(text: str | None) -> int | None:
    """A whole number of a query that is not negative, else none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None  # noqa: PLR2004  fits every database
