"""Rows to resources. What the answer leaves out is not read: a group without its members costs one row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from scim2_models import BaseModel, Meta, Resource, ResponseParameters
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.scim.resources import GROUP, USER, Document, attributes, model_named
from core.store.provisioning_tables import Membership, PushedGroup, PushedUser


def version(row: PushedUser | PushedGroup) -> str:
    """The version of a resource: its weak ETag (RFC 7644 3.14)."""
    return f'W/"{row.version}"'


def changed(row: PushedUser | PushedGroup) -> None:
    """Count a change: the resource has another version now."""
    row.version += 1
    row.changed_at = clock.now()


def users(
    session: Session,
    found: Sequence[tuple[PushedUser, bool]],
    base_url: str,
    parameters: ResponseParameters[Any] | None,
) -> list[Resource[Any]]:
    """The users of these rows, each with whether the account is active, in their order."""
    in_groups = _groups_of(session, [row.user_id for row, _ in found], base_url) if wants(parameters, "groups") else {}
    resources = []
    for row, active in found:
        kept_elsewhere = {"active": active if row.says_active else None, "groups": in_groups.get(row.user_id)}
        resources.append(_resource(USER, row.user_id, row, {**row.resource, **kept_elsewhere}))
    return resources


def groups(
    session: Session,
    found: Sequence[PushedGroup],
    base_url: str,
    parameters: ResponseParameters[Any] | None,
    *,
    plain: bool = False,
) -> list[Resource[Any]]:
    """The groups of these rows, in their order. ``plain``: members are the JSON of an answer, not models."""
    resources = [_resource(GROUP, row.id, row, row.resource) for row in found]
    if wants(parameters, "members"):
        members = _members_of(session, [row.id for row in found], base_url)
        model, reference = _member_model()
        for resource in resources:
            entries: list[Any] | None = members.get(str(resource.id))
            if entries and not plain:
                # Past validation: the rows were checked when they were written, and a group may have 10,000.
                entries = [model.model_construct(**{reference: entry.pop("$ref", None)}, **entry) for entry in entries]
            resource.__dict__["members"] = entries
    return resources


def without_members(row: PushedGroup) -> Resource[Any]:
    """The group of a row, whose members are not read."""
    return _resource(GROUP, row.id, row, row.resource)


def wants(parameters: ResponseParameters[Any] | None, name: str) -> bool:
    """Whether an answer with these parameters holds the attribute or a part of it (RFC 7644 3.4.2.5)."""
    if parameters is None:
        return True
    wanted = [_short(each) for each in parameters.attributes or ()]
    if wanted:
        return any(each == name or each.startswith(f"{name}.") for each in wanted)
    return name not in [_short(each) for each in parameters.excluded_attributes or ()]


def _short(attribute: object) -> str:
    return str(attribute).rpartition(":")[2].lower()


def _resource(kind: str, resource_id: str, row: PushedUser | PushedGroup, document: Document) -> Resource[Any]:
    resource = model_named(kind).model_validate(document)
    resource.__dict__["id"] = resource_id
    resource.__dict__["meta"] = Meta(
        resource_type=kind, created=row.created_at, last_modified=row.changed_at, version=version(row)
    )
    resource.model_fields_set.update({"id", "meta"})
    return resource


def _groups_of(session: Session, user_ids: Sequence[str], base_url: str) -> dict[str, list[Document]]:
    # Two queries: in one, SQLite begins with every group of the organization.
    in_groups = select(Membership.user_id, Membership.group_id).where(Membership.user_id.in_(user_ids))
    pairs = [(str(user_id), group_id) for user_id, group_id in session.execute(in_groups.order_by(Membership.group_id))]
    if not pairs:
        return {}
    names = select(PushedGroup.id, PushedGroup.resource).where(PushedGroup.id.in_({group_id for _, group_id in pairs}))
    shown = {group_id: resource["displayName"] for group_id, resource in session.execute(names)}
    found: dict[str, list[Document]] = defaultdict(list)
    for user_id, group_id in pairs:
        if group_id not in shown:  # deleted between the two
            continue
        reference = _reference(base_url, "Groups", group_id)
        found[user_id].append({"value": group_id, "$ref": reference, "display": shown[group_id], "type": "direct"})
    return found


def _members_of(session: Session, group_ids: Sequence[str], base_url: str) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = defaultdict(list)
    columns = (
        Membership.group_id,
        Membership.member_id,
        Membership.user_id,
        Membership.subgroup_id,
        Membership.display,
    )
    query = select(*columns).where(Membership.group_id.in_(group_ids))
    for group_id, member_id, user_id, subgroup_id, display in session.execute(
        query.order_by(Membership.group_id, Membership.member_id)
    ):
        member: Document = {"value": member_id}
        if user_id or subgroup_id:
            member["type"] = USER if user_id else GROUP
            member["$ref"] = _reference(base_url, f"{member['type']}s", member_id)
        if display:
            member["display"] = display
        found[group_id].append(member)
    return found


def _member_model() -> tuple[type[BaseModel], str]:
    """The model of a member, and the Python name of its ``$ref``."""
    model = attributes(model_named(GROUP))["members"].model
    assert model
    return model, next(each.field for each in attributes(model).values() if each.name == "$ref")


def _reference(base_url: str, endpoint: str, resource_id: str) -> str:
    return f"{base_url}/{endpoint}/{resource_id}" if base_url else f"{endpoint}/{resource_id}"
