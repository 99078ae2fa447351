"""A practice AWS IAM Identity Center: its console, its access portal and its SAML endpoints, for demos and tests.

It shows the labels of the AWS console, signs as AWS does, and can send every kind of wrong response. It is a test
instrument for the loopback address and says so on every page: it keeps everything in memory and knows no secrets.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from core.testing.practice import bench, console, portal
from core.testing.practice.pages import HERE, problem
from core.testing.practice.state import Practice

__all__ = ["Practice", "create_practice"]

_SENTENCES = {
    403: "This form was sent from another site.",
    404: "There is no such page. The practice instrument forgets everything when it stops.",
    405: "This page does not take that kind of request.",
    413: "That is too large.",
    500: "The instrument failed.",
}


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = _SENTENCES.get(status, "The request could not be read.")
    return problem(request, status, f"{status}", sentence)


def create_practice(origin: str) -> Starlette:
    """The practice identity provider, served at ``origin`` (scheme, host and port, such as ``http://127.0.0.1:8001``).

    It answers only to the host of ``origin``. ``.state.practice`` is its state, for tests that set it up or look at it.
    """
    app = Starlette(
        routes=[
            *console.ROUTES,
            *portal.ROUTES,
            *bench.ROUTES,
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[urlsplit(origin).hostname or ""])],
        exception_handlers={HTTPException: _refused, Exception: _refused},
    )
    app.state.practice = Practice(origin.rstrip("/"))
    return app
