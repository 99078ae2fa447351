"""What the clients were answered, and whether the service keeps to it.

A journal has these lines, in JSON, each with the number of its request:

``{"ask": "POST /Users", "effects": {fact: value}, "cut": "", "sent": seconds}``   before the request is sent
``{"status": 201, "correlation": id}``                                             after its answer
``{"known": {fact: value}}``                                                       what was learned otherwise
``{"wrong": words}``                                                               an answer that may not be

A request that was answered 2xx has its effects; one that was answered otherwise, or broke off before it was whole, has none.
One whose answer never came has either all of its effects or none.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from core.flows import scim_requests
from core.store.provisioning_tables import ProvisioningRequest
from tests.load.client import Facts

MOST = scim_requests.MOST
_SLACK = 1.0  # seconds by which requests that were served at once may be in another order in the log
_ERROR = 300


@dataclass(frozen=True)
class Answered:
    """A request with its answer. ``sent`` is in seconds since 1970."""

    ask: str
    status: int
    correlation: str
    sent: float


@dataclass
class Expected:
    """What has to be so: each fact with the values that it may have. ``together`` are the effects of requests whose answer
    never came, with what was so before.
    """

    possible: dict[str, list[Any]] = field(default_factory=dict)
    together: list[tuple[str, dict[str, tuple[Any, Any]]]] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)

    def certain(self, facts: Facts) -> None:
        """These are so."""
        for key, value in facts.items():
            self.possible[key] = [value]

    def open(self, ask: str, effects: Facts) -> None:
        """A request may have had these effects."""
        before = {key: self.possible.get(key, [None])[0] for key in effects}
        self.together.append((ask, {key: (before[key], value) for key, value in effects.items()}))
        for key, value in effects.items():
            self.possible[key] = [*self.possible.get(key, [None]), value]


def read(journals: Iterable[Path]) -> Expected:
    """What has to be so after these journals. Two that are certain of one fact contradict each other."""
    everything = Expected()
    certain: dict[str, list[Path]] = defaultdict(list)
    for path in journals:
        one = _read_one(path)
        for key, values in one.possible.items():
            if len(values) == 1:
                certain[key].append(path)
                everything.possible[key] = values
            elif key not in certain:
                everything.possible[key] = [*everything.possible.get(key, []), *values]
        everything.together += one.together
        everything.answered += one.answered
        everything.wrong += [f"{path.stem}: {each}" for each in one.wrong]
        everything.counted += one.counted
    for key, paths in certain.items():
        if len(paths) > 1:
            everything.wrong.append(f"{key} was made by {', '.join(path.stem for path in paths)}")
    return everything


def _read_one(path: Path) -> Expected:
    expected = Expected()
    asked: dict[str, Any] | None = None
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if "ask" in entry:
            _never_answered(expected, asked)
            asked = entry
            expected.counted["requests"] += 1
            expected.counted[f"cut: {entry['cut'] or 'no'}"] += 1
        elif "status" in entry:
            assert asked is not None
            expected.counted[f"status {entry['status']}"] += 1
            expected.answered.append(
                Answered(asked["ask"], entry["status"], entry["correlation"], asked["sent"]),
            )
            if entry["status"] < 300:
                expected.certain(asked["effects"])
            asked = None
        elif "known" in entry:
            expected.certain(entry["known"])
        else:
            expected.wrong.append(entry["wrong"])
    _never_answered(expected, asked)
    return expected


def _never_answered(expected: Expected, asked: dict[str, Any] | None) -> None:
    if asked is None:
        return
    if asked["cut"].endswith("half"):
        return
    expected.counted["never answered"] += 1
    expected.open(asked["ask"], asked["effects"])


def differences(expected: Expected, found: Facts) -> list[str]:
    """Where what is found is not what has to be so. ``found`` holds each fact that is not none or false."""
    wrong = list(expected.wrong)
    for key, values in expected.possible.items():
        here = found.get(key)
        if not any(_same(value, here, exactly=len(values) == 1) for value in values):
            wrong.append(f"{key} should be {' or '.join(str(value) for value in values)} and is {here}")
    wrong += [
        f"{key} is {value}, and nobody asked for it" for key, value in found.items() if key not in expected.possible
    ]
    for ask, effects in expected.together:
        open_ = {
            key: (before, after)
            for key, (before, after) in effects.items()
            if len(expected.possible[key]) > 1 and not _same(before, after, exactly=False)
        }
        happened = {_same(after, found.get(key), exactly=False) for key, (_, after) in open_.items()}
        if len(happened) > 1:
            now = {key: found.get(key) for key in open_}
            wrong.append(f"{ask} happened in part: {now} of {effects}")
    return wrong


def unlogged(expected: Expected, engine: Engine, connection_id: str) -> list[str]:
    """Answers of which the log of requests says something else, and writes in it that nobody can have asked for. Of a log
    that was pruned, only what is younger than its oldest row is asked.
    """
    table = ProvisioningRequest
    query = select(table.correlation_id, table.method, table.path, table.status, table.at)
    with engine.connect() as connection:
        rows = connection.execute(query.where(table.connection_id == connection_id)).all()
    logged = {row.correlation_id: row for row in rows}
    oldest = min(row.at for row in rows).timestamp() + _SLACK if len(rows) >= MOST else float("-inf")
    wrong = [] if len(logged) == len(rows) else ["two rows of the log of requests are of one request"]
    for answered in expected.answered:
        row = logged.pop(answered.correlation, None)
        if row is None:
            if answered.sent > oldest:
                wrong.append(f"{answered.ask} was answered {answered.status}, and is not in the log of requests")
        elif row.status != answered.status or not answered.ask.startswith(f"{row.method} {row.path.partition('?')[0]}"):
            wrong.append(
                f"{answered.ask} was answered {answered.status}; the log has {row.method} {row.path} {row.status}"
            )
    others = [row for row in logged.values() if row.method != "GET" and row.status < _ERROR]
    if len(others) > expected.counted["never answered"]:
        wrong.append(f"the log of requests has {len(others)} writes that nobody was answered")
    return wrong


def _same(value: Any, here: Any, *, exactly: bool) -> bool:
    """Whether a fact is as it has to be. An id that nobody was told fits every one. The version of what nobody knows for
    certain is left out: later changes of others count on it.
    """
    if not isinstance(value, dict) or not isinstance(here, dict):
        return bool(value) == bool(here) and (value == here or not value)
    left_out = {"version"} if not exactly else set()
    if not value.get("id") or not here.get("id"):
        left_out.add("id")
    return {k: v for k, v in value.items() if k not in left_out} == {k: v for k, v in here.items() if k not in left_out}
