"""Signature wrapping: a response that somebody was given, with an assertion of one's own moved in (XSW 1 to 8, and more).

The names are those of Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be" (USENIX Security 2012).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from core import refusals
from core.refusals import Refusal
from core.testing import identity_provider as idp
from core.testing.attacks.edits import find
from core.testing.identity_provider import Element
from tests.core.saml.given import accept, identifier, minted, refused, replaced

EXTENSIONS = f'<saml2p:Extensions xmlns:saml2p="{idp.PROTOCOL}"/>'
OBJECT = f'<ds:Object xmlns:ds="{idp.DSIG}"/>'

Attack = Callable[[Element, Element], Element]


def copy(element: Element) -> Element:
    return etree.fromstring(etree.tostring(element))


def evil(element: Element) -> Element:
    """A copy with another person in it, another ID and no signature."""
    forged = copy(element)
    for name_id in forged.iter(f"{{{idp.ASSERTION}}}NameID"):
        name_id.text = "admin@example.test"
    for signature in list(forged.iter(f"{{{idp.DSIG}}}Signature")):
        parent = signature.getparent()
        assert parent is not None
        parent.remove(signature)
    for number, identified in enumerate(part for part in forged.iter() if part.get("ID")):
        identified.set("ID", f"_evil-{number}")
    return forged


def signature_of(element: Element) -> Element:
    return find(element, "ds:Signature")


def xsw1(root: Element, _: Element) -> Element:
    forged, signature = evil(root), copy(signature_of(root))
    forged.insert(1, signature)
    root.remove(signature_of(root))
    signature.append(root)
    return forged


def xsw2(root: Element, _: Element) -> Element:
    forged, signature = evil(root), copy(signature_of(root))
    root.remove(signature_of(root))
    forged.insert(1, root)
    forged.insert(2, signature)
    return forged


def xsw3(root: Element, assertion: Element) -> Element:
    root.insert(1, evil(assertion))
    return root


def xsw4(root: Element, assertion: Element) -> Element:
    forged = evil(assertion)
    root.append(forged)
    forged.append(assertion)
    return root


def xsw5(root: Element, assertion: Element) -> Element:
    original = copy(assertion)
    original.remove(signature_of(original))
    find(assertion, "a:Subject/a:NameID").text = "admin@example.test"
    assertion.set("ID", "_evil")
    root.append(original)
    return root


def xsw6(root: Element, assertion: Element) -> Element:
    original = copy(assertion)
    original.remove(signature_of(original))
    find(assertion, "a:Subject/a:NameID").text = "admin@example.test"
    assertion.set("ID", "_evil")
    signature_of(assertion).append(original)
    return root


def xsw7(root: Element, assertion: Element) -> Element:
    extensions = etree.fromstring(EXTENSIONS)
    extensions.append(evil(assertion))
    root.insert(1, extensions)
    return root


def xsw8(root: Element, assertion: Element) -> Element:
    original = copy(assertion)
    original.remove(signature_of(original))
    find(assertion, "a:Subject/a:NameID").text = "admin@example.test"
    assertion.set("ID", "_evil")
    place = etree.fromstring(OBJECT)
    place.append(original)
    signature_of(assertion).append(place)
    return root


def original_in_extensions(root: Element, assertion: Element) -> Element:
    extensions = etree.fromstring(EXTENSIONS)
    root.replace(assertion, evil(assertion))
    extensions.append(assertion)
    root.insert(1, extensions)
    return root


def original_in_an_attribute_value(root: Element, assertion: Element) -> Element:
    forged = evil(assertion)
    root.replace(assertion, forged)
    find(forged, ".//a:AttributeValue").append(assertion)
    return root


def original_in_advice(root: Element, assertion: Element) -> Element:
    forged = evil(assertion)
    root.replace(assertion, forged)
    advice = etree.SubElement(forged, f"{{{idp.ASSERTION}}}Advice")
    advice.append(assertion)
    return root


def original_under_another_root(root: Element, _: Element) -> Element:
    forged = evil(root)
    etree.SubElement(forged, "{urn:x}Holder").append(root)
    return forged


WRAPPINGS: list[tuple[Attack, tuple[str, ...]]] = [
    (xsw1, ("response",)),
    (xsw2, ("response",)),
    (xsw3, ("assertion",)),
    (xsw4, ("assertion",)),
    (xsw5, ("assertion",)),
    (xsw6, ("assertion",)),
    (xsw7, ("assertion",)),
    (xsw8, ("assertion",)),
    (original_in_extensions, ("assertion",)),
    (original_in_an_attribute_value, ("assertion",)),
    (original_in_advice, ("assertion",)),
    (original_under_another_root, ("response",)),
]


@pytest.mark.parametrize(("attack", "sign"), WRAPPINGS, ids=[attack.__name__ for attack, _ in WRAPPINGS])
def test_a_wrapped_response_is_refused(attack: Attack, sign: tuple[str, ...]) -> None:
    root = etree.fromstring(minted(sign=sign).xml)
    forged = attack(root, find(root, "a:Assertion"))
    assert b"admin@example.test" in etree.tostring(forged)
    refused(refusals.RESPONSE_SHAPE, idp.serialize(forged))


def test_the_signature_of_another_assertion_is_refused() -> None:
    """A signature over an assertion that is not there any more, in one that it does not cover."""
    root = etree.fromstring(minted(sign=("assertion",)).xml)
    find(root, ".//a:NameID").text = "admin@example.test"
    find(root, "a:Assertion").set("ID", "_evil")
    refused(refusals.SIGNATURE_PROFILE, idp.serialize(root))


def test_a_forged_assertion_beside_a_signed_element_of_the_same_id_is_refused() -> None:
    """The signed bytes stay in the document, under another name, where only a search by ID finds them."""
    root = etree.fromstring(minted(sign=("assertion",)).xml)
    assertion = find(root, "a:Assertion")
    decoy = copy(assertion)
    decoy.remove(signature_of(decoy))
    decoy.tag = "{urn:x}Assertion"
    find(assertion, "a:Subject/a:NameID").text = "admin@example.test"
    root.append(decoy)
    refused(refusals.XML_REFUSED, idp.serialize(root))


def test_a_signed_response_does_not_vouch_for_an_assertion_that_was_put_in() -> None:
    root = etree.fromstring(minted(sign=("response",)).xml)
    root.replace(find(root, "a:Assertion"), evil(find(root, "a:Assertion")))
    refused(refusals.SIGNATURE_INVALID, idp.serialize(root))


@pytest.mark.parametrize(
    "spelling", ["ID", "Id", "id", "iD", "AssertionID", "{http://www.w3.org/XML/1998/namespace}id", "{urn:x}Id"]
)
def test_an_id_that_stands_twice_is_refused_in_every_spelling(spelling: str) -> None:
    response = minted(sign=("assertion",))
    root = etree.fromstring(response.xml)
    find(root, "p:Status").set(spelling, identifier(response))
    refused(refusals.XML_REFUSED, idp.serialize(root))


@pytest.mark.parametrize(
    ("inside", "because"),
    [
        ("<!-- -->", refusals.XML_REFUSED),
        ("<?x y?>", refusals.XML_REFUSED),
        ("&x;", refusals.XML_REFUSED),
        ("<x/>", refusals.SIGNATURE_INVALID),
    ],
    ids=["comment", "processing instruction", "entity", "element"],
)
@pytest.mark.parametrize("sign", [("assertion",), ("response",), ("response", "assertion")])
def test_nothing_splits_the_name_id(inside: str, because: Refusal, sign: tuple[str, ...]) -> None:
    """ada@example.test.evil.test must not be cut to ada@example.test (CVE-2017-11427 and its family)."""
    response = minted(subject="ada@example.test.evil.test", sign=sign)
    refused(because, replaced(response, "ada@example.test.evil.test", f"ada@example.test{inside}.evil.test"))


def test_cdata_does_not_split_the_name_id() -> None:
    response = minted(subject="ada@example.test.evil.test")
    whole = replaced(response, "ada@example.test.evil.test", "ada@example.test<![CDATA[]]>.evil<![CDATA[.test]]>")
    assert accept(whole).name_id.value == "ada@example.test.evil.test"
    faked = replaced(response, "ada@example.test.evil.test", "ada@example.test<![CDATA[<!-- -->]]>.evil.test")
    refused(refusals.XML_REFUSED, faked)


def test_the_only_assertion_in_another_place_is_refused() -> None:
    for sign in (("assertion",), ("response",), ()):
        root = etree.fromstring(minted(sign=sign).xml)
        extensions = etree.fromstring(EXTENSIONS)
        extensions.append(find(root, "a:Assertion"))
        root.insert(2, extensions)
        assert "1 in the Response" in refused(refusals.RESPONSE_SHAPE, idp.serialize(root)).expected


def test_attributes_that_are_no_ids_may_repeat() -> None:
    def mark(root: Element) -> None:
        for element in list(root.iter())[2:]:
            element.set("d", "1")

    accept(minted(edit=mark))
