"""Small changes of XML, of which attacks are made. A path uses ``a:``, ``p:`` and ``ds:`` for the usual namespaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lxml import etree

from core.testing.attacks.cases import VICTIM, Good
from core.testing.identity_provider import ASSERTION, DSIG, EXCLUSIVE, PROTOCOL, Element, serialize

A: Final = f'xmlns:saml2="{ASSERTION}"'
P: Final = f'xmlns:saml2p="{PROTOCOL}"'
DS: Final = f'xmlns:ds="{DSIG}"'
EC: Final = f'xmlns:ec="{EXCLUSIVE}"'
_PREFIXES: Final = {"a": ASSERTION, "p": PROTOCOL, "ds": DSIG}

ONLY_ASSERTION: Final = ("assertion",)
ONLY_RESPONSE: Final = ("response",)

Edit = Callable[[Element], None]


def find(root: Element, path: str) -> Element:
    """The first element at a path."""
    found = root.find(path, _PREFIXES)
    assert found is not None, path
    return found


def all_of(root: Element, path: str) -> list[Element]:
    """Every element at a path."""
    return root.findall(path, _PREFIXES)


def parse(xml: str) -> Element:
    """An element from text."""
    return etree.fromstring(xml)


def copy(element: Element) -> Element:
    """A copy with the namespaces in scope, without the text after it."""
    return etree.fromstring(etree.tostring(element, with_tail=False))


def drop(element: Element) -> None:
    """Take an element out of its parent."""
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def forged(element: Element, identifier: str = "_evil") -> Element:
    """A copy that names the victim, without signatures, with another ID (of the element, and of what is in it)."""
    made = copy(element)
    name_victim(made)
    for signature in list(made.iter(f"{{{DSIG}}}Signature")):
        drop(signature)
    for number, identified in enumerate(part for part in made.iter() if part.get("ID")):
        identified.set("ID", f"{identifier}-{number}")
    return made


def name_victim(root: Element) -> None:
    """Write the victim wherever the subject stands."""
    for name_id in root.iter(f"{{{ASSERTION}}}NameID"):
        name_id.text = VICTIM
    for value in root.iter(f"{{{ASSERTION}}}AttributeValue"):
        value.text = VICTIM


# Edits as values: for ``edit=`` and ``edit_signature=`` of a response, or applied with ``changed``


def setting(path: str, name: str, value: str | None) -> Edit:
    """Set an attribute of what stands at a path (empty: the root), or take it away with none."""

    def edit(root: Element) -> None:
        element = find(root, path) if path else root
        if value is None:
            del element.attrib[name]
        else:
            element.set(name, value)

    return edit


def writing(path: str, text: str) -> Edit:
    """Replace a text."""

    def edit(root: Element) -> None:
        find(root, path).text = text

    return edit


def removing(path: str) -> Edit:
    """Take every element at a path away."""

    def edit(root: Element) -> None:
        for element in all_of(root, path):
            drop(element)

    return edit


def inserting(path: str, xml: str, index: int = 0) -> Edit:
    """Put an element in."""

    def edit(root: Element) -> None:
        (find(root, path) if path else root).insert(index, parse(xml))

    return edit


def after_signing(good: Good, *edits: Edit, **changes: Any) -> bytes:
    """A response that was changed on its way: the signatures stay as they are."""
    root = good.tree(**changes)
    for edit in edits:
        edit(root)
    return serialize(root)


def replaced(good: Good, old: str, new: str, **changes: Any) -> bytes:
    """A response whose text was changed on its way."""
    text = good.xml(**changes)
    assert old in text, old
    return text.replace(old, new).encode()
