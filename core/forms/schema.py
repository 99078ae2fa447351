"""From the JSON schema of a plugin's model to fields. What cannot be shown or stored is refused here, by name."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import PydanticJsonSchemaWarning
from pydantic_core import to_jsonable_python

from core.field_types import Download, Group, Kind, Note
from core.forms import downloads
from core.forms.fields import Field, Option, Tab, Widget
from core.forms.rules import (
    UnusableSchemaError,
    check_kinds,
    check_name,
    check_posted_names,
    check_show_if,
    refuse_repeated,
)
from core.forms.widgets import Node, input_type, row_of

_UNSTORABLE = frozenset({"binary", "base64url"})
_INNER_NAMES_TAKEN = frozenset({"help", "err", "note", "file"})  # would be the id of a part of the outer field
_HINTS: Mapping[str, type] = MappingProxyType(
    {"group": str, "width": str, "labels": dict, "helps": dict, "show_if": dict, "messages": dict, "schemes": list}
)
_log = logging.getLogger(__name__)


def compile_tabs(model: type[BaseModel]) -> tuple[Tab, ...]:
    """The tabs of a plugin's model. Raises ``UnusableSchemaError`` with field and reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", PydanticJsonSchemaWarning)
        schema = model.model_json_schema()
    definitions: Mapping[str, Node] = schema.get("$defs", {})
    if "$ref" in schema:
        schema = {**schema, **_target(schema, definitions)}
    if not schema.get("properties"):
        raise UnusableSchemaError("the model has no fields; each of its fields is a tab")
    tabs = tuple(
        _tab(name, node, definitions, model.model_fields.get(name)) for name, node in schema["properties"].items()
    )
    refuse_repeated("tabs have the title", (tab.title for tab in tabs))
    check_kinds(tabs)
    return tabs


def _tab(name: str, node: Node, definitions: Mapping[str, Node], info: FieldInfo | None) -> Tab:
    inner = model_in(info.annotation) if info else None
    resolved, nullable = _resolve(name, node, definitions)
    if inner is None or nullable or "properties" not in resolved:
        raise UnusableSchemaError(
            f"{name}: a tab must be a pydantic model, always there; this is {_type_words(resolved)}"
        )
    check_name(name, name, inner)
    hints = _tab_hints(name, node, definitions)
    groups = _groups(name, hints)
    fields = _fields((name,), resolved, definitions, inner)
    for one in fields:
        if one.group and one.group not in {group.key for group in groups}:
            known = ", ".join(group.key for group in groups) or "none"
            raise UnusableSchemaError(
                f"{one.name}: the group {one.group!r} is not declared by the tab (declared: {known})"
            )
    check_posted_names(name, fields)
    used = {one.group for one in fields}
    unnamed = (Group("", ""),) if "" in used else ()
    shown = unnamed + tuple(group for group in groups if group.key in used)
    return Tab(name, _title(name, node), shown, _note(name, hints), fields)


def _tab_hints(name: str, node: Node, definitions: Mapping[str, Node]) -> Mapping[str, Any]:
    hints: Any = {**_target(node, definitions).get("ui", {}), **node.get("ui", {})}
    for hint in sorted(set(hints) - {"groups", "note"}):
        _log.warning("unknown form hint %r on the tab %s is ignored", hint, name)
    return {key: value for key, value in hints.items() if key in ("groups", "note")}


def _groups(name: str, hints: Mapping[str, Any]) -> tuple[Group, ...]:
    try:
        groups = tuple(Group(**group) for group in hints.get("groups", ()))
    except TypeError:
        raise UnusableSchemaError(f"{name}: its groups cannot be read; declare them with tab(Group(...))") from None
    refuse_repeated(f"{name}: groups have the key", (group.key for group in groups))
    return groups


def _note(name: str, hints: Mapping[str, Any]) -> Note | None:
    try:
        return Note(**hints["note"]) if "note" in hints else None
    except TypeError:
        raise UnusableSchemaError(f"{name}: its note cannot be read; declare it with tab(note=Note(...))") from None


def _fields(
    path: tuple[str, ...], node: Node, definitions: Mapping[str, Node], model: type[BaseModel]
) -> tuple[Field, ...]:
    required = frozenset(node.get("required", ()))
    fields = tuple(
        _field((*path, key), child, definitions, model, required=key in required)
        for key, child in node["properties"].items()
    )
    refuse_repeated(f"{'.'.join(path)}: fields have the label", (one.label for one in fields))
    for one in fields:
        check_show_if(one, fields)
    return fields


def _field(
    path: tuple[str, ...], prop: Node, definitions: Mapping[str, Node], model: type[BaseModel], *, required: bool
) -> Field:
    name, key = ".".join(path), path[-1]
    check_name(name, key, model)
    node, nullable = _resolve(name, prop, definitions)
    hints = _field_hints(name, node)
    node = {**node, "ui": hints}
    row = row_of(node)
    if row is None or node.get("format") in _UNSTORABLE:
        raise UnusableSchemaError(
            f"{name}: {_type_words(node)} cannot be shown in a form; use str, int, float, bool, date, datetime, "
            "an enumeration, a list of str or of an enumeration, or one model"
        )
    kind = _kind(name, node)
    items = _resolve(name, node["items"], definitions)[0] if row.widget is Widget.CHECKBOXES else node
    typed = input_type(node) if row.widget is Widget.INPUT else "text"
    return Field(
        path=path,
        label=_title(key, prop, node),
        help=_text(node.get("description")),
        placeholder=_text(next(iter(node.get("examples", ())), "")),
        widget=row.widget,
        input_type=typed,
        type=node["type"] if isinstance(node.get("type"), str) else "string",
        format=_text(node.get("format")),
        kind=kind,
        read_only=row.widget in (Widget.COPY, Widget.DOWNLOAD),
        nullable=nullable,
        has_default=not required,
        default=None if typed == "password" else _default(key, node, model),
        options=_options(name, items, hints) if "enum" in items else (),
        minimum=_bound(node, "minimum", "exclusiveMinimum", 1),
        maximum=_bound(node, "maximum", "exclusiveMaximum", -1),
        step=_step(node),
        max_length=node.get("maxLength"),
        group=hints.get("group", ""),
        width=hints.get("width", ""),
        schemes=tuple(hints.get("schemes", ())),
        show_if=MappingProxyType(hints.get("show_if", {})),
        messages=MappingProxyType(hints.get("messages", {})),
        fields=_inner(path, node, definitions, model) if row.widget is Widget.OBJECT else (),
        download=_download(name, row.widget, kind, model.model_fields[key]),
    )


def _inner(
    path: tuple[str, ...], node: Node, definitions: Mapping[str, Node], model: type[BaseModel]
) -> tuple[Field, ...]:
    name = ".".join(path)
    if len(path) > 2:  # noqa: PLR2004  tab, field; one level inside a field is the rule
        raise UnusableSchemaError(f"{name}: a model inside a model inside a tab is too deep; one level is shown")
    inner = model_in(model.model_fields[path[-1]].annotation)
    if inner is None:
        raise UnusableSchemaError(f"{name}: an object must be a pydantic model")
    fields = _fields(path, node, definitions, inner)
    for one in fields:
        if one.key in _INNER_NAMES_TAKEN:
            raise UnusableSchemaError(f"{one.name}: a field of a nested model cannot have this name")
        if one.kind not in (None, Kind.SECRET) or one.widget in (Widget.COPY, Widget.CERTIFICATE, Widget.DOWNLOAD):
            raise UnusableSchemaError(
                f"{one.name}: this type means something to the host and must be a field of the tab itself"
            )
        if one.group:
            raise UnusableSchemaError(f"{one.name}: a field of a nested model is in the group of its model")
    return fields


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of an annotation such as ``Model``, ``Model | None`` or ``Annotated[Model, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [model_in(part) for part in get_args(annotation)]
    return next((model for model in found if model), None)


# ---- reading a JSON schema


def _target(node: Node, definitions: Mapping[str, Node]) -> Node:
    reference = node.get("$ref", "")
    return definitions.get(reference.removeprefix("#/$defs/"), {}) if reference else {}


def _resolve(name: str, node: Node, definitions: Mapping[str, Node]) -> tuple[dict[str, Any], bool]:
    """The schema with references followed, unions of constants joined and ``null`` taken out; and whether it was in.

    The title and text of a referenced model or enumeration describe the type, not the field, and are left out.
    """
    outer = {key: value for key, value in node.items() if key not in ("$ref", "anyOf", "oneOf")}
    if "$ref" in node:
        target, nullable = _resolve(name, _target(node, definitions), definitions)
        own = {key: value for key, value in target.items() if key not in ("title", "description", "ui")}
        return {**own, **outer}, nullable
    branches = node.get("anyOf") or node.get("oneOf")
    if branches:
        resolved = [_resolve(name, branch, definitions)[0] for branch in branches]
        live = [branch for branch in resolved if branch.get("type") != "null"]
        if len(live) == 1:
            joined = live[0]
        elif live and all("enum" in branch for branch in live):
            titles = {str(value): branch["title"] for branch in live for value in branch["enum"] if "title" in branch}
            joined = {"enum": [value for branch in live for value in branch["enum"]], "titles": titles}
        else:
            raise UnusableSchemaError(
                f"{name}: it may be {_type_words({'anyOf': live})}; a field has one type, or that and None"
            )
        return {**joined, **outer}, len(live) < len(branches)
    if "const" in outer:
        outer["enum"] = [outer.pop("const")]
    values = outer.get("enum", ())
    if None in values:
        outer["enum"] = [value for value in values if value is not None]
    if isinstance(outer.get("items"), Mapping):
        outer["items"] = _resolve(name, outer["items"], definitions)[0]
        if outer["items"].get("format") in {"password", *_UNSTORABLE}:
            raise UnusableSchemaError(f"{name}: a list of secrets or bytes cannot be shown in a form")
    return outer, None in values


def _type_words(node: Node) -> str:
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_type_words(branch) for branch in node["anyOf"])) or "nothing"
    words = node.get("type") or "a value of any type"
    if node.get("format"):
        return f"{words} of format {node['format']}"
    if words == "object" and "properties" not in node:
        return "a mapping"
    return f"{words} of {_type_words(node['items'])}" if isinstance(node.get("items"), Mapping) else str(words)


def _title(key: str, prop: Node, resolved: Node | None = None) -> str:
    title = prop.get("title") or (resolved or {}).get("title")
    return _text(title) or key.replace("_", " ").capitalize()


def _text(value: object) -> str:
    return " ".join(str(value).split()) if value is not None else ""


def _kind(name: str, node: Node) -> Kind | None:
    if "siq" not in node:
        return None
    try:
        return Kind(node["siq"])
    except ValueError:
        raise UnusableSchemaError(f"{name}: {node['siq']!r} is no meaning that the host knows") from None


def _download(name: str, widget: Widget, kind: Kind | None, info: FieldInfo) -> Download | None:
    """The declared file of a field, checked; none where it declares none."""
    if widget is not Widget.DOWNLOAD and kind is not Kind.DOWNLOAD:
        return None
    found = next((each for each in info.metadata if isinstance(each, Download)), None)
    if found is None or widget is not Widget.DOWNLOAD:
        raise UnusableSchemaError(
            f"{name}: a download is declared as Annotated[str, siq.download(...)], and is not optional"
        )
    if wrong := downloads.problem(found.filename, found.render):
        raise UnusableSchemaError(f"{name}: {wrong}")
    return found


def _default(key: str, node: Node, model: type[BaseModel]) -> Any:
    if "default" in node:
        return node["default"]
    factory = model.model_fields[key].default_factory
    if factory is None or model.model_fields[key].default_factory_takes_validated_data:
        return None
    try:
        made = factory()  # type: ignore[call-arg]  # the line above left out those that take an argument
        return to_jsonable_python(made)
    except Exception as error:
        raise UnusableSchemaError(f"{key}: its default cannot be made or stored ({type(error).__name__})") from error


def _options(name: str, node: Node, hints: Mapping[str, Any]) -> tuple[Option, ...]:
    values = node["enum"]
    for value in values:
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise UnusableSchemaError(
                f"{name}: the value {value!r} cannot be chosen in a form; use texts or whole numbers"
            )
    if "" in values:
        raise UnusableSchemaError(f"{name}: an empty text cannot be chosen in a form; make the field optional instead")
    refuse_repeated(f"{name}: values are written as", (str(value) for value in values))
    labels = {**node.get("titles", {}), **hints.get("labels", {})}
    helps = hints.get("helps", {})
    for extra in sorted({*labels, *helps} - {str(value) for value in values}):
        _log.warning("the label or help for %r on %s names no value and is ignored", extra, name)
    return tuple(
        Option(value, str(value), _text(labels.get(str(value), _words(value))), _text(helps.get(str(value), "")))
        for value in values
    )


def _words(value: str | int) -> str:
    text = str(value).replace("_", " ")
    return text[:1].upper() + text[1:]


def _bound(node: Node, inclusive: str, exclusive: str, inwards: int) -> int | float | None:
    if inclusive in node:
        bound: int | float = node[inclusive]
        return bound
    if exclusive in node and node.get("type") == "integer":
        return int(node[exclusive]) + inwards
    return None


def _step(node: Node) -> int | float | str | None:
    if node.get("type") not in ("integer", "number") or "enum" in node:
        return None
    step: int | float | str = node.get("multipleOf", 1 if node["type"] == "integer" else "any")
    return step


def _field_hints(name: str, node: Node) -> dict[str, Any]:
    hints = node.get("ui", {})
    if not isinstance(hints, Mapping):
        raise UnusableSchemaError(f"{name}: its hints must be made with ui(...)")
    hints = {**node.get("words", {}), **hints}  # a type of ours may bring words; the field's own go before them
    for hint in sorted(set(hints) - set(_HINTS)):
        _log.warning("unknown form hint %r on %s is ignored", hint, name)
    known = {hint: value for hint, value in hints.items() if hint in _HINTS}
    for hint, value in known.items():
        if not isinstance(value, _HINTS[hint]):
            raise UnusableSchemaError(f"{name}: the hint {hint!r} must be a {_HINTS[hint].__name__}")
    if known.get("width", "half") != "half":
        _log.warning("unknown width %r on %s is ignored", known.pop("width"), name)
    return known
