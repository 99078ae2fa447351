"""Requests that are well formed and mean anything at all: filters, paths and values over every attribute. None is a 5xx,
each refusal is SCIM's, and what is answered with 200 is what is there.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.flows.services import Services
from tests.core.scim.conftest import ENTERPRISE, GROUP, PATCH, THOROUGH_ON_POSTGRESQL, USER, Directory, new_directory

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"

ATTRIBUTES = ["userName", "name", "name.givenName", "externalId", "active", "emails", "emails.value", "emails.primary"]
ATTRIBUTES += ["phoneNumbers", "addresses.country", "roles", "x509Certificates", "photos.value", "groups", "schemas"]
ATTRIBUTES += ["groups.display", "id", "meta", "meta.created", "meta.version", "meta.location", "title", "displayName"]
ATTRIBUTES += ["profileUrl", "members", "members.value", "members.$ref", ENTERPRISE, f"{ENTERPRISE}:manager.value"]
ATTRIBUTES += [f"{ENTERPRISE}:manager", f"{USER}:userName", f"{GROUP}:members", "nosuch", "a.b", "$ref"]
INSIDE = ["value", "type", "primary", "display", "$ref", "country"]
OPERANDS = ['"a"', '"A"', '""', '"2020-01-01T00:00:00Z"', '"9999-12-31T23:59:59-23:59"', "true", "null", "5", "1e400"]
OPERANDS += ['"%"', '"\\\\"', '"\\ud83d\\ude00"', '"MIID"', "99999999999999999999999", '"W/\\"1\\""', '"work"']
OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ"]
PIECES = [
    None,
    True,
    False,
    0,
    2**70,
    1.5,
    "",
    "a",
    "A@b.test",
    "False",
    "2020-01-01T00:00:00Z",
    "İ" * 40,
    "😀",
    "MIID",
]
PIECES += ["bulkId:a", "https://x.test/a", "\0", "x" * 700]
NAMES = [
    "value",
    "type",
    "primary",
    "display",
    "$ref",
    "givenName",
    "active",
    "userName",
    "emails",
    "members",
    "manager",
]
NAMES += ["displayName", ENTERPRISE, "name.givenName", 'emails[type eq "work"].value', 'members[value eq "x"].display']


def _leaf(names: list[str]) -> some.SearchStrategy[str]:
    name = some.sampled_from(names)
    compared = some.builds("{} {} {}".format, name, some.sampled_from(OPERATORS), some.sampled_from(OPERANDS))
    return compared | some.builds("{} pr".format, name)


def _joined(leaves: some.SearchStrategy[str]) -> some.SearchStrategy[str]:
    def more(inner: some.SearchStrategy[str]) -> some.SearchStrategy[str]:
        both = some.builds("({} {} {})".format, inner, some.sampled_from(["and", "or"]), inner)
        return both | some.builds("not ({})".format, inner)

    return some.recursive(leaves, more, max_leaves=4)


ENTRIES = some.builds("{}[{}]".format, some.sampled_from(ATTRIBUTES), _joined(_leaf(INSIDE)))
FILTERS = _joined(_leaf(ATTRIBUTES) | ENTRIES)
PATHS = some.one_of(
    some.sampled_from(ATTRIBUTES),
    some.builds("{}{}".format, ENTRIES, some.sampled_from(["", ".value", ".display", ".nosuch"])),
    some.sampled_from(["", "[", "a b", ".", "urn:", "\0", f"{ENTERPRISE}:"]),
)
VALUES = some.recursive(
    some.sampled_from(PIECES),
    lambda inner: (
        some.lists(inner, max_size=2) | some.dictionaries(some.sampled_from(NAMES), inner, min_size=1, max_size=3)
    ),
    max_leaves=5,
)
KINDS = some.sampled_from(["add", "remove", "replace", "Add", "Remove", "Replace"])
OPERATIONS = some.fixed_dictionaries({"op": KINDS}, optional={"path": PATHS, "value": VALUES})
FEW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def pushed(host: Services) -> tuple[Directory, list[str]]:
    """A directory, and the paths of a user and a group that have something of everything."""
    directory = new_directory(host)
    user = directory.push(
        "ada@example.test",
        emails=[{"value": "ada@example.test", "type": "work"}],
        roles=[{"value": "a"}],
        **{ENTERPRISE: {"employeeNumber": "1", "manager": {"value": "q"}}},
    )
    group = directory.group("Everyone", user["id"], "q")
    return directory, [f"/Users/{user['id']}", f"/Groups/{group['id']}"]


@THOROUGH_ON_POSTGRESQL
@FEW
@given(
    text=FILTERS,
    path=some.sampled_from(["/Users/.search", "/Groups/.search", "/.search"]),
    more=some.fixed_dictionaries(
        {},
        optional={
            "sortBy": some.sampled_from(ATTRIBUTES),
            "sortOrder": some.sampled_from(["ascending", "descending"]),
            "cursor": some.just(""),
            "count": some.sampled_from([-1, 0, 1, 2]),
            "attributes": some.lists(some.sampled_from(ATTRIBUTES), max_size=2),
        },
    ),
)
def test_every_search_is_answered(
    pushed: tuple[Directory, list[str]], text: str, path: str, more: dict[str, Any]
) -> None:
    answer = pushed[0].send("POST", path, {"filter": text, **more})
    assert answer.status_code in (200, 400), answer.text
    assert answer.status_code == 200 or answer.json()["schemas"] == [ERROR]


@THOROUGH_ON_POSTGRESQL
@FEW
@given(place=some.sampled_from([0, 1]), operations=some.lists(OPERATIONS, min_size=1, max_size=3))
def test_every_patch_is_done_or_refused(
    pushed: tuple[Directory, list[str]], place: int, operations: list[dict[str, Any]]
) -> None:
    directory, paths = pushed
    before = directory.get(paths[place])
    answer = directory.patch(paths[place], *operations)
    assert answer.status_code in (200, 400, 409), answer.text
    if answer.status_code == 200:
        assert answer.json() == directory.get(paths[place])
    else:
        assert answer.json()["schemas"] == [ERROR]
        assert directory.get(paths[place]) == before


@THOROUGH_ON_POSTGRESQL
@FEW
@given(
    data=VALUES,
    operation=OPERATIONS,
    method=some.sampled_from(["POST", "PUT", "PATCH"]),
    place=some.sampled_from([0, 1]),
)
def test_no_operation_of_a_bulk_request_is_a_500(
    pushed: tuple[Directory, list[str]], data: Any, operation: dict[str, Any], method: str, place: int
) -> None:
    directory, paths = pushed
    path = ["/Users", "/Groups"][place] if method == "POST" else paths[place]
    operations = [
        {"method": method, "path": path, "bulkId": "a", "data": data},
        {"method": "PATCH", "path": paths[place], "data": {"schemas": [PATCH], "Operations": [operation]}},
    ]
    answer = directory.send("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        assert all(int(each["status"]) < 500 for each in answer.json()["Operations"]), answer.text
