"""Controls: what providers really send. Every one must be accepted; a host that refuses everything is safe and useless."""

from __future__ import annotations

import base64
from datetime import timedelta

from lxml import etree

from core.testing.attacks.cases import ELSEWHERE, Family, Good
from core.testing.attacks.edits import (
    ONLY_ASSERTION,
    ONLY_RESPONSE,
    A,
    P,
    after_signing,
    find,
    inserting,
    removing,
    replaced,
    setting,
)
from core.testing.identity_provider import (
    BEARER,
    NAME_BASIC,
    NAME_URI,
    PERSISTENT,
    UNSPECIFIED,
    Element,
    Names,
    Signer,
    serialize,
)

CONTROLS = Family("Controls", "Good responses in every style that providers write. Each must sign the person in.")


@CONTROLS.control
def plain(good: Good) -> bytes:
    """Response and assertion signed, as AWS sends it."""
    return good.response().xml


@CONTROLS.control
def only_the_assertion_signed(good: Good) -> bytes:
    """Only the assertion signed."""
    return good.response(sign=ONLY_ASSERTION).xml


@CONTROLS.control
def only_the_response_signed(good: Good) -> bytes:
    """Only the Response signed."""
    return good.response(sign=ONLY_RESPONSE).xml


@CONTROLS.control
def prefixes_saml_and_samlp(good: Good) -> bytes:
    """The prefixes of the specification."""
    return good.response(names=Names("samlp", "saml", "ds")).xml


@CONTROLS.control
def prefix_dsig(good: Good) -> bytes:
    """Other prefixes."""
    return good.response(names=Names("p", "a", "dsig")).xml


@CONTROLS.control
def default_namespaces(good: Good) -> bytes:
    """No prefixes at all: every element declares its namespace."""
    return good.response(names=Names("", "", "")).xml


@CONTROLS.control
def default_namespace_of_the_assertion(good: Good) -> bytes:
    """The assertion in a default namespace, as Microsoft Entra writes it."""
    return good.response(names=Names("samlp", "", ""), sign=ONLY_ASSERTION).xml


@CONTROLS.control
def pretty_printed(good: Good) -> bytes:
    """Indented, and signed so."""
    return good.response(edit=etree.indent).xml


@CONTROLS.control
def no_declaration(good: Good) -> bytes:
    """Without an XML declaration."""
    return good.response().xml.partition(b"?>")[2]


@CONTROLS.control
def byte_order_mark(good: Good) -> bytes:
    """With a byte order mark of UTF-8."""
    return b"\xef\xbb\xbf" + good.response().xml


@CONTROLS.control
def base64_in_lines(good: Good) -> str:
    """The form value in lines of 76 characters."""
    return base64.encodebytes(good.response().xml).decode().replace("\n", "\r\n")


@CONTROLS.control
def unicode_in_names(good: Good) -> bytes:
    """Names in several scripts, and markup as text."""
    names = {"givenName": ["Zoë"], "familyName": ["Łukasiewicz <& 山田 太郎> 👩‍🚀"]}
    return good.response(attributes={**good.attributes, **names}).xml


@CONTROLS.control
def character_references_and_cdata(good: Good) -> bytes:
    """The NameID written with a character reference and CDATA."""
    first, rest = good.subject[:1], good.subject[1:]
    written = f">&#{ord(first)};<![CDATA[{rest}]]></saml2:NameID>"
    return replaced(good, f">{good.subject}</saml2:NameID>", written)


@CONTROLS.control
def sha_384(good: Good) -> bytes:
    """RSA with SHA-384."""
    return good.response(signature="rsa-sha384", digest="sha384").xml


@CONTROLS.control
def sha_512(good: Good) -> bytes:
    """RSA with SHA-512."""
    return good.response(signature="rsa-sha512", digest="sha512").xml


@CONTROLS.control
def rsa_pss(good: Good) -> bytes:
    """RSA-PSS with SHA-256."""
    return good.response(signature="pss-sha256").xml


@CONTROLS.control
def rsa_pss_with_sha_512(good: Good) -> bytes:
    """RSA-PSS with SHA-512."""
    return good.response(signature="pss-sha512", digest="sha512").xml


@CONTROLS.control
def no_key_info(good: Good) -> bytes:
    """A signature without KeyInfo."""
    return good.response(key_info=False).xml


@CONTROLS.control
def another_certificate_in_key_info(good: Good) -> bytes:
    """KeyInfo shows a certificate that is not the pinned one; the key that signed is."""
    old, new = good.provider.certificate_base64, good.stranger.certificate_base64
    return replaced(good, old, new, sign=ONLY_ASSERTION)


@CONTROLS.control
def signature_value_in_lines(good: Good) -> bytes:
    """SignatureValue in lines, as Java writes it."""

    def wrap(root: Element) -> None:
        value = find(root, ".//ds:SignatureValue")
        text = value.text or ""
        value.text = "\n" + "\n".join(text[start : start + 76] for start in range(0, len(text), 76)) + "\n"

    return after_signing(good, wrap, sign=ONLY_ASSERTION)


@CONTROLS.control
def empty_attribute_statement(good: Good) -> bytes:
    """An empty AttributeStatement, as AWS sends it when only the Subject is mapped; against the schema."""
    return good.response(edit=lambda root: find(root, ".//a:AttributeStatement").clear()).xml


@CONTROLS.control
def several_values(good: Good) -> bytes:
    """An attribute with several values."""
    return good.response(attributes={**good.attributes, "groups": ["one", "two", "three"]}).xml


@CONTROLS.control
def an_attribute_twice(good: Good) -> bytes:
    """An attribute that comes twice."""
    again = f'<saml2:Attribute {A} Name="groups"><saml2:AttributeValue>x</saml2:AttributeValue></saml2:Attribute>'

    def add(root: Element) -> None:
        inserting(".//a:AttributeStatement", again, 1)(root)
        inserting(".//a:AttributeStatement", again, 1)(root)

    return good.response(edit=add).xml


@CONTROLS.control
def a_thousand_groups(good: Good) -> bytes:
    """A person in a thousand groups, with typed values: about 200 KB."""
    groups = [f"6f9619ff-8b86-d011-b42d-00c04fc9{number:04}" for number in range(1000)]
    return good.response(attributes={**good.attributes, "groups": groups}, attribute_type="xs:string").xml


@CONTROLS.control
def attribute_names_of_format_basic(good: Good) -> bytes:
    """Attribute names of the format basic."""
    return good.response(attribute_name_format=NAME_BASIC).xml


@CONTROLS.control
def attribute_names_of_format_uri(good: Good) -> bytes:
    """Attribute names of the format uri."""
    return good.response(attribute_name_format=NAME_URI).xml


@CONTROLS.control
def typed_values(good: Good) -> bytes:
    """Attribute values with xsi:type, whose prefix only they use."""
    return good.response(attribute_type="xs:string", inclusive_prefixes="xs").xml


@CONTROLS.control
def values_of_any_type(good: Good) -> bytes:
    """Attribute values of xs:anyType without a PrefixList."""
    return good.response(attribute_type="xs:anyType").xml


@CONTROLS.control
def prefix_declared_at_the_response(good: Good) -> bytes:
    """A prefix that only values use, declared at the Response and named in the PrefixList, as Okta does it."""
    return _typed_from_the_response(good, Signer(good.provider, inclusive_prefixes="xs"))


@CONTROLS.control
def prefix_list_of_the_signed_info(good: Good) -> bytes:
    """The PrefixList of the canonicalization of SignedInfo, too, names a prefix that is declared at the Response."""
    return _typed_from_the_response(good, Signer(good.provider, inclusive_prefixes="xs", signed_info_prefixes="xs"))


@CONTROLS.control
def default_namespace_in_the_prefix_list(good: Good) -> bytes:
    """A PrefixList with `#default`, as old libraries of Sun write it, below a Response with a default namespace."""
    declared = good.xml(sign=()).replace("<saml2p:Response ", '<saml2p:Response xmlns="urn:of:nobody" ', 1)
    root = etree.fromstring(declared.partition("?>")[2])
    signer = Signer(good.provider, inclusive_prefixes="code ds kind rw saml2 saml2p typens #default")
    signer.sign(find(root, "a:Assertion"))
    signer.sign(root)
    return serialize(root)


def _typed_from_the_response(good: Good, signer: Signer) -> bytes:
    text = good.xml(sign=()).replace(
        "<saml2p:Response ", '<saml2p:Response xmlns:xs="http://www.w3.org/2001/XMLSchema" ', 1
    )
    root = etree.fromstring(text.partition("?>")[2])
    find(root, ".//a:AttributeValue").set("{http://www.w3.org/2001/XMLSchema-instance}type", "xs:string")
    signer.sign(find(root, "a:Assertion"))
    signer.sign(root)
    return serialize(root)


@CONTROLS.control
def name_id_of_format_email(good: Good) -> bytes:
    """A NameID that is an e-mail address, and says so."""
    return good.response().xml


@CONTROLS.control
def name_id_of_format_unspecified(good: Good) -> bytes:
    """A NameID of no format in particular."""
    return good.response(name_id_format=UNSPECIFIED).xml


@CONTROLS.control
def name_id_of_format_persistent(good: Good) -> bytes:
    """A persistent NameID."""
    return good.response(name_id_format=PERSISTENT).xml


@CONTROLS.control
def name_id_without_a_format(good: Good) -> bytes:
    """A NameID without Format."""
    return good.response(name_id_format="").xml


@CONTROLS.control
def no_milliseconds(good: Good) -> bytes:
    """Times without fractions of a second."""
    return good.response(milliseconds=False).xml


@CONTROLS.control
def seven_digits_of_a_second(good: Good) -> bytes:
    """Times with seven digits after the point, as .NET writes them."""
    stamp = f"{good.now:%Y-%m-%dT%H:%M:%S}.1234567Z"
    return good.response(edit=setting(".//a:AuthnStatement", "AuthnInstant", stamp)).xml


@CONTROLS.control
def fifty_seconds_late(good: Good) -> bytes:
    """Over for 50 seconds: the clocks differ."""
    return good.response(now=good.now - timedelta(seconds=50), lifetime=timedelta(0)).xml


@CONTROLS.control
def fifty_seconds_early(good: Good) -> bytes:
    """Valid in 50 seconds: the clocks differ the other way."""
    stamp = f"{good.now + timedelta(seconds=50):%Y-%m-%dT%H:%M:%SZ}"
    return good.response(edit=setting(".//a:Conditions", "NotBefore", stamp)).xml


@CONTROLS.control
def valid_for_twelve_hours(good: Good) -> bytes:
    """A long window, as AWS makes it from the duration of a session."""
    return good.response(lifetime=timedelta(hours=12), session=timedelta(hours=12)).xml


@CONTROLS.control
def session_without_an_end(good: Good) -> bytes:
    """No SessionNotOnOrAfter."""
    return good.response(session=None).xml


@CONTROLS.control
def session_until_the_end_of_time(good: Good) -> bytes:
    """A session without an end, written as the year 9999. Our own limits end it."""
    return good.response(edit=setting(".//a:AuthnStatement", "SessionNotOnOrAfter", "9999-12-31T23:59:59Z")).xml


@CONTROLS.control
def conditions_until_the_end_of_time(good: Good) -> bytes:
    """Conditions from the year 1 to the year 9999; the confirmation has its own end."""

    def edit(root: Element) -> None:
        setting(".//a:Conditions", "NotBefore", "0001-01-01T00:00:00Z")(root)
        setting(".//a:Conditions", "NotOnOrAfter", "9999-12-31T23:59:59Z")(root)

    return good.response(edit=edit).xml


@CONTROLS.control
def no_destination(good: Good) -> bytes:
    """No Destination."""
    return good.response(destination=None).xml


@CONTROLS.control
def no_issuer_of_the_response(good: Good) -> bytes:
    """A Response without an Issuer."""
    return good.response(response_issuer=None).xml


@CONTROLS.control
def two_audiences(good: Good) -> bytes:
    """We are one of two audiences."""
    other = f"<saml2:Audience {A}>https://elsewhere.example.test</saml2:Audience>"
    return good.response(edit=inserting(".//a:AudienceRestriction", other)).xml


@CONTROLS.control
def two_confirmations(good: Good) -> bytes:
    """A confirmation for another URL stands before the one for ours."""
    other = (
        f'<saml2:SubjectConfirmation {A} Method="{BEARER}"><saml2:SubjectConfirmationData Recipient="{ELSEWHERE}"'
        f' NotOnOrAfter="{good.now + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"/></saml2:SubjectConfirmation>'
    )
    return good.response(edit=inserting(".//a:Subject", other, 1)).xml


@CONTROLS.control
def one_time_use(good: Good) -> bytes:
    """A condition that holds here anyway."""
    return good.response(edit=inserting(".//a:Conditions", f"<saml2:OneTimeUse {A}/>", 1)).xml


@CONTROLS.control
def extensions(good: Good) -> bytes:
    """Extensions of the Response that nobody here knows."""
    known = f'<saml2p:Extensions {P}><x:hint xmlns:x="urn:x">y</x:hint></saml2p:Extensions>'
    return good.response(edit=inserting("", known, 1)).xml


@CONTROLS.control
def no_attribute_statement(good: Good) -> bytes:
    """No AttributeStatement: the NameID says enough."""
    return good.response(edit=removing(".//a:AttributeStatement")).xml
