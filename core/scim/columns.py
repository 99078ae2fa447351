"""Where each attribute of a resource is in the database, as expressions in its comparable form.

An attribute with one value is a *scalar*; one with several is a set of *entries*, of which a filter asks whether any
fits. Both work on SQLite and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from scim2_models import InvalidFilterException
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    case,
    cast,
    column,
    exists,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, aliased

from core.scim.resources import GROUP, USER
from core.store.comparable import comparable
from core.store.provisioning_tables import Membership, PushedEmail, PushedGroup, PushedUser
from core.store.tables import User

Path = tuple[str, ...]
"""Names from the resource to the attribute: (schema URN of an extension,) attribute(, sub-attribute)."""


class Entries(Protocol):
    """The entries of an attribute with several values."""

    def text(self, sub_attribute: str) -> ColumnElement[Any]:
        """A sub-attribute of the entry at hand; the entry itself where it is a plain text."""

    def any(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """Whether the resource has an entry for which the condition holds. Never NULL."""


@dataclass(frozen=True, slots=True)
class JsonEntries:
    """Entries in the row's ``keys``."""

    dialect: str
    keys: InstrumentedAttribute[dict[str, Any]]
    path: Path

    def text(self, sub_attribute: str) -> ColumnElement[Any]:
        """See :class:`Entries`."""
        if self.dialect == "postgresql":
            value = column("value", JSONB)
            return (
                value[sub_attribute].astext
                if sub_attribute
                else value.op("#>>", return_type=Text())(literal_column("'{}'"))
            )
        value = column("value")
        return func.json_extract(value, f'$."{sub_attribute}"') if sub_attribute else value

    def any(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """See :class:`Entries`."""
        if self.dialect == "postgresql":
            document: Any = self.keys
            for name in self.path:
                document = document[name]
            rows = func.jsonb_array_elements(document).table_valued(column("value", JSONB), name="entry")
        else:
            path = "$" + "".join(f'."{name}"' for name in self.path)
            rows = func.json_each(self.keys, path).table_valued("value", name="entry")
        return exists(select(literal(1)).select_from(rows).where(condition))


@dataclass(frozen=True, slots=True)
class RowEntries:
    """Entries in a table of their own: found through its index, whatever the number of resources. ``rows`` selects the
    ids of their resources.
    """

    id: ColumnElement[str]
    rows: Select[*tuple[Any, ...]]
    columns: Mapping[str, ColumnElement[Any]]

    def text(self, sub_attribute: str) -> ColumnElement[Any]:
        """See :class:`Entries`."""
        if sub_attribute not in self.columns:
            raise InvalidFilterException(detail=f"Filtering by {sub_attribute!r} of these values is not supported")
        return self.columns[sub_attribute]

    def any(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """See :class:`Entries`."""
        return self.id.in_(self.rows.where(condition))


def column_of(attribute: Any) -> ColumnElement[Any]:
    """The expression of a mapped attribute. (For mypy a mapped attribute of an aliased class is its Python value.)"""
    expression: ColumnElement[Any] = attribute.expression
    return expression


@dataclass(frozen=True)
class Columns:
    """The expressions of one resource type in one connection, whose resources are below ``base_url``. ``dialect`` is
    sqlite or postgresql.
    """

    kind: str
    dialect: str
    connection_id: str
    base_url: str = ""

    @property
    def entity(self) -> type[PushedUser | PushedGroup]:
        """The mapped class of the rows."""
        return PushedUser if self.kind == USER else PushedGroup

    @property
    def id(self) -> ColumnElement[str]:
        """The column of the resource's id."""
        return column_of(PushedUser.user_id if self.kind == USER else PushedGroup.id)

    @property
    def owned(self) -> ColumnElement[bool]:
        """That the connection owns the row."""
        return self.entity.connection_id == self.connection_id

    @cached_property
    def _scalars(self) -> Mapping[Path, ColumnElement[Any]]:
        entity = self.entity
        scalars: dict[Path, ColumnElement[Any]] = {
            ("id",): self.id,
            ("externalId",): entity.external_id.expression,
            ("meta", "resourceType"): literal(self.kind),
            ("meta", "created"): entity.created_at.expression,
            ("meta", "lastModified"): entity.changed_at.expression,
            ("meta", "version"): literal('W/"') + cast(entity.version, Text) + literal('"'),
            ("meta", "location"): literal(comparable(f"{self.base_url}/{self.kind}s/", exact=False)) + self.id,
        }
        if self.kind == USER:
            scalars["userName",] = PushedUser.user_name_key.expression
            scalars["active",] = (
                select(case((User.active, "true"), else_="false"))
                .where(User.id == PushedUser.user_id, PushedUser.says_active)
                .correlate(PushedUser)
                .scalar_subquery()
            )
        else:
            scalars["displayName",] = PushedGroup.display_name_key.expression
        return scalars

    def text(self, path: Path) -> ColumnElement[Any]:
        """A scalar: text, or a time for ``meta.created`` and ``meta.lastModified``; NULL where it is absent."""
        if path in self._scalars:
            return self._scalars[path]
        document: Any = self.entity.keys
        for name in path:
            document = document[name]
        value: ColumnElement[Any] = document.as_string()
        return value

    @property
    def never_null(self) -> tuple[Path, ...]:
        """The scalars that every resource has, so that an index serves their order."""
        own: Path = ("userName",) if self.kind == USER else ("displayName",)
        return (("id",), own, ("meta", "created"), ("meta", "lastModified"))

    def entries(self, path: Path) -> Entries:
        """The entries of an attribute with several values."""
        if self.kind == USER and path == ("emails",):
            return RowEntries(
                self.id,
                select(PushedEmail.user_id).where(PushedEmail.connection_id == self.connection_id),
                {
                    "value": column_of(PushedEmail.value_key),
                    "type": column_of(PushedEmail.type_key),
                    "display": column_of(PushedEmail.display_key),
                    "primary": column_of(PushedEmail.primary_key),
                },
            )
        if self.kind == USER and path == ("groups",):
            group = aliased(PushedGroup)
            return RowEntries(
                self.id,
                select(Membership.user_id)
                .join(group, group.id == Membership.group_id)
                .where(group.connection_id == self.connection_id, Membership.user_id.is_not(None)),
                {"value": column_of(group.id), "display": column_of(group.display_name_key), "type": literal("direct")},
            )
        if self.kind == GROUP and path == ("members",):
            return RowEntries(
                self.id,
                select(Membership.group_id),
                {
                    "value": column_of(Membership.member_id),
                    "type": case(
                        (Membership.user_id.is_not(None), "user"), (Membership.subgroup_id.is_not(None), "group")
                    ),
                },
            )
        return JsonEntries(self.dialect, self.entity.keys, path)

    def first_entry(self, path: Path, sub_attribute: str) -> ColumnElement[Any] | None:
        """The value by which a resource is sorted: that of its primary entry, else of its first (RFC 7644 3.4.2.3).
        None where these entries have no order.
        """
        if path == ("emails",):
            entries = self.entries(path)
            return (
                select(entries.text(sub_attribute))
                .where(PushedEmail.user_id == PushedUser.user_id, PushedEmail.position == 0)
                .correlate(PushedUser)
                .scalar_subquery()
            )
        if path in {("groups",), ("members",)}:
            return None
        document: Any = self.entity.keys
        for name in path:
            document = document[name]
        document = document[0]
        value: ColumnElement[Any] = (document[sub_attribute] if sub_attribute else document).as_string()
        return value
