"""What is said beside a field. The one place where the types of pydantic's errors become sentences."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from core.field_types import ValueRejected
from core.forms.fields import Field, Widget

_MISSING: Mapping[Widget, str] = MappingProxyType(
    {
        Widget.CERTIFICATE: "Paste the {label}, or choose its file",
        Widget.RADIO: "Choose the {label}",
        Widget.SELECT: "Choose the {label}",
        Widget.SWITCH: "Choose whether this is on: {label}",
        Widget.CHECKBOXES: "Choose at least one: {label}",
        Widget.LINES: "Enter at least one line: {label}",
        Widget.OBJECT: "Fill in the fields of {label}",
    }
)

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        # the host's own types
        "certificate": "{sentence}",
        "control_characters": "Enter the {label} without control characters",
        "email": "Enter an e-mail address like name@example.com",
        "entity_id": "Enter the {label} without spaces, at most 1,024 characters",
        "text_too_long": "Enter at most 65,536 characters",
        "url_characters": "Enter the {label} without spaces or line breaks",
        # addresses
        "url_parsing": "Enter the {label} as a complete address, without a user name in it",
        "url_scheme": "Enter the {label} with https:// at the start",
        "url_schemes": "Enter the {label} with {schemes} at the start",
        "url_syntax_violation": "Enter the {label} as a complete address",
        "url_too_long": "Enter an address of at most 2,048 characters",
        "url_type": "Enter the {label} as a complete address",
        # texts
        "string_pattern_mismatch": "Check the {label}: it is not written as it should be",
        "string_too_long": "Enter at most {max_length} characters",
        "string_too_short": "Enter at least {min_length} characters",
        "string_not_ascii": "Enter the {label} without accents and other special characters",
        "uuid_parsing": "Enter the {label} as 32 hexadecimal digits with four hyphens",
        # numbers
        "int_parsing": "Enter a whole number",
        "int_parsing_size": "Enter a smaller number",
        "int_from_float": "Enter a whole number",
        "float_parsing": "Enter a number",
        "finite_number": "Enter a number",
        "greater_than": "Enter a number above {gt}",
        "greater_than_equal": "Enter a number of at least {ge}",
        "less_than": "Enter a number below {lt}",
        "less_than_equal": "Enter a number of at most {le}",
        "multiple_of": "Enter a multiple of {multiple_of}",
        # choices
        "bool_parsing": "Choose on or off",
        "bool_type": "Choose on or off",
        "enum": "Choose one of the values in the list",
        "literal_error": "Choose one of the values in the list",
        # lists
        "too_short": "Enter at least {min_length}: {label}",
        "too_long": "Enter at most {max_length}: {label}",
        # dates and times
        "date_parsing": "Enter a date, such as 2026-05-31",
        "date_from_datetime_parsing": "Enter a date, such as 2026-05-31",
        "date_from_datetime_inexact": "Enter a date without a time",
        "date_past": "Enter a date in the past",
        "date_future": "Enter a date in the future",
        "datetime_parsing": "Enter a date and a time, such as 2026-05-31 14:30",
        "datetime_from_date_parsing": "Enter a date and a time, such as 2026-05-31 14:30",
        "datetime_past": "Enter a time in the past",
        "datetime_future": "Enter a time in the future",
        "time_parsing": "Enter a time, such as 14:30",
        # files
        "certificate_file_size": "The certificate file must be smaller than 64 KB",
        "metadata_file_size": "The metadata must be smaller than 1 MB",
    }
)
"""pydantic error type, or a type of the host's own -> the sentence. ``{label}`` is the field's label, and the other
names are the error's own context."""

OTHERWISE = "Check the {label}: this value cannot be used"
"""For every type that is not in the table. A validator's own text is never shown."""


def sentence(field: Field, error_type: str, context: Mapping[str, Any] | None = None) -> str:
    """The sentence for one error of a field; the plugin's own (``ui(messages=...)``) wins."""
    context = context or {}
    if error_type in field.messages:
        return field.messages[error_type]
    if isinstance(raised := context.get("error"), ValueRejected):
        return str(raised)
    if error_type == "missing" or (error_type == "string_too_short" and context.get("min_length") == 1):
        template = _MISSING.get(field.widget, "Enter the {label}")
    else:
        template = SENTENCES.get(error_type, OTHERWISE)
    return template.format_map({**{key: _number(value) for key, value in context.items()}, "label": field.label})


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def tab_sentence(title: str, context: Mapping[str, Any] | None = None) -> str:
    """The sentence for an error of a whole tab, which only a validator of the plugin's own can make."""
    raised = (context or {}).get("error")
    return (
        str(raised) if isinstance(raised, ValueRejected) else f"Check the fields of {title}: they do not fit together"
    )
