"""DTDs and bombs: little to send, much to read."""

from __future__ import annotations

import zlib

from core.refusals import RESPONSE_UNREADABLE, SIGNATURE_INVALID, SIGNATURE_PROFILE, XML_REFUSED
from core.testing.attacks.cases import Family, Good, refused
from core.testing.attacks.edits import ONLY_ASSERTION, P, inserting, replaced

BOMBS = Family(
    "DTDs and bombs",
    "Entities that grow or fetch, documents that are deep, wide or long. Nothing of it is read beyond its bounds, and no "
    "answer takes a second.",
    "CWE-776, CWE-611, CWE-400",
)


def _doctype(good: Good, inside: str) -> bytes:
    return replaced(good, "?>", f"?><!DOCTYPE Response {inside}>")


def _holding(good: Good, inside: str) -> bytes:
    """The Response, unsigned, holds this in its Extensions; the assertion in it is a good one."""
    extensions = f"<saml2p:Extensions {P}>{inside}</saml2p:Extensions>"
    return replaced(good, "<saml2p:Status>", f"{extensions}<saml2p:Status>", sign=ONLY_ASSERTION)


@BOMBS.message(refused(XML_REFUSED))
def doctype(good: Good) -> bytes:
    """A document type declaration, however empty."""
    return _doctype(good, "")


@BOMBS.message(refused(XML_REFUSED), "CVE-2003-1564 (billion laughs)")
def billion_laughs(good: Good) -> bytes:
    """Ten entities of ten entities each."""
    entities = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    return _doctype(good, f'[<!ENTITY a0 "ha">{entities}]').replace(
        good.subject.encode() + b"</saml2:NameID>", b"&a9;</saml2:NameID>"
    )


@BOMBS.message(refused(XML_REFUSED))
def quadratic_blow_up(good: Good) -> bytes:
    """One long entity, named a thousand times."""
    bomb = _doctype(good, f'[<!ENTITY a "{"x" * 50_000}">]')
    return bomb.replace(good.subject.encode() + b"</saml2:NameID>", b"&a;" * 1000 + b"</saml2:NameID>")


@BOMBS.message(refused(XML_REFUSED), "CWE-611")
def external_entity(good: Good) -> bytes:
    """An entity that is a file of the server."""
    bomb = _doctype(good, '[<!ENTITY a SYSTEM "file:///etc/passwd">]')
    return bomb.replace(good.subject.encode() + b"</saml2:NameID>", b"&a;</saml2:NameID>")


@BOMBS.message(refused(XML_REFUSED), "CWE-611")
def external_parameter_entity(good: Good) -> bytes:
    """A declaration that is fetched from the attacker's server."""
    return _doctype(good, '[<!ENTITY % a SYSTEM "http://127.0.0.1:9/a.dtd"> %a;]')


@BOMBS.message(refused(XML_REFUSED), "CWE-918")
def external_subset(good: Good) -> bytes:
    """A document type that is fetched from the attacker's server."""
    return _doctype(good, 'SYSTEM "http://127.0.0.1:9/a.dtd"')


@BOMBS.message(refused(XML_REFUSED))
def xinclude_is_not_followed(good: Good) -> bytes:
    """A file to be included; nothing includes it, and a comment beside it is refused in any case."""
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/><!-- -->'
    return _holding(good, include)


@BOMBS.message(refused(XML_REFUSED))
def too_deep(good: Good) -> bytes:
    """41 levels."""
    return _holding(good, "<a>" * 40 + "</a>" * 40)


@BOMBS.message(refused(XML_REFUSED))
def endlessly_deep(good: Good) -> bytes:
    """2,900 levels, on which a parser that calls itself runs out of stack."""
    return _holding(good, "<a>" * 2900 + "</a>" * 2900)


@BOMBS.message(refused(XML_REFUSED))
def levels_that_are_never_closed(good: Good) -> bytes:
    """5,000 levels that begin and do not end."""
    return _holding(good, "<a>" * 5000)


@BOMBS.message(refused(XML_REFUSED))
def too_many_elements(good: Good) -> bytes:
    """20,000 elements."""
    return _holding(good, "<a/>" * 20_000)


@BOMBS.message(refused(XML_REFUSED))
def too_many_attributes(good: Good) -> bytes:
    """7,000 attributes on 70 elements."""
    return _holding(good, ("<a " + " ".join(f'b{n}=""' for n in range(100)) + "/>") * 70)


@BOMBS.message(refused(XML_REFUSED))
def too_many_attributes_of_one_element(good: Good) -> bytes:
    """5,000 attributes of one element, which take the square of their number to compare."""
    return _holding(good, "<a " + " ".join(f'b{n}=""' for n in range(5000)) + "/>")


@BOMBS.message(refused(XML_REFUSED))
def too_many_namespaces(good: Good) -> bytes:
    """4,000 namespaces, which canonicalization carries along."""
    return _holding(good, '<a xmlns="urn:a"/>' * 4000)


@BOMBS.message(refused(XML_REFUSED))
def too_many_namespaces_of_one_element(good: Good) -> bytes:
    """1,000 namespaces of one element, in scope of 1,000 others."""
    declared = " ".join(f'xmlns:a{n}="urn:a"' for n in range(1000))
    return _holding(good, f"<a {declared}>{'<b/>' * 1000}</a>")


@BOMBS.message(refused(XML_REFUSED))
def long_namespace_that_is_declared_again_and_again(good: Good) -> bytes:
    """A namespace of 45 KB, declared once and used by 3,000 elements beside each other in SignedInfo. The canonical form
    declares it at each of them: 70 KB grow to 135 MB before any key is asked.
    """
    many = "<long:a/>" * 3000
    original = good.response(sign=ONLY_ASSERTION).xml.decode()
    declared = original.replace("<saml2p:Response ", f'<saml2p:Response xmlns:long="urn:{"a" * 45_000}" ', 1)
    return declared.replace("</ds:SignedInfo>", f"{many}</ds:SignedInfo>", 1).encode()


@BOMBS.message(refused(SIGNATURE_PROFILE))
def signed_info_of_thousands_of_parts(good: Good) -> bytes:
    """5,000 elements in a SignedInfo, which has to be canonicalized before it can be verified."""
    return replaced(good, "</ds:SignedInfo>", f"{'<a/>' * 5000}</ds:SignedInfo>", sign=ONLY_ASSERTION)


@BOMBS.message(refused(SIGNATURE_INVALID))
def namespaces_declared_again_at_every_level(good: Good) -> bytes:
    """The same 22 prefixes at each of 34 levels, around 5,000 elements: who asks each of these for its namespaces
    looks at 3.7 million.
    """
    declared = "".join(f' xmlns:p{number}="urn:p"' for number in range(22))
    inside = f"<a{declared}>" * 34 + "<a/>" * 5000 + "</a>" * 34
    return replaced(good, "</saml2:Assertion>", f"{inside}</saml2:Assertion>", sign=ONLY_ASSERTION)


@BOMBS.message(refused(XML_REFUSED))
def too_long(good: Good) -> bytes:
    """300 KiB of text."""
    return _holding(good, "<a>" + "x" * 300_000 + "</a>")


@BOMBS.message(refused(XML_REFUSED))
def the_same_id_a_thousand_times(good: Good) -> bytes:
    """A thousand elements with the ID of the assertion."""
    return _holding(good, '<a ID="_a"/>' * 1000)


@BOMBS.message(refused(SIGNATURE_INVALID))
def as_much_as_the_bounds_allow(good: Good) -> bytes:
    """Everything at its bounds at once, in a Response that a stranger signed: the worst that reaches the verifier."""
    namespaces = " ".join(f'xmlns:a{n}="urn:a{n}"' for n in range(27))
    attributes = " ".join(f'a{n}:b=""' for n in range(27))
    inside = f"<x {namespaces}>" + f"<a0:y {attributes}/>" * 200 + "x" * 150_000 + "</x>"
    extensions = f"<saml2p:Extensions {P}>{inside}</saml2p:Extensions>"
    return good.response(by=good.stranger, edit=inserting("", extensions, 1)).xml


@BOMBS.message(refused(SIGNATURE_PROFILE, XML_REFUSED))
def signatures_without_end(good: Good) -> bytes:
    """300 signatures in a row."""
    text = good.xml(sign=ONLY_ASSERTION)
    end = text.index("</ds:Signature>") + len("</ds:Signature>")
    bare = "<ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#'/>"
    return (text[:end] + bare * 300 + text[end:]).encode()


@BOMBS.message(refused(XML_REFUSED), "CVE-2025-25293 (ruby-saml), CVE-2023-28119 (crewjam/saml)")
def deflated_bomb_in_the_form(good: Good) -> bytes:
    """A deflated document in a form, as the Redirect binding has it in an address: 20 MB in 20 KB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(good.response().xml + b" " * 20_000_000) + packer.flush()


@BOMBS.message(refused(XML_REFUSED), "CVE-2025-25293 (ruby-saml)")
def deflated_response_in_the_form(good: Good) -> bytes:
    """A good response, deflated: not what the POST binding sends."""
    return zlib.compress(good.response().xml)


@BOMBS.message(refused(RESPONSE_UNREADABLE))
def form_value_of_white_space(good: Good) -> str:
    """400,000 spaces where base64 should be."""
    del good
    return " " * 400_000


@BOMBS.message(refused(XML_REFUSED))
def open_brackets(good: Good) -> bytes:
    """200,000 brackets that open."""
    return _holding(good, "<" * 200_000)


@BOMBS.message(refused(XML_REFUSED))
def unfinished_processing_instruction(good: Good) -> bytes:
    """A declaration that never ends."""
    return b"<?xml " + b" " * 200_000 + good.response().xml[:1000]
