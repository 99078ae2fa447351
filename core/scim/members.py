"""The members of groups: what is to change, worked out without reading the members that stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from scim2_models import InvalidValueException, PatchOp, PatchOperation, Resource
from scim2_models.path import CompareOperator, Comparison, ValuePath
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from core.scim import rows
from core.store.provisioning_tables import Membership, PushedGroup, PushedUser

LONGEST_MEMBER = 128  # characters; our own ids have 24

_BATCH = 500  # ids of one statement


@dataclass(frozen=True, slots=True)
class Change:
    """Members to add (id to display name) and to remove. ``only``: whoever is not added is removed."""

    add: Mapping[str, str | None] = field(default_factory=dict)
    remove: frozenset[str] = frozenset()
    only: bool = False


def wanted(resource: Resource[Any]) -> dict[str, str | None]:
    """The members that a resource names. Raises ``InvalidValueException`` for one without a value."""
    return _named([(member.value, member.display) for member in getattr(resource, "members", None) or ()])


def parts_of(patch: PatchOp[Any]) -> tuple[Change, list[PatchOperation[Any]]] | None:
    """The change of members that a PATCH makes, and its operations on everything else; none where the former cannot be
    told without the group's other members.

    Forms: ``add`` with a list at ``members``, or of nothing but ``members``; ``remove`` with a list at ``members``
    (Microsoft Entra); ``remove`` at ``members[value eq "…"]``.
    """
    add: dict[str, str | None] = {}
    remove: set[str] = set()
    rest: list[PatchOperation[Any]] = []
    for operation in patch.operations or ():
        if not _may_be_about_members(operation):
            rest.append(operation)
            continue
        names = _members_named(operation)
        if names is None:
            return None
        if operation.op == PatchOperation.Op.add:
            add |= names
            remove -= names.keys()
        else:
            remove |= names.keys()
            for member in names:
                add.pop(member, None)
    return Change(add, frozenset(remove)), rest


def _may_be_about_members(operation: PatchOperation[Any]) -> bool:
    values = "" if isinstance(operation.value, str) else str(operation.value)
    return "members" in f"{operation.path or ''} {values}".lower()


def _members_named(operation: PatchOperation[Any]) -> dict[str, str | None] | None:
    if operation.path is None:
        if operation.op != PatchOperation.Op.add or not isinstance(operation.value, dict):
            return None
        return _entries(next(iter(operation.value.values()))) if _only_members(operation.value) else None
    path = operation.path.ast
    if operation.op == PatchOperation.Op.remove and isinstance(path, ValuePath):
        match path.val_filter:
            case Comparison(op=CompareOperator.eq, value=str(member)) as only if (
                str(only.attr_path).lower() == "value"
                and str(path.attr_path).lower() == "members"
                and path.sub_attr is None
                and operation.value is None
            ):
                return {member: None}
        return None
    if str(operation.path).lower() != "members" or operation.op == PatchOperation.Op.replace_:
        return None
    return _entries(operation.value)


def _only_members(value: dict[str, Any]) -> bool:
    return [name.lower() for name in value] == ["members"]


def _entries(value: Any) -> dict[str, str | None] | None:
    entries: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, dict) and isinstance(entry.get("value"), str) for entry in entries):
        return None
    return _named([(entry["value"], entry.get("display")) for entry in entries])


def _named(entries: list[tuple[Any, Any]]) -> dict[str, str | None]:
    if any(not value for value, _ in entries):
        raise InvalidValueException(detail="A member needs a value: the id of a user or group")
    return {str(value): str(display)[:512] if display else None for value, display in entries}


def people(session: Session, group_id: str) -> set[str]:
    """The ids of the users in a group."""
    return {
        user_id
        for user_id in session.scalars(select(Membership.user_id).where(Membership.group_id == group_id))
        if user_id
    }


def apply(session: Session, connection_id: str, group: PushedGroup, change: Change) -> set[str]:
    """Make the change; answers the ids of all whose membership changed. Adding a member twice changes nothing.

    A member that is no user or group of this connection is kept as it was sent, and means nothing here (RFC 7643 4.2
    does not say that it has to be one). Raises ``InvalidValueException`` for one that is too long, or the group itself.
    """
    here = _present(session, group.id, None if change.only else {*change.add, *change.remove})
    new = [member for member in change.add if member not in here]
    gone = [member for member in here if (member not in change.add if change.only else member in change.remove)]
    for batch in batches(gone):
        session.execute(delete(Membership).where(Membership.group_id == group.id, Membership.member_id.in_(batch)))
    if change.only:
        _rename(
            session, group.id, {member: name for member, name in change.add.items() if here.get(member, name) != name}
        )
    users = _known(session, connection_id, PushedUser, new)
    groups = _known(session, connection_id, PushedGroup, [member for member in new if member not in users])
    for member in new:
        if len(member) > LONGEST_MEMBER or member == group.id:
            raise InvalidValueException(detail=f"{member[:64]!r} cannot be a member of this group")
    session.add_all(
        Membership(
            organization_id=group.organization_id,
            group_id=group.id,
            member_id=member,
            user_id=member if member in users else None,
            subgroup_id=member if member in groups else None,
            display=change.add[member],
        )
        for member in new
    )
    session.flush()
    return {*new, *gone}


def leave(session: Session, member: ColumnElement[bool]) -> None:
    """Take somebody out of every group, whose version is another one then: a client that writes a group back as it was
    read would bring back who is gone.
    """
    within = session.scalars(select(Membership.group_id).where(member)).all()
    for batch in batches(sorted(within)):  # in one order, so that no two requests wait for each other
        groups = select(PushedGroup).where(PushedGroup.id.in_(batch)).order_by(PushedGroup.id).with_for_update()
        for group in session.scalars(groups.execution_options(populate_existing=True)):
            rows.changed(group)
    session.execute(delete(Membership).where(member))


def _rename(session: Session, group_id: str, displays: Mapping[str, str | None]) -> None:
    for member, display in displays.items():
        one = (Membership.group_id == group_id, Membership.member_id == member)
        session.execute(update(Membership).where(*one).values(display=display))


def _present(session: Session, group_id: str, among: set[str] | None) -> dict[str, str | None]:
    """The members that are there (of ``among``, unless it is none), with the names that the directory gave them."""
    query = select(Membership.member_id, Membership.display).where(Membership.group_id == group_id)
    queries = [query] if among is None else [query.where(Membership.member_id.in_(batch)) for batch in batches(among)]
    return {member: display for each in queries for member, display in session.execute(each)}


def _known(session: Session, connection_id: str, entity: type[PushedUser | PushedGroup], ids: list[str]) -> set[str]:
    column = PushedUser.user_id if entity is PushedUser else PushedGroup.id
    query = select(column).where(entity.connection_id == connection_id)
    return {known for batch in batches(ids) for known in session.scalars(query.where(column.in_(batch)))}


def batches(ids: Iterable[str]) -> Iterator[list[str]]:
    """Ids in as many lists as it takes for each to be below the limits of every database's statements."""
    remaining = iter(ids)
    while batch := list(islice(remaining, _BATCH)):
        yield batch
