"""The endpoint as RFC 7644 and RFC 9865 describe it, and what it answers to everything else."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.flows.services import Services
from core.scim.resources import MOST_BYTES
from core.store.tables import Connection, ConnectionState
from tests.core.scim.conftest import ENTERPRISE, PATCH, USER, Directory, new_directory

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


class TestDiscovery:
    def test_says_what_it_can_do(self, directory: Directory) -> None:
        config = directory.get("/ServiceProviderConfig")
        supported = [
            config[name]["supported"] for name in ("patch", "bulk", "filter", "sort", "etag", "changePassword")
        ]
        assert supported == [True, True, True, True, True, False]
        assert (config["pagination"]["cursor"], config["pagination"]["index"]) == (True, True)
        assert config["authenticationSchemes"][0]["type"] == "oauthbearertoken"

    def test_lists_schemas_and_resource_types(self, directory: Directory) -> None:
        assert {each["name"] for each in directory.get("/ResourceTypes")["Resources"]} == {"User", "Group"}
        schemas = {each["id"]: each for each in directory.get("/Schemas")["Resources"]}
        assert ENTERPRISE in schemas
        assert "password" not in {attribute["name"] for attribute in schemas[USER]["attributes"]}
        assert directory.get(f"/Schemas/{USER}")["id"] == USER

    @pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes", f"/Schemas/{USER}"])
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_takes_no_writes(self, directory: Directory, path: str, method: str) -> None:
        answer = directory.send(method, path, {})
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


class TestVersions:
    def test_an_answer_has_an_etag_and_a_get_with_it_is_a_304(self, directory: Directory) -> None:
        user = directory.push("ada@example.test")
        answer = directory.send("GET", f"/Users/{user['id']}")
        assert answer.headers["etag"] == user["meta"]["version"] == 'W/"1"'
        again = directory.send("GET", f"/Users/{user['id']}", headers={"If-None-Match": 'W/"1"'})
        assert (again.status_code, again.content) == (304, b"")

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    def test_a_write_to_another_version_is_a_412_and_changes_nothing(self, directory: Directory, method: str) -> None:
        user = directory.push("ada@example.test")
        path = f"/Users/{user['id']}"
        directory.patch(path, {"op": "replace", "path": "title", "value": "Countess"})
        body = {**user, "title": "Lost"} if method == "PUT" else _replace("title", "Lost")
        answer = directory.send(method, path, body, headers={"If-Match": 'W/"1"'})
        assert answer.status_code == 412
        assert directory.get(path)["title"] == "Countess"

    def test_a_change_of_members_with_the_wrong_version_is_a_412(self, directory: Directory) -> None:
        group = directory.group("Everyone")
        body = {"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": [{"value": "u-1"}]}]}
        answer = directory.send("PATCH", f"/Groups/{group['id']}", body, headers={"If-Match": 'W/"7"'})
        assert answer.status_code == 412

    @pytest.mark.parametrize("kind", ["Users", "Groups"])
    def test_a_group_whose_member_is_deleted_has_another_version_and_is_not_written_back(
        self, directory: Directory, kind: str
    ) -> None:
        member = (directory.push("ada@example.test") if kind == "Users" else directory.group("Inner"))["id"]
        group = directory.group("Everyone", member)
        path, read = f"/Groups/{group['id']}", group["meta"]["version"]
        assert directory.send("DELETE", f"/{kind}/{member}").status_code == 204
        assert directory.get(path)["meta"]["version"] != read
        as_read = _group("Everyone", member)
        assert directory.send("PUT", path, as_read, headers={"If-Match": read}).status_code == 412
        assert "members" not in directory.get(path)

    def test_a_patch_that_changes_nothing_keeps_the_version(self, directory: Directory) -> None:
        user = directory.push("ada@example.test", title="Countess")
        answer = directory.patch(f"/Users/{user['id']}", {"op": "replace", "path": "title", "value": "Countess"})
        assert answer.headers["etag"] == 'W/"1"'


class TestBulk:
    def test_makes_users_and_a_group_of_them_in_one_request(self, directory: Directory) -> None:
        operations = [
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": _group("Everyone", "bulkId:a")},
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": _user("ada@example.test")},
        ]
        answer = directory.send("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})
        assert [each["status"] for each in answer.json()["Operations"]] == ["201", "201"]
        (group,) = directory.get("/Groups")["Resources"]
        (user,) = directory.get("/Users")["Resources"]
        assert [member["value"] for member in group["members"]] == [user["id"]]

    def test_a_failed_operation_leaves_the_others_alone(self, directory: Directory) -> None:
        directory.push("ada@example.test")
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": _user("ada@example.test")},
            {"method": "POST", "path": "/Users", "bulkId": "b", "data": _user("grace@example.test")},
            {"method": "DELETE", "path": "/Users/no"},
        ]
        answer = directory.send("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})
        assert [each["status"] for each in answer.json()["Operations"]] == ["409", "201", "404"]
        assert directory.get("/Users")["totalResults"] == 2


class TestAnswers:
    def test_hold_the_wanted_attributes(self, directory: Directory) -> None:
        user = directory.push("ada@example.test", title="Countess", displayName="Ada")
        only = directory.get(f"/Users/{user['id']}", attributes="title")
        assert set(only) == {"schemas", "id", "title"}
        without = directory.get("/Users", excludedAttributes="title,meta")["Resources"][0]
        assert {"title", "meta"}.isdisjoint(without)

    def test_a_change_of_members_is_answered_without_them_where_they_are_not_wanted(self, directory: Directory) -> None:
        group = directory.group("Everyone")
        body = {"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": [{"value": "u-1"}]}]}
        query = {"excludedAttributes": "members"}
        answer = directory.send("PATCH", f"/Groups/{group['id']}", body, params=query).json()
        assert (answer["displayName"], "members" in answer) == ("Everyone", False)
        assert directory.get(f"/Groups/{group['id']}", attributes="members.value")["members"] == [{"value": "u-1"}]

    def test_are_sorted(self, directory: Directory) -> None:
        for name in ("bob@example.test", "Ada@example.test", "carol@example.test"):
            directory.push(name)
        query = {"sortBy": "userName", "sortOrder": "descending"}
        found = [user["userName"][0] for user in directory.get("/Users", **query)["Resources"]]
        assert found == ["c", "b", "A"]

    def test_search_by_post_and_at_the_root(self, directory: Directory) -> None:
        user = directory.push("ada@example.test")
        directory.group("Everyone", user["id"])
        answer = directory.send("POST", "/.search", {"filter": 'meta.resourceType eq "User" or displayName sw "every"'})
        assert answer.json()["totalResults"] == 2

    def test_a_cursor_of_another_query_or_of_nobody_is_a_400(self, directory: Directory) -> None:
        for name in "abc":
            directory.push(f"{name}@example.test")
        cursor = directory.get("/Users", cursor="", count="1")["nextCursor"]
        other = directory.send("GET", "/Users", params={"cursor": cursor, "count": "1", "filter": "title pr"})
        assert (other.status_code, other.json()["scimType"]) == (400, "invalidCursor")
        forged = directory.send("GET", "/Users", params={"cursor": "AAAA", "count": "1"})
        assert (forged.status_code, forged.json()["scimType"]) == (400, "invalidCursor")


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"{", "invalidSyntax"),
            (b"[]", "invalidSyntax"),
            (b"null", "invalidSyntax"),
            (b"", "invalidSyntax"),
            (b"\xff\xfe", "invalidSyntax"),
            (json.dumps({"schemas": ["urn:x"], "userName": "a"}).encode(), "invalidSyntax"),
            (json.dumps({"schemas": [USER]}).encode(), "invalidValue"),
            (json.dumps({"schemas": [USER], "userName": 7}).encode(), "invalidValue"),
            (json.dumps({"schemas": [USER], "userName": "a\0"}).encode(), "invalidValue"),
            (b'{"userName": "\\ud800"}', "invalidSyntax"),
            (json.dumps({"schemas": [USER], "userName": "a" * 513}).encode(), "invalidValue"),
            (b'{"userName": ' + b"[" * 100_000, "invalidSyntax"),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_a_bad_body_is_a_400_with_its_type(self, directory: Directory, body: bytes, kind: str) -> None:
        answer = directory.send("POST", "/Users", body)
        assert (answer.status_code, answer.json()["schemas"], answer.json()["scimType"]) == (400, [ERROR], kind)

    def test_a_body_of_more_than_a_mebibyte_is_a_413(self, directory: Directory) -> None:
        answer = directory.send("POST", "/Users", b" " * (MOST_BYTES + 1))
        assert (answer.status_code, answer.json()["schemas"]) == (413, [ERROR])

    def test_another_media_type_is_a_415(self, directory: Directory) -> None:
        answer = directory.send("POST", "/Users", _user("a"), headers={"Content-Type": "text/xml"})
        assert answer.status_code == 415

    @pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer " + "x" * 5_000])
    def test_a_wrong_token_is_a_401_that_says_nothing_of_what_exists(self, directory: Directory, token: str) -> None:
        here = directory.send("GET", "/Users", headers={"Authorization": token})
        nowhere = Directory(**{**vars(directory), "connection_id": "c-nowhere"}).send(
            "GET", "/Users", headers={"Authorization": token}
        )
        assert (here.status_code, here.headers["www-authenticate"]) == (401, 'Bearer realm="SCIM"')
        assert (here.status_code, here.json(), here.headers) == (nowhere.status_code, nowhere.json(), nowhere.headers)

    def test_a_connection_that_is_not_active_is_a_401(self, directory: Directory) -> None:
        with directory.services.database.writing(directory.organization_id) as session:
            session.get_one(Connection, directory.connection_id).state = ConnectionState.DISABLED
        assert directory.send("GET", "/Users").status_code == 401

    def test_a_token_of_one_connection_does_not_open_another(self, directory: Directory, host: Services) -> None:
        other = new_directory(host)
        assert other.send("GET", "/Users", headers={"Authorization": f"Bearer {directory.token}"}).status_code == 401


class TestOwnership:
    def test_what_another_organization_pushed_is_not_there(self, directory: Directory, host: Services) -> None:
        other = new_directory(host)
        theirs = other.push("ada@example.test", externalId="g-1", emails=[{"value": "ada@example.test"}])
        ours = directory.push("ada@example.test", externalId="g-1", emails=[{"value": "ada@example.test"}])
        assert ours["id"] != theirs["id"]
        for method in ("GET", "DELETE"):
            assert directory.send(method, f"/Users/{theirs['id']}").status_code == 404
        group = directory.group("Everyone", theirs["id"])
        assert "$ref" not in group["members"][0]
        assert "groups" not in other.get(f"/Users/{theirs['id']}")
        assert directory.get("/Users")["totalResults"] == 1


class TestRaces:
    def test_of_many_who_push_the_same_person_one_wins_and_the_others_get_a_409(self, directory: Directory) -> None:
        body = {**_user("ada@example.test"), "emails": [{"value": "ada@example.test"}], "externalId": "g-1"}
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: directory.send("POST", "/Users", body), range(8)))
        assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
        assert {answer.json()["scimType"] for answer in answers if answer.status_code == 409} == {"uniqueness"}
        assert directory.get("/Users")["totalResults"] == 1

    @pytest.mark.parametrize(
        "same", [{"externalId": "g-1"}, {"emails": [{"value": "ada@example.test"}]}], ids=["external id", "address"]
    )
    def test_the_database_decides_who_has_an_external_id_and_who_an_address(
        self, directory: Directory, same: dict[str, Any]
    ) -> None:
        with ThreadPoolExecutor(4) as threads:
            bodies = [{**_user(f"user-{number}"), **same} for number in range(4)]
            answers = list(threads.map(lambda body: directory.send("POST", "/Users", body), bodies))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        ids = [directory.push(f"other-{number}")["id"] for number in range(4)]
        body = {"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"userName": "Ada"}}]}
        with ThreadPoolExecutor(4) as threads:
            renamed = list(threads.map(lambda one: directory.send("PATCH", f"/Users/{one}", body), ids))
        assert sorted(answer.status_code for answer in renamed) == [200, 409, 409, 409]
        assert directory.get("/Users", filter='userName eq "ada"')["totalResults"] == 1

    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    def test_of_many_who_change_the_same_version_one_wins_and_the_others_get_a_412(
        self, directory: Directory, method: str
    ) -> None:
        user = directory.push("ada@example.test")

        def change(title: str) -> int:
            body = {**user, "title": title} if method == "PUT" else _replace("title", title)
            return directory.send(method, f"/Users/{user['id']}", body, headers={"If-Match": 'W/"1"'}).status_code

        with ThreadPoolExecutor(4) as threads:
            assert sorted(threads.map(change, "abcd")) == [200, 412, 412, 412]
        assert directory.get(f"/Users/{user['id']}")["meta"]["version"] == 'W/"2"'

    def test_members_that_are_added_at_the_same_time_are_all_there(self, directory: Directory) -> None:
        users = [directory.push(f"user-{number}@example.test")["id"] for number in range(8)]
        group = directory.group("Everyone")

        def add(user_id: str) -> int:
            operation = {"op": "add", "path": "members", "value": [{"value": user_id}]}
            return directory.patch(f"/Groups/{group['id']}", operation).status_code

        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(add, users)) == {200}
        found = directory.get(f"/Groups/{group['id']}")
        assert {member["value"] for member in found["members"]} == set(users)
        assert found["meta"]["version"] == 'W/"9"'


NAMES = ["userName", "active", "emails", "name", "members", "displayName", "schemas", "id", "meta", "externalId", "x"]
NAMES += ["op", "path", "value", "Operations", "method", "data", "bulkId", "filter", "count", "startIndex", "cursor"]
NAMES += ["sortBy", "attributes", ENTERPRISE, "manager", "$ref", "type", "primary", "password"]
WORDS = ["add", "remove", "replace", "members", 'members[value eq "x"]', "emails[", "name.givenName", "userName", USER]
WORDS += [PATCH, BULK, "/Users", "/Users/x", "bulkId:a", "POST", "PATCH", "title", "active", ENTERPRISE, "\0", "😀"]
LEAVES = some.one_of(
    some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=8), some.sampled_from(WORDS)
)
DOCUMENTS = some.recursive(
    LEAVES,
    lambda inner: some.one_of(
        some.lists(inner, max_size=3), some.dictionaries(some.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def pushed(host: Services) -> tuple[Directory, str, str]:
    """A directory with a user and a group."""
    directory = new_directory(host)
    user = directory.push("ada@example.test")["id"]
    return directory, user, directory.group("Everyone", user)["id"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=some.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"]),
    place=some.sampled_from(["/Users", "/Users/{user}", "/Groups/{group}", "/Groups", "/Bulk", "/.search", "/Me", ""]),
    document=DOCUMENTS,
    wrap=some.sampled_from(["as it is", "patch", "bulk", "user"]),
    query=some.dictionaries(some.sampled_from(NAMES), some.text(max_size=12) | some.sampled_from(WORDS), max_size=3),
)
def test_nothing_that_a_client_sends_is_a_500(  # noqa: PLR0917  Hypothesis hands them over by name
    pushed: tuple[Directory, str, str], method: str, place: str, document: Any, wrap: str, query: dict[str, str]
) -> None:
    directory, user, group = pushed
    body = {
        "as it is": document,
        "patch": {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": document}, document]},
        "bulk": {
            "schemas": [BULK],
            "Operations": [{"method": "POST", "path": "/Users", "bulkId": "a", "data": document}],
        },
        "user": {"schemas": [USER], "userName": "someone", "name": document, "emails": document, "active": document},
    }[wrap]
    try:
        sent = json.dumps(body).encode()
    except ValueError:
        return
    try:
        answer = directory.send(method, place.format(user=user, group=group), sent, params=query)
    except UnicodeEncodeError:  # half a surrogate pair: no client can send it in a URL
        return
    assert answer.status_code < 500 or (place == "/Me" and answer.status_code == 501), answer.text
    if answer.status_code >= 400:
        assert answer.json()["schemas"] == [ERROR]
    if place == "/Bulk" and answer.status_code == 200:
        assert all(int(each["status"]) < 500 for each in answer.json()["Operations"]), answer.text


def _user(name: str) -> dict[str, Any]:
    return {"schemas": [USER], "userName": name}


def _group(name: str, *members: str) -> dict[str, Any]:
    schema = "urn:ietf:params:scim:schemas:core:2.0:Group"
    return {"schemas": [schema], "displayName": name, "members": [{"value": member} for member in members]}


def _replace(path: str, value: Any) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": [{"op": "replace", "path": path, "value": value}]}
