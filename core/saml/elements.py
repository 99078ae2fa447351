"""Small parts of reading a message: names, and the one child or the text of an element."""

from __future__ import annotations

import re
from typing import Final

from core.errors import SignInRefused
from core.refusals import Refusal
from core.saml.document import Element

A: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
P: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,256}")
WHITE_SPACE: Final = " \t\r\n"


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
