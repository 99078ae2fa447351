"""References, transforms and canonicalization: a genuine key, and a signature that covers something else."""

from __future__ import annotations

import base64
import hashlib

from core.refusals import SIGNATURE_INVALID, SIGNATURE_PROFILE, SIGNATURE_WEAK
from core.testing.attacks.cases import VICTIM, Family, Good, refused
from core.testing.attacks.edits import (
    DS,
    EC,
    ONLY_ASSERTION,
    ONLY_RESPONSE,
    Edit,
    copy,
    find,
    inserting,
    name_victim,
    parse,
    removing,
    replaced,
    setting,
)
from core.testing.identity_provider import DSIG, EXCLUSIVE, Element, serialize

REFERENCES = Family(
    "References",
    "The signature covers nothing, something elsewhere, or more than one thing. Exactly one reference to the parent of "
    "the signature is taken.",
    "SAML Core 5.4.2; McIntosh and Austel, XML Signature Element Wrapping Attacks (SWS 2005)",
)
TRANSFORMS = Family(
    "Transforms and canonicalization",
    "What is digested is computed from the document by a program that the document brings along. Two transforms are "
    "taken, and exclusive canonicalization only.",
    "SAML Core 5.4.4; Hill, Command Injection in XML Signatures and Encryption (iSEC Partners 2007)",
)
_XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
_INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


def _signed(good: Good, edit: Edit, sign: tuple[str, ...] = ONLY_ASSERTION) -> bytes:
    """Each signature is changed before its value is computed, as a provider that errs would do, or one that was led to."""
    return good.response(edit_signature=edit, sign=sign).xml


@REFERENCES.message(refused(SIGNATURE_PROFILE))
def no_reference(good: Good) -> bytes:
    """A valid signature of nothing: SignedInfo without a Reference."""

    def edit(signature: Element) -> None:
        removing(".//ds:Reference")(signature)

    return good.response(edit_signature=edit, subject=VICTIM, sign=ONLY_ASSERTION).xml


@REFERENCES.message(refused(SIGNATURE_PROFILE), "CVE-2025-29774 (xml-crypto)")
def two_references(good: Good) -> bytes:
    """Two references: one that holds, and one that is read."""

    def edit(signature: Element) -> None:
        reference = find(signature, ".//ds:Reference")
        reference.addnext(copy(reference))

    return _signed(good, edit)


@REFERENCES.message(refused(SIGNATURE_PROFILE), "CVE-2025-29774 (xml-crypto)")
def two_signed_infos(good: Good) -> bytes:
    """A forged SignedInfo stands before the signed one: the first is digested, the second verified."""
    root = good.tree(sign=ONLY_ASSERTION)
    signed_info = find(root, ".//ds:SignedInfo")
    decoy = copy(signed_info)
    find(decoy, ".//ds:DigestValue").text = base64.b64encode(hashlib.sha256(b"forged").digest()).decode()
    signed_info.addprevious(decoy)
    name_victim(root)
    return serialize(root)


@REFERENCES.message(refused(SIGNATURE_PROFILE))
def reference_without_a_uri(good: Good) -> bytes:
    """A reference that leaves to the reader what it means."""
    return _signed(good, setting(".//ds:Reference", "URI", None))


@REFERENCES.message(refused(SIGNATURE_PROFILE))
def reference_to_the_document(good: Good) -> bytes:
    """An empty URI: the whole document, whatever it is by then."""
    return _signed(good, setting(".//ds:Reference", "URI", ""), ONLY_RESPONSE)


@REFERENCES.message(refused(SIGNATURE_PROFILE))
def reference_to_a_bare_fragment(good: Good) -> bytes:
    """A fragment without a name."""
    return _signed(good, setting(".//ds:Reference", "URI", "#"))


@REFERENCES.message(refused(SIGNATURE_PROFILE))
def reference_to_another_element(good: Good) -> bytes:
    """The signature of the Response refers to the assertion: what stands beside it is not covered."""
    root = good.tree(sign=())
    assertion = find(root, "a:Assertion").get("ID")
    return _signed(good, setting(".//ds:Reference", "URI", f"#{assertion}"), ONLY_RESPONSE)


@REFERENCES.message(refused(SIGNATURE_PROFILE), "CWE-918")
def reference_to_a_server(good: Good) -> bytes:
    """The verifier is to fetch what was signed from somewhere."""
    return _signed(good, setting(".//ds:Reference", "URI", "http://127.0.0.1:9/signed.xml"))


@REFERENCES.message(refused(SIGNATURE_PROFILE), "CWE-73")
def reference_to_a_file(good: Good) -> bytes:
    """The verifier is to read a file."""
    return _signed(good, setting(".//ds:Reference", "URI", "file:///etc/hostname"))


@REFERENCES.message(refused(SIGNATURE_PROFILE))
def xpointer_to_the_root(good: Good) -> bytes:
    """An XPointer to the root."""
    return _signed(good, setting(".//ds:Reference", "URI", "#xpointer(/)"), ONLY_RESPONSE)


@REFERENCES.message(refused(SIGNATURE_PROFILE), "CVE-2013-2154 (Apache Santuario)")
def xpointer_to_an_id(good: Good) -> bytes:
    """An XPointer to an ID, longer than its reader expects."""
    return _signed(good, setting(".//ds:Reference", "URI", f"#xpointer(id('{'a' * 5000}'))"))


@REFERENCES.message(refused(SIGNATURE_PROFILE))
def reference_in_percent_encoding(good: Good) -> bytes:
    """A fragment that is the ID only after decoding."""

    def encode(signature: Element) -> None:
        reference = find(signature, ".//ds:Reference")
        reference.set("URI", reference.get("URI", "").replace("_", "%5F"))

    return _signed(good, encode)


@REFERENCES.message(refused(SIGNATURE_PROFILE))
def reference_to_an_object(good: Good) -> bytes:
    """The signature covers an Object inside itself."""

    def edit(signature: Element) -> None:
        find(signature, ".//ds:Reference").set("URI", "#_object")
        signature.append(parse(f'<ds:Object {DS} ID="_object">anything</ds:Object>'))

    return _signed(good, edit)


@REFERENCES.message(refused(SIGNATURE_PROFILE))
def manifest(good: Good) -> bytes:
    """The signature covers a Manifest, whose own references nobody has to check (XML Signature 1.1, 5.1)."""

    def edit(signature: Element) -> None:
        reference = find(signature, ".//ds:Reference")
        listed = copy(reference)
        reference.set("URI", "#_manifest")
        reference.set("Type", f"{DSIG}Manifest")
        holder = parse(f'<ds:Object {DS}><ds:Manifest Id="_manifest"/></ds:Object>')
        holder[0].append(listed)
        signature.append(holder)

    return _signed(good, edit)


# Transforms


def _transform(algorithm: str, inside: str = "", *, index: int = 1) -> Edit:
    return inserting(".//ds:Transforms", f'<ds:Transform {DS} Algorithm="{algorithm}">{inside}</ds:Transform>', index)


@TRANSFORMS.message(refused(SIGNATURE_PROFILE), "CVE-2022-47966 (Zoho ManageEngine)")
def xslt(good: Good) -> bytes:
    """A style sheet, which some processors let call the code of the server."""
    sheet = (
        '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/">'
        '<x xmlns=""/></xsl:template></xsl:stylesheet>'
    )
    return _signed(good, _transform("http://www.w3.org/TR/1999/REC-xslt-19991116", sheet))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def xpath_transform(good: Good) -> bytes:
    """An XPath that leaves everything out."""
    return _signed(good, _transform(_XPATH, "<ds:XPath>false()</ds:XPath>"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def xpath_filter(good: Good) -> bytes:
    """XPath Filter 2.0 that takes the subject out of what is digested."""
    xpath = '<f:XPath xmlns:f="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">//*[local-name()="Subject"]</f:XPath>'
    return _signed(good, _transform("http://www.w3.org/2002/06/xmldsig-filter2", xpath))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def xpath_in_a_known_transform(good: Good) -> bytes:
    """An XPath inside the transform for enveloped signatures."""
    return _signed(good, inserting(".//ds:Transform[1]", f"<ds:XPath {DS}>false()</ds:XPath>"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def xpath_in_the_canonicalization_method(good: Good) -> bytes:
    """An XPath inside the CanonicalizationMethod."""
    return _signed(good, inserting(".//ds:CanonicalizationMethod", f"<ds:XPath {DS}>false()</ds:XPath>"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def base64_transform(good: Good) -> bytes:
    """The texts of the document, decoded: tags do not count."""
    return _signed(good, _transform(f"{DSIG}base64"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def decryption_transform(good: Good) -> bytes:
    """The verifier is to decrypt before it digests."""
    return _signed(good, _transform("http://www.w3.org/2002/07/decrypt#XML"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def unknown_transform(good: Good) -> bytes:
    """A transform that nobody knows, and that some ignore."""
    return _signed(good, _transform("urn:x"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE), "CVE-2021-39171 (passport-saml)")
def a_thousand_transforms(good: Good) -> bytes:
    """A thousand canonicalizations, one after the other."""

    def many(signature: Element) -> None:
        for _ in range(1000):
            _transform(EXCLUSIVE)(signature)

    return _signed(good, many)


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def no_transforms(good: Good) -> bytes:
    """No Transforms at all."""
    return _signed(good, removing(".//ds:Transforms"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def empty_transforms(good: Good) -> bytes:
    """Transforms without a Transform."""
    return _signed(good, removing(".//ds:Transforms/ds:Transform"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def enveloped_transform_alone(good: Good) -> bytes:
    """Only the transform for enveloped signatures: the canonicalization is then the inclusive default."""
    return _signed(good, removing(".//ds:Transform[2]"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def transforms_in_the_other_order(good: Good) -> bytes:
    """Canonicalization before the signature is taken out."""

    def swap(signature: Element) -> None:
        transforms = find(signature, ".//ds:Transforms")
        transforms.append(transforms[0])

    return _signed(good, swap)


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def inclusive_canonicalization(good: Good) -> bytes:
    """Inclusive canonicalization, which makes what is signed depend on where it stands."""
    return _signed(good, setting(".//ds:Transform[2]", "Algorithm", _INCLUSIVE))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def canonicalization_1_1(good: Good) -> bytes:
    """Canonical XML 1.1."""
    return _signed(good, setting(".//ds:Transform[2]", "Algorithm", "http://www.w3.org/2006/12/xml-c14n11"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE), "CVE-2017-11427 (CERT/CC VU#475445)")
def canonicalization_with_comments(good: Good) -> bytes:
    """Exclusive canonicalization with comments."""
    return _signed(good, setting(".//ds:Transform[2]", "Algorithm", f"{EXCLUSIVE}WithComments"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def inclusive_canonicalization_of_the_signed_info(good: Good) -> bytes:
    """SignedInfo canonicalized inclusively."""
    return _signed(good, setting(".//ds:CanonicalizationMethod", "Algorithm", _INCLUSIVE))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def canonicalization_of_the_signed_info_that_is_missing(good: Good) -> bytes:
    """SignedInfo without a CanonicalizationMethod: some readers then digest its bytes as they came."""
    return _signed(good, removing(".//ds:CanonicalizationMethod"))


@TRANSFORMS.message(refused(SIGNATURE_PROFILE), "CVE-2013-2156 (Apache Santuario)")
def endless_prefix_list(good: Good) -> bytes:
    """A PrefixList of thousands of prefixes."""
    return good.response(inclusive_prefixes=" ".join(f"p{number}" for number in range(5000))).xml


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def two_prefix_lists(good: Good) -> bytes:
    """Two InclusiveNamespaces in one transform."""
    twice = inserting(".//ds:Transform[2]", f'<ec:InclusiveNamespaces {EC} PrefixList="xs"/>')

    def edit(signature: Element) -> None:
        twice(signature)
        twice(signature)

    return _signed(good, edit)


@TRANSFORMS.message(refused(SIGNATURE_PROFILE))
def prefix_list_of_another_namespace(good: Good) -> bytes:
    """An InclusiveNamespaces that is none."""
    return _signed(good, inserting(".//ds:Transform[2]", '<InclusiveNamespaces xmlns="urn:x" PrefixList="xs"/>'))


@TRANSFORMS.message(refused(SIGNATURE_INVALID))
def prefix_list_changed_after_signing(good: Good) -> bytes:
    """A PrefixList is put into a finished signature."""
    root = good.tree(sign=ONLY_ASSERTION)
    inserting(".//ds:Transform[2]", f'<ec:InclusiveNamespaces {EC} PrefixList="saml2p"/>')(root)
    return serialize(root)


@TRANSFORMS.message(refused(SIGNATURE_INVALID))
def prefix_that_the_list_covers_means_something_else(good: Good) -> bytes:
    """A prefix that only values use is bound to another namespace, from outside of what is signed."""
    xs = "http://www.w3.org/2001/XMLSchema"
    text = good.xml(attribute_type="xs:string", inclusive_prefixes="xs", sign=ONLY_ASSERTION)
    return text.replace(f'xmlns:xs="{xs}"', 'xmlns:xs="urn:x"').encode()


@TRANSFORMS.message(refused(SIGNATURE_INVALID))
def text_between_the_parts_of_signed_info(good: Good) -> bytes:
    """Texts between the parts of SignedInfo are signed, too."""
    return replaced(good, "<ds:SignatureMethod", "\n<ds:SignatureMethod", sign=ONLY_ASSERTION)


@TRANSFORMS.message(refused(SIGNATURE_WEAK, SIGNATURE_PROFILE))
def parameters_of_the_digest_method(good: Good) -> bytes:
    """A DigestMethod with a parameter."""
    return _signed(good, inserting(".//ds:DigestMethod", '<x xmlns="urn:x"/>'))
