"""What a CloudTrail event is about.

Users and groups change in AWS through three APIs, and each writes events of its own (AWS user guide, "IAM Identity
Center information in CloudTrail" and "Logging IAM Identity Center SCIM API calls"):

sso-directory.amazonaws.com       the console
identitystore.amazonaws.com       the public API: command line, SDKs, Terraform
identitystore-scim.amazonaws.com  an upstream directory such as Okta or Entra that provisions into AWS

They hide what changed (HIDDEN_DUE_TO_SECURITY_REASONS) and tell ids, so an event only says where to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SCIM = "identitystore-scim.amazonaws.com"
SOURCES = ("sso-directory.amazonaws.com", "identitystore.amazonaws.com", SCIM)


@dataclass(frozen=True)
class Subject:
    """What to bring up to date: ids of AWS. Neither id: everything."""

    user_id: str = ""
    group_id: str = ""
    members: bool = False  # of the group: all of them, as the event does not say whom


def subject_of(detail: dict[str, Any], identity_store_id: str) -> Subject | None:
    """The subject of the ``detail`` of an EventBridge event; None when there is nothing to do."""
    asked, answered = detail.get("requestParameters") or {}, detail.get("responseElements") or {}
    if detail.get("eventSource") not in SOURCES or detail.get("errorCode") or detail.get("readOnly") is True:
        return None
    if asked.get("identityStoreId", identity_store_id) != identity_store_id:
        return None
    if detail["eventSource"] == SCIM:
        return _subject_of_scim(detail.get("eventName", ""), _text(asked.get("id")) or _text(answered.get("id")))
    user_id = _id(asked, "userId") or _member(asked) or _id(answered, "userId") or _id(answered.get("user"), "userId")
    group_id = _id(asked, "groupId") or _id(answered, "groupId") or _id(answered.get("group"), "groupId")
    if user_id or group_id:
        return Subject(user_id, group_id)
    if "Membership" in detail.get("eventName", ""):  # DeleteGroupMembership names a membership that is no more
        return Subject()
    return None


def _subject_of_scim(name: str, identifier: str) -> Subject | None:
    if not identifier:
        return None
    if name.endswith("User"):
        return Subject(user_id=identifier)
    return Subject(group_id=identifier, members=True) if name.endswith("Group") else None


def _member(asked: dict[str, Any]) -> str:
    # {"member": {"memberId": id}} of the console, {"memberId": {"userId": id}} of the API
    return _id(asked.get("member"), "memberId") or _id(asked.get("memberId"), "userId")


def _id(holder: Any, name: str) -> str:
    return _text(holder.get(name)) if isinstance(holder, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
