"""A plugin's form: compiled once from its schema, then used by every request. Immutable."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from core import certificates
from core.errors import CertificateRejected, PluginBroken, PluginMisbehaved
from core.field_types import Kind, email_address, web_address
from core.forms import posted as reading
from core.forms import view as viewing
from core.forms.fields import Field, Tab, Widget, every
from core.forms.rules import SAML_KINDS, SINGLE_LOGOUT_KINDS, SITE_KINDS, UnusableSchemaError
from core.forms.schema import compile_tabs
from core.forms.sentences import OTHERWISE, sentence, tab_sentence
from core.forms.values import FieldError, FormInvalid, Posted, Values
from core.plugin_api import Site

_MOST_CHARACTERS = 65_536
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")


@dataclass(frozen=True, slots=True)
class Form:
    """The dialog of one plugin.

    ``kinds`` is what its fields mean to the host; ``saml`` and ``scim`` say which endpoints its connections get.
    """

    model: type[BaseModel]
    source: str
    tabs: tuple[Tab, ...]
    kinds: frozenset[Kind]

    @classmethod
    def compile(cls, model: type[BaseModel], source: Path | str) -> Form:
        """Compile a plugin's model. Raises ``PluginBroken`` with field and reason where it cannot be shown or stored."""
        try:
            tabs = compile_tabs(model)
        except UnusableSchemaError as refused:
            raise PluginBroken(source, f"The schema cannot be used: {refused}.") from refused
        except Exception as error:  # pydantic raises many kinds here, and the plugin's own code runs
            words = str(error).partition("\n")[0]
            raise PluginBroken(source, f"pydantic makes no JSON schema of the model: {words}") from error
        kinds = frozenset(one.kind for tab in tabs for one in every(tab.fields) if one.kind)
        return cls(model, str(source), tabs, kinds)

    @property
    def saml(self) -> bool:
        """Whether its connections have a SAML endpoint."""
        return self.kinds >= SAML_KINDS

    @property
    def scim(self) -> bool:
        """Whether its connections have a SCIM endpoint."""
        return Kind.SCIM_BASE_URL in self.kinds

    @property
    def has_own_keys(self) -> bool:
        """Whether its connections have keys of ours."""
        return Kind.SP_CERTIFICATE in self.kinds

    @property
    def single_logout(self) -> bool:
        """Whether its connections can take part in single logout."""
        return self.kinds >= SINGLE_LOGOUT_KINDS

    def field(self, name: str) -> Field | None:
        """The field called ``tab.field`` or ``tab.field.inner``."""
        return next((one for tab in self.tabs for one in every(tab.fields) if one.name == name), None)

    def error(self, name: str, words: str) -> FieldError:
        """A problem of the field called ``tab.field``, or of the tab where there is no such field."""
        if one := self.field(name):
            return FieldError(one.name, one.id, one.label, words)
        tab = next((each for each in self.tabs if each.id == name.partition(".")[0]), self.tabs[0])
        return FieldError(tab.id, f"tab-{tab.id}", tab.title, words)

    def read(self, posted: Posted, stored: Values, metadata: reading.MetadataReader | None = None) -> Values:
        """The values that were sent, over the stored ones; nothing is validated that can be kept as it was typed.

        Names that the schema does not declare are ignored, and so are read-only fields and those whose ``show_if``
        does not hold. What was not sent keeps its stored value, and an empty secret too, unless it is to be removed. A field that was emptied is none
        where it is optional, and takes its default where it has one. ``metadata`` reads the provider's metadata XML, which
        then fills sign-in URL, certificate, issuer and single logout URL. Raises ``FormInvalid`` for a file or metadata that
        cannot be used and for a private key; its ``values`` hold everything else.
        """
        found = reading.read(self.tabs, posted, stored, metadata)
        if found.errors:
            raise FormInvalid(viewing.sorted_errors(self.tabs, found.errors), found.values, found.metadata)
        return found.values

    def validate(self, values: Values, site: Site, now: datetime, problems: Sequence[FieldError] = ()) -> BaseModel:
        """The plugin's configuration from values. Raises ``FormInvalid`` with one error a field.

        ``problems`` are those that ``read`` found; they come first, so that a person sees everything at once. ``now``
        is compared to the dates of certificates: one of them has to be valid. Raises ``PluginMisbehaved`` where a
        validator of the plugin fails.
        """
        return self._config(values, site, [*problems, *self._date_errors(values, now)])

    def load(self, values: Values, site: Site) -> BaseModel:
        """The same for a stored configuration: without the dates, so that an expired certificate can be shown."""
        return self._config(values, site, [])

    def value(self, config: BaseModel, kind: Kind) -> object | None:
        """The value of the field that means this, in a configuration; none where there is none."""
        for tab in self.tabs:
            if one := tab.of_kind(kind):
                value: object | None = getattr(getattr(config, tab.id), one.key)
                return value
        return None

    def view(
        self,
        values: Values,
        site: Site,
        errors: Sequence[FieldError] = (),
        *,
        now: datetime,
        stored: Values | None = None,
        stored_at: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> viewing.FormView:
        """The form for a template. ``stored`` are the values that are kept, and ``stored_at`` is since when: a secret that was
        typed and is not among them has to be typed again.

        ``metadata`` is ``FormInvalid.metadata``, to show it again.
        """
        ordered = viewing.sorted_errors(self.tabs, errors)
        moment = viewing.Moment(site, now, stored_at, {error.field: error.sentence for error in ordered})
        return viewing.view(self.tabs, values, stored or {}, moment, ordered, metadata or {})

    def without_secrets(self, values: Values) -> Values:
        """The values for an audit entry or an export: a secret is replaced by whether it is set."""
        return viewing.without_secrets(self.tabs, values)

    # ---- validation

    def _config(self, values: Values, site: Site, errors: list[FieldError]) -> BaseModel:
        payload = {tab.id: _payload(tab.fields, values.get(tab.id, {}), site) for tab in self.tabs}
        for tab in self.tabs:
            errors.extend(_host_errors(tab.fields, payload[tab.id]))
        config: BaseModel | None = None
        try:
            config = self.model.model_validate(payload)
        except ValidationError as invalid:
            errors.extend(self._sentence(error) for error in invalid.errors(include_url=False))
        except Exception as error:
            raise PluginMisbehaved(self.source, f"A validator of the model raised {type(error).__name__}.") from error
        if errors or config is None:
            raise FormInvalid(viewing.sorted_errors(self.tabs, errors), values)
        return config

    def _sentence(self, error: Mapping[str, Any]) -> FieldError:
        """A pydantic error as a sentence beside the innermost field of its location."""
        location = error["loc"]
        depth = next((n for n in (3, 2) if self.field(".".join(map(str, location[:n])))), 0)
        one = self.field(".".join(map(str, location[:depth]))) if depth else None
        if one is None:
            named = self.error(str(location[0]) if location else "", "")
            return replace(named, sentence=tab_sentence(named.label, error.get("ctx")))
        words = sentence(one, error["type"], error.get("ctx"))
        if len(location) > depth and isinstance(location[depth], int) and one.widget is Widget.LINES:
            words = f"Line {location[depth] + 1}: {words}"
        return FieldError(one.name, one.id, one.label, words)

    def _date_errors(self, values: Values, now: datetime) -> Iterator[FieldError]:
        for tab in self.tabs:
            for one in tab.fields:
                text = values.get(tab.id, {}).get(one.key)
                if one.widget is not Widget.CERTIFICATE or not isinstance(text, str):
                    continue
                try:
                    found = certificates.read(text)
                except CertificateRejected:
                    continue  # said by validation
                try:
                    certificates.check_dates(found, now)
                except CertificateRejected as refused:
                    words = sentence(one, "certificate", {"sentence": refused.public})
                    yield FieldError(one.name, one.id, one.label, words)


def _payload(fields: tuple[Field, ...], values: Mapping[str, Any], site: Site) -> dict[str, Any]:
    """What pydantic validates: read-only values of the host, and the entered ones that are in force."""
    entered = reading.applicable(fields, values)
    payload: dict[str, Any] = {}
    for one in fields:
        if one.kind and one.kind in SITE_KINDS:
            payload[one.key] = getattr(site, SITE_KINDS[one.kind])
        elif one.kind is Kind.SCIM_TOKEN:
            payload[one.key] = ""
        elif one.download:
            payload[one.key] = one.download.filename
        elif one.read_only:
            continue
        elif one.widget is Widget.OBJECT and (one.key in entered or one.required):
            inner = entered.get(one.key)
            known = inner if isinstance(inner, Mapping) else {}
            payload[one.key] = None if inner is None and one.nullable else _payload(one.fields, known, site)
        elif one.key in entered:
            payload[one.key] = entered[one.key]
        elif one.nullable and not one.has_default:
            payload[one.key] = None
    return payload


def _host_errors(fields: tuple[Field, ...], payload: Mapping[str, Any]) -> Iterator[FieldError]:
    """What the host asks of values whatever the plugin's types say."""
    for one in fields:
        value = payload.get(one.key)
        if isinstance(value, Mapping):
            yield from _host_errors(one.fields, value)
        elif not one.read_only and isinstance(value, str):
            found = _host_problem(one, value)
            if found:
                yield FieldError(one.name, one.id, one.label, sentence(one, *found))


def _host_problem(one: Field, value: str) -> tuple[str, Mapping[str, Any]] | None:
    if len(value) > _MOST_CHARACTERS:
        return "text_too_long", {}
    if any(unicodedata.category(each) in ("Cc", "Cs") and each not in "\n\t" for each in value):
        return "control_characters", {}
    if one.type in ("integer", "number"):  # one that can be read is no text any more
        return ("int_parsing" if one.type == "integer" else "float_parsing"), {}
    try:
        _check_format(one, value)
    except PydanticCustomError as error:
        return error.type, error.context or {}
    return None


def _scheme(address: str) -> str:
    try:
        return urlsplit(address).scheme
    except ValueError:  # half of an IPv6 address
        raise PydanticCustomError("url_syntax_violation", OTHERWISE) from None


def _check_format(one: Field, value: str) -> None:
    """Raise PydanticCustomError where a text is not written in the field's format."""
    if one.format == "uri" and not one.schemes:
        web_address(value)
    elif one.format == "uri":
        if _scheme(value) not in one.schemes:
            written = " or ".join(f"{scheme}://" for scheme in one.schemes)
            raise PydanticCustomError("url_schemes", "{schemes}", {"schemes": written})
    elif one.format == "email":
        email_address(value)
    elif one.format == "date" and not _DATE.fullmatch(value):
        raise PydanticCustomError("date_parsing", OTHERWISE)
    elif one.format == "date-time" and not _DATE_TIME.fullmatch(value):
        raise PydanticCustomError("datetime_parsing", OTHERWISE)
    elif one.format == "x509-pem":
        try:
            certificates.read(value)
        except CertificateRejected as refused:
            raise PydanticCustomError("certificate", "{sentence}", {"sentence": refused.public}) from None
