"""The compiled form: what a plugin's schema says, without pydantic and without JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from core.field_types import Download, Group, Kind, Note

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Widget(StrEnum):
    """How a field is shown. ``INPUT`` is refined by the field's ``input_type``."""

    COPY = "copy"
    DOWNLOAD = "download"
    CERTIFICATE = "certificate"
    RADIO = "radio"
    SELECT = "select"
    SWITCH = "switch"
    CHECKBOXES = "checkboxes"
    LINES = "lines"
    INPUT = "input"
    TEXTAREA = "textarea"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Option:
    """A value to choose: as JSON, as a form sends it, its label and help. ``value`` is none for "not set"."""

    value: str | int | None
    text: str
    label: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a tab, or of a nested object.

    ``path`` is (tab, field) or (tab, field, inner). ``type`` is the JSON type. ``nullable`` fields are optional;
    ``has_default`` says that pydantic fills the field when nothing is entered. ``default`` is what the form shows first.
    """

    path: tuple[str, ...]
    label: str
    help: str
    placeholder: str
    widget: Widget
    input_type: str
    type: str
    format: str
    kind: Kind | None
    read_only: bool
    nullable: bool
    has_default: bool
    default: Any = None
    options: tuple[Option, ...] = ()
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | float | str | None = None
    max_length: int | None = None
    group: str = ""
    width: str = ""
    schemes: tuple[str, ...] = ()
    show_if: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    messages: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    fields: tuple[Field, ...] = ()
    download: Download | None = None

    @property
    def key(self) -> str:
        """Its name among its siblings."""
        return self.path[-1]

    @property
    def name(self) -> str:
        """``tab.field``: the name of its input, and how errors name it."""
        return ".".join(self.path)

    @property
    def id(self) -> str:
        """``tab-field``: the id of its element."""
        return "-".join(self.path)

    @property
    def secret(self) -> bool:
        """Whether its value never goes back to a browser."""
        return self.input_type == "password"

    @property
    def remove_name(self) -> str:
        """What is sent to remove a secret: an empty field keeps it."""
        return f"{self.name}.remove"

    @property
    def required(self) -> bool:
        """Whether somebody has to enter something."""
        return not (self.nullable or self.has_default or self.read_only)


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the dialog. ``groups`` are those that have fields, in order; the one without a key has no title."""

    id: str
    title: str
    groups: tuple[Group, ...]
    note: Note | None
    fields: tuple[Field, ...]

    @property
    def takes_metadata(self) -> bool:
        """Whether metadata of an identity provider can fill fields here."""
        return {Kind.SIGN_IN_URL, Kind.SIGNING_CERTIFICATES} <= {each.kind for each in self.fields}

    def of_kind(self, kind: Kind) -> Field | None:
        """The field that means this to the host."""
        return next((each for each in self.fields if each.kind is kind), None)


def every(fields: tuple[Field, ...]) -> Iterator[Field]:
    """The fields and the fields inside them, in order."""
    for each in fields:
        yield each
        yield from each.fields


def applies(one: Field, siblings: tuple[Field, ...], values: Mapping[str, Any]) -> bool:
    """Whether a field is in force: everything that its ``show_if`` names applies itself and has the value named."""
    for key, wanted in one.show_if.items():
        other = next(each for each in siblings if each.key == key)
        if not applies(other, siblings, values) or values.get(key, other.default) != wanted:
            return False
    return True
