"""Signature wrapping: the signed element stays in the document, where the verifier finds it; another one is read."""

from __future__ import annotations

import base64
import hashlib

from lxml import etree

from core.refusals import RESPONSE_SHAPE, SIGNATURE_INVALID, SIGNATURE_PROFILE, XML_REFUSED
from core.testing.attacks.cases import VICTIM, Family, Good, refused
from core.testing.attacks.edits import (
    DS,
    ONLY_ASSERTION,
    ONLY_RESPONSE,
    A,
    P,
    copy,
    drop,
    find,
    forged,
    name_victim,
    parse,
)
from core.testing.identity_provider import RESPONDER, Element, serialize

WRAPPING = Family(
    "Signature wrapping",
    "Somebody who was given one good response puts an assertion of their own beside, around or inside it, so that the "
    "signature is checked over one element and the person is read from another.",
    "Somorovsky et al., On Breaking SAML (USENIX Security 2012)",
)


def _signed_assertion(good: Good) -> tuple[Element, Element, Element]:
    """A response with a signed assertion: the root, the assertion, its signature."""
    root = good.tree(sign=ONLY_ASSERTION)
    assertion = find(root, "a:Assertion")
    return root, assertion, find(assertion, "ds:Signature")


def _victim_here_original_in(place: Element, good: Good, index: int = 1) -> bytes:
    """The assertion names the victim; the signed original stands in ``place``, which is put into the Response."""
    root, assertion, _ = _signed_assertion(good)
    root.replace(assertion, forged(assertion))
    place.append(assertion)
    root.insert(index, place)
    return serialize(root)


def _signature_here_original_in(place: str, good: Good) -> bytes:
    """The victim's assertion keeps the signature, in which the original stands, which it refers to."""
    root, assertion, signature = _signed_assertion(good)
    original = copy(assertion)
    drop(find(original, "ds:Signature"))
    name_victim(assertion)
    assertion.set("ID", "_evil")
    holder = parse(place)
    holder.append(original)
    signature.append(holder)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def xsw1_original_response_in_its_signature(good: Good) -> bytes:
    """XSW 1: a forged Response holds the signature, and the signature holds the original Response."""
    root = good.tree(sign=ONLY_RESPONSE)
    signature = find(root, "ds:Signature")
    outer = forged(root)
    drop(signature)
    signature.append(root)
    outer.insert(1, signature)
    return serialize(outer)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def xsw2_original_response_beside_its_signature(good: Good) -> bytes:
    """XSW 2: a forged Response holds the original one and, after it, the detached signature."""
    root = good.tree(sign=ONLY_RESPONSE)
    signature = find(root, "ds:Signature")
    outer = forged(root)
    drop(signature)
    outer.insert(1, root)
    outer.insert(2, signature)
    return serialize(outer)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def xsw3_forged_assertion_first(good: Good) -> bytes:
    """XSW 3: a forged assertion stands before the original one."""
    root, assertion, _ = _signed_assertion(good)
    assertion.addprevious(forged(assertion))
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def xsw4_original_inside_the_forged_assertion(good: Good) -> bytes:
    """XSW 4: a forged assertion holds the original one."""
    root, assertion, _ = _signed_assertion(good)
    made = forged(assertion)
    root.replace(assertion, made)
    made.append(assertion)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def xsw5_forged_assertion_keeps_the_signature(good: Good) -> bytes:
    """XSW 5: the assertion is forged under its signature; the original stands at the end of the Response."""
    root, assertion, _ = _signed_assertion(good)
    original = copy(assertion)
    drop(find(original, "ds:Signature"))
    name_victim(assertion)
    assertion.set("ID", "_evil")
    root.append(original)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def xsw6_original_in_the_signature_of_the_forged(good: Good) -> bytes:
    """XSW 6: the same, and the original stands inside the signature."""
    root, assertion, signature = _signed_assertion(good)
    original = copy(assertion)
    drop(find(original, "ds:Signature"))
    name_victim(assertion)
    assertion.set("ID", "_evil")
    signature.append(original)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def xsw7_forged_assertion_in_extensions(good: Good) -> bytes:
    """XSW 7: a forged assertion stands in Extensions, where the schema lets anything stand."""
    root, assertion, _ = _signed_assertion(good)
    extensions = parse(f"<saml2p:Extensions {P}/>")
    extensions.append(forged(assertion))
    root.insert(1, extensions)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def xsw8_original_in_an_object_of_the_signature(good: Good) -> bytes:
    """XSW 8: the assertion is forged; the original stands in an Object of its signature."""
    return _signature_here_original_in(f"<ds:Object {DS}/>", good)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def original_in_extensions(good: Good) -> bytes:
    """The victim's assertion is in place, the signed one in Extensions."""
    return _victim_here_original_in(parse(f"<saml2p:Extensions {P}/>"), good)


@WRAPPING.message(refused(RESPONSE_SHAPE), "CVE-2024-45409 (ruby-saml)")
def original_in_status_detail(good: Good) -> bytes:
    """The victim's assertion is in place, the signed one in StatusDetail, where the schema lets anything stand."""
    root, assertion, _ = _signed_assertion(good)
    root.replace(assertion, forged(assertion))
    detail = parse(f"<saml2p:StatusDetail {P}/>")
    detail.append(assertion)
    find(root, "p:Status").append(detail)
    return serialize(root)


@WRAPPING.message(refused(SIGNATURE_PROFILE), "CVE-2024-45409 (ruby-saml)")
def digest_value_in_status_detail(good: Good) -> bytes:
    """A second DigestValue, of the forged assertion, stands in StatusDetail, where a search for any DigestValue finds it
    first; so does a copy of the signature.
    """
    root, assertion, signature = _signed_assertion(good)
    detail = parse(f"<saml2p:StatusDetail {P}/>")
    name_victim(assertion)
    without = copy(assertion)
    drop(find(without, "ds:Signature"))
    octets = etree.tostring(without, method="c14n", exclusive=True)
    value = base64.b64encode(hashlib.sha256(octets).digest()).decode()
    detail.append(parse(f"<ds:DigestValue {DS}>{value}</ds:DigestValue>"))
    detail.append(copy(signature))
    find(root, "p:Status").append(detail)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def original_in_advice(good: Good) -> bytes:
    """The victim's assertion holds the signed one in its Advice, where SAML lets assertions stand (Core 2.6.1)."""
    root, assertion, _ = _signed_assertion(good)
    made = forged(assertion)
    root.replace(assertion, made)
    advice = parse(f"<saml2:Advice {A}/>")
    advice.append(assertion)
    find(made, "a:Conditions").addnext(advice)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def original_in_an_attribute_value(good: Good) -> bytes:
    """The victim's assertion holds the signed one as the value of an attribute."""
    root, assertion, _ = _signed_assertion(good)
    made = forged(assertion)
    root.replace(assertion, made)
    find(made, ".//a:AttributeValue").append(assertion)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def original_in_the_subject_confirmation(good: Good) -> bytes:
    """The victim's assertion holds the signed one in its SubjectConfirmationData, an element of any type."""
    root, assertion, _ = _signed_assertion(good)
    made = forged(assertion)
    root.replace(assertion, made)
    find(made, ".//a:SubjectConfirmationData").append(assertion)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def original_in_key_info(good: Good) -> bytes:
    """The victim's assertion keeps the signature, whose KeyInfo holds the original."""
    return _signature_here_original_in(f"<ds:KeyInfo {DS}/>", good)


@WRAPPING.message(refused(RESPONSE_SHAPE), "CVE-2025-47949 (samlify)")
def original_in_an_element_of_nobody(good: Good) -> bytes:
    """The victim's assertion is in place, the signed one in an element that no schema knows."""
    return _victim_here_original_in(parse('<holder xmlns="urn:x"/>'), good)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def original_response_in_extensions(good: Good) -> bytes:
    """A forged Response holds the whole signed Response in its Extensions."""
    root = good.tree()
    outer = forged(root)
    extensions = parse(f"<saml2p:Extensions {P}/>")
    extensions.append(root)
    outer.insert(1, extensions)
    return serialize(outer)


@WRAPPING.message(refused(SIGNATURE_INVALID), "CVE-2025-54419 (node-saml)")
def forged_assertion_in_a_signed_response(good: Good) -> bytes:
    """The signature of the Response stays, the assertion in it is another one."""
    root = good.tree(sign=ONLY_RESPONSE)
    assertion = find(root, "a:Assertion")
    root.replace(assertion, forged(assertion))
    return serialize(root)


@WRAPPING.message(refused(SIGNATURE_INVALID))
def signed_assertion_swapped_for_a_forged_one_under_both_signatures(good: Good) -> bytes:
    """Both signatures stay where they are and the assertion between them says something else."""
    root = good.tree()
    name_victim(root)
    return serialize(root)


@WRAPPING.message(refused(SIGNATURE_PROFILE))
def signature_of_another_assertion(good: Good) -> bytes:
    """The signature refers to an assertion that is not in the document any more."""
    root, assertion, _ = _signed_assertion(good)
    name_victim(assertion)
    assertion.set("ID", "_evil")
    return serialize(root)


@WRAPPING.message(refused(XML_REFUSED))
def forged_assertion_under_the_id_of_a_decoy(good: Good) -> bytes:
    """The signed bytes stay under another element name with the same ID: a search by ID finds them, the reader does not."""
    root, assertion, _ = _signed_assertion(good)
    decoy = copy(assertion)
    drop(find(decoy, "ds:Signature"))
    decoy.tag = "{urn:x}Assertion"
    name_victim(assertion)
    root.append(decoy)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def forged_response_around_everything(good: Good) -> bytes:
    """The document begins with a forged Response; the signed one stands at its end."""
    root = good.tree(sign=ONLY_RESPONSE)
    outer = forged(root)
    outer.append(root)
    return serialize(outer)


@WRAPPING.message(refused(RESPONSE_SHAPE), "CVE-2021-21238 (pysaml2)")
def signed_assertion_in_a_soap_envelope(good: Good) -> bytes:
    """Another document element around everything, with the victim's assertion beside the signed Response."""
    root = good.tree()
    envelope = parse(
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body/></s:Envelope>'
    )
    envelope[0].append(forged(find(root, "a:Assertion")))
    envelope[1].append(root)
    return serialize(envelope)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def forged_assertion_in_a_second_signature(good: Good) -> bytes:
    """A signed error response. A second signature that repeats the genuine SignatureValue holds a forged assertion; a
    verifier that takes signatures out by their value digests the document without either.
    """
    assertion = good.tree(sign=())[-1]
    root = good.tree(sign=ONLY_RESPONSE, status=(RESPONDER,))
    decoy = copy(find(root, "ds:Signature"))
    place = parse(f"<ds:Object {DS}/>")
    place.append(forged(assertion))
    decoy.append(place)
    find(root, "ds:Signature").addnext(decoy)
    return serialize(root)


@WRAPPING.message(refused(RESPONSE_SHAPE))
def signature_of_a_signed_error(good: Good) -> bytes:
    """A signed error response, which anybody can cause, inside a forged success."""
    outer = forged(good.tree(sign=()))
    extensions = parse(f"<saml2p:Extensions {P}/>")
    extensions.append(good.tree(sign=ONLY_RESPONSE, status=(RESPONDER,)))
    outer.insert(1, extensions)
    return serialize(outer)


@WRAPPING.message(refused(SIGNATURE_INVALID))
def attribute_put_into_a_signed_assertion(good: Good) -> bytes:
    """One more value in an attribute that is there already."""
    root, _, _ = _signed_assertion(good)
    attribute = find(root, ".//a:Attribute")
    attribute.append(parse(f"<saml2:AttributeValue {A}>{VICTIM}</saml2:AttributeValue>"))
    return serialize(root)
