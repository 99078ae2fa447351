"""What real clients send, to the letter, and that it is done: an answer of 2xx means that it happened."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.scim.conftest import ENTERPRISE, GROUP, PATCH, USER, Directory

ADA: dict[str, Any] = {
    "schemas": [USER],
    "userName": "ada@example.test",
    "externalId": "g-1",
    "name": {"familyName": "L", "givenName": "A"},
    "displayName": "A L",
    "active": True,
    "emails": [{"value": "ada@example.test", "type": "work", "primary": True}],
    "addresses": [{"type": "work"}],
}


@pytest.fixture
def ada(directory: Directory) -> dict[str, Any]:
    return directory.push(
        **{("user_name" if key == "userName" else key): value for key, value in ADA.items() if key != "schemas"}
    )


def patched(directory: Directory, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The resource after a PATCH that has to be answered with 200 and the resource."""
    answer = directory.send("PATCH", path, body)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    assert document == directory.get(path)
    return document


class TestMicrosoftEntra:
    def test_deactivates_with_a_capitalised_operation_and_a_text_for_false(
        self, directory: Directory, ada: dict[str, Any]
    ) -> None:
        body = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
        assert patched(directory, f"/Users/{ada['id']}", body)["active"] is False

    def test_reactivates_with_a_text_for_true(self, directory: Directory, ada: dict[str, Any]) -> None:
        directory.patch(f"/Users/{ada['id']}", {"op": "Replace", "path": "active", "value": "False"})
        body = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": "True"}]}
        assert patched(directory, f"/Users/{ada['id']}", body)["active"] is True

    def test_replaces_without_a_path_by_dotted_and_urn_keys(self, directory: Directory, ada: dict[str, Any]) -> None:
        body = {
            "schemas": [PATCH],
            "Operations": [
                {
                    "op": "replace",
                    "value": {
                        "name.givenName": "Ada",
                        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "7",
                    },
                }
            ],
        }
        after = patched(directory, f"/Users/{ada['id']}", body)
        assert after["name"] == {"givenName": "Ada", "familyName": "L"}
        assert after[ENTERPRISE] == {"employeeNumber": "7"}

    def test_replaces_an_address_by_a_value_filter(self, directory: Directory, ada: dict[str, Any]) -> None:
        body = {
            "schemas": [PATCH],
            "Operations": [{"op": "Replace", "path": 'emails[type eq "work"].value', "value": "lovelace@example.test"}],
        }
        after = patched(directory, f"/Users/{ada['id']}", body)
        assert after["emails"] == [{"value": "lovelace@example.test", "type": "work", "primary": True}]

    def test_adds_an_address_by_a_value_filter_that_matches_nothing_yet(
        self, directory: Directory, ada: dict[str, Any]
    ) -> None:
        body = {
            "schemas": [PATCH],
            "Operations": [{"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+44 20 7946 0000"}],
        }
        after = patched(directory, f"/Users/{ada['id']}", body)
        assert after["phoneNumbers"] == [{"value": "+44 20 7946 0000", "type": "mobile"}]

    def test_creates_a_user_with_meta_and_empty_lists_and_finds_nobody_else(self, directory: Directory) -> None:
        body = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "Test_User_ab6490ee@testuser.com",
            "active": True,
            "emails": [{"primary": True, "type": "work", "value": "Test_User_fd0ea19b@testuser.com"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
            "roles": [],
        }
        answer = directory.send("POST", "/Users", body)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert answer.headers["location"] == made["meta"]["location"]
        found = directory.get("/Users", filter='externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"')
        assert [one["id"] for one in found["Resources"]] == [made["id"]]
        assert directory.get("/Users", filter=f'userName eq "{made["id"]}"')["totalResults"] == 0

    def test_sends_several_operations_of_which_one_deactivates(self, directory: Directory, ada: dict[str, Any]) -> None:
        body = {
            "schemas": [PATCH],
            "Operations": [
                {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "updatedEmail@microsoft.com"},
                {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
                {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Engines"},
                {"op": "Replace", "path": "active", "value": "False"},
            ],
        }
        after = patched(directory, f"/Users/{ada['id']}", body)
        assert (after["emails"][0]["value"], after["name"]["familyName"], after["active"]) == (
            "updatedEmail@microsoft.com",
            "updatedFamilyName",
            False,
        )
        assert after[ENTERPRISE]["department"] == "Engines"

    def test_deactivates_without_a_path_by_a_text(self, directory: Directory, ada: dict[str, Any]) -> None:
        body = {"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"active": "False"}}]}
        assert patched(directory, f"/Users/{ada['id']}", body)["active"] is False

    def test_sends_a_manager_as_a_plain_id(self, directory: Directory, ada: dict[str, Any]) -> None:
        boss = directory.push("boss@example.test")
        body = {"schemas": [PATCH], "Operations": [{"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss["id"]}]}
        assert patched(directory, f"/Users/{ada['id']}", body)[ENTERPRISE]["manager"]["value"] == boss["id"]

    def test_adds_a_member_with_a_null_reference(self, directory: Directory, ada: dict[str, Any]) -> None:
        group = directory.group("Everyone")
        body = {
            "schemas": [PATCH],
            "Operations": [{"op": "Add", "path": "members", "value": [{"$ref": None, "value": ada["id"]}]}],
        }
        after = patched(directory, f"/Groups/{group['id']}", body)
        assert [member["value"] for member in after["members"]] == [ada["id"]]

    def test_removes_a_member_by_a_value_array(self, directory: Directory, ada: dict[str, Any]) -> None:
        grace = directory.push("grace@example.test")
        group = directory.group("Everyone", ada["id"], grace["id"])
        body = {
            "schemas": [PATCH],
            "Operations": [{"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ada["id"]}]}],
        }
        after = patched(directory, f"/Groups/{group['id']}", body)
        assert [member["value"] for member in after["members"]] == [grace["id"]]

    def test_removes_a_member_by_a_value_array_beside_another_operation(
        self, directory: Directory, ada: dict[str, Any]
    ) -> None:
        group = directory.group("Everyone", ada["id"])
        body = {
            "schemas": [PATCH],
            "Operations": [
                {"op": "Replace", "path": "displayName", "value": "Nobody"},
                {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ada["id"]}]},
            ],
        }
        after = patched(directory, f"/Groups/{group['id']}", body)
        assert after["displayName"] == "Nobody"
        assert "members" not in after

    def test_removes_a_member_by_a_filter_path(self, directory: Directory, ada: dict[str, Any]) -> None:
        group = directory.group("Everyone", ada["id"])
        path = f'members[value eq "{ada["id"]}"]'
        after = patched(
            directory, f"/Groups/{group['id']}", {"schemas": [PATCH], "Operations": [{"op": "remove", "path": path}]}
        )
        assert "members" not in after

    def test_looks_a_group_up_without_its_members(self, directory: Directory, ada: dict[str, Any]) -> None:
        group = directory.group("Everyone", ada["id"])
        query = {"excludedAttributes": "members", "filter": 'displayName eq "everyone"'}
        (found,) = directory.get("/Groups", **query)["Resources"]
        assert (found["id"], "members" in found) == (group["id"], False)
        assert "members" not in directory.get(f"/Groups/{group['id']}", excludedAttributes="members")

    @pytest.mark.parametrize("text", ['userName eq "ADA@example.test"', 'externalId eq "g-1"'])
    def test_looks_a_user_up(self, directory: Directory, ada: dict[str, Any], text: str) -> None:
        assert [found["id"] for found in directory.get("/Users", filter=text)["Resources"]] == [ada["id"]]

    def test_looks_up_somebody_who_is_not_there_and_gets_an_empty_list(self, directory: Directory) -> None:
        found = directory.get("/Users", filter='userName eq "nobody@example.test"')
        assert (found["totalResults"], found.get("Resources", [])) == (0, [])


class TestOkta:
    def test_looks_up_by_user_name_first_and_reads_integers(self, directory: Directory, ada: dict[str, Any]) -> None:
        found = directory.get("/Users", filter='userName eq "ada@example.test"', startIndex="1", count="100")
        assert found["Resources"][0]["id"] == ada["id"]
        assert [type(found[name]) for name in ("totalResults", "startIndex", "itemsPerPage")] == [int, int, int]

    def test_deactivates_without_a_path(self, directory: Directory, ada: dict[str, Any]) -> None:
        body = {"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"active": False}}]}
        assert patched(directory, f"/Users/{ada['id']}", body)["active"] is False

    def test_updates_a_profile_by_put(self, directory: Directory, ada: dict[str, Any]) -> None:
        body = {**ada, "name": {"givenName": "Ada", "familyName": "Lovelace"}, "title": "Countess"}
        answer = directory.send("PUT", f"/Users/{ada['id']}", body)
        assert answer.status_code == 200
        assert directory.get(f"/Users/{ada['id']}")["title"] == "Countess"

    def test_pages_by_start_index_and_count(self, directory: Directory) -> None:
        names = {directory.push(f"user-{number}@example.test")["userName"] for number in range(5)}
        pages = [directory.get("/Users", startIndex=str(start), count="2") for start in (1, 3, 5)]
        assert [page["itemsPerPage"] for page in pages] == [2, 2, 1]
        assert {user["userName"] for page in pages for user in page["Resources"]} == names


class TestOneLogin:
    def test_creates_with_a_null_id_and_a_text_for_true(self, directory: Directory) -> None:
        body = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": None,
            "userName": "ada@example.test",
            "active": "true",
            "emails": [{"value": "ada@example.test", "type": "work", "primary": True}],
        }
        answer = directory.send("POST", "/Users", body)
        assert (answer.status_code, answer.json()["active"]) == (201, True)
        assert answer.json()["id"]


class TestJumpCloud:
    def test_creates_and_deletes_a_test_user_and_a_test_group(self, directory: Directory) -> None:
        user = directory.push("jumpcloud-test@example.test", active=True)
        group = directory.group("jumpcloud-test-group")
        members = [{"$ref": None, "value": user["id"]}]
        for kind, left in (("Add", 1), ("Remove", 0), ("Add", 1)):
            change = {"op": kind, "path": "members", "value": members}
            after = directory.patch(f"/Groups/{group['id']}", change)
            assert (after.status_code, len(after.json().get("members", []))) == (200, left)
        assert directory.send("DELETE", f"/Groups/{group['id']}").status_code == 204
        assert directory.send("DELETE", f"/Users/{user['id']}").status_code == 204
        assert directory.send("GET", f"/Users/{user['id']}").status_code == 404


class TestAwsSsosync:
    @pytest.mark.parametrize(
        "media_type", ["application/scim+json", "application/json", "application/json; charset=utf-8"]
    )
    def test_creates_with_an_address_that_has_only_a_type(self, directory: Directory, media_type: str) -> None:
        answer = directory.send("POST", "/Users", ADA, headers={"Content-Type": media_type})
        assert (answer.status_code, answer.json()["addresses"]) == (201, [{"type": "work"}])
        assert answer.headers["content-type"].startswith("application/scim+json")

    def test_updates_by_a_full_put(self, directory: Directory, ada: dict[str, Any]) -> None:
        answer = directory.send("PUT", f"/Users/{ada['id']}", {**ADA, "displayName": "Ada Lovelace"})
        assert (answer.status_code, answer.json()["displayName"]) == (200, "Ada Lovelace")

    def test_a_put_that_does_not_mention_active_gives_nobody_access_back(
        self, directory: Directory, ada: dict[str, Any]
    ) -> None:
        directory.patch(f"/Users/{ada['id']}", {"op": "replace", "path": "active", "value": False})
        body = {key: value for key, value in ADA.items() if key != "active"}
        assert directory.send("PUT", f"/Users/{ada['id']}", body).json()["active"] is False

    def test_creates_a_group_with_an_empty_list_of_members(self, directory: Directory) -> None:
        body = {"schemas": [GROUP], "displayName": "Everyone", "members": []}
        assert directory.send("POST", "/Groups", body).status_code == 201

    def test_adds_and_removes_members_in_batches_of_a_hundred(self, directory: Directory) -> None:
        ids = [directory.push(f"user-{number}@example.test")["id"] for number in range(100)]
        group = directory.group("Everyone")
        members = [{"value": user_id} for user_id in ids]
        path = f"/Groups/{group['id']}"
        added = directory.patch(path, {"op": "add", "path": "members", "value": members}).json()
        assert sorted(member["value"] for member in added["members"]) == sorted(ids)
        removed = directory.patch(path, {"op": "remove", "path": "members", "value": members[:99]}).json()
        assert [member["value"] for member in removed["members"]] == ids[99:]

    def test_pages_by_cursor(self, directory: Directory) -> None:
        names = {directory.push(f"user-{number}@example.test")["userName"] for number in range(5)}
        page = directory.get("/Users", cursor="", count="2")
        found = [user["userName"] for user in page["Resources"]]
        while "nextCursor" in page:
            page = directory.get("/Users", cursor=page["nextCursor"], count="2")
            found += [user["userName"] for user in page["Resources"]]
        assert (len(found), set(found)) == (5, names)


class TestEveryClient:
    def test_a_second_user_of_the_same_name_is_a_409_with_uniqueness(
        self, directory: Directory, ada: dict[str, Any]
    ) -> None:
        answer = directory.send("POST", "/Users", {**ADA, "userName": ADA["userName"].upper(), "externalId": "g-2"})
        assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
        assert ada

    def test_the_unknown_is_a_404(self, directory: Directory) -> None:
        for path in ("/Users/no", f"/Users/{'0' * 24}", f"/Groups/{'0' * 24}", "/Devices", "/Users/a/b"):
            assert directory.send("GET", path).status_code == 404, path

    def test_a_member_who_is_not_here_is_kept_as_it_was_sent(self, directory: Directory) -> None:
        group = directory.group("Everyone")
        add = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": "u-1"}]}
        assert directory.patch(f"/Groups/{group['id']}", add).json()["members"] == [{"value": "u-1"}]
        assert directory.get(f"/Groups/{group['id']}")["members"] == [{"value": "u-1"}]
        remove = {"op": "remove", "path": 'members[value eq "u-1"]'}
        assert "members" not in directory.patch(f"/Groups/{group['id']}", remove).json()

    def test_an_operation_on_an_attribute_that_we_do_not_have_is_refused_not_ignored(
        self, directory: Directory, ada: dict[str, Any]
    ) -> None:
        answer = directory.patch(f"/Users/{ada['id']}", {"op": "replace", "path": "shoeSize", "value": "44"})
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidPath")
        answer = directory.patch(f"/Users/{ada['id']}", {"op": "replace", "value": {"shoeSize": "44"}})
        assert answer.status_code == 400

    def test_what_a_client_knows_beside_our_schema_is_left_out_of_a_new_user(self, directory: Directory) -> None:
        body = {**ADA, "urn:okta:custom:1.0:User": {"badge": 1}, "shoeSize": "44", "password": "correct horse"}
        answer = directory.send("POST", "/Users", body)
        assert answer.status_code == 201
        assert "correct horse" not in answer.text
