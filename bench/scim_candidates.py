"""What bench/scim.py measures: our endpoint on two databases, scim2-server's reference in memory, and SCIMMY for Node.js."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scim2_models import ScimProvider
from scim2_server.handler import ScimHandler
from scim2_server.memory import InMemoryStorage
from scim2_server.requests import ScimRequest
from scim2_server.service import ScimService
from sqlalchemy import insert, text
from sqlalchemy.engine import Connection as SqlConnection

from core import clock
from core.flows import organizations, provisioning, scim_requests
from core.flows import services as starting
from core.flows.actors import actor_of
from core.flows.connections import connection_id
from core.flows.services import Services
from core.scim.resources import keys_of, model_named, provider
from core.settings import Settings
from core.store.provisioning_tables import Membership, PushedEmail, PushedGroup, PushedUser
from core.store.tables import Connection, ConnectionState, Role, User

PLUGIN = "aws_sso"
MEMBERS = 10_000
BATCH = 5_000
NODE = Path(__file__).parent / "node-scim"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"

Request = tuple[str, str, dict[str, str], Any]
Send = Callable[[str, str, dict[str, str], Any], tuple[int, dict[str, Any]]]


def user(number: int) -> dict[str, Any]:
    """A user as AWS's directory would push it."""
    name = f"user-{number}@example.test"
    return {
        "schemas": [USER],
        "userName": name,
        "externalId": f"external-{number}",
        "name": {"givenName": f"Given {number}", "familyName": f"Family {number % 1000}"},
        "displayName": f"Given {number} Family {number % 1000}",
        "emails": [{"value": name, "type": "work", "primary": True}],
    }


def identifier(number: int) -> str:
    """The id of a user, spread as random ones are."""
    return f"{number * 2_654_435_761 % 2**32:08x}{number:016x}"


@dataclass(frozen=True)
class Candidate:
    """Something that answers requests. ``medians`` answers the median milliseconds of some, each of which has to succeed.
    ``send`` sends one outside of the measurement; none where there are no cursors to ask for.
    """

    name: str
    medians: Callable[[Iterable[Request]], float]
    send: Send | None = None


@contextmanager
def ours(name: str, url: str, folder: Path, number: int) -> Iterator[Candidate]:
    """Our endpoint on one database, which is emptied first and filled with users."""
    services = starting.start(Settings(database_url=url, data_dir=folder, public_url="https://siq.example"))
    if services.database.engine.dialect.name == "postgresql":
        with services.database.engine.begin() as connection:
            connection.execute(text("TRUNCATE organizations, key_check CASCADE"))
    try:
        yield _in_process(name, filled(services, number))
    finally:
        services.database.close()


@contextmanager
def in_memory(number: int) -> Iterator[Candidate]:
    """scim2-server's own storage, with the same users."""
    yield _in_process("scim2-server in memory", reference(number))


@contextmanager
def scimmy(number: int) -> Iterator[Candidate]:
    """SCIMMY in memory, in a process that measures itself. It has no cursors."""
    command = ["node", "--max-old-space-size=8192", str(NODE / "candidates.js")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  ours

        def ask(question: dict[str, Any]) -> dict[str, Any]:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            assert "refused" not in answer, answer
            return answer

        def medians(requests: Iterable[Request]) -> float:
            run = [(*request[:3], json.dumps(request[3]) if request[3] else None) for request in requests]
            nanoseconds: list[int] = ask({"run": run})["nanoseconds"]
            return statistics.median(nanoseconds) / 1_000_000

        for numbers in batches(range(number)):
            ask({"fill": {"users": [user(each) for each in numbers], "ids": [identifier(each) for each in numbers]}})
        members = [{"value": identifier(each)} for each in range(min(MEMBERS, number))]
        everyone = {"schemas": [GROUP], "displayName": "Everyone", "members": members}
        assert ask({"group": {"id": identifier(number), "resource": everyone}})["filled"] == number
        yield Candidate("SCIMMY (Node.js) in memory", medians)


def _in_process(name: str, send: Send) -> Candidate:
    def medians(requests: Iterable[Request]) -> float:
        times = []
        for request in requests:
            started = time.perf_counter()
            status, answer = send(*request)
            times.append(time.perf_counter() - started)
            assert status < 300, (request, status)
            assert answer.get("Resources", True), (request, answer)
        return statistics.median(times) * 1000

    return Candidate(name, medians, send)


def filled(services: Services, number: int) -> Send:
    """Send a request of a directory that has pushed ``number`` users and a group of 10,000 (or all) of them."""
    organization = organizations.create_organization(services, "bench")
    admin = actor_of(organizations.create_admin(services, organization, "a@b.example"), organization)
    connection, now = connection_id(organization.id, PLUGIN), clock.now()
    with services.database.unscoped() as session:
        session.add(
            Connection(
                id=connection,
                organization_id=organization.id,
                plugin_id=PLUGIN,
                state=ConnectionState.ACTIVE,
                created_at=now,
                changed_at=now,
            )
        )
    with services.database.engine.connect().execution_options(siq_writes=True) as database, database.begin():
        common = {"organization_id": organization.id, "connection_id": connection}
        for numbers in batches(range(number)):
            fill(database, common, numbers)
        group = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Everyone"}
        database.execute(
            insert(PushedGroup),
            {
                **common,
                "id": identifier(number),
                "display_name_key": "everyone",
                "resource": group,
                "keys": keys_of(model_named("Group"), group),
                "version": 1,
                "created_at": now,
                "changed_at": now,
            },
        )
        for numbers in batches(range(min(MEMBERS, number))):
            ids = [identifier(each) for each in numbers]
            rows = [
                {"organization_id": organization.id, "group_id": identifier(number), "member_id": each} for each in ids
            ]
            database.execute(insert(Membership), [{**row, "user_id": row["member_id"]} for row in rows])
    with services.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as database:
        # As autovacuum leaves it; else an index says of no row whether it is still there, and a page far off takes seconds.
        database.execute(text("ANALYZE" if database.dialect.name == "sqlite" else "VACUUM ANALYZE"))
    secret = provisioning.create_token(services, admin, PLUGIN).secret

    def send(method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"authorization": f"Bearer {secret}", "content-type": "application/scim+json"}
        content = json.dumps(body).encode() if body else b""
        answer = provisioning.serve(services, connection, scim_requests.Call(method, path, query, headers, content))
        return answer.status, json.loads(answer.body) if answer.body else {}

    return send


def fill(database: SqlConnection, common: dict[str, str], numbers: list[int]) -> None:
    """Users as our endpoint would have written them."""
    now, model = clock.now(), model_named("User")
    documents = [(identifier(number), user(number)) for number in numbers]
    database.execute(
        insert(User),
        [
            {
                "organization_id": common["organization_id"],
                "id": user_id,
                "email": document["userName"],
                "email_key": document["userName"],
                "user_name": document["userName"],
                "user_name_key": document["userName"],
                "given_name": document["name"]["givenName"],
                "family_name": document["name"]["familyName"],
                "display_name": document["displayName"],
                "role": Role.VIEWER,
                "active": True,
                "source_connection_id": common["connection_id"],
                "password_hash": "",
                "created_at": now,
            }
            for user_id, document in documents
        ],
    )
    database.execute(
        insert(PushedUser),
        [
            {
                **common,
                "user_id": user_id,
                "user_name_key": document["userName"],
                "external_id": document["externalId"],
                "resource": document,
                "keys": keys_of(model, document),
                "says_active": True,
                "role_by_rule": False,
                "version": 1,
                "created_at": now,
                "changed_at": now,
            }
            for user_id, document in documents
        ],
    )
    database.execute(
        insert(PushedEmail),
        [
            {
                **common,
                "user_id": user_id,
                "position": 0,
                "value_key": document["userName"],
                "type_key": "work",
                "primary_key": "true",
            }
            for user_id, document in documents
        ],
    )


def reference(number: int) -> Send:
    """scim2-server's in-memory storage with the same users and group, and the same schemas."""
    ours = provider()
    described = ScimProvider(ours.models, ours.resource_types, ours.config, ours.policy)
    storage = InMemoryStorage()
    next_ids = iter([*map(identifier, range(number + 1))])
    setattr(storage, "generate_id", lambda *_: next(next_ids, None) or identifier(time.time_ns()))  # noqa: B010  for mypy a method cannot be assigned
    handler = ScimHandler(ScimService(described, secret="of the benchmark"), storage)  # noqa: S106  not one
    types = {each.name: each for each in described.resource_types}
    with described:
        for each in range(number):
            storage.create(types["User"], model_named("User").model_validate(user(each)))
        members = [{"value": identifier(each)} for each in range(min(MEMBERS, number))]
        everyone = {"displayName": "Everyone", "members": members}
        storage.create(types["Group"], model_named("Group").model_validate(everyone))

    def send(method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, dict[str, Any]]:
        content = json.dumps(body).encode() if body else b""
        headers = {"content-type": "application/scim+json"}
        answer = handler.handle(ScimRequest(method, "https://siq.example", path, query, headers, content))
        return int(answer.status), json.loads(json.dumps(answer.body)) if answer.body else {}

    return send


def batches(numbers: range) -> Iterator[list[int]]:
    """Numbers, some at a time."""
    for start in range(0, len(numbers), BATCH):
        yield list(numbers[start : start + BATCH])
