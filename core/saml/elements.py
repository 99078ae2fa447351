"""Small parts of reading a message: names, and the one child or the text of an element."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from core.errors import SignInRefused
from core.plugin_api import NameId
from core.refusals import Refusal
from core.saml.document import Element

A: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
P: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,256}")
STATUS: Final = "urn:oasis:names:tc:SAML:2.0:status:"
WHITE_SPACE: Final = " \t\r\n"

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|[+-]00:00)", re.ASCII)
_LONGEST_SUBJECT: Final = 1024
"""Characters; the longest identifiers that SAML defines have 256."""


def one(parent: Element, tag: str, refusal: Refusal) -> Element:
    """The only child of this name."""
    found = list(parent.iterchildren(tag))
    if len(found) != 1:
        raise SignInRefused(refusal, f"{tag.rpartition('}')[2]} elements", expected="1", received=str(len(found)))
    return found[0]


def text_of(element: Element) -> str:
    """The text of an element, without the white space around it; nothing when there are elements in it."""
    return "" if len(element) else (element.text or "").strip(WHITE_SPACE)


def local_name(element: Element) -> str:
    """The name without its namespace."""
    return element.tag.rpartition("}")[2]


def time_of(element: Element, name: str, malformed: Refusal) -> datetime | None:
    """A time attribute as aware UTC (Core 1.3.3), None when absent; fractions of a second are kept to microseconds."""
    value = element.get(name)
    if value is None:
        return None
    if _TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:  # the thirteenth month
            pass
    raise SignInRefused(malformed, f"{name} is not a UTC time", received=value)


def stamp(moment: datetime) -> str:
    """An aware UTC time as it stands in a message, to the second (Core 1.3.3)."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def status_codes(response: Element) -> list[str]:
    """The status codes of a response, the outer one first (Core 3.2.2.2)."""
    return [
        code.get("Value", "")
        for status in response.iterchildren(f"{P}Status")
        for code in status.iter(f"{P}StatusCode")
    ]


def status_message(response: Element) -> str:
    """What a response says of its status (Core 3.2.2.3), or that it says nothing."""
    message = response.findtext(f"{P}Status/{P}StatusMessage", "").strip(WHITE_SPACE)
    return message or "The provider gave no message"


def name_id_of(parent: Element, malformed: Refusal) -> NameId:
    """The one NameID in a parent."""
    return name_id_from(one(parent, f"{A}NameID", malformed), malformed)


def name_id_from(element: Element, malformed: Refusal) -> NameId:
    """What a NameID says: a text that is a single run of characters, and its attributes (Core 2.2.3)."""
    value = text_of(element)
    if not value or len(value) > _LONGEST_SUBJECT:
        raise SignInRefused(malformed, f"The NameID is empty or longer than {_LONGEST_SUBJECT} characters")
    return NameId(
        value, element.get("Format", ""), element.get("NameQualifier", ""), element.get("SPNameQualifier", "")
    )
