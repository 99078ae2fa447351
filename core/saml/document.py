"""XML from outside: read once, bounded, without a DTD. What is refused here reaches nothing else."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from lxml import etree

Element: TypeAlias = etree._Element  # noqa: SLF001  lxml publishes the class under this name only

MOST_BYTES: Final = 256 * 1024
"""A response of AWS has 7 KB, one with 1,000 groups about 200 KB."""
MOST_ELEMENTS: Final = 3_000
MOST_ATTRIBUTES: Final = 6_000
MOST_ATTRIBUTES_OF_ONE: Final = 64
MOST_NAMESPACES: Final = 3_000
"""Declarations in all: some providers repeat two with every attribute value."""
MOST_NAMESPACES_IN_SCOPE: Final = 32
DEEPEST: Final = 40
"""Levels of elements; a response signed twice has 9."""

_DECLARATION = re.compile(rb"<\?xml[ \t\r\n]")
_ID_NAMES = frozenset({"id", "assertionid", "requestid", "responseid"})


class DocumentRefused(ValueError):
    """The bytes are not XML as it is taken here; the message says why, for an administrator."""


def message(document: bytes) -> Element:
    """The root element of a SAML message.

    It holds elements, attributes and text and nothing else: a DOCTYPE, a comment or a processing instruction anywhere
    is refused before parsing, so that none can split a text. CDATA is text. No ID stands twice. Raises DocumentRefused.
    """
    document = _utf8(document)
    if document.count(b"<!") != document.count(b"<![CDATA["):
        raise DocumentRefused("It holds a DOCTYPE or a comment")
    if document.count(b"<?") != (1 if _DECLARATION.match(document) else 0):
        raise DocumentRefused("It holds a processing instruction")
    if document.count(b"<") > 2 * MOST_ELEMENTS or document.count(b"xmlns") > MOST_NAMESPACES:
        raise DocumentRefused(f"It has more than {MOST_ELEMENTS} elements or {MOST_NAMESPACES} namespace declarations")
    root = parse(document)
    _check_bounds(root)
    return root


def metadata(document: bytes) -> Element:
    """The root element of metadata: bounded and without a DOCTYPE; comments are left out. Raises DocumentRefused."""
    document = _utf8(document)
    if b"<!DOCTYPE" in document:
        raise DocumentRefused("It holds a DOCTYPE")
    return parse(document)


def parse(document: bytes) -> Element:
    """The root element of UTF-8 bytes; nothing is fetched, expanded or repaired. Raises DocumentRefused."""
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=False,
        collect_ids=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise DocumentRefused(f"It is not well-formed XML ({error.msg})") from None


def _utf8(document: bytes) -> bytes:
    if len(document) > MOST_BYTES:
        raise DocumentRefused(f"It is longer than {MOST_BYTES // 1024} KiB")
    document = document.removeprefix(b"\xef\xbb\xbf")
    try:
        document.decode("utf-8")
    except UnicodeDecodeError:
        raise DocumentRefused("It is not UTF-8") from None
    if b"\x00" in document:
        raise DocumentRefused("It holds a NUL character")
    return document


def _check_bounds(root: Element) -> None:
    """Refuse what would keep a parser or a canonicalizer busy, and an ID that stands twice."""
    depth = elements = attributes = 0
    ids: set[str] = set()
    level = [root]
    while level:
        depth += 1
        elements += len(level)
        if depth > DEEPEST or elements > MOST_ELEMENTS:
            raise DocumentRefused(f"It has more than {DEEPEST} levels or {MOST_ELEMENTS} elements")
        for element in level:
            items = element.items()
            attributes += len(items)
            if len(items) > MOST_ATTRIBUTES_OF_ONE or attributes > MOST_ATTRIBUTES:
                raise DocumentRefused(f"It has more than {MOST_ATTRIBUTES_OF_ONE} attributes on an element or {MOST_ATTRIBUTES} in all")
            if len(element.nsmap) > MOST_NAMESPACES_IN_SCOPE:
                raise DocumentRefused(f"It has more than {MOST_NAMESPACES_IN_SCOPE} namespaces in one place")
            for name, value in items:
                if name.rpartition("}")[2].lower() in _ID_NAMES:
                    if value in ids:
                        raise DocumentRefused("An ID stands twice in it")
                    ids.add(value)
        level = [child for element in level for child in element]
