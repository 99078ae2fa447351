"""XML from outside: what is refused before anything else looks at it, and that it is refused quickly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from core import refusals
from core.errors import SignInRefused
from core.saml import document
from core.saml.document import DocumentRefused
from core.saml.response import read
from core.testing import identity_provider as idp
from core.testing.attacks.edits import find
from tests.core.saml.given import EXPECTED, NOW, accept, form_value, keys, minted, refused

EXTENSIONS = f'<saml2p:Extensions xmlns:saml2p="{idp.PROTOCOL}">'


def holding(xml: str) -> bytes:
    """A signed response with something put in before its status."""
    text = minted().xml.decode()
    assert "<saml2p:Status>" in text
    return text.replace("<saml2p:Status>", f"{EXTENSIONS}{xml}</saml2p:Extensions><saml2p:Status>").encode()


def starting(xml: str) -> bytes:
    text = minted().xml.decode()
    return text.replace("<saml2p:Response ", f"{xml}<saml2p:Response ", 1).encode()


def test_a_doctype_is_refused() -> None:
    refused(refusals.XML_REFUSED, starting("<!DOCTYPE Response>"))


def test_an_entity_declaration_is_refused() -> None:
    refused(refusals.XML_REFUSED, starting('<!DOCTYPE r [<!ENTITY x "y"><!ENTITY e SYSTEM "file:///etc/passwd">]>'))


def test_a_doctype_in_another_encoding_is_refused() -> None:
    refused(refusals.XML_REFUSED, starting("<!DOCTYPE Response>").decode().replace("UTF-8", "UTF-16").encode("utf-16"))


def test_an_undeclared_entity_is_refused() -> None:
    refused(refusals.XML_REFUSED, holding("<a>&x;</a>"))


@pytest.mark.parametrize("declared", ["UTF-16", "UTF-7", "ISO-8859-1", "EBCDIC-CP-US"])
def test_a_declared_encoding_is_not_believed(declared: str) -> None:
    text = minted(subject="zoë@example.test").xml.decode().replace('encoding="UTF-8"', f'encoding="{declared}"')
    assert accept(text.encode()).name_id.value == "zoë@example.test"


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    refused(refusals.XML_REFUSED, minted(subject="zoë").xml.decode().encode("iso-8859-1"))


def test_a_comment_anywhere_is_refused() -> None:
    refused(refusals.XML_REFUSED, holding("<!-- -->"))
    refused(refusals.XML_REFUSED, starting("<!-- -->"))
    refused(refusals.XML_REFUSED, minted().xml + b"<!-- -->")


def test_a_processing_instruction_anywhere_is_refused() -> None:
    refused(refusals.XML_REFUSED, holding("<?x y?>"))
    refused(refusals.XML_REFUSED, starting('<?xml-stylesheet href="http://127.0.0.1:9/x"?>'))


@pytest.mark.parametrize(
    "text", ["x", "<a>", "<a/><b/>", "<a b='1' b='2'/>", "<p:a/>", "<a>\x01</a>", "<a>\x00</a>", "<a>&#0;</a>"]
)
def test_what_is_not_well_formed_is_refused(text: str) -> None:
    refused(refusals.XML_REFUSED, text.encode())


def test_a_document_that_is_too_long_is_refused() -> None:
    refused(refusals.XML_REFUSED, holding("x" * document.MOST_BYTES))


def test_too_many_elements_are_refused() -> None:
    refused(refusals.XML_REFUSED, holding("<a/>" * document.MOST_TAGS))


def test_too_many_attributes_are_refused() -> None:
    refused(refusals.XML_REFUSED, holding('<a b="" c="" e=""/>' * (document.MOST_ATTRIBUTES // 3)))


def test_too_many_attributes_of_one_element_are_refused() -> None:
    many = " ".join(f'a{number}=""' for number in range(document.MOST_ATTRIBUTES_OF_ONE + 1))
    refused(refusals.XML_REFUSED, holding(f"<a {many}/>"))


def test_too_many_namespaces_are_refused() -> None:
    refused(refusals.XML_REFUSED, holding('<a xmlns="urn:a"/>' * document.MOST_NAMESPACES))


def test_too_many_namespaces_of_one_element_are_refused() -> None:
    many = " ".join(f'xmlns:a{number}="urn:a"' for number in range(document.MOST_NAMESPACES_OF_ONE + 1))
    refused(refusals.XML_REFUSED, holding(f"<a {many}/>"))


LONGEST = "a" * document.LONGEST_NAMESPACE


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("between", ["=", " =\n", ":p=", ":p\t= "])
def test_a_namespace_that_is_too_long_is_refused(quote: str, between: str) -> None:
    inside = f"<a xmlns{between}{quote}{{}}{quote}/>"
    refused(refusals.SIGNATURE_INVALID, holding(inside.format(LONGEST)))
    refused(refusals.XML_REFUSED, holding(inside.format(LONGEST + "a")))


@pytest.mark.parametrize("uri", ["urn:a?b=1&amp;c=2", "urn:a&amp;lt;b", "&#117;rn:a"])
def test_a_namespace_with_a_reference_is_refused(uri: str) -> None:
    """libxml2 writes these into a canonical form as they are: what a provider that does so signed could not be read."""

    def put(root: idp.Element) -> None:
        find(root, ".//a:AttributeValue").append(etree.fromstring(f'<a xmlns="{uri}"/>'))

    refused(refusals.XML_REFUSED, holding(f'<a xmlns="{uri}"/>'))
    if "amp" in uri:  # a good signature, made by libxml2
        refused(refusals.XML_REFUSED, minted(edit=put))
        refused(refusals.XML_REFUSED, minted(edit=put, sign=("response",)))


def test_a_prefix_that_is_too_long_is_refused() -> None:
    refused(refusals.XML_REFUSED, holding(f'<a xmlns:{LONGEST}="urn:a"/>'))
    refused(refusals.XML_REFUSED, holding(f'<a xmlns{" " * len(LONGEST)} ="urn:a"/>'))


def test_a_text_that_speaks_of_namespaces_is_accepted() -> None:
    text = "xmlns, xmlns= and xmlns:a='b are how namespaces are declared"
    assert accept(minted(attributes={"note": [text]})).attributes["note"] == (text,)


def test_what_is_canonicalized_grows_little() -> None:
    """The worst that the bounds allow, in an assertion whose SignedInfo is a good one: what is made of it stays small."""
    uri = f"urn:{'a' * (document.LONGEST_NAMESPACE - 4)}"
    root = document.message(holding(f'<a xmlns:p="{uri}">{"<p:a/>" * 5_900}</a>'))
    assert len(etree.tostring(root, method="c14n", exclusive=True)) < 10 * document.MOST_BYTES


@pytest.mark.parametrize("levels", [document.DEEPEST, 300, 10_000])
def test_a_document_that_is_too_deep_is_refused(levels: int) -> None:
    refused(refusals.XML_REFUSED, holding("<a>" * levels + "</a>" * levels))


def test_a_thousand_groups_are_not_too_many() -> None:
    groups = [f"6f9619ff-8b86-d011-b42d-00c04fc9{number:04}" for number in range(1000)]
    assertion = accept(minted(attributes={"groups": groups}, attribute_type="xs:string"))
    assert list(assertion.attributes["groups"]) == groups


PREFIXES = "".join(f' xmlns:a{number}="urn:a"' for number in range(27))


@pytest.mark.parametrize(
    "inside",
    [
        "<a/>" * 2_800,
        "".join(f'<a ID="_{number}"/>' for number in range(2_800)),
        ("<a " + " ".join(f'a{number}=""' for number in range(120)) + "/>") * 48,
        ("<a " + " ".join(f'xmlns:a{number}="urn:a"' for number in range(27)) + "/>") * 100,
        "<a>" * 38 + "</a>" * 38,
        f"<a{PREFIXES}>" * 35 + "<a/>" * 5_700 + "</a>" * 35,
        "<a>" + "x" * 240_000 + "</a>",
        "<a>" + "&#120;" * 40_000 + "</a>",
    ],
    ids=["elements", "IDs", "attributes", "namespaces", "levels", "namespaces at each level", "text", "references"],
)
def test_the_largest_document_within_the_bounds_is_refused_in_a_moment(inside: str) -> None:
    start = time.process_time()
    refused(refusals.SIGNATURE_INVALID, holding(inside))
    assert time.process_time() - start < 0.25


_PIECES = st.sampled_from(
    ["<", ">", "/", '"', "'", "&", "#", "!", "?", "]]>", "ds:", "saml2:", "\x00", "é", "ID", "xmlns", "=", " ", "A"]
)


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1), length=st.integers(0, 60), pieces=st.lists(_PIECES, max_size=6))
def test_a_damaged_response_is_refused_or_says_the_same(place: float, length: int, pieces: list[str]) -> None:
    """Whatever is cut out and put in, nothing but a refusal comes out, or exactly the person that was signed."""
    text = minted().xml.decode()
    start = int(place * len(text))
    damaged = text[:start] + "".join(pieces) + text[start + length :]
    try:
        assertion = read(form_value(damaged.encode()), keys(), EXPECTED, NOW)
    except SignInRefused:
        return
    assert assertion.name_id.value == "ada@example.test"
    assert dict(assertion.attributes) == {"email": ("ada@example.test",)}


def test_metadata_may_hold_comments_but_no_doctype() -> None:
    root = document.metadata(b"<?xml version='1.0'?><!-- a --><a>b<!-- c -->d</a>")
    assert root.text == "bd"
    with pytest.raises(DocumentRefused):
        document.metadata(b"<!DOCTYPE a><a/>")


def test_text_is_read_as_base64_strictly_but_for_white_space() -> None:
    assert document.octets(" YW\r\nJj\t") == b"abc"
    for text in ("YWJj!", "YW=Jj", "YWJ", "YWJjé", "_-__"):
        with pytest.raises(ValueError, match=r"base64|padding|ascii|ASCII|data|character"):
            document.octets(text)
