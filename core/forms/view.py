"""The form as a template shows it: everything decided, nothing secret in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import certificates, moments
from core.certificates import Certificate
from core.errors import CertificateRejected
from core.field_types import Kind, Note
from core.forms.fields import Field, Tab, Widget, every
from core.forms.posted import metadata_field
from core.forms.rules import SITE_KINDS
from core.forms.values import FieldError, Values
from core.plugin_api import Site

_NOT_SET = "Not set"
_TIMES_ARE_UTC = "The time is in UTC."


@dataclass(frozen=True, slots=True)
class OptionView:
    """A value to choose, as it is sent; the empty one stands for "not set"."""

    value: str
    label: str
    help: str


@dataclass(frozen=True, slots=True)
class SecretView:
    """What is said of a secret, which is never sent back. ``remove_name`` is what a form sends to remove the stored one, empty
    where that cannot be; ``removed``: it did.
    """

    is_set: bool
    note: str
    remove_name: str
    removed: bool


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field.

    ``value`` is a text, a truth value (switch) or a tuple of texts (checkboxes); a secret's is always empty.
    ``show_if`` is ``tab.field=value``, several joined by ``&``: scripts hide the field while one does not hold.
    ``certificates`` is what the value of a certificate field holds.
    """

    id: str
    name: str
    label: str
    help: str
    placeholder: str
    widget: str
    input_type: str
    required: bool
    optional_mark: bool
    options: tuple[OptionView, ...]
    value: str | bool | tuple[str, ...]
    error: str
    certificates: tuple[Certificate, ...]
    width: str
    show_if: str
    minimum: int | float | None
    maximum: int | float | None
    step: int | float | str | None
    max_length: int | None
    kind: Kind | None
    fields: tuple[FieldView, ...]
    secret: SecretView | None


@dataclass(frozen=True, slots=True)
class GroupView:
    """A titled group. ``number`` counts the numbered groups of the tab."""

    key: str
    title: str
    help: str
    number: int | None
    fields: tuple[FieldView, ...]

    def has(self, kind: Kind | str) -> bool:
        """Whether a field of the group means this to the host."""
        return any(field.kind == kind for field in self.fields)


@dataclass(frozen=True, slots=True)
class TabView:
    """A tab. ``metadata`` is the box for the provider's metadata, on tabs that it can fill."""

    id: str
    title: str
    groups: tuple[GroupView, ...]
    note: Note | None
    error_count: int
    kinds: frozenset[Kind]
    metadata: FieldView | None


@dataclass(frozen=True, slots=True)
class FormView:
    """The whole form. ``selected`` is the tab to open: the first one with a problem, else the first."""

    tabs: tuple[TabView, ...]
    errors: tuple[FieldError, ...]
    selected: str


@dataclass(frozen=True, slots=True)
class Moment:
    """What a view needs to know beside the values."""

    site: Site
    now: datetime
    stored_at: datetime | None
    errors: Mapping[str, str]


def view(  # noqa: PLR0917  what a form shows, each part from somewhere else
    tabs: tuple[Tab, ...],
    values: Values,
    stored: Values,
    moment: Moment,
    errors: Sequence[FieldError],
    metadata: Mapping[str, str],
) -> FormView:
    """The form with these values and problems, over the stored values."""
    shown = tuple(
        _tab(tab, values.get(tab.id, {}), stored.get(tab.id, {}), moment, metadata.get(tab.id, "")) for tab in tabs
    )
    selected = next((tab.id for tab in shown if tab.error_count), shown[0].id)
    return FormView(shown, tuple(errors), selected)


def _tab(tab: Tab, values: Mapping[str, Any], stored: Mapping[str, Any], moment: Moment, metadata: str) -> TabView:
    groups: list[GroupView] = []
    for group in tab.groups:
        number = 1 + sum(each.number is not None for each in groups) if group.numbered else None
        fields = tuple(_field(one, tab.fields, values, stored, moment) for one in tab.fields if one.group == group.key)
        groups.append(GroupView(group.key, group.title, group.help, number, fields))
    box = metadata_field(tab)
    return TabView(
        id=tab.id,
        title=tab.title,
        groups=tuple(groups),
        note=tab.note,
        error_count=sum(name == tab.id or name.startswith(f"{tab.id}.") for name in moment.errors),
        kinds=frozenset(one.kind for one in every(tab.fields) if one.kind),
        metadata=_field(box, (), {box.key: metadata}, {}, moment) if tab.takes_metadata else None,
    )


def _field(
    one: Field, siblings: tuple[Field, ...], values: Mapping[str, Any], stored: Mapping[str, Any], moment: Moment
) -> FieldView:
    value = _site_value(one, moment.site) if one.read_only else values.get(one.key, one.default)
    kept = stored.get(one.key)
    inner, inner_kept = (each if isinstance(each, Mapping) else {} for each in (value, kept))
    return FieldView(
        id=one.id,
        name=one.name,
        label=one.label,
        help=f"{one.help} {_TIMES_ARE_UTC}".strip() if one.format == "date-time" else one.help,
        placeholder=one.placeholder,
        widget=one.widget.value,
        input_type=one.input_type,
        required=one.required,
        optional_mark=one.nullable and one.widget not in (Widget.COPY, Widget.SWITCH),
        options=_options(one, value),
        value="" if one.secret else _shown(one, value),
        error=moment.errors.get(one.name, ""),
        certificates=_certificates(value)
        if one.widget is Widget.CERTIFICATE or one.kind is Kind.SP_CERTIFICATE
        else (),
        width=one.width,
        show_if="&".join(f"{_sibling(siblings, key).name}={_word(wanted)}" for key, wanted in one.show_if.items()),
        minimum=one.minimum,
        maximum=one.maximum,
        step=one.step,
        max_length=one.max_length,
        kind=one.kind,
        fields=tuple(_field(each, one.fields, inner, inner_kept, moment) for each in one.fields),
        secret=_secret(one, value, kept, moment) if one.secret else None,
    )


def _sibling(siblings: tuple[Field, ...], key: str) -> Field:
    return next(each for each in siblings if each.key == key)


def _site_value(one: Field, site: Site) -> Any:
    if one.kind and one.kind in SITE_KINDS:
        return getattr(site, SITE_KINDS[one.kind])
    return one.download.filename if one.download else one.default


def _shown(one: Field, value: Any) -> str | bool | tuple[str, ...]:
    if one.widget is Widget.SWITCH:
        return value is True
    if one.widget in (Widget.CHECKBOXES, Widget.LINES):
        words = tuple(_word(each) for each in value) if isinstance(value, list) else ()
        return words if one.widget is Widget.CHECKBOXES else "\n".join(words)
    if value is None or one.widget is Widget.OBJECT:
        return ""
    if one.format == "date-time":
        return str(value).removesuffix("Z")
    return _word(value)


def _word(value: Any) -> str:
    """A value as a form sends it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _options(one: Field, value: Any) -> tuple[OptionView, ...]:
    options = tuple(OptionView(option.text, option.label, option.help) for option in one.options)
    if not options or one.widget is Widget.CHECKBOXES:
        return options
    if one.nullable:
        return (OptionView("", _NOT_SET, ""), *options)
    unknown = _word(value) not in {option.value for option in options}
    return (OptionView("", "Choose one", ""), *options) if unknown and one.widget is Widget.SELECT else options


def _certificates(value: Any) -> tuple[Certificate, ...]:
    try:
        return certificates.read(value) if isinstance(value, str) and value else ()
    except CertificateRejected:
        return ()


def _secret(one: Field, value: Any, kept: Any, moment: Moment) -> SecretView:
    at = moment.stored_at if kept else None
    typed = bool(value) and value != kept
    if at is None:
        return SecretView(False, "Not saved yet: type it again." if typed else "", "", False)
    day = moments.day(at, moment.now)
    note = (
        f"Not saved yet: type it again. Empty keeps the one of {day}."
        if typed
        else f"Set on {day}. Leave empty to keep it."
    )
    return SecretView(True, note, one.remove_name if one.nullable else "", not value)


def sorted_errors(tabs: tuple[Tab, ...], errors: Sequence[FieldError]) -> tuple[FieldError, ...]:
    """The first problem of each field, in the order in which the form shows them."""
    order: dict[str, int] = {}
    for tab in tabs:
        shown = [one for group in tab.groups for one in tab.fields if one.group == group.key]
        for name in (tab.id, metadata_field(tab).name, *(one.name for one in every(tuple(shown)))):
            order[name] = len(order)
    first = {error.field: error for error in reversed(errors)}
    return tuple(sorted(first.values(), key=lambda error: order.get(error.field, len(order))))


def without_secrets(tabs: tuple[Tab, ...], values: Values) -> Values:
    """The values for an audit entry or an export: a secret is replaced by whether it is set."""

    def masked(fields: tuple[Field, ...], some: Mapping[str, Any]) -> dict[str, Any]:
        return {
            one.key: masked(one.fields, some[one.key])
            if isinstance(some[one.key], Mapping)
            else ("set" if some[one.key] else None)
            if one.secret
            else some[one.key]
            for one in fields
            if one.key in some
        }

    return {tab.id: masked(tab.fields, values.get(tab.id, {})) for tab in tabs}
