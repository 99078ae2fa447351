"""XML from outside: read once, bounded, without a DTD. What is refused here reaches nothing else."""

from __future__ import annotations

import re
from typing import Final, TypeAlias, cast

import pybase64
from lxml import etree

Element: TypeAlias = etree._Element  # noqa: SLF001  lxml publishes the class under this name only

MOST_BYTES: Final = 256 * 1024
"""A response of AWS has 7 KB, one with 1,000 groups about 200 KB."""
MOST_TAGS: Final = 6_000
MOST_ATTRIBUTES: Final = 6_000
MOST_NAMESPACES: Final = 3_000
"""Counted before parsing as ``<``, ``=`` and ``xmlns``: some more than there are, never fewer. Some providers declare two
namespaces with every attribute value."""
MOST_ATTRIBUTES_OF_ONE: Final = 128
MOST_NAMESPACES_OF_ONE: Final = 32
LONGEST_NAMESPACE: Final = 256
"""Bytes of a prefix and of its URI. A canonical form declares it again on each of the elements beside each other that use it,
so that a URI of 50 KB would make 250 MB of them."""
DEEPEST: Final = 40
"""Levels of elements; a response signed twice has 9."""

_DECLARATION = re.compile(rb"<\?xml[ \t\r\n][^<>]*\?>")
_FORBIDDEN = re.compile(rb"<(?:\?|!(?!\[CDATA\[))")
_strange_namespace = re.compile(
    rb"xmlns[^=<]{0,N}+(?:[^=<]|=[ \t\r\n]{0,N}+(?:[ \t\r\n]|\"[^\"<&]{0,N}+[^\"<]|'[^'<&]{0,N}+[^'<]))".replace(
        b"N", b"%d" % LONGEST_NAMESPACE
    )
).search
"""One that is too long, or written with a reference: libxml2 leaves an ``&`` in it as it is in a canonical form, which then
says another name or is no XML. Whatever this reads, it reads no more than a bounded piece of it from each ``xmlns``.
"""
_too_deep = etree.XPath(f"boolean({'/*' * (DEEPEST + 1)})")
_too_wide = etree.XPath(f"boolean(//*[count(@*) > {MOST_ATTRIBUTES_OF_ONE}])")
_ID_NAMES = "'|ID|Id|id|iD|AssertionID|RequestID|ResponseID|'"
"""What any reader takes for an ID, in any namespace."""
_id_like = etree.XPath(f"//@*[contains({_ID_NAMES}, local-name())]", smart_strings=False)
_ids = etree.XPath(f"//@*[contains({_ID_NAMES}, concat('|', local-name(), '|'))]", smart_strings=False)
_parser = etree.XMLParser(
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


class DocumentRefused(ValueError):
    """The bytes are not XML as it is taken here; the message says why, for an administrator."""


def message(document: bytes) -> Element:
    """The root element of a SAML message.

    It holds elements, attributes and text and nothing else: a DOCTYPE, a comment or a processing instruction anywhere
    is refused before parsing, so that none can split a text. CDATA is text. No ID stands twice. Raises DocumentRefused.
    """
    document = _utf8(document)
    declaration = _DECLARATION.match(document)
    if _FORBIDDEN.search(document, declaration.end() if declaration else 0):
        raise DocumentRefused("It holds a DOCTYPE, a comment or a processing instruction")
    tags, attributes, namespaces = document.count(b"<"), document.count(b"="), document.count(b"xmlns")
    if tags > MOST_TAGS or attributes > MOST_ATTRIBUTES or namespaces > MOST_NAMESPACES:
        raise DocumentRefused(
            f"It has more than {MOST_TAGS} tags, {MOST_ATTRIBUTES} attributes or {MOST_NAMESPACES} namespaces"
        )
    if namespaces > MOST_NAMESPACES_OF_ONE and any(
        tag.count(b"xmlns") > MOST_NAMESPACES_OF_ONE for tag in document.split(b"<")
    ):
        raise DocumentRefused(f"It has more than {MOST_NAMESPACES_OF_ONE} namespaces on one element")
    if _strange_namespace(document):
        raise DocumentRefused(f"It has a namespace of more than {LONGEST_NAMESPACE} bytes, or with a reference in it")
    root = parse(document)
    if _too_deep(root):
        raise DocumentRefused(f"It has more than {DEEPEST} levels")
    if attributes > MOST_ATTRIBUTES_OF_ONE and _too_wide(root):
        raise DocumentRefused(f"It has more than {MOST_ATTRIBUTES_OF_ONE} attributes on one element")
    if _repeats(_id_like(root)) and _repeats(_ids(root)):  # the first takes a third of the time and some more than IDs
        raise DocumentRefused("An ID stands twice in it")
    return root


def _repeats(found: object) -> bool:
    values = cast("list[str]", found)
    return len(set(values)) != len(values)


def metadata(document: bytes) -> Element:
    """The root element of metadata: bounded and without a DOCTYPE; comments are left out. Raises DocumentRefused."""
    document = _utf8(document)
    if b"<!DOCTYPE" in document:
        raise DocumentRefused("It holds a DOCTYPE")
    return parse(document)


def parse(document: bytes) -> Element:
    """The root element of UTF-8 bytes; nothing is fetched, expanded or repaired. Raises DocumentRefused."""
    try:
        return etree.fromstring(document, _parser)
    except etree.XMLSyntaxError as error:
        raise DocumentRefused(f"It is not well-formed XML ({error.msg})") from None


def octets(text: str) -> bytes:
    """The bytes of a base64 text (RFC 4648), strict but for white space: no other way to write these bytes is taken (3.5).

    Raises ValueError.
    """
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        return pybase64.b64decode("".join(text.split()), validate=True)


def _utf8(document: bytes) -> bytes:
    if len(document) > MOST_BYTES:
        raise DocumentRefused(f"It is longer than {MOST_BYTES // 1024} KiB")
    document = document.removeprefix(b"\xef\xbb\xbf")
    try:
        document.decode("utf-8")
    except UnicodeDecodeError:
        raise DocumentRefused("It is not UTF-8") from None
    return document
