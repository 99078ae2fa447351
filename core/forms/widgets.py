"""Which widget shows a value: the table of the design, in its order; the first row that fits decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.forms.fields import Widget

Node = Mapping[str, Any]
"""The JSON schema of one field, references resolved and ``null`` taken out; an enumeration stands under ``enum``."""

_FEW = 2  # values that are quicker to see than to open
_LONG = 200  # characters that do not fit a line


def _enumerates(node: Node) -> bool:
    return "enum" in node


def _has_few_or_helps(node: Node) -> bool:
    return _enumerates(node) and (len(node["enum"]) == _FEW or bool(node.get("ui", {}).get("helps")))


def _items(node: Node) -> Node:
    items = node.get("items") if node.get("type") == "array" else None
    return items if isinstance(items, Mapping) else {}


def _is_text(node: Node) -> bool:
    return node.get("type") == "string"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: the test in words and in code, and its widget."""

    schema: str
    matches: Callable[[Node], bool]
    widget: Widget


ROWS: tuple[Row, ...] = (
    Row("`readOnly: true`", lambda node: node.get("readOnly") is True, Widget.COPY),
    Row("`format: download`", lambda node: _is_text(node) and node.get("format") == "download", Widget.DOWNLOAD),
    Row("`format: x509-pem`", lambda node: _is_text(node) and node.get("format") == "x509-pem", Widget.CERTIFICATE),
    Row("`enum` with 2 values, or with a help per value", _has_few_or_helps, Widget.RADIO),
    Row("other `enum`", _enumerates, Widget.SELECT),
    Row("`boolean`", lambda node: node.get("type") == "boolean", Widget.SWITCH),
    Row("`array` of `enum`", lambda node: "enum" in _items(node), Widget.CHECKBOXES),
    Row("`array` of `string`", lambda node: _is_text(_items(node)), Widget.LINES),
    Row("`integer`, `number`", lambda node: node.get("type") in ("integer", "number"), Widget.INPUT),
    Row("`format: uri`", lambda node: _is_text(node) and node.get("format") == "uri", Widget.INPUT),
    Row(
        "`format: email`, `date`, `date-time`",
        lambda node: _is_text(node) and node.get("format") in ("email", "date", "date-time"),
        Widget.INPUT,
    ),
    Row(
        "`format: password` or `writeOnly: true`",
        lambda node: _is_text(node) and (node.get("format") == "password" or node.get("writeOnly") is True),
        Widget.INPUT,
    ),
    Row(
        "`format: textarea` or `maxLength` above 200",
        lambda node: _is_text(node) and (node.get("format") == "textarea" or node.get("maxLength", 0) > _LONG),
        Widget.TEXTAREA,
    ),
    Row("`object`", lambda node: node.get("type") == "object" and "properties" in node, Widget.OBJECT),
    Row("`string`", _is_text, Widget.INPUT),
)

_INPUT_TYPES = {"uri": "url", "email": "email", "date": "date", "date-time": "datetime-local", "password": "password"}


def row_of(node: Node) -> Row | None:
    """The first row that fits, or none where the schema cannot be shown."""
    return next((row for row in ROWS if row.matches(node)), None)


def input_type(node: Node) -> str:
    """The ``type`` of an HTML input for this schema."""
    if node.get("type") in ("integer", "number"):
        return "number"
    if node.get("writeOnly") is True:
        return "password"
    return _INPUT_TYPES.get(node.get("format", ""), "text")
