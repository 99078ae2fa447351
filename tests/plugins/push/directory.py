"""AWS for these tests: moto's Identity Store, with what it does not do yet.

moto 5.2 knows neither UpdateUser nor UpdateGroup nor UserStatus, and keeps memberships of deleted users; these are added
here as the API reference describes them. Everything else is moto's, and every call goes through boto3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.identitystore.models import IdentityStoreData, User, identitystore_backends
from moto.identitystore.responses import IdentityStoreResponse

STORE = "d-1234567890"
REGION = "eu-west-1"
FIELDS = {"userName": "UserName", "displayName": "DisplayName", "title": "Title", "emails": "Emails"}
NAMES = {"name.givenName": "GivenName", "name.familyName": "FamilyName"}


class Directory:
    """One Identity Store and the people who administer it."""

    def __init__(self) -> None:
        self.client = boto3.client("identitystore")
        self.disabled: set[str] = set()

    def data(self) -> IdentityStoreData:
        """What moto keeps."""
        store: IdentityStoreData = identitystore_backends["123456789012"][REGION].identity_stores[STORE]
        return store

    def create_user(self, name: str, **more: Any) -> str:
        """Its id. ``name`` as in "ada.lovelace"."""
        given, _, family = name.partition(".")
        attributes = {
            "UserName": name,
            "Name": {"GivenName": given.title(), "FamilyName": family.title() or "X"},
            "DisplayName": name.replace(".", " ").title(),
            "Emails": [{"Value": f"{name}@northwind.example", "Type": "work", "Primary": True}],
        } | more
        return str(self.client.create_user(IdentityStoreId=STORE, **attributes)["UserId"])

    def create_many(self, number: int) -> list[str]:
        """Their ids. Past the API, whose checks in moto are quadratic."""
        self.create_user("first.of.many")
        users = self.data().users
        template = next(iter(users.values()))
        users.clear()
        for index in range(number):
            user_id = f"{index:08x}-0000-4000-8000-000000000000"
            emails = [{"Value": f"user.{index}@northwind.example", "Type": "work"}]
            users[user_id] = template._replace(UserId=user_id, UserName=f"user.{index}", Emails=emails)
        return list(users)

    def join_many(self, group: str, users: list[str]) -> None:
        """Past the API, for its speed."""
        memberships = self.data().group_memberships
        for user in users:
            member = {"IdentityStoreId": STORE, "GroupId": group, "MemberId": {"UserId": user}}
            memberships[f"{group}-{user}"] = member | {"MembershipId": f"{group}-{user}"}

    def update_user(self, user_id: str, **attributes: Any) -> None:
        """Paths with "_" for the point: ``userName``, ``name_givenName``."""
        operations = [
            {"AttributePath": path.replace("_", "."), "AttributeValue": value} for path, value in attributes.items()
        ]
        self.client.update_user(IdentityStoreId=STORE, UserId=user_id, Operations=operations)

    def delete_user(self, user_id: str) -> None:
        """For good."""
        self.client.delete_user(IdentityStoreId=STORE, UserId=user_id)

    def create_group(self, name: str, *members: str) -> str:
        """Its id."""
        group = str(self.client.create_group(IdentityStoreId=STORE, DisplayName=name)["GroupId"])
        for member in members:
            self.join(group, member)
        return group

    def rename_group(self, group: str, name: str) -> None:
        """A new display name."""
        operations = [{"AttributePath": "displayName", "AttributeValue": name}]
        self.client.update_group(IdentityStoreId=STORE, GroupId=group, Operations=operations)

    def delete_group(self, group: str) -> None:
        """For good."""
        self.client.delete_group(IdentityStoreId=STORE, GroupId=group)

    def join(self, group: str, user: str) -> str:
        """The id of the membership."""
        member = {"UserId": user}
        joined = self.client.create_group_membership(IdentityStoreId=STORE, GroupId=group, MemberId=member)
        return str(joined["MembershipId"])

    def leave(self, group: str, user: str) -> str:
        """The id that the membership had."""
        member = {"UserId": user}
        found = self.client.get_group_membership_id(IdentityStoreId=STORE, GroupId=group, MemberId=member)
        self.client.delete_group_membership(IdentityStoreId=STORE, MembershipId=found["MembershipId"])
        return str(found["MembershipId"])


@contextmanager
def directory() -> Iterator[Directory]:
    """A new, empty one."""
    with mock_aws():
        made = Directory()
        with _completed(made):
            yield made


@contextmanager
def _completed(made: Directory) -> Iterator[None]:
    describe_user, list_users = IdentityStoreResponse.describe_user, IdentityStoreResponse.list_users
    delete_user = IdentityStoreResponse.delete_user

    def status(user: dict[str, Any]) -> dict[str, Any]:
        return user | {"UserStatus": "DISABLED" if user["UserId"] in made.disabled else "ENABLED"}

    def describe_user_with_status(self: IdentityStoreResponse) -> str:
        return json.dumps(status(json.loads(describe_user(self))))

    def list_users_with_status(self: IdentityStoreResponse) -> str:
        answer = json.loads(list_users(self))
        return json.dumps(answer | {"Users": [status(user) for user in answer["Users"]]})

    def update_user(self: IdentityStoreResponse) -> str:
        users = made.data().users
        for operation in self._get_param("Operations"):
            users[self._get_param("UserId")] = _changed(users[self._get_param("UserId")], **operation)
        return "{}"

    def update_group(self: IdentityStoreResponse) -> str:
        groups = made.data().groups
        group = self._get_param("GroupId")
        groups[group] = groups[group]._replace(DisplayName=self._get_param("Operations")[0]["AttributeValue"])
        return "{}"

    def delete_user_and_memberships(self: IdentityStoreResponse) -> str:
        memberships = made.data().group_memberships
        for identifier, membership in list(memberships.items()):
            if membership["MemberId"]["UserId"] == self._get_param("UserId"):
                del memberships[identifier]
        return delete_user(self)

    with (
        patch.multiple(
            IdentityStoreResponse,
            describe_user=describe_user_with_status,
            list_users=list_users_with_status,
            delete_user=delete_user_and_memberships,
        ),
        patch.multiple(IdentityStoreResponse, create=True, update_user=update_user, update_group=update_group),
    ):
        yield


def _changed(user: User, AttributePath: str, AttributeValue: Any = None) -> User:  # noqa: N803  the API's names
    if AttributePath in NAMES:
        assert user.Name is not None
        return user._replace(Name=user.Name._replace(**{NAMES[AttributePath]: AttributeValue}))
    return user._replace(**{FIELDS[AttributePath]: AttributeValue})
