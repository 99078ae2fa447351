"""The comparison of what was answered with what is there sees each difference that there can be."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.flows.services import Services
from core.store.provisioning_tables import ProvisioningRequest
from tests.core.scim.conftest import new_directory
from tests.load import journal
from tests.load.client import Facts

USER = "U:ada"
GROUP = "G:team"
MEMBER = "M:team|ada"


def user(**changes: Any) -> dict[str, Any]:
    return {"id": "1", "userName": "ada", "title": "Countess", "version": 1, **changes}


def group(**changes: Any) -> dict[str, Any]:
    return {"id": "2", "externalId": "team", "displayName": "Team", "version": 1, **changes}


def asked(effects: Facts, cut: str = "") -> dict[str, Any]:
    return {"ask": "PUT /Users/1", "effects": effects, "cut": cut, "sent": 0.0}


ANSWERED = {"status": 200, "correlation": "C"}
REFUSED = {"status": 503, "correlation": "C"}


def expected(folder: Path, *lines: dict[str, Any], name: str = "one") -> journal.Expected:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps({"n": 1, **line}) + "\n" for line in lines))
    return journal.read(sorted(folder.glob("*.jsonl")))


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([asked({USER: user()}), ANSWERED], {USER: user()}),
        ([asked({USER: user(id=None)}), ANSWERED], {USER: user(id="7")}),
        ([asked({USER: user()}), REFUSED], {}),
        ([asked({USER: user()})], {}),
        ([asked({USER: user()})], {USER: user()}),
        ([asked({USER: user()}, "kill half")], {}),
        ([asked({USER: user()}, "whole"), {"known": {USER: user()}}], {USER: user()}),
        ([asked({GROUP: group(), MEMBER: True})], {}),
        ([asked({GROUP: group(), MEMBER: True})], {GROUP: group(), MEMBER: True}),
        ([asked({USER: user()}), ANSWERED, asked({USER: None}), ANSWERED], {}),
    ],
)
def test_what_may_be_is_not_held_against_the_service(tmp_path: Path, lines: list[dict[str, Any]], found: Facts) -> None:
    assert journal.differences(expected(tmp_path, *lines), found) == []


@pytest.mark.parametrize(
    ("lines", "found", "words"),
    [
        ([asked({USER: user()}), ANSWERED], {}, "and is None"),
        ([asked({USER: user()}), ANSWERED], {USER: user(title="Lady")}, "Lady"),
        ([asked({USER: user()}), ANSWERED], {USER: user(version=2)}, "'version': 2"),
        ([asked({USER: user()}), ANSWERED], {USER: user(id="9")}, "'id': '9'"),
        ([asked({USER: user()}), REFUSED], {USER: user()}, "U:ada"),
        ([asked({USER: user()}, "half")], {USER: user()}, "nobody asked for it"),
        ([asked({USER: user()})], {USER: user(title="Lady")}, "or"),
        ([asked({USER: user()}), ANSWERED, asked({USER: None}), ANSWERED], {USER: user()}, "should be None"),
        ([asked({MEMBER: True}), ANSWERED], {}, "should be True"),
        ([asked({GROUP: group(), MEMBER: True})], {GROUP: group()}, "happened in part"),
        ([asked({GROUP: group(), MEMBER: True})], {MEMBER: True}, "happened in part"),
        ([], {USER: user()}, "nobody asked for it"),
        ([{"wrong": "a 500"}], {}, "a 500"),
    ],
)
def test_what_may_not_be_is_seen(tmp_path: Path, lines: list[dict[str, Any]], found: Facts, words: str) -> None:
    wrong = journal.differences(expected(tmp_path, *lines), found)
    assert any(words in each for each in wrong), wrong


def test_two_clients_that_are_both_told_that_they_made_the_same_are_seen(tmp_path: Path) -> None:
    expected(tmp_path, asked({"C:ada": "one"}), ANSWERED)
    both = expected(tmp_path, asked({"C:ada": "two"}), ANSWERED, name="two")
    assert journal.differences(both, {"C:ada": "two"}) == ["C:ada was made by one, two"]


def test_the_log_of_requests_is_compared_with_the_answers(services: Services) -> None:
    directory = new_directory(services)
    directory.push("ada@example.test")
    with services.database.looking_up() as session:
        correlation = session.scalars(select(ProvisioningRequest.correlation_id)).one()

    def unlogged(*answered: tuple[str, int, str], never_answered: int = 0) -> list[str]:
        everything = journal.Expected(counted=Counter({"never answered": never_answered}))
        everything.answered = [journal.Answered(ask, status, each, 0.0) for ask, status, each in answered]
        return journal.unlogged(everything, services.database.engine, directory.connection_id)

    created = ("POST /Users", 201, correlation)
    assert unlogged(created) == []
    assert unlogged(never_answered=1) == []
    assert "1 writes that nobody was answered" in unlogged()[0]
    assert "not in the log" in unlogged(created, ("POST /Users", 201, "another"))[0]
    assert "the log has POST /Users 201" in unlogged(("POST /Users", 409, correlation))[0]
    assert "the log has POST /Users 201" in unlogged(("DELETE /Users/1", 201, correlation))[0]
