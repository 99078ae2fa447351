"""Parser differentials: one document that two readers take for two."""

from __future__ import annotations

import base64
import hashlib
import re

from lxml import etree

from core.refusals import (
    RESPONSE_SHAPE,
    SIGNATURE_INVALID,
    SIGNATURE_MISSING,
    SIGNATURE_PROFILE,
    VERSION_UNSUPPORTED,
    XML_REFUSED,
)
from core.testing.attacks.cases import VICTIM, Family, Good, refused
from core.testing.attacks.edits import (
    ONLY_ASSERTION,
    ONLY_RESPONSE,
    after_signing,
    copy,
    drop,
    find,
    forged,
    name_victim,
    replaced,
    setting,
)
from core.testing.identity_provider import ASSERTION, DSIG, PROTOCOL, Element, serialize

PARSERS = Family(
    "Parser differentials and namespaces",
    "Encodings, namespaces, doubled attributes and roots that one parser sees and the next one does not.",
    "CVE-2025-25291, CVE-2025-25292, CVE-2025-66567 (ruby-saml)",
)
_VOID = "CVE-2025-66568 (ruby-saml): void canonicalization"
_NOTHING = base64.b64encode(hashlib.sha256(b"").digest()).decode()


# Encodings


@PARSERS.message(refused(XML_REFUSED))
def utf_16(good: Good) -> bytes:
    """The whole document in UTF-16: a filter that looks for bytes sees nothing."""
    return good.xml().replace("UTF-8", "UTF-16").encode("utf-16")


@PARSERS.message(refused(XML_REFUSED))
def utf_16_with_a_doctype(good: Good) -> bytes:
    """A DOCTYPE that hides in UTF-16."""
    text = good.xml().replace('"UTF-8"?>', '"UTF-16"?><!DOCTYPE r [<!ENTITY x "y">]>')
    return text.encode("utf-16-be")


@PARSERS.message(refused(XML_REFUSED))
def utf_32(good: Good) -> bytes:
    """The whole document in UTF-32."""
    return good.xml().replace("UTF-8", "UTF-32").encode("utf-32")


@PARSERS.message(refused(SIGNATURE_INVALID))
def utf_7_markup(good: Good) -> bytes:
    """Markup that is text in UTF-8 and an element in UTF-7, which the declaration asks for."""
    return replaced(good, f">{good.subject}<", f">{VICTIM}+ADwAIQ- -AD4-<", sign=ONLY_ASSERTION).replace(
        b'"UTF-8"', b'"UTF-7"'
    )


@PARSERS.message(refused(XML_REFUSED))
def latin_1(good: Good) -> bytes:
    """ISO-8859-1 with bytes that are no UTF-8."""
    return good.xml(subject="zoë@example.test").replace("UTF-8", "ISO-8859-1").encode("iso-8859-1")


@PARSERS.message(refused(XML_REFUSED))
def overlong_utf_8(good: Good) -> bytes:
    """A ``<`` in two bytes (C0 BC), which lenient decoders take."""
    return good.response().xml.replace(b"<saml2:NameID ", b"\xc0\xbcsaml2:NameID ")


@PARSERS.message(refused(XML_REFUSED))
def surrogates_in_utf_8(good: Good) -> bytes:
    """A lone surrogate (ED A0 80), which is no character."""
    return good.response().xml.replace(good.subject.encode(), b"\xed\xa0\x80" + good.subject.encode())


@PARSERS.message(refused(XML_REFUSED))
def byte_order_mark_of_utf_16_before_utf_8(good: Good) -> bytes:
    """A byte order mark that promises another encoding."""
    return b"\xff\xfe" + good.response().xml


# Roots


@PARSERS.message(refused(XML_REFUSED), "CVE-2022-39299 (passport-saml)")
def two_roots(good: Good) -> bytes:
    """A forged Response after the signed one; some parsers take the first root and some the last."""
    return good.response().xml + serialize(forged(good.tree())).partition(b"?>")[2]


@PARSERS.message(refused(XML_REFUSED), "CVE-2022-39299 (passport-saml)")
def forged_root_first(good: Good) -> bytes:
    """The same in the other order."""
    return serialize(forged(good.tree())) + good.response().xml.partition(b"?>")[2]


@PARSERS.message(refused(XML_REFUSED))
def text_after_the_root(good: Good) -> bytes:
    """Something after the end of the document."""
    return good.response().xml + b"SAMLResponse"


@PARSERS.message(refused(XML_REFUSED))
def text_before_the_root(good: Good) -> bytes:
    """Something before the declaration."""
    return b" " + good.response().xml


@PARSERS.message(refused(XML_REFUSED))
def document_type_with_a_default_attribute(good: Good) -> bytes:
    """A document type that gives the assertion an ID by default: only readers that load it see one."""
    doctype = f'?><!DOCTYPE r [<!ATTLIST saml2:Assertion ID CDATA "{VICTIM}">]>'
    return replaced(good, "?>", doctype, sign=ONLY_ASSERTION)


# Namespaces


@PARSERS.message(refused(SIGNATURE_MISSING), "CVE-2025-25292, CVE-2025-66567 (ruby-saml): namespace confusion")
def signature_of_another_namespace(good: Good) -> bytes:
    """An element of the name Signature that is none: a reader without namespaces verifies it."""
    return replaced(good, f'xmlns:ds="{DSIG}"', 'xmlns:ds="http://www.w3.org/2000/09/xmldsig"')


@PARSERS.message(refused(XML_REFUSED), "CVE-2025-66567 (ruby-saml): namespace confusion")
def signature_namespace_with_white_space(good: Good) -> bytes:
    """A namespace that differs from the right one by a space, which some parsers strip."""
    return replaced(good, f'xmlns:ds="{DSIG}"', f'xmlns:ds="{DSIG} "')


@PARSERS.message(refused(RESPONSE_SHAPE))
def assertion_of_another_namespace(good: Good) -> bytes:
    """The only assertion is in a namespace of its own."""
    return replaced(good, ASSERTION, "urn:oasis:names:tc:SAML:2.0:Assertion")


@PARSERS.message(refused(SIGNATURE_INVALID), "CVE-2025-66567 (ruby-saml): namespace confusion")
def second_signed_info_of_another_namespace(good: Good) -> bytes:
    """The signature is that of the attacker; in its KeyInfo stands the genuine SignedInfo under a look-alike namespace."""
    genuine = find(good.tree(sign=ONLY_ASSERTION), ".//ds:SignedInfo")
    decoy = copy(genuine)
    for part in list(decoy.iter()):
        part.tag = f"{{urn:x}}{part.tag.rpartition('}')[2]}"
    root = good.tree(by=good.stranger, sign=ONLY_ASSERTION)
    find(root, ".//ds:KeyInfo").append(decoy)
    return serialize(root)


@PARSERS.message(refused(SIGNATURE_PROFILE))
def prefix_that_means_something_else_inside(good: Good) -> bytes:
    """Inside an element of the attacker the prefix saml2 means another namespace: whoever goes by prefixes reads the
    assertion in it, and everybody else the forged one after it.
    """
    root = good.tree(sign=ONLY_ASSERTION)
    assertion = find(root, "a:Assertion")
    assertion.addnext(forged(assertion))
    text = serialize(root).decode()
    start, end = text.index("<saml2:Assertion"), text.index("</saml2:Assertion>") + len("</saml2:Assertion>")
    original = text[start:end].replace(f'xmlns:saml2="{ASSERTION}"', 'xmlns:saml2="urn:x"')
    return (text[:start] + f'<x:holder xmlns:x="urn:x">{original}</x:holder>' + text[end:]).encode()


@PARSERS.message(refused(RESPONSE_SHAPE))
def response_without_a_namespace(good: Good) -> bytes:
    """No namespaces at all: what a reader that ignores them would take."""
    without = re.sub(r" xmlns:\w+=\"[^\"]*\"", "", good.xml())
    return re.sub(r"(</?)\w+:", r"\1", without).encode()


@PARSERS.message(refused(XML_REFUSED))
def undeclared_prefix(good: Good) -> bytes:
    """A prefix that nothing declares."""
    return replaced(good, f' xmlns:saml2p="{PROTOCOL}"', "")


@PARSERS.message(refused(XML_REFUSED), "CVE-2020-29509, CVE-2020-29511 (Go encoding/xml)")
def empty_prefix(good: Good) -> bytes:
    """Names with a colon and nothing before it, which do not survive being written and read again."""
    return replaced(good, "<saml2p:Status>", '<saml2p:Status :x="" x::y="">')


@PARSERS.message(refused(VERSION_UNSUPPORTED))
def version_1_in_the_version_2_namespace(good: Good) -> bytes:
    """A SAML 1.1 response in the right namespace."""
    return good.response(version="1.1").xml


@PARSERS.message(refused(VERSION_UNSUPPORTED))
def response_of_saml_1(good: Good) -> bytes:
    """A Response of SAML 1.1 with a good assertion in it."""
    return replaced(good, PROTOCOL, "urn:oasis:names:tc:SAML:1.0:protocol")


# Attributes


@PARSERS.message(refused(XML_REFUSED), "PortSwigger Research, The Fragile Lock (2025): attribute pollution")
def id_attribute_twice_by_namespace(good: Good) -> bytes:
    """``ID`` names the signed assertion, ``saml2p:ID`` of the forged one as well: which is meant depends on the reader."""
    root = good.tree(sign=ONLY_ASSERTION)
    assertion = find(root, "a:Assertion")
    identifier = assertion.get("ID", "")
    original = copy(assertion)
    drop(find(original, "ds:Signature"))
    name_victim(assertion)
    assertion.set("ID", "_evil")
    assertion.set(f"{{{PROTOCOL}}}ID", identifier)
    find(root, "p:Status").append(original)
    return serialize(root)


@PARSERS.message(refused(SIGNATURE_PROFILE), "PortSwigger Research, The Fragile Lock (2025): attribute pollution")
def id_attribute_of_another_namespace_alone(good: Good) -> bytes:
    """The ID that the signature refers to is one of another namespace; the plain one is the attacker's."""
    root = good.tree(sign=ONLY_RESPONSE)
    identifier = root.get("ID", "")
    root.set("ID", "_evil")
    root.set(f"{{{PROTOCOL}}}ID", identifier)
    name_victim(root)
    return serialize(root)


@PARSERS.message(refused(XML_REFUSED))
def attribute_twice(good: Good) -> bytes:
    """The same attribute twice, which is no XML; lenient parsers take the first or the last."""
    return replaced(good, ' Version="2.0"', ' Version="2.0" Version="2.0"')


@PARSERS.message(refused(SIGNATURE_INVALID))
def algorithm_attribute_of_another_namespace(good: Good) -> bytes:
    """A second Algorithm attribute in a namespace says SHA-1, for a reader that goes by local names."""
    root = good.tree(sign=ONLY_ASSERTION)
    find(root, ".//ds:DigestMethod").set(f"{{{DSIG}}}Algorithm", f"{DSIG}sha1")
    return serialize(root)


# Void canonicalization: a canonicalizer that fails and answers nothing, whose digest anybody knows


def _with_relative_namespace(root: Element) -> bytes:
    """The namespace ``1`` is no absolute URI; libxml2 refuses to canonicalize a document with it."""
    return serialize(root).replace(b"<saml2:Subject>", b'<saml2:Subject xmlns:x="1">')


@PARSERS.message(refused(SIGNATURE_INVALID), _VOID)
def relative_namespace_in_a_forged_assertion(good: Good) -> bytes:
    """A relative namespace makes canonicalization fail; the DigestValue is that of nothing."""
    root = good.tree(sign=ONLY_ASSERTION)
    name_victim(root)
    find(root, ".//ds:DigestValue").text = _NOTHING
    return _with_relative_namespace(root)


@PARSERS.message(refused(SIGNATURE_INVALID), _VOID)
def digest_of_nothing_signed_by_the_provider(good: Good) -> bytes:
    """A genuine signature over the digest of nothing, as a donor gives it, over an assertion that has no canonical form."""

    def void(signature: Element) -> None:
        find(signature, ".//ds:DigestValue").text = _NOTHING

    root = good.tree(sign=ONLY_ASSERTION, edit_signature=void)
    name_victim(root)
    return _with_relative_namespace(root)


@PARSERS.message(refused(SIGNATURE_INVALID), _VOID)
def relative_namespace_in_the_signed_info(good: Good) -> bytes:
    """A relative namespace in SignedInfo: a signature of nothing would fit."""
    text = after_signing(good, name_victim, sign=ONLY_ASSERTION)
    return text.replace(b"<ds:SignedInfo>", b'<ds:SignedInfo xmlns:x="1">')


@PARSERS.message(refused(XML_REFUSED))
def namespace_that_is_no_xml_in_canonical_form(good: Good) -> bytes:
    """An `&` in a namespace, with good signatures. libxml2 writes it as it is into a canonical form, which then is no XML."""

    def put(root: Element) -> None:
        etree.SubElement(find(root, ".//a:AttributeValue"), "{urn:a?b=1&c=2}d")

    return good.response(edit=put).xml


@PARSERS.message(refused(XML_REFUSED))
def namespace_written_with_a_reference(good: Good) -> bytes:
    """The namespace of the assertion, written so that a search in the text does not find it."""
    return replaced(good, f'="{ASSERTION}"', f'="&#117;{ASSERTION[1:]}"')


@PARSERS.message(refused(XML_REFUSED))
def declaration_of_xml_1_1(good: Good) -> bytes:
    """XML 1.1 knows characters, and references to them, that XML 1.0 does not."""
    return replaced(good, '<?xml version="1.0"', '<?xml version="1.1"').replace(
        good.subject.encode(), b"&#1;" + good.subject.encode()
    )


@PARSERS.message(refused(SIGNATURE_INVALID))
def xml_base_on_the_assertion(good: Good) -> bytes:
    """An attribute of the xml namespace that changes what relative references mean."""
    edit = setting("a:Assertion", "{http://www.w3.org/XML/1998/namespace}base", "http://127.0.0.1:9/")
    return after_signing(good, edit, sign=ONLY_ASSERTION)
