"""IDs: two elements with one, and IDs that are programs."""

from __future__ import annotations

from core.refusals import SIGNATURE_PROFILE, XML_REFUSED
from core.testing.attacks.cases import Family, Good, refused
from core.testing.attacks.edits import ONLY_ASSERTION, ONLY_RESPONSE, find, setting
from core.testing.identity_provider import Element, serialize

IDS = Family(
    "IDs",
    "Two elements with one ID, or an ID that is a program: which element does the signature cover?",
    "SAML Core 1.3.4 and 5.4.2; McIntosh and Austel (SWS 2005)",
)


def _second_id(good: Good, name: str) -> bytes:
    """The Status gets the ID of the signed assertion, in another spelling of the attribute."""
    root = good.tree(sign=ONLY_ASSERTION)
    find(root, "p:Status").set(name, find(root, "a:Assertion").get("ID", ""))
    return serialize(root)


@IDS.message(refused(XML_REFUSED))
def same_id_twice(good: Good) -> bytes:
    """The same attribute on two elements."""
    return _second_id(good, "ID")


@IDS.message(refused(XML_REFUSED))
def same_id_as_id_with_a_small_d(good: Good) -> bytes:
    """``Id``, as XML Signature writes it."""
    return _second_id(good, "Id")


@IDS.message(refused(XML_REFUSED))
def same_id_in_small_letters(good: Good) -> bytes:
    """``id``, as most other languages write it."""
    return _second_id(good, "id")


@IDS.message(refused(XML_REFUSED))
def same_id_as_xml_id(good: Good) -> bytes:
    """``xml:id``, which is an ID in every document."""
    return _second_id(good, "{http://www.w3.org/XML/1998/namespace}id")


@IDS.message(refused(XML_REFUSED))
def same_id_as_assertion_id(good: Good) -> bytes:
    """``AssertionID``, as SAML 1.1 writes it."""
    return _second_id(good, "AssertionID")


@IDS.message(refused(XML_REFUSED))
def same_id_of_the_wsu_namespace(good: Good) -> bytes:
    """``wsu:Id``, as WS-Security writes it."""
    wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    return _second_id(good, f"{{{wsu}}}Id")


@IDS.message(refused(XML_REFUSED))
def same_id_of_response_and_assertion(good: Good) -> bytes:
    """Response and Assertion have one ID, and the provider signed it."""
    edit = setting("a:Assertion", "ID", "_one")

    def both(root: Element) -> None:
        edit(root)
        root.set("ID", "_one")

    return good.response(edit=both).xml


def _with_id(good: Good, value: str) -> bytes:
    return good.response(edit=setting("", "ID", value), sign=ONLY_RESPONSE).xml


@IDS.message(refused(SIGNATURE_PROFILE))
def empty_id(good: Good) -> bytes:
    """An empty ID, to which an empty reference refers."""
    return _with_id(good, "")


@IDS.message(refused(SIGNATURE_PROFILE), "CWE-643")
def id_with_an_xpath_in_it(good: Good) -> bytes:
    """An ID that ends the string of an XPath and goes on with another."""
    return _with_id(good, "_a' or '1'='1")


@IDS.message(refused(SIGNATURE_PROFILE))
def id_with_a_space(good: Good) -> bytes:
    """An ID with a space."""
    return _with_id(good, "_a b")


@IDS.message(refused(SIGNATURE_PROFILE))
def endless_id(good: Good) -> bytes:
    """An ID of 10,000 characters."""
    return _with_id(good, "_" * 10_000)


@IDS.message(refused(SIGNATURE_PROFILE))
def id_beyond_ascii(good: Good) -> bytes:
    """An ID with a letter that has two ways of being written."""
    return _with_id(good, "_é")
