"""From what was sent to values. Nothing is judged here that can be kept and judged later, so nothing is lost."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core import certificates
from core.errors import CertificateRejected, MetadataRejected
from core.field_types import Kind
from core.forms.fields import Field, Tab, Widget, applies
from core.forms.sentences import SENTENCES, sentence
from core.forms.values import FieldError, Posted, ProviderMetadata, Upload, Values

MetadataReader = Callable[[bytes], ProviderMetadata]
"""Reads metadata XML; raises ``MetadataRejected`` with a sentence."""

MOST_METADATA_BYTES = 1024 * 1024
"""The largest published metadata of one provider is some 100 KB."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?")
_LOCAL_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")
_ON = frozenset({"true", "on", "1", "yes"})
_OFF = frozenset({"", "false", "off", "0", "no"})
_KEEP = object()
_BLANK = object()


@dataclass(slots=True)
class Reading:
    """What was read: values, problems, and metadata texts that could not be used (by tab)."""

    values: Values = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)

    def refuse(self, one: Field, words: str) -> None:
        """Note a problem of a field, in place of an earlier one."""
        self.forgive(one)
        self.errors.append(FieldError(one.name, one.id, one.label, words))

    def forgive(self, one: Field) -> None:
        """Drop the problem of a field."""
        self.errors = [error for error in self.errors if error.field != one.name]


def read(tabs: tuple[Tab, ...], posted: Posted, stored: Values, metadata: MetadataReader | None) -> Reading:
    """The values that were sent, over the stored ones."""
    reading = Reading()
    for tab in tabs:
        values = reading.values[tab.id] = _read_fields(tab.fields, posted, stored.get(tab.id, {}), reading)
        if tab.takes_metadata and metadata:
            _read_metadata(tab, posted, values, reading, metadata)
    return reading


def applicable(fields: tuple[Field, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of declared fields that a person may set and that are in force."""
    return {
        one.key: applicable(one.fields, values[one.key])
        if one.widget is Widget.OBJECT and isinstance(values[one.key], Mapping)
        else values[one.key]
        for one in fields
        if one.key in values and not one.read_only and applies(one, fields, values)
    }


def _read_fields(
    fields: tuple[Field, ...], posted: Posted, stored: Mapping[str, Any], reading: Reading
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in fields:
        value = _read_field(one, posted, stored.get(one.key), reading)
        if value is _KEEP and one.key in stored:
            values[one.key] = stored[one.key]
        elif value is _BLANK and one.nullable:
            values[one.key] = None
        elif value not in (_KEEP, _BLANK):
            values[one.key] = value
    return applicable(fields, values)


def _read_field(one: Field, posted: Posted, stored: Any, reading: Reading) -> Any:
    """The value that was sent; ``_KEEP`` where nothing was, ``_BLANK`` where the field was emptied."""
    if one.widget is Widget.OBJECT:
        return _read_object(one, posted, stored, reading)
    if one.widget is Widget.CERTIFICATE:
        return _read_certificate(one, posted, reading)
    sent = [_clean(value) for value in posted.get(one.name, ()) if isinstance(value, str)]
    if not sent or (one.secret and not sent[-1]):
        return _BLANK if one.secret and one.nullable and posted.get(one.remove_name) else _KEEP
    if one.widget is Widget.LINES:
        return [line.strip() for text in sent for line in text.splitlines() if line.strip()]
    if one.widget is Widget.CHECKBOXES:
        return [_chosen(one, text) for text in dict.fromkeys(sent) if text]
    return _read_text(one, sent[-1])


def _read_text(one: Field, text: str) -> Any:
    """The value of a field that holds one text, as JSON; a text that is no such value stays as it was typed."""
    if one.secret or (one.widget is Widget.TEXTAREA and text.strip()):
        return text
    line = " ".join(text.splitlines()).strip()
    if one.widget is Widget.SWITCH:
        return _switched(line)
    if not line:
        return _BLANK
    return _chosen(one, line) if one.options else _typed(one, line)


def _read_object(one: Field, posted: Posted, stored: Any, reading: Reading) -> Any:
    if not any(name.startswith(f"{one.name}.") for name in posted):
        return _KEEP
    inner = _read_fields(one.fields, posted, stored if isinstance(stored, Mapping) else {}, reading)
    filled = any(value is not None and value is not False and value != [] for value in inner.values())
    return inner if filled or not one.nullable else _BLANK


def _read_certificate(one: Field, posted: Posted, reading: Reading) -> Any:
    """The file if it is good, else the text as it was typed. A private key is not kept, nor ever sent back."""
    uploaded = _upload(posted, f"{one.name}_file")
    if uploaded is not None:
        if len(uploaded) > certificates.MOST_BYTES:
            reading.refuse(one, SENTENCES["certificate_file_size"])
        else:
            try:
                return certificates.to_pem(certificates.read(uploaded))
            except CertificateRejected as refused:
                reading.refuse(one, sentence(one, "certificate", {"sentence": refused.public}))
    sent = [_clean(value).strip() for value in posted.get(one.name, ()) if isinstance(value, str)]
    if not sent:
        return _KEEP
    try:
        return certificates.to_pem(certificates.read(sent[-1])) if sent[-1] else _BLANK
    except CertificateRejected as refused:
        if "PRIVATE KEY" not in sent[-1].upper():
            return sent[-1]
        reading.refuse(one, sentence(one, "certificate", {"sentence": refused.public}))
        return _KEEP


def _read_metadata(
    tab: Tab, posted: Posted, values: dict[str, Any], reading: Reading, read_xml: MetadataReader
) -> None:
    """Fill fields from metadata: its own file or text first, then XML that was put where the certificate goes."""
    certificate = tab.of_kind(Kind.SIGNING_CERTIFICATES)
    assert certificate
    box = metadata_field(tab)
    for one, names in (
        (box, (f"{box.name}_file", box.name)),
        (certificate, (f"{certificate.name}_file", certificate.name)),
    ):
        found = next((xml for name in names if (xml := _bytes(posted, name))), None)
        if found is None or (one is certificate and not _is_xml(found)):
            continue
        try:
            document = read_xml(_bounded(found))
        except MetadataRejected as refused:
            reading.refuse(one, refused.public)
            if one is box:
                reading.metadata[tab.id] = next((t for t in posted.get(box.name, ()) if isinstance(t, str)), "")
            return
        filled = {
            Kind.SIGN_IN_URL: document.sign_in_url,
            Kind.SIGNING_CERTIFICATES: document.certificates,
            Kind.ISSUER: document.entity_id,
        }
        for kind, value in filled.items():
            if target := tab.of_kind(kind):
                values[target.key] = value
        if document.single_logout_url and (target := tab.of_kind(Kind.SINGLE_LOGOUT_URL)):
            values[target.key] = document.single_logout_url
        reading.forgive(certificate)
        return


def _bounded(xml: bytes) -> bytes:
    if len(xml) > MOST_METADATA_BYTES:
        raise MetadataRejected(SENTENCES["metadata_file_size"])
    return xml


def metadata_field(tab: Tab) -> Field:
    """The field that the host offers on a tab that metadata can fill."""
    return Field(
        path=(tab.id, "metadata"),
        label="Metadata XML",
        help="Paste the provider's SAML metadata or choose its file. It fills in the sign-in URL and the certificate.",
        placeholder="",
        widget=Widget.TEXTAREA,
        input_type="text",
        type="string",
        format="",
        kind=None,
        read_only=False,
        nullable=True,
        has_default=True,
    )


def _upload(posted: Posted, name: str) -> bytes | None:
    files = [value for value in posted.get(name, ()) if isinstance(value, Upload) and value.data]
    return files[-1].data if files else None


def _bytes(posted: Posted, name: str) -> bytes | None:
    uploaded = _upload(posted, name)
    if uploaded is not None:
        return uploaded
    texts = [value.strip() for value in posted.get(name, ()) if isinstance(value, str)]
    return texts[-1].encode("utf-8", "replace") if texts and texts[-1] else None


def _is_xml(data: bytes) -> bool:
    start = data[:64].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return start.startswith(b"<")


def _clean(text: str) -> str:
    """Without control characters and lone surrogates, which no database keeps; line ends as one character."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cs"))


def _switched(text: str) -> bool | str:
    word = text.casefold()
    return True if word in _ON else False if word in _OFF else text


def _chosen(one: Field, text: str) -> str | int:
    """The value that is written like this; an unknown one stays as it is, to be refused."""
    return next((option.value for option in one.options if option.value is not None and option.text == text), text)


def _typed(one: Field, text: str) -> Any:
    if one.type == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if one.type == "number" and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if one.format == "date-time" and _LOCAL_TIME.fullmatch(text):
        return text.replace(" ", "T") + "Z"
    return text
