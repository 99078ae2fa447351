"""A directory that pushes people and groups, breaks off in the middle of some requests, and keeps a journal.

``python -m tests.load.client PLAN``: a process of its own, so that it can be killed. It knows what each of its requests
does to what it owns (``Facts``), and checks each answer against that. The journal has a line before each request and one
after its answer; see :mod:`tests.load.journal`.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from tests.load.wire import CUTS, Answer, Wire

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
BUSY = 503

Facts = dict[str, Any]
"""What is so. ``U:name`` a user and ``G:externalId`` a group, as :func:`seen` shows them (none: gone);
``M:externalId|name`` whether the user is a member of the group."""


@dataclass(frozen=True)
class Plan:
    """What a client is told. ``kill_at`` and ``demands`` are numbers of requests: at which it kills itself, and at which it
    asks for the server that it has just written to to be killed.
    """

    name: str
    ports: list[int]
    prefix: str
    token: str
    journal: str
    seed: int
    requests: int
    seconds: float
    cut_percent: float
    kill_at: int = 0
    demands: int = 0
    shared_groups: Facts = field(default_factory=dict)
    shared_users: Facts = field(default_factory=dict)
    """What is not this client's alone: of these users it changes only the membership in these groups, which is."""

    def argument(self) -> str:
        """The plan as the argument of the process."""
        return json.dumps(asdict(self))


def seen(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource as facts hold it: without what is derived, with its version as a number."""
    left_out = {"schemas", "meta", "groups", "members"}
    version = int(resource["meta"]["version"].removeprefix('W/"').removesuffix('"'))
    return {**{name: value for name, value in resource.items() if name not in left_out}, "version": version}


def sendable(fact: Mapping[str, Any], *left_out: str) -> dict[str, Any]:
    """What a client sends to make a fact so."""
    without = {"id", "version", *left_out}
    schema = USER if "userName" in fact else GROUP
    return {"schemas": [schema], **{name: value for name, value in fact.items() if name not in without}}


class Client:
    """Sends requests, and knows what is so."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)  # noqa: S311  a load, not a secret
        self.wire = Wire(
            plan.ports,
            plan.prefix,
            {"Authorization": f"Bearer {plan.token}", "Content-Type": "application/scim+json"},
        )
        self.facts: Facts = {}
        self.ids: dict[str, str] = dict(plan.shared_users)
        self.forgotten: set[str] = set()
        self.broke_off = ""
        self.journal = Path(plan.journal).open("a", buffering=1)  # noqa: SIM115  open for the life of the process
        self.number = 0
        self.made = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()
        self.wire.close()

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        effects: Facts | None = None,
        accept: Sequence[int] = (200,),
        headers: Mapping[str, str] | None = None,
        whole: bool = False,
    ) -> Answer | None:
        """The answer to a request that makes ``effects`` so; none where it never came, or says that the database is busy.
        ``whole``: it does not break off.
        """
        self.number += 1
        cut = self.broke_off = "" if whole else self._cut()
        effects = effects or {}
        self._write(ask=f"{method} {path}", effects=effects, cut=cut, sent=time.time())
        answer = self.wire.exchange(method, path, body, headers, cut=cut, sent=self._demand)
        if answer is None:
            if cut != "half":
                self._forget(effects)
            return None
        self._write(status=answer.status, correlation=answer.correlation)
        if answer.status == BUSY:
            return None
        if answer.status not in accept:
            self.wrong(f"{method} {path} was answered {answer.status}: {answer.body}")
        if answer.status < 300:
            self.facts |= effects
        return answer

    def agree(self, key: str, resource: Mapping[str, Any]) -> None:
        """The resource of an answer has to be what is so, with the id that we learn now."""
        known = self.facts[key]
        found = seen(resource)
        if not known["id"]:
            self.know({key: {**known, "id": found["id"]}})
            known = self.facts[key]
        if found != known:
            self.wrong(f"{key} should be {known} and is {found}")

    def members_agree(self, group: str, resource: Mapping[str, Any]) -> None:
        """The members of an own group have to be those that were asked for."""
        ids = {self.ids[name] for name in self.members(group)}
        found = {member["value"] for member in resource.get("members", ())}
        if ids != found:
            self.wrong(f"the members of {group} should be {sorted(ids)} and are {sorted(found)}")

    def know(self, facts: Facts) -> None:
        """Take over what was learned otherwise than by an effect: ids, and what a read showed."""
        self.facts |= facts
        self.ids |= {key[2:]: fact["id"] for key, fact in facts.items() if key.startswith("U:") and fact["id"]}
        self._write(known=facts)

    def _forget(self, effects: Facts) -> None:
        """Nobody knows whether these are so: what they are about is left alone from now on."""
        self.forgotten |= effects.keys()
        people = {"U:" + key.split("|")[1] for key in effects if key.startswith("M:")}
        for key in effects.keys() | people:
            self.facts.pop(key, None)

    def wrong(self, what: str) -> None:
        """Note what may not be."""
        self._write(wrong=what)

    def _write(self, **line: Any) -> None:
        self.journal.write(json.dumps({"n": self.number, **line}) + "\n")

    def _cut(self) -> str:
        if self.plan.kill_at and self.number >= self.plan.kill_at:
            return self.random.choice(("kill half", "kill whole"))
        return self.random.choice(CUTS) if self.random.random() * 100 < self.plan.cut_percent else ""

    def _demand(self) -> None:
        if self.plan.demands and self.number % self.plan.demands == 0:
            print(self.wire.at, flush=True)  # noqa: T201  read by the harness

    # -- what is so ------------------------------------------------------------------------------------------------

    def users(self, *, gone: bool = False) -> list[str]:
        """The names of own users that are there, or were deleted."""
        return [key[2:] for key, value in self.facts.items() if key.startswith("U:") and (value is None) is gone]

    def groups(self) -> list[str]:
        """The external ids of own groups that are there."""
        return [key[2:] for key, value in self.facts.items() if key.startswith("G:") and value is not None]

    def members(self, group: str) -> list[str]:
        """The names of the users in a group, as far as they are ours."""
        start = f"M:{group}|"
        return [key.removeprefix(start) for key, value in self.facts.items() if key.startswith(start) and value]

    def groups_of(self, user: str) -> list[str]:
        """The external ids of the groups, own and shared, that an own user is in."""
        return [key[2:].split("|")[0] for key, value in self.facts.items() if value and key.endswith(f"|{user}")]

    def changed(self, key: str, **changes: Any) -> dict[str, Any]:
        """The fact after a change that counts as one."""
        fact = self.facts[key]
        return {**fact, **changes, "version": fact["version"] + 1}

    def fresh(self) -> str:
        """A text that no other request has."""
        return f"{self.plan.name}-{self.number}"

    def new_user(self, name: str) -> dict[str, Any]:
        """The fact of a user who is to be made."""
        return {
            "id": None,
            "userName": name,
            "externalId": f"x-{name}",
            "displayName": f"Person {name}",
            "name": {"givenName": "Given", "familyName": self.fresh()},
            "title": self.fresh(),
            "active": True,
            "emails": [{"value": name, "type": "work", "primary": True}],
            "version": 1,
        }

    def next_name(self) -> str:
        """The user name of the next new person. Whoever signs in under it guesses it so."""
        self.made += 1
        return f"u{self.made}.{self.plan.name}@load.example"

    def some(self, names: Sequence[str], most: int) -> list[str]:
        """Some of these names, at least one."""
        return self.random.sample(names, self.random.randint(1, min(most, len(names))))

    # -- making what may break off -----------------------------------------------------------------------------------

    def make(self, endpoint: str, key: str, body: Mapping[str, Any], effects: Facts, look: str) -> bool:
        """POST a resource, once more where no answer came: then it is there, or it is made now. ``look`` is the filter that
        finds it. Answers whether we know that it is there. What was asked for twice is left alone from then on: the first
        request may still be on its way.
        """
        answer = self.ask("POST", endpoint, body, effects=effects, accept=(201,))
        once = answer is not None
        if answer is None:
            again = (201,) if self.broke_off == "half" else (201, 409)
            answer = self.ask("POST", endpoint, body, effects=effects, accept=again, whole=True)
        if answer is None or answer.status not in (201, 409):
            return False
        resource = answer.body
        if answer.status == 409:
            found = self.ask("GET", f"{endpoint}?{urlencode({'filter': look})}", whole=True)
            if found is None:
                return False
            if found.body["totalResults"] != 1:
                self.wrong(f"{key} is not there, and cannot be made: {found.body}")
                return False
            (resource,) = found.body["Resources"]
            self.know(effects)
        self.agree(key, resource)
        if not once:
            self._forget(effects)
        return True


def run(plan: Plan, operations: Callable[[Client], None]) -> None:
    """Ask until the plan is fulfilled: a number of requests, or seconds where it gives some."""
    ends = time.monotonic() + plan.seconds
    with Client(plan) as client:
        while time.monotonic() < ends if plan.seconds else client.number < plan.requests:
            operations(client)


if __name__ == "__main__":
    from tests.load.operations import operate

    run(Plan(**json.loads(sys.argv[1])), operate)
