"""The product as its users meet it: started by its own command, reached over HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import lxml.html

import core
from core.flows import activation, organizations, services
from core.flows.actors import Actor, operator_of
from core.flows.services import Services
from core.refusals import Refusal
from core.settings import Settings
from core.testing.identity_provider import AuthnRequest, parse_authn_request
from tests.peers.peers import free_port, running

SIQ = str(Path(sys.executable).with_name("siq"))


@dataclass(frozen=True, slots=True)
class Connection:
    """What ``siq activate`` printed."""

    connection: str
    acs_url: str
    audience: str
    login_url: str
    metadata_url: str
    scim_base_url: str | None
    single_logout_url: str | None


@dataclass(frozen=True, slots=True)
class Product:
    """A running SiQ. ``url`` is its public URL, on localhost: providers are on 127.0.0.1, which is another site."""

    url: str
    folder: Path
    environment: Mapping[str, str]
    host: Services
    """A second process's view of the same database, for setting tests up without a command for each step."""

    def run(self, *arguments: str) -> dict[str, Any]:
        """What ``siq`` with these arguments prints as JSON."""
        done = subprocess.run(  # noqa: S603  our own command
            [SIQ, *arguments], env=dict(self.environment), capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"siq {' '.join(arguments)}\n{done.stderr}"
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def organization(self, name: str) -> str:
        """Make an organization; answers its short name."""
        return organizations.create_organization(self.host, _slug(name), name).slug

    def activate(self, plugin: str, organization: str, values: Mapping[str, str]) -> Connection:
        """Activate a plugin with values by ``tab.field``, as ``siq activate`` does, in a process beside the server."""
        done = activation.set_values(self.host, self.operator(organization), plugin, values)
        site = done.site
        return Connection(
            done.connection_id,
            site.acs_url,
            site.audience,
            site.login_url,
            site.metadata_url,
            site.scim_base_url,
            site.single_logout_url,
        )

    def operator(self, organization: str) -> Actor:
        """Who acts on the server in an organization of this name or short name."""
        return operator_of(organizations.organization_of(self.host, _slug(organization)))

    def client(self) -> httpx.Client:
        """A new browser without a page: it keeps cookies and follows nothing by itself."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63]


@contextmanager
def product(folder: Path) -> Iterator[Product]:
    """Serve SiQ with a database of its own in ``folder`` for the length of the block; no request may fail inside."""
    port = free_port()
    url = f"http://localhost:{port}"
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(Path(core.__file__).parents[1]),  # what is served is what the tests import
        "SIQ_PUBLIC_URL": url,
        "SIQ_DATA_DIR": str(folder / "data"),
    }
    command = [SIQ, "serve", "--host", "127.0.0.1", "--port", str(port)]
    with running(command, environment, folder, f"http://127.0.0.1:{port}/healthz"):
        host = services.start(Settings(public_url=url, data_dir=folder / "data"))
        try:
            yield Product(url, folder, environment, host)
        finally:
            host.database.close()
        log = (folder / "server.log").read_text(errors="replace")
        failed = [line for line in log.splitlines() if '"request failed"' in line]
        assert not failed, "\n".join(failed).replace("\\n", "\n")[-3000:]


def begin(client: httpx.Client, connection: Connection, next_path: str = "") -> AuthnRequest:
    """Start a sign-in in this browser; answers the request that goes to the provider."""
    answer = client.get(connection.login_url, params={"next": next_path} if next_path else {})
    assert answer.status_code == httpx.codes.SEE_OTHER, words(answer)
    return parse_authn_request(urlsplit(answer.headers["location"]).query)


def deliver(
    client: httpx.Client, connection: Connection, form_value: str, relay_state: str | None = None
) -> httpx.Response:
    """Post a response to the ACS, as the provider's page makes the browser do."""
    fields = {"SAMLResponse": form_value} | ({} if relay_state is None else {"RelayState": relay_state})
    return client.post(connection.acs_url, data=fields)


def signed_in_as(client: httpx.Client) -> dict[str, str] | None:
    """The person of this browser's session, as the product says; none when there is no session."""
    answer = client.get("/api/v1/me")
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return None
    assert answer.status_code == httpx.codes.OK, words(answer)
    person: dict[str, str] = answer.json()
    return person


def words(answer: httpx.Response) -> str:
    """The status of an answer and what a person reads of its page."""
    page: Any = lxml.html.fromstring(answer.content or b"<p>(nothing)</p>")
    return f"{answer.status_code} {' '.join(page.text_content().split())[:1000]}"


def assert_refused(client: httpx.Client, answer: httpx.Response, refusal: Refusal) -> None:
    """The page of a refusal: 4xx, code, sentence and correlation id, nothing of the response, and no session."""
    assert answer.status_code in (400, 403), words(answer)
    assert f"{refusal.code} {refusal.name}" in answer.text, words(answer)
    assert answer.headers["X-Correlation-ID"] in answer.text
    assert "Traceback" not in answer.text
    assert "siq_session" not in answer.headers.get("Set-Cookie", "")
    assert signed_in_as(client) is None
