"""CloudTrail events as EventBridge delivers them, of the three APIs that change users and groups.

Shapes of published events: CreateGroup and AddMemberToGroup of the console, DeleteUser of the console, CreateUser and
PatchGroup of the SCIM API (AWS user guide, "Logging IAM Identity Center SCIM API calls"); of the public API by its
reference. Names and addresses are hidden in all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.plugins.push.directory import STORE

CONSOLE, API, SCIM = "sso-directory.amazonaws.com", "identitystore.amazonaws.com", "identitystore-scim.amazonaws.com"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
LATE = "2030-01-01T00:00:00Z"
OfUser = Callable[[str], dict[str, Any]]
OfMembership = Callable[[str, str], dict[str, Any]]


def wrapped(detail: dict[str, Any]) -> dict[str, Any]:
    """As EventBridge sends it."""
    return {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.sso-directory",
        "detail": detail,
    }


def detail(source: str, name: str, asked: dict[str, Any], answered: dict[str, Any] | None = None) -> dict[str, Any]:
    """What CloudTrail wrote."""
    store = {} if source == SCIM else {"identityStoreId": STORE}
    return {
        "eventVersion": "1.08",
        "eventTime": LATE,
        "eventSource": source,
        "eventName": name,
        "requestParameters": store | asked,
        "responseElements": answered,
        "readOnly": False,
        "eventType": "AwsApiCall",
    }


def user_created(user: str) -> dict[str, Any]:
    """By the console."""
    return detail(CONSOLE, "CreateUser", {"userName": HIDDEN}, {"user": {"userId": user, "userName": HIDDEN}})


def user_created_by_api(user: str) -> dict[str, Any]:
    """By the command line."""
    return detail(API, "CreateUser", {"userName": HIDDEN}, {"userId": user, "identityStoreId": STORE})


def user_created_by_scim(user: str) -> dict[str, Any]:
    """By Okta, Entra and the like."""
    return detail(SCIM, "CreateUser", {"httpBody": {"userName": HIDDEN}, "tenantId": "t"}, {"id": user, "active": True})


def user_changed(user: str, name: str = "UpdateUser") -> dict[str, Any]:
    """Or DisableUser, EnableUser, DeleteUser."""
    return detail(CONSOLE, name, {"userId": user})


def group_created(group: str) -> dict[str, Any]:
    """By the console."""
    return detail(CONSOLE, "CreateGroup", {"displayName": HIDDEN}, {"group": {"groupId": group, "displayName": HIDDEN}})


def group_changed(group: str, name: str = "UpdateGroup") -> dict[str, Any]:
    """Or DeleteGroup."""
    return detail(CONSOLE, name, {"groupId": group})


def group_patched_by_scim(group: str) -> dict[str, Any]:
    """Members came or left; it does not say who."""
    return detail(SCIM, "PatchGroup", {"httpBody": {"operations": [{"op": "ADD", "value": HIDDEN}]}, "id": group})


def joined(group: str, user: str) -> dict[str, Any]:
    """By the console."""
    return detail(CONSOLE, "AddMemberToGroup", {"groupId": group, "member": {"memberId": user}})


def left(group: str, user: str) -> dict[str, Any]:
    """By the console."""
    return detail(CONSOLE, "RemoveMemberFromGroup", {"groupId": group, "member": {"memberId": user}})


def joined_by_api(group: str, user: str) -> dict[str, Any]:
    """By the command line."""
    return detail(API, "CreateGroupMembership", {"groupId": group, "memberId": {"userId": user}}, {"membershipId": "m"})


def left_by_api(membership: str) -> dict[str, Any]:
    """By the command line: it names the membership alone."""
    return detail(API, "DeleteGroupMembership", {"membershipId": membership})
