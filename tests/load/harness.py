"""Twenty directories, somebody who signs in, and two servers that are killed: one run on one database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx

from core import correlation
from core.errors import Conflict
from core.flows import activation, housekeeping, offboarding, organizations, provisioning
from core.flows import services as starting
from core.flows.actors import Actor, actor_of
from core.flows.pushed_people import RoleRule
from core.flows.scim_requests import Call
from core.flows.services import Services
from core.settings import Settings
from core.store.tables import Role
from core.testing.identity_provider import IdentityProvider
from tests.load import invariants, journal
from tests.load.client import Client, Facts, Plan, seen, sendable
from tests.peers.peers import free_port, wait_for
from tests.website import SIGN_IN_URL

PLUGIN = "aws_sso"
SERVERS = 2
SHARED_GROUPS = 3
SHARED_USERS = 12
_PAGE = "500"
_START_LIMIT = 120.0  # seconds: it starts while twenty clients keep the machine busy
_SIQ = str(Path(sys.executable).with_name("siq"))
_ROLES = (Role.BOOKING_MANAGER, Role.SPACE_CAPTAIN)


@dataclass(frozen=True)
class Load:
    """How much. ``requests`` of each client, or ``seconds`` where there are some; ``cut_percent`` of the requests break off;
    ``kill_at`` is the request at which every fourth client is killed, whom another one follows; ``demands`` the number of
    requests of the first client between two killed servers.
    """

    clients: int = 20
    requests: int = 0
    seconds: float = 0
    cut_percent: float = 1
    kill_at: int = 100
    demands: int = 100
    seed: int = 1


@dataclass
class Report:
    """What was seen. ``wrong`` is empty where everything held."""

    wrong: list[str]
    counted: Counter[str]


class Server:
    """One ``siq serve``, which can be killed and started again at its port."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment, self.port = folder, environment, free_port()
        self.folder.mkdir()
        self.log = (folder / "server.log").open("wb")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [_SIQ, "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(  # noqa: S603  our own command
            command, env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        wait_for(f"http://127.0.0.1:{self.port}/healthz", self.process, self.folder, _START_LIMIT)

    def kill(self) -> None:
        """As the kernel does it when there is no memory left."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As an operator does it: it finishes what it began."""
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.log.close()

    def failures(self) -> list[str]:
        """The requests that it failed to answer, by its log."""
        lines = (self.folder / "server.log").read_text(errors="replace").splitlines()
        return [line[-3000:] for line in lines if '"request failed"' in line or '"pruning failed"' in line]


@dataclass(frozen=True)
class Directory:
    """A connection that clients push into."""

    actor: Actor
    connection: str
    token: str
    site: Any

    @property
    def prefix(self) -> str:
        return f"/scim/v2/{self.connection}"


class Run:
    """One load on one database. ``folder`` gets the journals and the logs."""

    def __init__(self, load: Load, database_url: str, folder: Path) -> None:
        self.load, self.folder = load, folder
        public = "http://localhost:8000"
        self.settings = Settings(
            public_url=public, data_dir=folder / "data", database_url=database_url, deletion_days=0
        )
        self.services: Services = starting.start(self.settings)
        self.provider = IdentityProvider.create(SIGN_IN_URL)
        self.counted: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()

    def report(self) -> Report:
        """Do it all, and look at what is left."""
        try:
            with self._servers() as servers:
                directories = [self._directory(name) for name in ("northwind", "fabrikam")]
                plans = [self._plans(directory, servers, place) for place, directory in enumerate(directories)]
                self._drive([plan for each in zip(*plans, strict=True) for plan in each], servers, directories)
            expected = [self._read(f"{each.actor.organization_slug}-*.jsonl") for each in directories]
            for directory, wanted in zip(directories, expected, strict=True):
                self._compare(directory, wanted)
            self.wrong += [f"{name}: {rows[:5]}" for name, rows in self._broken().items()]
            for wanted in expected:
                self.counted += wanted.counted
            return Report(self.wrong, self.counted)
        finally:
            self.services.database.close()

    def _broken(self) -> dict[str, list[Any]]:
        with self.services.database.engine.connect() as connection:
            return invariants.broken(connection)

    def _count(self, what: str, many: int = 1) -> None:
        with self.lock:
            self.counted[what] += many

    # -- before ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _servers(self) -> Iterator[list[Server]]:
        environment = {
            "SIQ_PUBLIC_URL": self.settings.public_url,
            "SIQ_DATA_DIR": str(self.settings.data_dir),
            "SIQ_DATABASE_URL": self.settings.database_url,
            "SIQ_DELETION_DAYS": "0",
        }
        with ExitStack() as stack:
            servers = [Server(self.folder / f"server-{number}", environment) for number in range(SERVERS)]
            for server in servers:
                stack.callback(server.stop)
            for server in servers:
                server.start()
            yield servers
        for server in servers:
            self.wrong += server.failures()

    def _directory(self, slug: str) -> Directory:
        """An organization whose connection is active, with a token and rules for two of the shared groups."""
        organization = organizations.create_organization(self.services, slug)
        actor = actor_of(organizations.create_admin(self.services, organization, f"admin@{slug}.example"), organization)
        values: dict[str, str | bytes] = {
            "sso.sign_in_url": self.provider.sign_in_url,
            "sso.certificate": self.provider.certificate_pem,
        }
        made = activation.set_values(self.services, actor, PLUGIN, values)
        rules = [RoleRule(f"shared-{number}", role) for number, role in enumerate(_ROLES)]
        provisioning.set_rules(self.services, actor, PLUGIN, rules)
        token = provisioning.create_token(self.services, actor, PLUGIN).secret
        return Directory(actor, made.connection_id, token, made.site)

    def _plans(self, directory: Directory, servers: list[Server], place: int) -> list[Plan]:
        """What each client of a directory is told. What they share is made first, by one more."""
        slug = directory.actor.organization_slug
        common: dict[str, Any] = {
            "ports": [server.port for server in servers],
            "prefix": directory.prefix,
            "token": directory.token,
            "cut_percent": self.load.cut_percent,
            "requests": self.load.requests,
            "seconds": self.load.seconds,
        }

        def plan(name: str, **more: Any) -> Plan:
            return Plan(**common | {"name": name, "journal": str(self.folder / f"{name}.jsonl"), **more})

        clients = self.load.clients // 2
        groups: Facts = {}
        shares: list[Facts] = [{} for _ in range(clients)]
        with Client(plan(f"{slug}-maker", seed=0, cut_percent=0)) as maker:
            for name in (f"shared-{number}" for number in range(SHARED_GROUPS)):
                group = {"displayName": name, "externalId": name}
                made = maker.ask("POST", "/Groups", sendable(group), accept=(201,))
                assert made
                groups[name] = made.body["id"]
            for number in range(SHARED_USERS):
                fact = maker.new_user(f"shared-{number}@load.example")
                name = fact["userName"]
                assert maker.make("/Users", f"U:{name}", sendable(fact), {f"U:{name}": fact}, "")
                shares[number % clients][name] = maker.ids[name]
        return [
            plan(
                f"{slug}-{number}",
                seed=self.load.seed * 1000 + place * 100 + number,
                shared_groups=groups,
                shared_users=shares[number],
                kill_at=self.load.kill_at if number % 4 == 1 else 0,
                demands=self.load.demands if (place, number) == (0, 0) else 0,
            )
            for number in range(clients)
        ]

    # -- the load --------------------------------------------------------------------------------------------------

    def _drive(self, plans: list[Plan], servers: list[Server], directories: list[Directory]) -> None:
        with ThreadPoolExecutor(len(plans) + len(directories)) as pool:
            people = [pool.submit(self._sign_in, directory, servers) for directory in directories]
            clients = [pool.submit(self._client, plan, servers, directories) for plan in plans]
            try:
                for client in clients:
                    client.result()
            finally:
                self.ended.set()
            for person in people:
                person.result()

    def _client(self, plan: Plan, servers: list[Server], directories: list[Directory]) -> None:
        """Run a client to its end. One that was killed is followed by another, which owns other people."""
        with subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "tests.load.client", plan.argument()], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                self._kill(servers[int(line)], directories)
        if process.returncode == -9:
            self._count("clients killed")
            name = f"{plan.name}b"
            follows = {"name": name, "journal": str(self.folder / f"{name}.jsonl"), "shared_users": {}, "kill_at": 0}
            self._client(Plan(**{**vars(plan), **follows}), servers, directories)
        elif process.returncode:
            self.wrong.append(f"the client {plan.name} ended with {process.returncode}")

    def _kill(self, server: Server, directories: list[Directory]) -> None:
        """A server is killed and started again. Meanwhile an Admin lets planned deletions go ahead, and they do; and turns
        the rules round.
        """
        server.kill()
        self._count("servers killed")
        for directory in directories:
            try:
                offboarding.release_brake(self.services, directory.actor, PLUGIN, delete_them=True)
                self._count("brakes released")
            except Conflict:  # nobody is held yet
                pass
            turned = provisioning.provisioning(self.services, directory.actor, PLUGIN).rules[::-1]
            self._count(
                "roles changed by rules", provisioning.set_rules(self.services, directory.actor, PLUGIN, turned)
            )
        self._count("rows pruned", housekeeping.prune(self.services))
        server.start()

    def _sign_in(self, directory: Directory, servers: list[Server]) -> None:
        """Sign people in, as fast as they can be, until the directories are done: those who are there, those who are not
        yet, those who have left.
        """
        random = Random(self.load.seed)  # noqa: S311  a load, not a secret
        path = urlsplit(directory.site.acs_url).path
        slug, number = directory.actor.organization_slug, 0
        with httpx.Client(timeout=120, trust_env=False) as browser:
            while not self.ended.is_set():
                number += 1
                client = random.randrange(self.load.clients // 2)
                person = f"u{random.randint(1, 3 + number // 20)}.{slug}-{client}@load.example"
                minted = self.provider.response(
                    directory.site.acs_url, directory.site.audience, subject=person, attributes={}
                )
                server = servers[number % len(servers)]
                try:
                    answer = browser.post(
                        f"http://127.0.0.1:{server.port}{path}", data={"SAMLResponse": minted.form_value}
                    )
                except httpx.TransportError:  # it was killed
                    continue
                self._count(f"sign-in {answer.status_code}")
                if answer.status_code not in (303, 403):
                    self.wrong.append(f"the sign-in of {person} was answered {answer.status_code}: {answer.text[:500]}")

    # -- after -----------------------------------------------------------------------------------------------------

    def _read(self, pattern: str) -> journal.Expected:
        return journal.read(sorted(self.folder.glob(pattern)))

    def _compare(self, directory: Directory, expected: journal.Expected) -> None:
        """What can be read with what was answered; the log of requests with the answers."""
        found, wrong = found_by(self.services, directory)
        for kind, letter in (("users", "U"), ("groups", "G"), ("memberships", "M")):
            self.counted[f"{kind} there"] += sum(key.startswith(f"{letter}:") for key in found)
        self.wrong += wrong + journal.differences(expected, found)
        self.wrong += journal.unlogged(expected, self.services.database.engine, directory.connection)


def found_by(services: Services, directory: Directory) -> tuple[Facts, list[str]]:
    """What a directory finds, asking by pages: its facts, and where people's groups are not the groups' people."""
    users, groups = (_all(services, directory, f"/{kind}") for kind in ("Users", "Groups"))
    names = {user["id"]: user["userName"] for user in users}
    found: Facts = {}
    for user in users:
        name = user["userName"]
        contested = name.startswith("contested-")
        found[f"C:{name}" if contested else f"U:{name}"] = user["title"].rpartition("-")[0] if contested else seen(user)
    pairs = set()
    for group in groups:
        if not group["externalId"].startswith("shared-"):
            found[f"G:{group['externalId']}"] = seen(group)
        for member in group.get("members", ()):
            pairs.add((member["value"], group["id"]))
            found[f"M:{group['externalId']}|{names.get(member['value'], member['value'])}"] = True
    said = {(user["id"], group["value"]) for user in users for group in user.get("groups", ())}
    return found, [f"the member {user} and the group {group} do not agree" for user, group in said ^ pairs]


def _all(services: Services, directory: Directory, path: str) -> list[dict[str, Any]]:
    resources: list[dict[str, Any]] = []
    headers = {"authorization": f"Bearer {directory.token}"}
    cursor: str | None = ""
    while cursor is not None:
        call = Call("GET", path, {"cursor": cursor, "count": _PAGE}, headers, b"")
        correlation.begin()  # as each request has one
        answer = provisioning.serve(services, directory.connection, call)
        assert answer.status == 200, answer.body
        page = json.loads(answer.body)
        resources += page.get("Resources", [])
        cursor = page.get("nextCursor")
    assert len({each["id"] for each in resources}) == len(resources)
    return resources


def as_json(report: Report) -> str:
    """A report for people and programs."""
    return json.dumps({"wrong": report.wrong[:50], **dict(sorted(report.counted.items()))}, indent=1)
