"""What is read from AWS: users, groups and memberships of one Identity Store, as SCIM attributes.

Nothing else leaves AWS than what ``user_attributes`` names: no phone numbers, addresses, birth dates or photos.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .scim import Clock, OutOfTime, Stopped

Attributes = dict[str, Any]  # a SCIM path, such as "name.givenName", and its value; None where AWS has none

RESOURCE_ID = re.compile(r"([0-9a-f]{10}-)?[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}")  # API type ResourceId
MOST = 100  # MaxResults of every List operation, and group ids of one IsMemberInGroups
GONE = frozenset({"USER", "GROUP", "GROUP_MEMBERSHIP"})


def user_attributes(user: dict[str, Any]) -> Attributes:
    """A User of the Identity Store API as attributes of a SCIM User (RFC 7643 4.1)."""
    name = user.get("Name") or {}
    emails = [mail for mail in user.get("Emails") or () if mail.get("Value")]
    return {
        "externalId": user["UserId"],
        "userName": user["UserName"],
        "active": user.get("UserStatus") != "DISABLED",
        "name.givenName": name.get("GivenName"),
        "name.familyName": name.get("FamilyName"),
        "displayName": user.get("DisplayName"),
        "title": user.get("Title"),
        "emails": [
            {"value": mail["Value"], "type": (mail.get("Type") or "work").lower(), "primary": position == 0}
            for position, mail in enumerate(sorted(emails, key=lambda mail: not mail.get("Primary")))
        ],
    }


def group_attributes(group: dict[str, Any]) -> Attributes:
    """A Group of the Identity Store API as attributes of a SCIM Group (RFC 7643 4.2), without its members."""
    return {"externalId": group["GroupId"], "displayName": group.get("DisplayName")}


class IdentityStore:
    """Reads one Identity Store. ``client`` is boto3's for "identitystore", whose own retries are on.

    ``only`` limits what is pushed to these groups and their members; names or ids; empty pushes everybody.
    All methods raise Stopped when AWS does not answer or does not allow it, and OutOfTime after ``deadline``,
    a moment of ``clock.monotonic()``.
    """

    def __init__(
        self,
        client: Any,
        identity_store_id: str,
        only: Sequence[str] = (),
        *,
        deadline: float = float("inf"),
        clock: Clock = time,
    ) -> None:
        if "UserStatus" not in client.meta.service_model.shape_for("User").members:
            raise Stopped("This boto3 is too old to tell who is disabled. Update it")
        self._client = client
        self.identity_store_id = identity_store_id
        self._only = tuple(only)
        self._deadline = deadline
        self._clock = clock
        self._only_ids: frozenset[str] | None = None
        self._lock = Lock()
        self.requests = 0

    def user(self, user_id: str) -> Attributes | None:
        """The user as it is now; not active when outside of the chosen groups; None when AWS has none of this id."""
        found = self._describe("describe_user", UserId=user_id)
        if found is None:
            return None
        attributes = user_attributes(found)
        if self._only and not self.is_member(user_id, self.only()):
            attributes["active"] = False
        return attributes

    def group(self, group_id: str) -> Attributes | None:
        """The group as it is now; None when AWS has none of this id, or it is not one of the chosen ones."""
        if not self.chosen(group_id):
            return None
        found = self._describe("describe_group", GroupId=group_id)
        return None if found is None else group_attributes(found)

    def users(self) -> dict[str, Attributes]:
        """All users by id; those outside of the chosen groups are there, and not active."""
        found = {user["UserId"]: user_attributes(user) for user in self._pages("list_users", "Users")}
        if self._only:
            inside = frozenset[str]().union(*map(self._members, self.only()))
            for user_id in found.keys() - inside:
                found[user_id]["active"] = False
        return found

    def groups(self) -> dict[str, Attributes]:
        """All groups by id, or the chosen ones."""
        groups = self._pages("list_groups", "Groups")
        return {group["GroupId"]: group_attributes(group) for group in groups if self.chosen(group["GroupId"])}

    def members(self, group_id: str) -> frozenset[str] | None:
        """The ids of the users in a group; None when it is gone."""
        try:
            return self._members(group_id)
        except Stopped:
            if self.group(group_id) is None:
                return None
            raise

    def is_member(self, user_id: str, group_ids: frozenset[str]) -> bool:
        """Whether the user is in one of these groups."""
        ids = sorted(group_ids)
        for start in range(0, len(ids), MOST):
            some = ids[start : start + MOST]
            answer = self._ask("is_member_in_groups", MemberId={"UserId": user_id}, GroupIds=some)
            if any(result["MembershipExists"] for result in answer["Results"]):
                return True
        return False

    def chosen(self, group_id: str) -> bool:
        """Whether this group is pushed."""
        return not self._only or group_id in self.only()

    def only(self) -> frozenset[str]:
        """The ids of the chosen groups, looked up once; an unknown one stops everything, for nobody left by that."""
        if self._only_ids is None:
            self._only_ids = frozenset(map(self._group_id, self._only))
        return self._only_ids

    def _members(self, group_id: str) -> frozenset[str]:
        memberships = self._pages("list_group_memberships", "GroupMemberships", GroupId=group_id)
        return frozenset(membership["MemberId"]["UserId"] for membership in memberships)

    def _group_id(self, name: str) -> str:
        if RESOURCE_ID.fullmatch(name):
            found = self._describe("describe_group", GroupId=name)
        else:
            unique = {"AttributePath": "displayName", "AttributeValue": name}
            found = self._describe("get_group_id", AlternateIdentifier={"UniqueAttribute": unique})
        if found is None:
            raise Stopped(f"AWS has no group {name!r}, which the sender is limited to. Was it renamed?")
        return str(found["GroupId"])

    def _describe(self, operation: str, **parameters: Any) -> dict[str, Any] | None:
        try:
            return self._ask(operation, **parameters)
        except ClientError as problem:
            answer: Any = problem.response
            # With a Reason, AWS could not decrypt it (API type ResourceNotFoundExceptionReason): that is not "gone".
            if answer.get("ResourceType") in GONE and not answer.get("Reason"):
                return None
            raise Stopped(_sentence(problem)) from problem

    def _pages(self, operation: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        try:
            answer = self._ask(operation, MaxResults=MOST, **parameters)
            yield from answer[key]
            while token := answer.get("NextToken"):
                answer = self._ask(operation, MaxResults=MOST, NextToken=token, **parameters)
                yield from answer[key]
        except ClientError as problem:
            raise Stopped(_sentence(problem)) from problem

    def _ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        if self._clock.monotonic() >= self._deadline:
            raise OutOfTime("The time of this invocation is over")
        with self._lock:
            self.requests += 1
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(
                IdentityStoreId=self.identity_store_id, **parameters
            )
        except BotoCoreError as problem:
            raise Stopped(f"AWS does not answer: {problem}"[:300]) from problem
        return answer


def _sentence(problem: ClientError) -> str:
    return f"AWS refuses {problem.operation_name}: {problem}"[:300]
