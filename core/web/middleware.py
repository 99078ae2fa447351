"""What stands around every request: headers of every answer, a bound on every body, one correlation id."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import correlation

BODY_LIMIT = 256 * 1024  # bytes
LARGE_BODY_LIMIT = 512 * 1024  # bytes; forms with files, and responses of providers (256 KiB in base64)
SCIM_BODY_LIMIT = 1024 * 1024  # bytes; what a directory may send at once, as its discovery says
_DRAINED = 8 * 1024 * 1024  # bytes read and dropped of a body that is too large, so that the browser gets to the answer

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class SecurityHeaders:
    """Sets the headers of every answer that the endpoint has not set itself. Pages are never cached: whoever uses the
    computer next could page back into them.
    """

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        """``secure``: browsers reach us by https, so they may be told to stay with it."""
        self.app = app
        self.headers = {
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
            "Cache-Control": "no-store",
        }
        if secure:
            self.headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        correlation_id = correlation.begin()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                headers["X-Correlation-ID"] = correlation_id
            await send(message)

        await self.app(scope, receive, send_with_headers)


class PublicOrigin:
    """Every request came to the public URL, whatever its Host header says: Starlette makes absolute URLs of it where it
    sends a browser on to the same path with, or without, a slash at the end.
    """

    def __init__(self, app: ASGIApp, *, public_url: str) -> None:
        self.app = app
        self.scheme, _, host = public_url.partition("://")
        self.host = (b"host", host.encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as one to the public URL."""
        if scope["type"] == "http":
            others = [header for header in scope["headers"] if header[0] != b"host"]
            scope = {**scope, "scheme": self.scheme, "headers": [self.host, *others]}
        await self.app(scope, receive, send)


class BodyLimit:
    """Refuses a body that is too large with 413, by its declared length or by what arrives."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with its body bounded."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        large = headers.get("content-type", "").startswith("multipart/form-data") or scope["path"].endswith("/acs")
        scim = scope["path"].startswith("/scim/")
        limit = SCIM_BODY_LIMIT if scim else LARGE_BODY_LIMIT if large else BODY_LIMIT
        declared = headers.get("content-length", "")
        total = 0

        async def limited() -> Message:
            nonlocal total
            if declared.isdigit() and int(declared) > _DRAINED:
                raise HTTPException(413)
            message = await receive()
            total += len(message.get("body", b""))
            while total > limit:
                if total > _DRAINED or not message.get("more_body", False):
                    raise HTTPException(413)
                message = await receive()
                total += len(message.get("body", b""))
            return message

        await self.app(scope, limited, send)


class Failures:
    """Answers every exception that nothing else has taken, inside the headers above. Starlette's own place for it is
    outside of all middleware.
    """

    def __init__(self, app: ASGIApp, *, page: Callable[[Request, Exception], Response]) -> None:
        """``page`` makes the answer, in a worker thread."""
        self.app = app
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, whatever happens."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if started:
                raise
            response = await run_in_threadpool(self.page, Request(scope), error)
            await response(scope, receive, send)
