"""A connection that a directory pushes into, on each database. One database serves many tests: each test has an
organization of its own, and with it everything that it can see.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy.orm import Session
from starlette.applications import Starlette

from core import clock
from core.flows import scim_tokens
from core.flows import services as starting
from core.flows.actors import Actor
from core.flows.connections import connection_id
from core.flows.pushed_people import DirectoryAccounts
from core.flows.services import Services
from core.scim.storage import Storage
from core.settings import Settings
from core.store.tables import Connection, ConnectionState, Organization, Role
from core.store.tokens import new_id
from core.web import scim
from tests.databases import empty_database

PLUGIN = "aws_sso"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass(frozen=True, repr=False)
class Directory:
    """A directory that pushes into one connection of a new organization."""

    services: Services
    organization_id: str
    admin: Actor
    connection_id: str
    token: str
    app: Starlette

    def storage(self, session: Session) -> Storage:
        """Its storage in a session."""
        accounts = DirectoryAccounts(
            self.services.settings, session, self.organization_id, self.connection_id, "Amazon AWS"
        )
        return Storage(session, accounts, organization_id=self.organization_id, connection_id=self.connection_id)

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Response:
        """The answer to a request. ``body`` is made JSON unless it is bytes."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/scim+json",
            **more.pop("headers", {}),
        }
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()

        async def request() -> Response:
            async with AsyncClient(transport=ASGITransport(self.app), base_url="https://siq.example") as client:
                url = f"/scim/v2/{self.connection_id}{path}"
                return await client.request(method, url, content=content, headers=headers, **more)

        return asyncio.run(request())

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """The body of an answer that has to be 200."""
        answer = self.send("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def push(self, user_name: str, **more: Any) -> dict[str, Any]:
        """A new user."""
        answer = self.send("POST", "/Users", {"schemas": [USER], "userName": user_name, **more})
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def group(self, name: str, *member_ids: str) -> dict[str, Any]:
        """A new group."""
        members = [{"value": member} for member in member_ids]
        answer = self.send("POST", "/Groups", {"schemas": [GROUP], "displayName": name, "members": members})
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def patch(self, path: str, *operations: dict[str, Any]) -> Response:
        """The answer to a PATCH."""
        return self.send("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A host on a database of each kind, for a whole module."""
    folder = tmp_path_factory.mktemp("scim")
    with empty_database(request.param, folder) as url:
        services = starting.start(Settings(database_url=url, data_dir=folder, public_url="https://siq.example"))
        yield services
        services.database.close()


THOROUGH_ON_POSTGRESQL = pytest.mark.parametrize(
    "host", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True, scope="module"
)
"""For what takes seconds on each database."""


@pytest.fixture
def directory(host: Services) -> Directory:
    """A directory of a new organization, with its token."""
    return new_directory(host)


def new_directory(services: Services) -> Directory:
    """A directory of a new organization, with its token."""
    organization_id = new_id()
    connection = connection_id(organization_id, PLUGIN)
    now = clock.now()
    with services.database.unscoped() as session:
        session.add(Organization(id=organization_id, slug=organization_id, name="Northwind", created_at=now))
        session.flush()
        session.add(
            Connection(
                id=connection,
                organization_id=organization_id,
                plugin_id=PLUGIN,
                state=ConnectionState.ACTIVE,
                created_at=now,
                changed_at=now,
            )
        )
    return directory_of(
        services, Actor("maya", organization_id, organization_id, "Northwind", "Maya Okafor", "", "maya", Role.ADMIN)
    )


def directory_of(services: Services, admin: Actor) -> Directory:
    """The directory of an organization whose Amazon AWS connection is active, with a new token."""
    token = scim_tokens.create_token(services, admin, PLUGIN).secret
    app = Starlette(routes=scim.routes)
    app.state.services = services
    connection = connection_id(admin.organization_id, PLUGIN)
    return Directory(services, admin.organization_id, admin, connection, token, app)
