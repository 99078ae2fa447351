"""Signature exclusion and emptiness: no signature, half of one, one of nothing."""

from __future__ import annotations

from core.refusals import SIGNATURE_MISSING, SIGNATURE_PROFILE, SIGNATURE_WEAK
from core.testing.attacks.cases import Family, Good, refused
from core.testing.attacks.edits import (
    DS,
    ONLY_ASSERTION,
    ONLY_RESPONSE,
    Edit,
    P,
    after_signing,
    find,
    inserting,
    name_victim,
    parse,
    removing,
    setting,
    writing,
)
from core.testing.identity_provider import Element, serialize

EXCLUSION = Family(
    "Signature exclusion",
    "The person is another one and the signature is gone, empty or somewhere else, in the hope that only signatures that "
    "are found are verified.",
    "Somorovsky et al., On Breaking SAML (USENIX Security 2012)",
)


def _victim(good: Good, *edits: Edit, sign: tuple[str, ...] = ONLY_ASSERTION) -> bytes:
    return after_signing(good, name_victim, *edits, sign=sign)


@EXCLUSION.message(refused(SIGNATURE_MISSING))
def no_signature(good: Good) -> bytes:
    """A response that was never signed."""
    return _victim(good, sign=())


@EXCLUSION.message(refused(SIGNATURE_MISSING), "CVE-2019-10201 (Keycloak)")
def signatures_taken_out(good: Good) -> bytes:
    """Both signatures are taken out."""
    return _victim(good, removing("ds:Signature"), removing("a:Assertion/ds:Signature"), sign=("response", "assertion"))


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def empty_signature(good: Good) -> bytes:
    """An empty Signature element."""
    return _victim(good, inserting("a:Assertion", f"<ds:Signature {DS}/>", 1), sign=())


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def signature_without_signed_info(good: Good) -> bytes:
    """A signature that says nothing of what it covers."""
    return _victim(good, removing(".//ds:SignedInfo"))


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def empty_signed_info(good: Good) -> bytes:
    """A SignedInfo without parts."""
    return _victim(good, removing(".//ds:SignedInfo/*"))


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def signature_without_a_value(good: Good) -> bytes:
    """The SignatureValue is taken out."""
    return _victim(good, removing(".//ds:SignatureValue"))


@EXCLUSION.message(refused(SIGNATURE_WEAK))
def empty_signature_value(good: Good) -> bytes:
    """The SignatureValue is empty."""
    return _victim(good, writing(".//ds:SignatureValue", ""))


@EXCLUSION.message(refused(SIGNATURE_WEAK))
def signature_value_of_white_space(good: Good) -> bytes:
    """The SignatureValue is white space."""
    return _victim(good, writing(".//ds:SignatureValue", " \n "))


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def signature_value_that_is_no_base64(good: Good) -> bytes:
    """The SignatureValue is no base64, so that decoding it answers an error, or nothing."""
    return _victim(good, writing(".//ds:SignatureValue", "%%%"))


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def signature_value_in_a_child(good: Good) -> bytes:
    """The SignatureValue stands in an element inside it."""

    def wrap(root: Element) -> None:
        value = find(root, ".//ds:SignatureValue")
        child = parse('<x xmlns="urn:x"/>')
        child.text, value.text = value.text, ""
        value.append(child)

    return _victim(good, wrap)


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def digest_value_taken_out(good: Good) -> bytes:
    """The DigestValue is taken out."""
    return _victim(good, removing(".//ds:DigestValue"))


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def signature_after_the_content(good: Good) -> bytes:
    """The signature stands at the end of the Response instead of after its Issuer (Core 3.2.2)."""

    def move(root: Element) -> None:
        root.append(find(root, "ds:Signature"))

    return after_signing(good, move, sign=ONLY_RESPONSE)


@EXCLUSION.message(refused(SIGNATURE_PROFILE), "CVE-2024-8698 (Keycloak)")
def assertion_signature_in_the_response(good: Good) -> bytes:
    """The signature of the assertion stands in the place of that of the Response, as if it covered everything."""

    def move(root: Element) -> None:
        root.insert(1, find(root, "a:Assertion/ds:Signature"))

    return _victim(good, move)


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def signature_in_the_subject(good: Good) -> bytes:
    """The signature is moved to a place where none belongs."""

    def move(root: Element) -> None:
        find(root, ".//a:Subject").append(find(root, "a:Assertion/ds:Signature"))

    return after_signing(good, move, sign=ONLY_ASSERTION)


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def signature_in_extensions(good: Good) -> bytes:
    """The signature of the Response stands in its Extensions."""

    def move(root: Element) -> None:
        extensions = parse(f"<saml2p:Extensions {P}/>")
        extensions.append(find(root, "ds:Signature"))
        root.insert(1, extensions)

    return after_signing(good, move, sign=ONLY_RESPONSE)


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def two_signatures_of_one_assertion(good: Good) -> bytes:
    """A signature by the attacker stands before the genuine one."""

    def add(root: Element) -> None:
        root[-1].insert(1, find(good.tree(by=good.stranger, sign=ONLY_ASSERTION), "a:Assertion/ds:Signature"))

    return after_signing(good, add, sign=ONLY_ASSERTION)


@EXCLUSION.message(refused(SIGNATURE_PROFILE))
def signature_in_the_object_of_a_signature(good: Good) -> bytes:
    """The attacker's signature holds the genuine one in an Object."""
    root = good.tree(by=good.stranger, sign=ONLY_ASSERTION)
    genuine = find(good.tree(sign=ONLY_ASSERTION), "a:Assertion/ds:Signature")
    place = parse(f"<ds:Object {DS}/>")
    place.append(genuine)
    find(root, "a:Assertion/ds:Signature").append(place)
    return serialize(root)


@EXCLUSION.message(refused(SIGNATURE_MISSING))
def signature_named_in_attributes_alone(good: Good) -> bytes:
    """The Response says in an attribute of a foreign namespace that it was verified."""
    return _victim(good, setting("", "{urn:x}SignatureVerified", "true"), sign=())
