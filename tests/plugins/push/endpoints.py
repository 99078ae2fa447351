"""SiQ for these tests: a real SCIM server on a loopback port, and a proxy in front of it that misbehaves when told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import httpx
from scim2_models import UnauthorizedException
from scim2_server.applications.asgi import ASGIApplication
from scim2_server.memory import AsyncInMemoryStorage
from scim2_server.requests import ScimRequest
from scim2_server.utils import load_default_provider
from starlette.types import ASGIApp

from core.flows import organizations
from core.flows.scim_tokens import create_token
from core.store.tokens import new_id
from core.testing.identity_provider import IdentityProvider
from tests.serving import HOST, serving
from tests.website import SIGN_IN_URL, Website

TOKEN = "practice-token-of-the-sender"


@dataclass(frozen=True)
class Endpoint:
    """A SCIM endpoint, looked at as any client would."""

    base_url: str
    token: str

    def users(self) -> dict[str, dict[str, Any]]:
        """By user name."""
        return {user["userName"]: user for user in self._all("Users")}

    def active(self) -> set[str]:
        """User names of those who are active."""
        return {name for name, user in self.users().items() if user.get("active", True)}

    def groups(self) -> dict[str, set[str]]:
        """The user names of the members, by display name."""
        names = {user["id"]: user["userName"] for user in self._all("Users")}
        groups = self._all("Groups")
        return {
            group["displayName"]: {names[member["value"]] for member in group.get("members") or ()} for group in groups
        }

    def create(self, kind: str, **attributes: Any) -> dict[str, Any]:
        """Something that the sender did not push."""
        schema = f"urn:ietf:params:scim:schemas:core:2.0:{kind.removesuffix('s')}"
        made = httpx.post(f"{self.base_url}/{kind}", json={"schemas": [schema], **attributes}, headers=self._headers())
        answer: dict[str, Any] = made.raise_for_status().json()
        return answer

    def patch(self, kind: str, scim_id: str, *operations: dict[str, Any]) -> None:
        """A change that the sender did not push."""
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
        httpx.patch(f"{self.base_url}/{kind}/{scim_id}", json=body, headers=self._headers()).raise_for_status()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _all(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            query = urlencode({"startIndex": len(found) + 1, "count": 200})
            page = httpx.get(f"{self.base_url}/{kind}?{query}", headers=self._headers()).raise_for_status().json()
            found += page.get("Resources", [])
            if len(found) >= page["totalResults"]:
                return found


class ReferenceApplication(ASGIApplication):
    """scim2-server's own in-memory server, with a token."""

    def check_auth(self, request: ScimRequest) -> None:
        if request.header("Authorization") != f"Bearer {TOKEN}":
            raise UnauthorizedException


@contextmanager
def reference() -> Iterator[Endpoint]:
    """The reference implementation."""
    application = ReferenceApplication(AsyncInMemoryStorage(), load_default_provider())
    with serving(lambda _: cast("ASGIApp", application)) as origin:  # it says dict where ASGI says mutable mapping
        yield Endpoint(f"{origin}/v2", TOKEN)


@cache
def _provider() -> IdentityProvider:
    return IdentityProvider.create(SIGN_IN_URL)  # its key takes a moment to make


def product(site: Website) -> Endpoint:
    """SiQ itself: Amazon AWS in an organization of its own."""
    slug = f"company-{new_id()[:8]}"
    organization = organizations.create_organization(site.services, slug, slug)
    admin = organizations.create_admin(site.services, organization, f"it@{slug}.example", "IT")
    company = replace(site, organization=organization, admin=admin)
    activated = company.activate(_provider())
    return Endpoint(activated.site.scim_base_url, create_token(site.services, company.actor, "aws_sso").secret)


@dataclass
class Fault:
    """What the proxy does to one request instead of passing it on.

    Answers ``status`` (0: hangs up) with ``headers``; passes it on before that if ``late``, so that the answer is lost.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    late: bool = False


@dataclass(frozen=True)
class Request:
    """What the proxy saw."""

    method: str
    path: str
    body: dict[str, Any]


class Proxy:
    """In front of an endpoint. ``fault`` decides for each request; ``requests`` are those seen."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.fault: Callable[[Request], Fault | None] = lambda _: None
        self.requests: list[Request] = []
        self.base_url = ""
        self.lock = Lock()

    def writes(self) -> list[Request]:
        """Those that were meant to change something."""
        return [request for request in self.requests if request.method != "GET"]

    def faults(self, *faults: Fault, only: str = "") -> None:
        """One after the other, for requests of one method or any; then none."""
        rest = list(faults)

        def fault(request: Request) -> Fault | None:
            return rest.pop(0) if rest and only in {"", request.method} else None

        self.fault = fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def answer(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        request = Request(self.command, self.path, json.loads(data or b"{}"))
        with self.proxy.lock:
            self.proxy.requests.append(request)
            fault = self.proxy.fault(request)
        if fault is None or fault.late:
            status, headers, body = self.forward(data)
        if fault is not None:
            status, headers, body = fault.status, fault.headers, b""
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def forward(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(str(self.proxy.upstream.hostname), self.proxy.upstream.port)
        kept = {
            name: self.headers[name] for name in ("Authorization", "Content-Type", "If-Match") if name in self.headers
        }
        connection.request(self.command, self.path, data or None, kept)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, {"Content-Type": response.getheader("Content-Type") or ""}, body

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815  names of the base class

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that was killed leaves half a request; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # its types are of sockets of all kinds


@contextmanager
def proxy_before(endpoint: Endpoint) -> Iterator[Proxy]:
    """A proxy on a free port."""
    proxy = Proxy(endpoint.base_url)
    server = _Server((HOST, 0), type("Handler", (_Handler,), {"proxy": proxy}))
    proxy.base_url = f"http://{HOST}:{server.server_address[1]}{proxy.upstream.path}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
