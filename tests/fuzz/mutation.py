"""Changes a document by its tree, as an attacker does: elements are moved, copied, renamed and taken out.

Bytes changed at random are hardly ever well-formed; these documents get past the parser and to the gate.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from random import Random

from lxml import etree

from core.testing.identity_provider import Element

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def mutated(data: bytes, most_bytes: int, seed: int) -> bytes | None:
    """The document after one to four changes; none where it is none, or where it grew beyond ``most_bytes``."""
    random = Random(seed)  # noqa: S311  reproducible by libFuzzer's seed
    try:
        root = etree.fromstring(data, _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        return None
    for _ in range(random.randint(1, 4)):
        elements = [element for element in root.iter() if isinstance(element.tag, str)]
        with suppress(ValueError):  # a brace in a namespace, which lxml reads and does not write
            random.choice(_CHANGES)(random, random.choice(elements), random.choice(elements))
    made = etree.tostring(root)
    return made if len(made) <= most_bytes else None


def _copied(element: Element) -> Element:
    made = copy.deepcopy(element)
    made.tail = None
    return made


def _copy(random: Random, one: Element, other: Element) -> None:
    other.insert(random.randint(0, len(other)), _copied(one))


def _move(random: Random, one: Element, other: Element) -> None:
    _copy(random, one, other)
    _remove(random, one, other)


def _replace(_random: Random, one: Element, other: Element) -> None:
    parent = other.getparent()
    if parent is not None:
        parent.replace(other, _copied(one))


def _remove(_random: Random, one: Element, _other: Element) -> None:
    parent = one.getparent()
    if parent is not None:
        parent.remove(one)


def _rename(_random: Random, one: Element, other: Element) -> None:
    one.tag = other.tag


def _attribute(random: Random, one: Element, other: Element) -> None:
    names = list(other.attrib)
    if names:
        name = random.choice(names)
        one.set(random.choice([name, "ID", "{urn:x}ID", "Id"]), other.get(name) or "")


def _text(random: Random, one: Element, other: Element) -> None:
    one.text = random.choice([other.text or "", "", "admin@victim.example", None])


_CHANGES: list[Callable[[Random, Element, Element], None]] = [
    _copy,
    _move,
    _replace,
    _remove,
    _rename,
    _attribute,
    _text,
]
