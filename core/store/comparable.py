"""The form in which texts are compared: made in Python and kept in columns, because databases differ in what lower case is."""

from __future__ import annotations

import unicodedata


def comparable(value: str, *, exact: bool) -> str:
    """A string as comparisons see it: NFC, and in lower case unless its attribute is caseExact (RFC 7643 2.2)."""
    normal = unicodedata.normalize("NFC", value)
    return normal if exact else unicodedata.normalize("NFC", normal.lower())
