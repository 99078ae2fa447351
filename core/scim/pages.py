"""The order of found resources and their pages, by index (RFC 7644 3.4.2.4) and by cursor (RFC 9865), in SQL.

A cursor's position is the sort value and the id of a page's last (or first) resource: the next page is found through
the index however far it is, and stays right while resources come and go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from scim2_models import InvalidCursorException, InvalidPathException, Resource, SearchRequest
from sqlalchemy import ColumnElement, Select, and_, or_, tuple_

from core.scim.columns import Columns
from core.scim.filters import path_of

_FURTHEST = 2**31  # a start index beyond it is an empty page on every database


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: after (``forward``) or before the resource with this sort value and id."""

    forward: bool
    value: str | datetime | None
    id: str

    def as_json(self) -> dict[str, Any]:
        """What a cursor holds."""
        value = {"at": self.value.isoformat()} if isinstance(self.value, datetime) else self.value
        return {"forward": self.forward, "value": value, "id": self.id}

    @classmethod
    def read(cls, position: Any) -> Position:
        """A position that :meth:`as_json` gave. Raises ``InvalidCursorException``."""
        try:
            forward, value, resource_id = position["forward"], position["value"], position["id"]
            if isinstance(value, dict):
                value = datetime.fromisoformat(value["at"])
        except (KeyError, TypeError, ValueError):
            raise InvalidCursorException from None
        if not isinstance(resource_id, str) or not isinstance(value, str | datetime | None):
            raise InvalidCursorException
        return cls(bool(forward), value, resource_id)


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a query: by ``value`` (absent ones last when ascending), then by id."""

    value: ColumnElement[Any] | None
    id: ColumnElement[str]
    always_there: bool
    ascending: bool

    def sorted(self, query: Select[*tuple[Any, ...]], *, forward: bool = True) -> Select[*tuple[Any, ...]]:
        """The query in this order, or in its reverse."""
        ascending = self.ascending is forward
        columns = [self.id] if self.value is None else [self.value, self.id]
        if self.value is not None and not self.always_there:
            columns = [cast("ColumnElement[Any]", self.value.is_(None)), *columns]
        return query.order_by(*(column.asc() if ascending else column.desc() for column in columns))

    def beyond(self, position: Position) -> ColumnElement[bool]:
        """That a resource is after (or before) a position."""
        ascending = self.ascending is position.forward
        if self.value is None:
            return self.id > position.id if ascending else self.id < position.id
        if position.value is None:
            same = self.id > position.id if ascending else self.id < position.id
            absent = and_(self.value.is_(None), same)
            return absent if ascending else or_(absent, self.value.is_not(None))
        here, there = tuple_(self.value, self.id), tuple_(position.value, position.id)
        present = here > there if ascending else here < there
        if self.always_there:
            return present
        return or_(present, self.value.is_(None)) if ascending else and_(self.value.is_not(None), present)


def sort_value(request: SearchRequest[Any], model: type[Resource[Any]], columns: Columns) -> ColumnElement[Any] | None:
    """The expression by which resources of one type are sorted; none without ``sortBy``, or where the type does not
    declare the attribute. Raises ``InvalidPathException`` for one that has no order.
    """
    binding = request.sort_binding(model) if request.sort_by else None
    if binding is None:
        return None
    path, sub = path_of(binding)
    if not binding.is_multivalued:
        return columns.text((*path, sub) if sub else path)
    value = columns.first_entry(path, sub)
    if value is None:
        raise InvalidPathException(path=str(request.sort_by), detail=f"Sorting by {request.sort_by} is not supported")
    return value


def offset(request: SearchRequest[Any]) -> int:
    """The number of resources before an index page."""
    return min(request.start_index_0 or 0, _FURTHEST)
