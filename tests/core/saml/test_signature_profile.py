"""The profile of a signature (SAML Core 5.4): everything that is made in another way is refused."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from core import refusals
from core.saml import signature
from core.testing import identity_provider as idp
from core.testing.attacks.edits import find, inserting, setting
from core.testing.identity_provider import EXCLUSIVE
from tests.core.saml.given import accept, changed, minted, refused, removing

BOTH = ("response", "assertion")
DS = f'xmlns:ds="{idp.DSIG}"'


def test_two_references_are_refused() -> None:
    def twice(root: idp.Element) -> None:
        reference = find(root, "ds:SignedInfo/ds:Reference")
        find(root, "ds:SignedInfo").append(etree.fromstring(etree.tostring(reference)))

    refused(refusals.SIGNATURE_PROFILE, minted(edit_signature=twice))


@pytest.mark.parametrize(
    "uri", ["", "#", "#_other", "#xpointer(/)", "#xpointer(id('_a'))", "http://127.0.0.1:9/x", "cid:a"]
)
def test_a_reference_to_anything_but_the_parent_is_refused(uri: str) -> None:
    refused(refusals.SIGNATURE_PROFILE, minted(edit_signature=setting(".//ds:Reference", "URI", uri)))


def test_a_reference_without_a_uri_is_refused() -> None:
    refused(refusals.SIGNATURE_PROFILE, minted(edit_signature=setting(".//ds:Reference", "URI", None)))


XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"


@pytest.mark.parametrize(
    "algorithm",
    [
        XPATH,
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        EXCLUSIVE,
        f"{EXCLUSIVE}WithComments",
    ],
)
def test_an_extra_or_another_transform_is_refused(algorithm: str) -> None:
    extra = f'<ds:Transform {DS} Algorithm="{algorithm}"/>'
    refused(refusals.SIGNATURE_PROFILE, minted(edit_signature=inserting(".//ds:Transforms", extra, 1)))
    for place in (1, 2):
        if (place, algorithm) != (2, EXCLUSIVE):
            other = setting(f".//ds:Transform[{place}]", "Algorithm", algorithm)
            refused(refusals.SIGNATURE_PROFILE, minted(edit_signature=other))


def test_an_xpath_in_a_known_transform_is_refused() -> None:
    xpath = f"<ds:XPath {DS}>not(ancestor::*)</ds:XPath>"
    for transform in (".//ds:Transform[1]", ".//ds:Transform[2]", ".//ds:CanonicalizationMethod"):
        refused(refusals.SIGNATURE_PROFILE, minted(edit_signature=inserting(transform, xpath)))


@pytest.mark.parametrize("path", [".//ds:Transforms", ".//ds:Transform[1]", ".//ds:Transform[2]"])
def test_a_missing_transform_is_refused(path: str) -> None:
    refused(refusals.SIGNATURE_PROFILE, minted(edit_signature=removing(path)))


def test_a_thousand_transforms_are_refused() -> None:
    def many(root: idp.Element) -> None:
        for _ in range(1000):
            inserting(".//ds:Transforms", f'<ds:Transform {DS} Algorithm="{EXCLUSIVE}"/>')(root)

    refused(refusals.SIGNATURE_PROFILE, minted(edit_signature=many, sign=("assertion",)))


@pytest.mark.parametrize(
    "algorithm", ["http://www.w3.org/TR/2001/REC-xml-c14n-20010315", f"{EXCLUSIVE}WithComments", ""]
)
def test_another_canonicalization_is_refused(algorithm: str) -> None:
    refused(
        refusals.SIGNATURE_PROFILE,
        minted(edit_signature=setting(".//ds:CanonicalizationMethod", "Algorithm", algorithm)),
    )


def test_more_prefixes_than_anybody_needs_are_refused() -> None:
    refused(refusals.SIGNATURE_PROFILE, minted(inclusive_prefixes=" ".join(f"p{number}" for number in range(17))))


def test_a_signed_info_of_more_parts_than_there_are_is_refused_before_it_is_canonicalized(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    response = changed(minted(), inserting("ds:Signature/ds:SignedInfo/ds:Reference", "<a/>"))
    refused(refusals.SIGNATURE_PROFILE, response)
    monkeypatch.delattr(signature, "canonical")
    refused(refusals.SIGNATURE_PROFILE, changed(minted(), lambda root: many(find(root, "ds:Signature/ds:SignedInfo"))))


def many(element: idp.Element) -> None:
    for _ in range(1000):
        etree.SubElement(element, "a")


@pytest.mark.parametrize("name", ["SignedInfo", "SignatureValue", "KeyInfo", "Object", "Manifest"])
def test_a_part_of_a_signature_that_stands_twice_or_does_not_belong_is_refused(name: str) -> None:
    def add(root: idp.Element) -> None:
        found = root.find(f"{{{idp.DSIG}}}{name}")
        part = f"<ds:{name} {DS}/>" if found is None else etree.tostring(found).decode()
        root.append(etree.fromstring(part))

    refused(refusals.SIGNATURE_PROFILE, minted(edit_signature=add))


@pytest.mark.parametrize(
    "path", ["ds:SignedInfo", "ds:SignatureValue", ".//ds:DigestMethod", ".//ds:DigestValue", ".//ds:SignatureMethod"]
)
def test_a_part_of_a_signature_that_is_missing_is_refused(path: str) -> None:
    def edit(root: idp.Element) -> None:
        removing(f".//ds:Signature/{path}" if not path.startswith(".") else path)(root)

    refused(refusals.SIGNATURE_PROFILE, changed(minted(), edit))


@pytest.mark.parametrize("path", [".//ds:SignatureMethod", ".//ds:DigestMethod"])
def test_parameters_of_an_algorithm_are_refused(path: str) -> None:
    refused(
        refusals.SIGNATURE_PROFILE,
        minted(edit_signature=inserting(path, f"<ds:HMACOutputLength {DS}>1</ds:HMACOutputLength>")),
    )


@pytest.mark.parametrize("path", [".//ds:SignatureValue", ".//ds:DigestValue"])
@pytest.mark.parametrize("text", ["%%%", "AAAA====AAAA", "AAA"])
def test_a_value_that_is_not_base64_is_refused(path: str, text: str) -> None:
    def write(root: idp.Element) -> None:
        find(root, path).text = text

    refused(refusals.SIGNATURE_PROFILE, changed(minted(), write))


def test_white_space_in_the_values_of_a_signature_is_accepted() -> None:
    def wrap(root: idp.Element) -> None:
        value = find(root, ".//ds:SignatureValue")
        value.text = "\n" + "\n".join(re.findall(".{1,76}", value.text or "")) + "\n"

    accept(changed(minted(sign=("assertion",)), wrap))


def test_a_signature_after_the_content_is_refused() -> None:
    def last(root: idp.Element) -> None:
        root.append(find(root, "ds:Signature"))

    refused(refusals.SIGNATURE_PROFILE, changed(minted(sign=("response",)), last))


def test_two_signatures_in_one_element_are_refused() -> None:
    def twice(root: idp.Element) -> None:
        root.insert(1, etree.fromstring(etree.tostring(find(root, "ds:Signature"))))

    refused(refusals.SIGNATURE_PROFILE, changed(minted(sign=("response",)), twice))


@pytest.mark.parametrize("path", ["p:Status", "a:Assertion/a:Subject", ".//a:AttributeValue", ".//a:Conditions"])
def test_a_signature_anywhere_else_is_refused(path: str) -> None:
    def move(root: idp.Element) -> None:
        find(root, path).append(find(root, "a:Assertion/ds:Signature"))

    refused(refusals.SIGNATURE_PROFILE, changed(minted(), move))


@pytest.mark.parametrize("inside", ["ds:Object", "ds:KeyInfo"])
def test_a_signature_inside_a_signature_is_refused(inside: str) -> None:
    def nest(root: idp.Element) -> None:
        outer = find(root, "ds:Signature")
        place = (
            etree.fromstring(f"<{inside} {DS}/>") if inside == "ds:Object" else find(root, "ds:Signature/ds:KeyInfo")
        )
        place.append(etree.fromstring(etree.tostring(outer)))
        outer.append(place)

    refused(refusals.SIGNATURE_PROFILE, changed(minted(sign=("response",)), nest))


@pytest.mark.parametrize("value", ["", "a" * 257, "a b", "ä"])
def test_an_id_that_cannot_be_referred_to_is_refused(value: str) -> None:
    def both(root: idp.Element) -> None:
        root.set("ID", value)

    refused(refusals.SIGNATURE_PROFILE, minted(edit=both, sign=("response",)))
