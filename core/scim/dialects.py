"""What clients send beside the standard, brought into its form before anything else reads it.

==================  ==================================================================================================
Microsoft Entra ID  removes members by a list of ``{"$ref": null, "value": …}``; sends a manager as a plain id
everybody           values that no database can hold (NUL, half a surrogate pair), filters of any length
==================  ==================================================================================================

Capitalised operations, booleans as strings, dotted and URN keys and unmatched value filters need nothing here:
scim2-models understands them (see ``resources.READING``).
"""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json
from scim2_models import InvalidValueException

from core.scim.filters import check_size, storable

_FILTERS = frozenset({"filter", "path", "sortby"})


def check(payload: Any) -> None:
    """Raise ``InvalidValueException`` or ``InvalidFilterException`` for what no request needs to hold."""
    if isinstance(payload, dict):
        for key, value in payload.items():
            if not storable(key):
                raise InvalidValueException(detail="A name may not hold NUL")
            if isinstance(value, str) and key.lower() in _FILTERS:
                check_size(value)
            check(value)
    elif isinstance(payload, list):
        for item in payload:
            check(item)
    elif isinstance(payload, str) and not storable(payload):
        raise InvalidValueException(detail="A value may not hold NUL")


def read(body: bytes) -> Any:
    """The JSON of a body; none where it is no JSON (whoever reads it next says so)."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return None


def in_standard_form(payload: Any) -> Any:
    """The payload of a POST, PUT, PATCH or Bulk request as RFC 7644 would have it."""
    if not isinstance(payload, dict):
        return payload
    return {key: _value(key, value) for key, value in payload.items()}


def _value(key: str, value: Any) -> Any:
    name = key.rpartition(":")[2].lower()
    if name == "manager" and isinstance(value, str):
        return {"value": value}
    if name == "operations" and isinstance(value, list):
        return [_operation(each) if isinstance(each, dict) else each for each in value]
    return in_standard_form(value)


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    """One operation of a PATCH, or of a Bulk request (whose ``data`` is a request of its own)."""
    names = {key.lower(): key for key in operation}
    kind = str(operation.get(names.get("op", ""), "")).lower()
    path = str(operation.get(names.get("path", ""), ""))
    standard: dict[str, Any] = in_standard_form(operation)
    if "value" not in names:
        return standard
    value = standard[names["value"]]
    if path.lower().endswith(":manager") and isinstance(value, str):
        value = {"value": value}
    if kind == "remove":
        if isinstance(value, dict):
            value = _identified(value)
        elif isinstance(value, list):
            value = [_identified(entry) if isinstance(entry, dict) else entry for entry in value]
    return {**standard, names["value"]: value}


def _identified(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry to remove is found by its value alone: what is null, or only describes it, must not keep it from matching."""
    named = {key: item for key, item in entry.items() if item is not None}
    return {"value": named["value"]} if "value" in named else named
