"""Comparisons in SQL that mean what SCIM means (RFC 7644 3.4.2.2)."""

from __future__ import annotations

import operator as python
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, not_, true

_LAST_CODE_POINT = 0x10FFFF
_BEFORE_SURROGATES, _AFTER_SURROGATES = 0xD7FF, 0xE000  # what is between them are no characters

_ORDERED: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": python.eq,
    "gt": python.gt,
    "ge": python.ge,
    "lt": python.lt,
    "le": python.le,
}


def compared(text: ColumnElement[Any], operator: str, operand: Any, dialect: str) -> ColumnElement[bool]:
    """``text operator operand``. Never NULL: an absent value equals only null, and ``ne`` is the opposite of ``eq``."""
    if operator == "ne":
        return not_(compared(text, "eq", operand, dialect))
    if operand is None:
        return text.is_(None) if operator == "eq" else false()
    if operator in _ORDERED:
        fits = _ORDERED[operator](text, operand)
    elif operator == "sw":
        fits = _starts_with(text, operand)
    elif operator == "co":
        fits = (func.strpos if dialect == "postgresql" else func.instr)(text, operand) > 0
    else:
        fits = _ends_with(text, operand, dialect)
    return and_(text.is_not(None), fits)


def _ends_with(text: ColumnElement[Any], ending: str, dialect: str) -> ColumnElement[bool]:
    if not ending:
        return true()
    found = func.right(text, len(ending)) if dialect == "postgresql" else func.substr(text, -len(ending))
    return found == ending


def _starts_with(text: ColumnElement[Any], prefix: str) -> ColumnElement[bool]:
    """As a range, which an index serves: values are in code point order."""
    after = _successor(prefix)
    return text >= prefix if after is None else and_(text >= prefix, text < after)


def _successor(prefix: str) -> str | None:
    """The first text after every text that begins with ``prefix``; none where there is no such text."""
    while prefix:
        head, last = prefix[:-1], ord(prefix[-1])
        if last < _LAST_CODE_POINT:
            return head + chr(_AFTER_SURROGATES if last == _BEFORE_SURROGATES else last + 1)
        prefix = head
    return None
