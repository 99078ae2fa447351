"""Each operator on each kind of attribute (RFC 7644 3.4.2.2), with the answer written down by hand: what
``test_filters.py`` compares with a library stands here by itself.
"""

from __future__ import annotations

import pytest

from core.flows.services import Services
from tests.core.scim.conftest import ENTERPRISE, GROUP, USER, Directory, new_directory

Found = tuple[Directory, dict[str, str]]


@pytest.fixture(scope="module")
def found(host: Services) -> Found:
    """A directory with three people and three groups, and who has which id."""
    directory = new_directory(host)
    ada = directory.push(
        "Ada@example.test",
        externalId="X-1",
        name={"givenName": "Ada", "familyName": "Lovelace"},
        title="Countess",
        active=True,
        emails=[
            {"value": "ada@x.test", "type": "work", "primary": True},
            {"value": "ada@home.test", "type": "home"},
        ],
        phoneNumbers=[{"value": "+44 1", "type": "mobile"}],
        **{ENTERPRISE: {"employeeNumber": "10", "department": "Engines", "manager": {"value": "B-1"}}},
    )
    bob = directory.push(
        "bob@example.test",
        externalId="x-1",
        active=False,
        emails=[{"value": "bob@home.test", "type": "home"}],
        **{ENTERPRISE: {"employeeNumber": "9"}},
    )
    cyd = directory.push("cyd", title="")
    names = {"a": ada["id"], "b": bob["id"], "c": cyd["id"]}
    for key, group in (
        ("E", directory.group("Everyone", ada["id"], bob["id"])),
        ("n", directory.group("nobody")),
        ("O", directory.send("POST", "/Groups", {"displayName": "Off%ice_", "externalId": "G-1"}).json()),
    ):
        names[key] = group["id"]
    return directory, names


def who(found: Found, path: str, text: str) -> str:
    directory, names = found
    for key, resource_id in names.items():
        text = text.replace(f"{{{key}}}", resource_id)
    ids = {one["id"] for one in directory.get(path, filter=text).get("Resources", [])}
    return "".join(key for key, resource_id in names.items() if resource_id in ids)


USERS = {
    # a string that ignores case
    'userName eq "ADA@EXAMPLE.TEST"': "a",
    'userName ne "ada@example.test"': "bc",
    'userName co "EXAMPLE"': "ab",
    'userName sw "b"': "b",
    'userName ew ".TEST"': "ab",
    'userName gt "bob@example.test"': "c",
    'userName ge "bob@example.test"': "bc",
    'userName lt "Bob@example.test"': "a",
    'userName le "Bob@example.test"': "ab",
    "userName pr": "abc",
    'USERNAME EQ "cyd"': "c",
    f'{USER}:userName eq "cyd"': "c",
    # a string that does not
    'externalId eq "X-1"': "a",
    'externalId ne "X-1"': "bc",
    'externalId sw "x"': "b",
    'externalId gt "X-1"': "b",
    "externalId pr": "ab",
    "externalId eq null": "c",
    'id eq "{a}"': "a",
    'id sw "{b}"': "b",
    # an empty string is not present
    "title pr": "a",
    'title co "ount"': "a",
    "not (title pr)": "bc",
    # inside of a complex attribute
    'name.familyName eq "LOVELACE"': "a",
    'name.givenName co "d"': "a",
    "name pr": "a",
    # a boolean; whoever is made without one is active
    "active eq true": "ac",
    "active eq false": "b",
    "active ne true": "b",
    "active pr": "abc",
    # several values: any of them, and of one entry together
    'emails eq "ada@home.test"': "a",
    'emails.value ew "home.test"': "ab",
    'emails co "x.test"': "a",
    'emails[type eq "work" and value co "@x"]': "a",
    'emails[type eq "work" and value co "@home"]': "",
    'emails[type eq "home" and not (value sw "ada")]': "b",
    "emails[primary eq true]": "a",
    "emails.primary eq true": "a",
    'emails[type eq "home"] and title pr': "a",
    "emails pr": "ab",
    "not (emails pr)": "c",
    'phoneNumbers[type eq "mobile" and value sw "+44"]': "a",
    'phoneNumbers.type ne "mobile"': "bc",
    'schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"': "ab",
    # groups, which are read only
    'groups eq "{E}"': "ab",
    'groups.display eq "everyone"': "ab",
    'groups[value eq "{n}"]': "",
    "groups pr": "ab",
    # the enterprise extension: texts, not numbers
    f'{ENTERPRISE}:employeeNumber eq "10"': "a",
    f'{ENTERPRISE}:employeeNumber gt "10"': "b",
    f'{ENTERPRISE}:department co "GINE"': "a",
    f'{ENTERPRISE}:manager.value eq "B-1"': "a",
    f"{ENTERPRISE}:manager pr": "a",
    # times and the rest of meta
    'meta.created gt "2000-01-01T00:00:00Z"': "abc",
    'meta.created lt "2000-01-01T00:00:00Z"': "",
    'meta.lastModified ge "2000-01-01T00:00:00+05:00"': "abc",
    'meta.created le "2999-01-01T00:00:00.123Z"': "abc",
    'meta.created ne "2000-01-01T00:00:00Z"': "abc",
    'meta.resourceType eq "User"': "abc",
    'meta.resourceType eq "Group"': "",
    'meta.version eq "W/\\"1\\""': "abc",
    'meta.location ew "{c}"': "c",
    # and, or, not: and binds closer
    'userName sw "ada" or userName sw "bob" and title pr': "a",
    '(userName sw "ada" or userName sw "bob") and title pr': "a",
    '(userName sw "ada" or userName sw "bob") and not (title pr)': "b",
    'not (userName sw "ada") and not (userName sw "bob")': "c",
    'NOT (userName SW "ada") AND active PR': "bc",
}

GROUPS = {
    'displayName eq "EVERYONE"': "E",
    'displayName ne "everyone"': "nO",
    'displayName co "%"': "O",
    'displayName co "_"': "O",
    'displayName sw "No"': "n",
    'displayName ew "ICE_"': "O",
    'displayName gt "everyone"': "nO",
    'displayName le "nobody"': "En",
    'externalId eq "G-1"': "O",
    'externalId eq "g-1"': "",
    "externalId pr": "O",
    'id eq "{n}"': "n",
    'members eq "{a}"': "E",
    'members.value eq "{b}"': "E",
    'members[value eq "{c}"]': "",
    'members[value eq "{a}" and type eq "User"]': "E",
    "members pr": "E",
    "not (members pr)": "nO",
    'displayName eq "everyone" and members[value eq "{a}"]': "E",
    'meta.resourceType eq "Group"': "EnO",
    'meta.created gt "2000-01-01T00:00:00Z"': "EnO",
    'meta.location ew "{O}"': "O",
    f'{GROUP}:displayName eq "nobody"': "n",
}


@pytest.mark.parametrize("text", USERS)
def test_users(found: Found, text: str) -> None:
    assert who(found, "/Users", text) == USERS[text]


@pytest.mark.parametrize("text", GROUPS)
def test_groups(found: Found, text: str) -> None:
    assert who(found, "/Groups", text) == GROUPS[text]


@pytest.mark.parametrize("operator", ["eq", "ge", "le"])
def test_the_moment_of_one_is_its_own_to_the_microsecond(found: Found, operator: str) -> None:
    directory, names = found
    moment = directory.get(f"/Users/{names['b']}")["meta"]["created"]
    assert who(found, "/Users", f'meta.created {operator} "{moment}"') == {"eq": "b", "ge": "bc", "le": "ab"}[operator]


@pytest.mark.parametrize(
    "text",
    [
        "active gt true",
        "active sw true",
        'active co "t"',
        'nosuch eq "a"',
        f'{ENTERPRISE}:nosuch eq "a"',
        'emails[nosuch eq "a"]',
        'members.display eq "a"',
        'userName regex "a"',
        'meta.created sw "2"',
        'x509Certificates gt "a"',
    ],
)
@pytest.mark.parametrize("path", ["/Users", "/Groups"])
def test_what_has_no_meaning_is_refused_and_never_everybody(found: Found, path: str, text: str) -> None:
    directory, _ = found
    answer = directory.send("GET", path, params={"filter": text})
    if answer.status_code == 200:  # an attribute of the other type fits nobody (RFC 7644 3.4.2.1)
        assert answer.json()["totalResults"] == 0
    else:
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter")
