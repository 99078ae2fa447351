"""Who is asking, and whether a form is one of ours."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import cast

from itsdangerous import BadSignature, URLSafeSerializer
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core.flows.actors import Actor
from core.flows.services import Services
from core.flows.sessions import current_actor
from core.forms import Posted, Upload
from core.store.tokens import new_token
from core.web import cookies

_MOST_FIELDS = 300  # of one form; the largest plugin form has about 30
_MOST_FILES = 10
_LARGEST_PART = 256 * 1024  # bytes


class SignInNeeded(Exception):
    """Nobody is signed in in this browser, and the page is for somebody."""


class FormNotOurs(Exception):
    """A form came without a token of this browser's session: another site made it, or the session has changed."""


def services_of(request: Request) -> Services:
    """The services of the application that serves this request."""
    return cast("Services", request.app.state.services)


def actor_of(request: Request) -> Actor | None:
    """The signed-in person of this request, looked up once. Asks the database: call it in a worker thread."""
    if not hasattr(request.state, "actor"):
        request.state.actor = current_actor(services_of(request), cookies.session_token(request))
    return cast("Actor | None", request.state.actor)


def require_actor(request: Request) -> Actor:
    """The signed-in person. Raises ``SignInNeeded``."""
    actor = actor_of(request)
    if actor is None:
        raise SignInNeeded
    return actor


# -- forms ---------------------------------------------------------------------------------------------------------


def _serializer(services: Services) -> URLSafeSerializer:
    return URLSafeSerializer(
        services.vault.signing_keys("form"), salt="form", signer_kwargs={"digest_method": hashlib.sha256}
    )


def _browser(request: Request) -> str:
    """What only this browser has: its session token, else the token of its visit (a new one where it has none)."""
    if not hasattr(request.state, "browser"):
        known = cookies.session_token(request) or cookies.visit(request)
        request.state.new_visit = None if known else new_token()
        request.state.browser = known or request.state.new_visit
    return hashlib.sha256(f"form {request.state.browser}".encode()).hexdigest()


def form_token(request: Request) -> str:
    """The token that makes a form this browser's own (OWASP: signed double submit, bound to the session)."""
    return str(_serializer(services_of(request)).dumps(_browser(request)))


def token_input(request: Request) -> Markup:
    """The hidden input with the token. Every form that changes something carries it."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(form_token(request))


def remember_visit(request: Request, response: Response) -> None:
    """Give the browser the token of its visit, where a form was bound to a new one."""
    if token := getattr(request.state, "new_visit", None):
        cookies.set_visit(response, token, secure=services_of(request).settings.secure)


def _check(request: Request, token: str) -> None:
    try:
        bound_to = _serializer(services_of(request)).loads(token)
    except BadSignature:
        raise FormNotOurs from None
    if not hmac.compare_digest(str(bound_to), _browser(request)):
        raise FormNotOurs


FormHandler = Callable[[Request, "Sent"], Response]


@dataclass(frozen=True, slots=True)
class Sent:
    """A form that was read and is ours. ``values`` is every value by name, files as uploads."""

    values: Posted

    def text(self, name: str) -> str:
        """The first text of this name, or an empty text."""
        value = next(iter(self.values.get(name, ())), "")
        return value if isinstance(value, str) else ""


def takes_form(handler: FormHandler) -> Callable[[Request], Coroutine[None, None, Response]]:
    """An endpoint that reads the form, checks that it is ours, and runs ``handler`` in a worker thread."""

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        sent = await _read(request)
        return await run_in_threadpool(handler, request, sent)

    return endpoint


async def _read(request: Request) -> Sent:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise HTTPException(400)
    values: dict[str, list[str | Upload]] = {}
    async with request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_LARGEST_PART) as form:
        for name, value in form.multi_items():
            one = value if isinstance(value, str) else Upload(value.filename or "", await value.read())
            values.setdefault(name, []).append(one)
    sent = Sent(values)
    _check(request, sent.text("csrf"))
    return sent
