"""How long SCIM requests take, and whether that depends on the number of users.

``python -m bench.scim [--postgresql URL] [users …]``: our endpoint (token, transaction, answer and the record of the
request included) on SQLite and PostgreSQL beside the in-memory reference of scim2-server (the protocol alone), on the same
requests in one run. Every request goes through the whole of the SCIM stack in this process; there is no network.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
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
MOST_IN_MEMORY = 100_000  # the reference keeps a model of each user: a million would need some 10 GB
BATCH = 5_000
ROUNDS = 60
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"

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


def main() -> None:
    """Print a table for each number of users."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", nargs="*", type=int, default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--postgresql", help="URL of an empty database")
    arguments = parser.parse_args()
    print("median milliseconds of a request\n")
    for number in arguments.users:
        candidates: dict[str, dict[str, float]] = {}
        with tempfile.TemporaryDirectory() as folder:
            candidates["SQLite"] = measured(f"sqlite:///{folder}/siq.db", Path(folder), number)
            if arguments.postgresql:
                candidates["PostgreSQL"] = measured(arguments.postgresql, Path(folder), number)
        if number <= MOST_IN_MEMORY:
            candidates["scim2-server in memory"] = rounds(reference(number), number)
        table(number, candidates)


def table(number: int, candidates: dict[str, dict[str, float]]) -> None:
    """One line an operation."""
    print(f"| {number:,} users | " + " | ".join(candidates) + " |")
    print("|---|" + "---:|" * len(candidates))
    for name in next(iter(candidates.values())):
        print(f"| {name} | " + " | ".join(f"{candidate[name]:,.2f}" for candidate in candidates.values()) + " |")
    print(flush=True)


def measured(url: str, folder: Path, number: int) -> dict[str, float]:
    """Our endpoint on one database, which is emptied first and filled with users."""
    services = starting.start(Settings(database_url=url, data_dir=folder, public_url="https://siq.example"))
    if services.database.engine.dialect.name == "postgresql":
        with services.database.engine.begin() as connection:
            connection.execute(text("TRUNCATE organizations, key_check CASCADE"))
    try:
        send = filled(services, number)
        return rounds(send, number)
    finally:
        services.database.close()


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
        database.execute(text("ANALYZE"))
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


def rounds(send: Send, number: int) -> dict[str, float]:
    """The median of each operation."""
    group = f"/Groups/{identifier(number)}"
    everywhere = [round_ * 7_919 % number for round_ in range(ROUNDS)]
    member = {"value": "u-1"}
    add = {"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": [member]}]}
    remove = {"schemas": [PATCH], "Operations": [{"op": "remove", "path": 'members[value eq "u-1"]'}]}
    without = {"excludedAttributes": "members"}

    def titled(each: int) -> dict[str, Any]:
        operation = {"op": "replace", "path": "title", "value": f"Title {each}"}
        return {"schemas": [PATCH], "Operations": [operation]}

    def deep_cursor() -> Iterator[str]:
        cursor = ""
        while True:
            _, page = send("GET", "/Users", {"cursor": cursor, "count": "100"}, None)
            cursor = page.get("nextCursor", "")
            yield cursor

    cursors = deep_cursor()
    return {
        "get by id": median(send, (("GET", f"/Users/{identifier(each)}", {}, None) for each in everywhere)),
        "filter userName eq": median(send, (filtered("userName", f"user-{each}@example.test") for each in everywhere)),
        "filter externalId eq": median(send, (filtered("externalId", f"external-{each}") for each in everywhere)),
        "filter emails.value eq": median(
            send, (filtered("emails.value", f"user-{each}@example.test") for each in everywhere)
        ),
        "create": median(send, (("POST", "/Users", {}, user(10_000_000 + each)) for each in range(ROUNDS))),
        "PATCH a user": median(
            send, (("PATCH", f"/Users/{identifier(each)}", {}, titled(each)) for each in everywhere)
        ),
        "PATCH one member of 10,000, whole group in the answer": median(
            send, (("PATCH", group, {}, add if each % 2 else remove) for each in range(20))
        ),
        "PATCH one member of 10,000, excludedAttributes=members": median(
            send, (("PATCH", group, without, add if each % 2 else remove) for each in range(20))
        ),
        "first page of 100": median(send, (("GET", "/Users", {"count": "100"}, None) for _ in range(10))),
        "page of 100 in the middle, by index": median(
            send, (("GET", "/Users", {"count": "100", "startIndex": str(number // 2)}, None) for _ in range(5))
        ),
        "next page of 100, by cursor": median(
            send, (("GET", "/Users", {"count": "100", "cursor": next(cursors)}, None) for _ in range(8))
        ),
    }


def filtered(attribute: str, value: str) -> tuple[str, str, dict[str, str], None]:
    """A look-up."""
    return "GET", "/Users", {"filter": f'{attribute} eq "{value}"'}, None


def median(send: Send, requests: Iterable[tuple[str, str, dict[str, str], Any]]) -> float:
    """Median milliseconds of requests, each of which has to succeed."""
    times = []
    for request in requests:
        started = time.perf_counter()
        status, _ = send(*request)
        times.append(time.perf_counter() - started)
        assert status < 300, (request, status)
    return statistics.median(times) * 1000


def batches(numbers: range) -> Iterator[list[int]]:
    """Numbers, some at a time."""
    for start in range(0, len(numbers), BATCH):
        yield list(numbers[start : start + BATCH])


if __name__ == "__main__":
    main()
