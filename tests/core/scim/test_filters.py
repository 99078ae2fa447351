"""A filter in SQL means what scim2-models says that it means, whatever the filter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from scim2_models import Resource, ResourceType, ScimFilter, SearchRequest
from scim2_server.utils import parametrize

from core.flows.services import Services
from core.scim import resources
from core.scim.filters import DEEPEST, LONGEST
from tests.core.scim.conftest import ENTERPRISE, THOROUGH_ON_POSTGRESQL, Directory, new_directory

USERS: list[dict[str, Any]] = [
    {
        "userName": "Ada",
        "externalId": "X-1",
        "displayName": "Ada",
        "title": "Boss",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "active": True,
        "emails": [
            {"value": "ada@home.example", "type": "home"},
            {"value": "ada@work.example", "type": "work", "primary": True},
        ],
        "phoneNumbers": [{"value": "tel:1"}, {"value": "tel:2", "type": "mobile", "display": "Two"}],
        ENTERPRISE: {"employeeNumber": "10", "manager": {"value": "B"}},
    },
    {"userName": "bob", "externalId": "x-1", "active": False, "emails": [{"type": "work"}], "title": ""},
    {
        "userName": "Čáp%_\\",
        "title": "50% off",
        "name": {"familyName": "SMITH"},
        "roles": [{"value": "admin", "primary": True}, {"display": "nothing"}],
        "addresses": [{"type": "work"}, {"country": "CZ"}],
    },
    {"userName": "\U0001f600", "displayName": "\ud7ff\ue000", "profileUrl": "https://example.test/A"},
]
SINGLE = ["userName", "externalId", "title", "displayName", "name.familyName", "name", "active", "id", "profileUrl"]
SINGLE += [
    "meta.resourceType",
    "meta.version",
    "meta.created",
    f"{ENTERPRISE}:employeeNumber",
    f"{ENTERPRISE}:manager.value",
]
MANY = ["emails", "emails.value", "emails.type", "emails.primary", "phoneNumbers", "phoneNumbers.display", "roles"]
MANY += ["roles.primary", "addresses", "addresses.country", "schemas", "groups.value", "groups.display", "groups"]
INSIDE = {
    "emails": ["value", "type", "primary", "display"],
    "phoneNumbers": ["value", "type", "display"],
    "addresses": ["type", "country", "formatted"],
    "groups": ["value", "display"],
    "schemas": ["value"],
}
OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
TEXTS = ["", "a", "Ada", "BOB", "work", "%", "_", "čáp", "10", "X-1", "x-1", "\ud7ff", "😀", "User", "admins", 'W/"1"']
TEXTS += ["ada@work.example", "https://example.test/A", "2000-01-01T00:00:00Z", "2999-01-01T00:00:00", "tel:"]
VALUES = [ScimFilter.quote(text) for text in TEXTS] + ["true", "false", "null", "5"]


def _combined(leaves: some.SearchStrategy[str]) -> some.SearchStrategy[str]:
    return some.recursive(
        leaves,
        lambda inner: some.one_of(
            some.builds("({} and {})".format, inner, inner),
            some.builds("({} or {})".format, inner, inner),
            some.builds("not ({})".format, inner),
        ),
        max_leaves=5,
    )


def _leaves(names: list[str]) -> some.SearchStrategy[str]:
    name = some.sampled_from(names)
    return some.one_of(
        some.builds("{} {} {}".format, name, some.sampled_from(OPERATORS), some.sampled_from(VALUES)),
        some.builds("{} pr".format, name),
    )


def _selections() -> some.SearchStrategy[str]:
    return some.sampled_from(sorted(INSIDE)).flatmap(
        lambda name: some.builds(f"{name}[{{}}]".format, _combined(_leaves(INSIDE[name])))
    )


FILTERS = _combined(some.one_of(_leaves(SINGLE + MANY), _selections()))


@pytest.fixture(scope="module")
def people(host: Services) -> Directory:
    """A directory that has pushed a few people who differ in everything, and two groups."""
    directory = new_directory(host)
    made = [directory.push(user["userName"], **{k: v for k, v in user.items() if k != "userName"}) for user in USERS]
    directory.group("Admins", made[0]["id"])
    directory.group("Everyone", *(user["id"] for user in made))
    return directory


@pytest.fixture(scope="module")
def user_type() -> ResourceType:
    return next(each for each in resources.provider().resource_types if each.name == "User")


@pytest.fixture(scope="module")
def everybody(people: Directory, user_type: ResourceType) -> list[Resource[Any]]:
    """All users as resources, in the order of a search."""
    with people.services.database.reading(people.organization_id) as session:
        request = parametrize(SearchRequest, resources.model_named("User"))
        return people.storage(session).search([user_type], request(cursor="")).resources


@THOROUGH_ON_POSTGRESQL
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=FILTERS)
def test_the_rows_that_sql_finds_are_those_that_python_finds(
    people: Directory, everybody: list[Resource[Any]], user_type: ResourceType, text: str
) -> None:
    request = parametrize(SearchRequest, resources.model_named("User"))
    with resources.provider():
        try:
            asked = request.model_validate({"filter": text, "cursor": ""})
        except ValueError:  # not a filter that the schema allows
            return
        with people.services.database.reading(people.organization_id) as session:
            found = people.storage(session).search([user_type], asked)
        assert asked.filter
        expected = [user.id for user in everybody if asked.filter.match(user)]
    assert [user.id for user in found.resources] == expected
    assert found.total == len(expected)


@pytest.mark.parametrize(
    "text",
    [
        "userName",
        'userName eq "a',
        'nosuch eq "a"',
        'userName zz "a"',
        "active gt true",
        'meta.created gt "yesterday"',
        'meta.created gt "0001-01-01T00:00:00+23:59"',
        'userName eq "\\u0000"',
        'userName eq "\\ud800"',
        'userName[value eq "a"]',
        "(" * (DEEPEST + 1) + "userName pr" + ")" * (DEEPEST + 1),
        " or ".join(["userName pr"] * 400),
        f'userName eq "{"a" * LONGEST}"',
        "",
    ],
    ids=lambda text: text[:40],
)
def test_a_filter_that_cannot_be_asked_is_a_400_with_invalid_filter(directory: Directory, text: str) -> None:
    for answer in (
        directory.send("GET", "/Users", params={"filter": text}),
        directory.send("POST", "/Users/.search", {"filter": text}),
    ):
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter")


def test_an_entry_that_is_not_indexed_is_refused_not_scanned(directory: Directory) -> None:
    answer = directory.send("GET", "/Groups", params={"filter": 'members.display eq "Ada"'})
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter")


def test_members_are_found_by_their_id(directory: Directory) -> None:
    user = directory.push("ada@example.test")
    group = directory.group("Everyone", user["id"])
    directory.group("Nobody")
    for text in (f'members eq "{user["id"]}"', f'members[value eq "{user["id"]}"]', 'members.type eq "User"'):
        assert [found["id"] for found in directory.get("/Groups", filter=text)["Resources"]] == [group["id"]]
