"""Comments, processing instructions, entities and CDATA: one text that two readers take for two."""

from __future__ import annotations

from typing import Any

from core.refusals import AUDIENCE_MISMATCH, ISSUER_MISMATCH, SIGNATURE_INVALID, SUBJECT_MISSING, XML_REFUSED
from core.testing.attacks.cases import VICTIM, Family, Good, refused
from core.testing.attacks.edits import ONLY_ASSERTION, ONLY_RESPONSE, find, inserting, replaced
from core.testing.identity_provider import Element

TEXTS = Family(
    "Split texts",
    "A comment or the like splits a text without changing its signature. Whoever reads up to it only takes "
    "admin@victim.example.evil.test for admin@victim.example.",
    "CVE-2017-11427, CVE-2017-11428, CVE-2018-0489 (CERT/CC VU#475445)",
)
_LONGER = f"{VICTIM}.evil.test"


def _split(good: Good, inside: str, **changes: Any) -> bytes:
    """The attacker's own, well signed NameID with something between the victim's name and the rest."""
    return replaced(
        good, f">{_LONGER}</saml2:NameID>", f">{VICTIM}{inside}.evil.test</saml2:NameID>", subject=_LONGER, **changes
    )


@TEXTS.message(refused(XML_REFUSED))
def comment_in_the_name_id(good: Good) -> bytes:
    """A comment splits the NameID; canonicalization takes it out, so both signatures stay valid."""
    return _split(good, "<!-- -->")


@TEXTS.message(refused(XML_REFUSED))
def comment_in_the_name_id_of_a_signed_response(good: Good) -> bytes:
    """The same where only the Response is signed."""
    return _split(good, "<!---->", sign=ONLY_RESPONSE)


@TEXTS.message(refused(XML_REFUSED))
def processing_instruction_in_the_name_id(good: Good) -> bytes:
    """A processing instruction splits the NameID. It is signed, so this one breaks the signature as well."""
    return _split(good, "<?x?>")


@TEXTS.message(refused(XML_REFUSED))
def undeclared_entity_in_the_name_id(good: Good) -> bytes:
    """A reference to an entity that nothing declares splits the NameID; some readers drop it."""
    return _split(good, "&nothing;")


@TEXTS.message(refused(XML_REFUSED))
def declared_entity_in_the_name_id(good: Good) -> bytes:
    """The rest of the NameID comes from an entity, which some readers do not expand."""
    whole = _split(good, "&rest;").decode().replace(".evil.test</saml2:NameID>", "</saml2:NameID>")
    return whole.replace("?>", '?><!DOCTYPE r [<!ENTITY rest ".evil.test">]>', 1).encode()


@TEXTS.message(refused(SIGNATURE_INVALID))
def element_in_the_name_id(good: Good) -> bytes:
    """An element put into the NameID on its way."""
    return _split(good, '<x xmlns="urn:x"/>')


@TEXTS.message(refused(SUBJECT_MISSING))
def signed_element_in_the_name_id(good: Good) -> bytes:
    """An element in the NameID that the provider itself signed: there is no telling which text it means."""

    def split(root: Element) -> None:
        name_id = find(root, ".//a:NameID")
        name_id.text = VICTIM
        inserting(".//a:NameID", '<x xmlns="urn:x"/>')(root)
        name_id[0].tail = ".evil.test"

    return good.response(edit=split).xml


@TEXTS.message(refused(XML_REFUSED))
def cdata_with_a_comment_in_the_name_id(good: Good) -> bytes:
    """What looks like a comment is text in CDATA; a reader that strips comments from bytes sees a shorter NameID."""
    return _split(good, "<![CDATA[<!-- -->]]>")


@TEXTS.message(refused(XML_REFUSED))
def null_character_in_the_name_id(good: Good) -> bytes:
    """A NUL splits the NameID for whoever keeps texts as C does."""
    return _split(good, "&#0;")


@TEXTS.message(refused(XML_REFUSED))
def control_character_in_the_name_id(good: Good) -> bytes:
    """A raw control character, which XML 1.0 does not know."""
    return _split(good, "\x08")


@TEXTS.message(refused(SIGNATURE_INVALID))
def zero_width_character_in_the_name_id(good: Good) -> bytes:
    """A character that nobody sees is put into the NameID on its way."""
    return _split(good, "\u200b")


@TEXTS.message(refused(XML_REFUSED))
def comment_in_an_attribute_value(good: Good) -> bytes:
    """A comment splits the e-mail address in an attribute."""
    attributes = {"email": [_LONGER]}
    return replaced(good, f">{_LONGER}</saml2:Attr", f">{VICTIM}<!-- -->.evil.test</saml2:Attr", attributes=attributes)


@TEXTS.message(refused(XML_REFUSED))
def comment_in_the_audience(good: Good) -> bytes:
    """A response made for https://…/sso/c-1.evil gets a comment in its audience, so that it ends where ours does."""
    longer = f"{good.audience}.evil"
    return replaced(good, f">{longer}<", f">{good.audience}<!-- -->.evil<", audience=longer)


@TEXTS.message(refused(XML_REFUSED))
def comment_in_the_issuer(good: Good) -> bytes:
    """A comment in the Issuer of an assertion."""
    longer = f"{good.provider.entity_id}.evil"
    return replaced(good, f">{longer}<", f">{good.provider.entity_id}<!-- -->.evil<", issuer=longer)


@TEXTS.message(refused(XML_REFUSED), "CVE-2025-29775 (xml-crypto)")
def comment_in_the_digest_value(good: Good) -> bytes:
    """The digest of a forged assertion stands in a comment inside the DigestValue: signed is the text without it."""
    forged_digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    return replaced(good, "<ds:DigestValue>", f"<ds:DigestValue><!--{forged_digest}-->", sign=ONLY_ASSERTION)


@TEXTS.message(refused(XML_REFUSED), "CVE-2025-29775 (xml-crypto)")
def comment_in_the_signature_value(good: Good) -> bytes:
    """A comment in the SignatureValue."""
    return replaced(good, "<ds:SignatureValue>", "<ds:SignatureValue><!-- -->", sign=ONLY_ASSERTION)


@TEXTS.message(refused(XML_REFUSED))
def comment_in_the_certificate(good: Good) -> bytes:
    """A comment in KeyInfo."""
    return replaced(good, "<ds:X509Certificate>", "<ds:X509Certificate><!-- -->")


@TEXTS.message(refused(XML_REFUSED))
def comment_before_the_document(good: Good) -> bytes:
    """A comment before the document element."""
    return replaced(good, "<saml2p:Response ", "<!-- --><saml2p:Response ")


@TEXTS.message(refused(XML_REFUSED))
def comment_after_the_document(good: Good) -> bytes:
    """A comment after the document element."""
    return good.response().xml + b"<!-- -->"


@TEXTS.message(refused(XML_REFUSED))
def style_sheet_before_the_document(good: Good) -> bytes:
    """A processing instruction that asks for a style sheet elsewhere."""
    sheet = '<?xml-stylesheet type="text/xsl" href="http://127.0.0.1:9/x"?>'
    return replaced(good, "<saml2p:Response ", f"{sheet}<saml2p:Response ")


@TEXTS.message(refused(AUDIENCE_MISMATCH))
def element_in_the_audience(good: Good) -> bytes:
    """A signed audience with an element in it names nobody."""
    return good.response(edit=inserting(".//a:Audience", '<x xmlns="urn:x"/>')).xml


@TEXTS.message(refused(ISSUER_MISMATCH))
def element_in_the_issuer(good: Good) -> bytes:
    """A signed Issuer with an element in it names nobody."""
    return good.response(edit=inserting("a:Assertion/a:Issuer", '<x xmlns="urn:x"/>')).xml
