"""Requests that no directory sends by mistake: each is answered by SCIM's own error, on both databases, and in time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from core.flows import provisioning, scim_requests
from core.scim.resources import LONGEST_EMAIL, MOST_ENTRIES
from core.web.app import create_app
from tests.core.scim.conftest import ENTERPRISE, GROUP, PATCH, PLUGIN, USER, Directory

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
def whole(directory: Directory) -> Directory:
    """The directory, asking the whole application."""
    return replace(directory, app=create_app(directory.services))


def refused(answer: Any, status: int, kind: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/scim+json")
    body = answer.json()
    assert (body["schemas"], body["status"], body.get("scimType")) == ([ERROR], str(status), kind)


class TestAddresses:
    @pytest.mark.parametrize("connection", ["%00", "a%00b", "%ed%a0%80", "a" * 5_000])
    def test_a_connection_that_cannot_be_is_a_401_like_every_other(self, whole: Directory, connection: str) -> None:
        refused(replace(whole, connection_id=connection).send("GET", "/Users"), 401)

    @pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "OPTIONS"])
    def test_a_method_that_scim_does_not_have_is_a_405_in_scim(self, whole: Directory, method: str) -> None:
        refused(whole.send(method, "/Users"), 405)

    @pytest.mark.parametrize("path", ["/Users//x", "/v2/Users", "/Users;x=1", "/Users/%00"])
    def test_a_path_that_leads_nowhere_is_a_404_in_scim(self, whole: Directory, path: str) -> None:
        refused(whole.send("GET", path), 404)

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_me_is_a_501_as_a_service_without_it_has_to_say(self, directory: Directory, method: str) -> None:
        refused(directory.send(method, "/Me", {} if method != "GET" else None), 501)


class TestNames:
    @pytest.mark.parametrize("name", ["", "  "])
    def test_a_user_has_a_name(self, directory: Directory, name: str) -> None:
        refused(directory.send("POST", "/Users", {"schemas": [USER], "userName": name}), 400, "invalidValue")
        user = directory.push("ada")
        refused(
            directory.patch(f"/Users/{user['id']}", {"op": "replace", "path": "userName", "value": name}),
            400,
            "invalidValue",
        )

    @pytest.mark.parametrize("name", ["", "  "])
    def test_a_group_has_a_name(self, directory: Directory, name: str) -> None:
        refused(directory.send("POST", "/Groups", {"schemas": [GROUP], "displayName": name}), 400, "invalidValue")

    def test_an_empty_external_id_is_none_and_two_may_have_it(self, directory: Directory) -> None:
        assert "externalId" not in directory.push("ada", externalId="")
        assert "externalId" not in directory.push("grace", externalId="")

    def test_an_external_id_of_another_is_a_409(self, directory: Directory) -> None:
        directory.push("ada", externalId="g-1")
        other = directory.push("grace", externalId="g-2")
        for operation in (
            {"op": "replace", "path": "externalId", "value": "g-1"},
            {"op": "replace", "path": "userName", "value": "ADA"},
            {"op": "replace", "value": {"userName": "ada"}},
        ):
            refused(directory.patch(f"/Users/{other['id']}", operation), 409, "uniqueness")

    @pytest.mark.parametrize(
        "address",
        ["a" * LONGEST_EMAIL + "@example.test", "İ" * LONGEST_EMAIL],
        ids=["long", "twice"],
    )
    def test_an_address_that_is_too_long_in_its_comparable_form_is_refused_on_every_database(
        self, directory: Directory, address: str
    ) -> None:
        body = {"schemas": [USER], "userName": "ada", "emails": [{"value": address}]}
        refused(directory.send("POST", "/Users", body), 400, "invalidValue")

    def test_a_user_name_that_is_too_long_for_an_address_is_none(self, directory: Directory) -> None:
        assert directory.push("a" * 400 + "@example.test")["userName"].startswith("aaa")

    @pytest.mark.parametrize("letter", ["İ", "\u0958", "\U0001d160", "\U0002a6d6"])
    def test_a_name_that_grows_in_its_comparable_form_is_kept_and_found(
        self, directory: Directory, letter: str
    ) -> None:
        user = directory.push(letter * 512, externalId=letter * 512)
        found = directory.send("POST", "/Users/.search", {"filter": f'userName eq "{letter * 512}"'}).json()
        assert [one["id"] for one in found["Resources"]] == [user["id"]]

    def test_schemas_that_we_do_not_have_are_not_said_to_be_there(self, directory: Directory) -> None:
        user = directory.push("ada")
        body = {"schemas": [USER, "urn:x:y:z"], "userName": "ada", "urn:x:y:z": {"a": 1}}
        directory.send("PUT", f"/Users/{user['id']}", body)
        directory.patch(f"/Users/{user['id']}", {"op": "add", "path": "schemas", "value": ["urn:q:r:s"]})
        assert directory.get(f"/Users/{user['id']}")["schemas"] == [USER]


class TestCost:
    def test_a_patch_of_thousands_of_operations_is_a_413(self, directory: Directory) -> None:
        user = directory.push("ada")
        add = [{"op": "add", "path": "roles", "value": [{"value": str(number)}]} for number in range(5_000)]
        refused(directory.patch(f"/Users/{user['id']}", *add), 413)
        many = {"op": "add", "path": "roles", "value": [{"value": str(number)} for number in range(20_000)]}
        refused(directory.patch(f"/Users/{user['id']}", many), 413)
        assert directory.patch(f"/Users/{user['id']}", *add[:100]).status_code == 200

    def test_a_user_of_thousands_of_values_is_a_400(self, directory: Directory) -> None:
        emails = [{"value": f"{number}@example.test"} for number in range(MOST_ENTRIES + 1)]
        body = {"schemas": [USER], "userName": "ada", "emails": emails}
        refused(directory.send("POST", "/Users", body), 400, "invalidValue")
        assert directory.get("/Users")["totalResults"] == 0

    def test_members_may_be_added_by_as_many_operations_as_a_body_holds(self, directory: Directory) -> None:
        group = directory.group("Everyone")
        pathless = [{"op": "add", "value": {"members": [{"value": f"u-{number}"}]}} for number in range(1_000)]
        remove = [{"op": "remove", "path": f'members[value eq "u-{number}"]'} for number in range(999)]
        after = directory.patch(f"/Groups/{group['id']}", *pathless, *remove)
        assert after.json()["members"] == [{"value": "u-999"}]
        rename = {"op": "replace", "path": "displayName", "value": "Everybody"}
        refused(directory.patch(f"/Groups/{group['id']}", *[rename] * 101), 413)
        named = {"op": "replace", "path": 'members[value eq "u-999"].display', "value": "Everybody"}
        refused(directory.patch(f"/Groups/{group['id']}", *[named] * 11), 413)


class TestMembers:
    def test_a_name_of_a_member_that_is_changed_with_a_200_is_changed(self, directory: Directory) -> None:
        ada, grace = (directory.push(name)["id"] for name in ("ada", "grace"))
        group = directory.group("Everyone", ada, grace)
        path = f"/Groups/{group['id']}"
        name = {"op": "replace", "path": f'members[value eq "{ada}"].display', "value": "Ada L."}
        assert directory.patch(path, name).status_code == 200
        shown = {each["value"]: each.get("display") for each in directory.get(path)["members"]}
        assert shown == {ada: "Ada L.", grace: None}
        body = {"schemas": [GROUP], "displayName": "Everyone", "members": [{"value": ada}]}
        assert directory.send("PUT", path, body).json()["members"][0].get("display") is None

    def test_a_name_and_members_change_together_or_not_at_all(self, directory: Directory) -> None:
        directory.send("POST", "/Groups", {"displayName": "Taken", "externalId": "g-1"})
        group = directory.group("Everyone", "u-1", "u-2")
        path = f"/Groups/{group['id']}"
        rename = {"op": "replace", "path": "displayName", "value": "Members of us"}
        leave = {"op": "remove", "path": "members", "value": [{"$ref": None, "value": "u-1"}]}
        for bad, status in (
            ({"op": "add", "path": "members", "value": [{"value": "x" * 129}]}, 400),
            ({"op": "replace", "path": "externalId", "value": "g-1"}, 409),
            ({"op": "replace", "path": "nosuch", "value": "x"}, 400),
            ({"op": "remove", "path": "displayName"}, 400),
        ):
            assert directory.patch(path, leave, rename, bad).status_code == status
            assert directory.get(path) == group
        after = directory.patch(path, leave, rename, {"op": "add", "value": {"externalId": "g-2"}}).json()
        assert (after["displayName"], after["externalId"]) == ("Members of us", "g-2")
        assert (after["members"], after["meta"]["version"]) == ([{"value": "u-2"}], 'W/"2"')
        again = directory.patch(path, leave, rename)
        assert again.json()["meta"]["version"] == 'W/"2"'

    @pytest.mark.parametrize(
        ("operation", "status"),
        [
            ({"op": "remove", "path": "members", "value": []}, 200),
            ({"op": "remove", "path": "members", "value": [{"value": None}]}, 400),
            ({"op": "remove", "path": "members", "value": "u-1"}, 400),
            ({"op": "remove", "value": {"members": [{"value": "u-1"}]}}, 400),
            ({"op": "add", "path": "members", "value": ["u-2"]}, 400),
            ({"op": "add", "path": "members", "value": [{}]}, 400),
            ({"op": "add", "path": "members", "value": [{"value": "x" * 129}]}, 400),
            ({"op": "add", "value": {"members": "u-2"}}, 400),
            ({"op": "remove", "path": "members.value"}, 400),
            ({"op": "replace", "path": 'members[value eq "u-1"].value', "value": "u-2"}, 400),
            ({"op": "remove", "path": "displayName"}, 400),
            ({"op": "replace", "value": {"id": "0" * 24}}, 400),
        ],
        ids=lambda value: str(value)[:60],
    )
    def test_what_does_not_say_who_comes_or_goes_changes_nothing(
        self, directory: Directory, operation: dict[str, Any], status: int
    ) -> None:
        group = directory.group("Everyone", "u-1")
        assert directory.patch(f"/Groups/{group['id']}", operation).status_code == status
        assert directory.get(f"/Groups/{group['id']}")["members"] == [{"value": "u-1"}]

    def test_groups_in_groups_in_a_circle_are_kept(self, directory: Directory) -> None:
        inner = directory.group("Inner")
        outer = directory.group("Outer", inner["id"])
        assert outer["members"][0]["type"] == "Group"
        add = {"op": "add", "path": "members", "value": [{"value": outer["id"]}]}
        assert directory.patch(f"/Groups/{inner['id']}", add).status_code == 200
        assert directory.send("DELETE", f"/Groups/{outer['id']}").status_code == 204
        assert "members" not in directory.get(f"/Groups/{inner['id']}")


class TestSchemas:
    @pytest.mark.parametrize("path", ["schemas[not (type pr)].value", 'SCHEMAS[value eq "a"]', "schemas[type pr]"])
    @pytest.mark.parametrize("kind", ["add", "replace", "remove"])
    def test_a_path_into_a_schema_is_refused(self, directory: Directory, kind: str, path: str) -> None:
        user = directory.push("ada")
        operation = {"op": kind, "path": path} | ({} if kind == "remove" else {"value": True})
        refused(directory.patch(f"/Users/{user['id']}", operation), 400, "invalidPath")
        assert directory.patch(f"/Users/{user['id']}", {"op": "add", "value": {path: True}}).status_code == 400
        assert directory.get(f"/Users/{user['id']}") == user


class TestMedia:
    @pytest.mark.parametrize(
        ("media_type", "status"),
        [
            ("application/scim+json; charset=utf-8", 201),
            ("APPLICATION/JSON", 201),
            ("", 201),
            ("text/plain", 415),
            ("multipart/form-data; boundary=x", 415),
            ("application/scim+json, text/html", 415),
        ],
    )
    def test_the_media_type_is_json(self, directory: Directory, media_type: str, status: int) -> None:
        body = {"schemas": [USER], "userName": "ada"}
        answer = directory.send("POST", "/Users", body, headers={"Content-Type": media_type})
        assert answer.status_code == status

    @pytest.mark.parametrize(
        ("body", "status", "kind"),
        [
            (b'{"userName": "a", "userName": "b"}', 201, None),
            (b'{"userName": "a", "x": 1e999}', 201, None),
            (b'{"userName": "a", "x": ' + b"9" * 5_000 + b"}", 400, "invalidSyntax"),
            (b'{"userName": "a", "x": NaN}', 400, "invalidSyntax"),
            (b'{"userName": ' + b"9" * 50 + b"}", 400, "invalidValue"),
            (b'{"userName": "a", "active": []}', 400, "invalidValue"),
            (b'{"userName": "a", "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400, "invalidSyntax"),
            ('{"userName": "a"}'.encode("utf-16"), 400, "invalidSyntax"),
            (b"\x1f\x8b\x08\x00", 400, "invalidSyntax"),
        ],
        ids=lambda value: str(value)[:24],
    )
    def test_every_body_is_read_or_refused(
        self, directory: Directory, body: bytes, status: int, kind: str | None
    ) -> None:
        answer = directory.send("POST", "/Users", body)
        if status == 201:
            assert answer.status_code == 201, answer.text
        else:
            refused(answer, status, kind)


SINGLE = ["userName", "externalId", "id", "active", "title", "name.givenName", "profileUrl", "meta.created"]
SINGLE += ["meta.lastModified", "meta.version", "meta.location", "meta.resourceType", "emails", "emails.value"]
SINGLE += ["phoneNumbers", "schemas", f"{ENTERPRISE}:employeeNumber", f"{ENTERPRISE}:manager.value"]


class TestOrder:
    @pytest.mark.parametrize("name", SINGLE)
    @pytest.mark.parametrize("order", ["ascending", "descending"])
    def test_every_attribute_that_has_an_order_sorts_pages_of_both_kinds_alike(
        self, directory: Directory, name: str, order: str
    ) -> None:
        for number in range(4):
            more = {"title": f"{number % 2}", "phoneNumbers": [{"value": str(9 - number)}]} if number else {}
            directory.push(f"user-{number}@example.test", **more)
        query = {"sortBy": name, "sortOrder": order, "count": "3"}
        by_index = [
            user["id"]
            for start in ("1", "4")
            for user in directory.get("/Users", startIndex=start, **query)["Resources"]
        ]
        first = directory.get("/Users", cursor="", **query)
        rest = directory.get("/Users", cursor=first["nextCursor"], **query)
        assert [user["id"] for page in (first, rest) for user in page["Resources"]] == by_index
        assert len(set(by_index)) == 4

    def test_a_location_is_found_and_sorted_by(self, directory: Directory) -> None:
        users = sorted(directory.push(name)["id"] for name in ("ada", "grace"))
        location = directory.get(f"/Users/{users[1]}")["meta"]["location"]
        (found,) = directory.get("/Users", filter=f'meta.location eq "{location}"')["Resources"]
        assert found["id"] == users[1]
        pages = directory.get("/Users", sortBy="meta.location", sortOrder="descending")["Resources"]
        assert [user["id"] for user in pages] == users[::-1]

    @pytest.mark.parametrize("name", ["nosuch", "name", "groups", "members", "x509Certificates", "a.b.c", "urn:x:y"])
    def test_what_has_no_order_is_a_400(self, directory: Directory, name: str) -> None:
        refused(directory.send("GET", "/Users", params={"sortBy": name}), 400, "invalidPath")


class TestRecord:
    """What an administrator reads of a request holds no secret, however it was sent."""

    @pytest.mark.parametrize(
        "body",
        [
            b'{"userName": "a", "password": "correct horse"',
            b'[{"password": "correct horse"}]',
            json.dumps({"OPERATIONS": [{"Op": "Replace", "Path": "password", "Value": "correct horse"}]}).encode(),
            json.dumps({"Operations": [{"op": "add", "value": {f"{USER}:password": ["correct horse"]}}]}).encode(),
            json.dumps(
                {"Operations": [{"op": "add", "path": "x.Password", "value": {"value": "correct horse"}}]}
            ).encode(),
        ],
        ids=["no JSON", "a list", "capitals", "a URN", "a path"],
    )
    def test_a_body(self, directory: Directory, body: bytes) -> None:
        directory.send("PATCH", f"/Users/{'0' * 24}", body)
        assert "correct horse" not in str(newest(directory))

    def test_a_query(self, directory: Directory) -> None:
        query = {"filter": 'password eq "correct horse"', "access_token": directory.token}
        directory.send("GET", "/Users", params=query)
        shown = str(newest(directory))
        assert "horse" not in shown
        assert directory.token not in shown


def newest(directory: Directory) -> scim_requests.RequestView:
    return provisioning.provisioning(directory.services, directory.admin, PLUGIN).requests[0]


class TestBulk:
    BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"

    def run(self, directory: Directory, *operations: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        body = {"schemas": [self.BULK], "Operations": list(operations), **more}
        answer = directory.send("POST", "/Bulk", body)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["Operations"]
        return found

    def test_references_in_a_circle_are_refused_and_the_rest_is_done(self, directory: Directory) -> None:
        groups = [
            {
                "method": "POST",
                "path": "/Groups",
                "bulkId": mine,
                "data": {"schemas": [GROUP], "displayName": mine, "members": [{"value": f"bulkId:{other}"}]},
            }
            for mine, other in (("a", "b"), ("b", "a"))
        ]
        user = {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"schemas": [USER], "userName": "ada"}}
        found = self.run(directory, *groups, user)
        assert [one["status"] for one in found] == ["409", "409", "201"]

    def test_it_stops_after_as_many_errors_as_the_client_takes(self, directory: Directory) -> None:
        gone = {"method": "DELETE", "path": f"/Users/{'0' * 24}"}
        user = {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"schemas": [USER], "userName": "ada"}}
        found = self.run(directory, gone, gone, user, failOnErrors=2)
        assert [one["status"] for one in found] == ["404", "404"]
        assert directory.get("/Users")["totalResults"] == 0

    def test_two_that_wait_for_each_other_are_both_done(self, directory: Directory) -> None:
        ada, grace = (directory.push(name)["id"] for name in ("ada", "grace"))

        def retitle(users: list[str]) -> set[str]:
            found: set[str] = set()
            for number in range(3):
                title = {"op": "replace", "path": "title", "value": f"{users[0]} {number}"}
                patch = {"schemas": [PATCH], "Operations": [title]}
                operations = [{"method": "PATCH", "path": f"/Users/{user}", "data": patch} for user in users]
                found |= {one["status"] for one in self.run(directory, *operations)}
            return found

        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(retitle, ([ada, grace], [grace, ada]))) == [{"200"}, {"200"}]

    def test_more_operations_than_its_limit_are_a_413(self, directory: Directory) -> None:
        most = directory.get("/ServiceProviderConfig")["bulk"]["maxOperations"]
        body = {"schemas": [self.BULK], "Operations": [{"method": "DELETE", "path": "/Users/x"}] * (most + 1)}
        refused(directory.send("POST", "/Bulk", body), 413)

    def test_a_version_that_is_not_there_any_more_is_a_412(self, directory: Directory) -> None:
        user = directory.push("ada")
        patch = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "Lost"}]}
        operation = {"method": "PATCH", "path": f"/Users/{user['id']}", "version": 'W/"9"', "data": patch}
        assert [one["status"] for one in self.run(directory, operation)] == ["412"]

    def test_what_is_in_another_connection_is_a_404_in_it_too(self, directory: Directory) -> None:
        patch = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "x"}]}
        found = self.run(
            directory,
            {"method": "PATCH", "path": f"/Users/{directory.admin.user_id}", "data": patch},
            {"method": "POST", "path": "/Me", "bulkId": "m", "data": {"schemas": [USER], "userName": "me"}},
            {"method": "POST", "path": "/Bulk", "bulkId": "b", "data": {}},
        )
        assert [one["status"][0] for one in found] == ["4", "4", "4"]
