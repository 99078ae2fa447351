"""The form in which texts are compared: made in Python and kept in columns, because databases differ in what lower case is."""

from __future__ import annotations

import unicodedata


def comparable(value: str, *, exact: bool) -> str:
    """A string as comparisons see it: NFC, and in lower case unless its attribute is caseExact (RFC 7643 2.2)."""
    normal = unicodedata.normalize("NFC", value)
    return normal if exact else unicodedata.normalize("NFC", normal.lower())


def email_key(address: str) -> str:
    """The form in which two spellings of an address are the same account: in lower case, and nothing more. Case folding
    would make ``ss`` of ``ß``, and lower case a ``k`` of the Kelvin sign: a letter beyond ASCII is never one of ASCII here,
    or whoever has such a letter in their address would be somebody else.
    """
    return "".join(
        lower if letter.isascii() == (lower := letter.lower()).isascii() else letter for letter in address.strip()
    )
