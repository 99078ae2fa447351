"""What the response answers, how it ended, what it is: InResponseTo, status, shape, encryption."""

from __future__ import annotations

from typing import Any

from core.refusals import (
    AUTHN_MISSING,
    ISSUER_MISMATCH,
    PROVIDER_DENIED,
    PROVIDER_ERROR,
    REQUEST_UNKNOWN,
    RESPONSE_SHAPE,
    RESPONSE_UNREADABLE,
    SIGNATURE_INVALID,
    SUBJECT_MISSING,
    XML_REFUSED,
)
from core.testing.attacks.cases import VICTIM, Family, Good, refused
from core.testing.attacks.edits import (
    ONLY_ASSERTION,
    ONLY_RESPONSE,
    A,
    Edit,
    P,
    after_signing,
    copy,
    find,
    forged,
    inserting,
    parse,
    removing,
    setting,
)
from core.testing.identity_provider import (
    PROTOCOL,
    REQUEST_DENIED,
    REQUESTER,
    RESPONDER,
    SUCCESS,
    Element,
    Signer,
    serialize,
)

ANSWERS = Family(
    "InResponseTo and status",
    "An answer to a question that nobody here asked, two answers in one, or an error that is taken for a success.",
    "SAML Core 3.2.2, SAML Profiles 4.1.4.3",
)


def _signed(good: Good, edit: Edit, **changes: Any) -> bytes:
    return good.response(edit=edit, **changes).xml


@ANSWERS.message(refused(REQUEST_UNKNOWN))
def request_that_nobody_made(good: Good) -> bytes:
    """The answer to an invented request."""
    return good.response(in_response_to="_never-asked").xml


@ANSWERS.message(refused(REQUEST_UNKNOWN))
def empty_in_response_to(good: Good) -> bytes:
    """An empty InResponseTo is no missing one."""
    return good.response(in_response_to="").xml


@ANSWERS.message(refused(REQUEST_UNKNOWN))
def response_and_assertion_answer_different_requests(good: Good) -> bytes:
    """The Response, unsigned, names our request; the assertion in it answers another."""
    edit = setting("", "InResponseTo", good.in_response_to)
    return after_signing(good, edit, in_response_to="_other", sign=ONLY_ASSERTION)


@ANSWERS.message(refused(REQUEST_UNKNOWN), "CVE-2025-54419 (node-saml): values of the unsigned response")
def unsolicited_assertion_in_an_answer(good: Good) -> bytes:
    """The unsigned Response names our request, the signed assertion none: what is unsigned proves nothing."""
    edit = setting("", "InResponseTo", good.in_response_to or "_r")
    return after_signing(good, edit, in_response_to=None, sign=ONLY_ASSERTION)


@ANSWERS.message(refused(PROVIDER_ERROR))
def error_beside_a_good_assertion(good: Good) -> bytes:
    """The status is an error, and there is a good assertion all the same."""
    return _signed(good, setting(".//p:StatusCode", "Value", RESPONDER))


@ANSWERS.message(refused(PROVIDER_ERROR))
def success_inside_an_error(good: Good) -> bytes:
    """Success stands as the second level of an error."""
    inside = f'<saml2p:StatusCode {P} Value="{SUCCESS}"/>'

    def nest(root: Element) -> None:
        find(root, ".//p:StatusCode").set("Value", REQUESTER)
        inserting(".//p:StatusCode", inside)(root)

    return _signed(good, nest)


@ANSWERS.message(refused(PROVIDER_ERROR))
def no_status(good: Good) -> bytes:
    """No Status: nothing says that it went well."""
    return _signed(good, removing("p:Status"))


@ANSWERS.message(refused(PROVIDER_ERROR))
def status_in_small_letters(good: Good) -> bytes:
    """A success that is spelled otherwise."""
    return _signed(good, setting(".//p:StatusCode", "Value", SUCCESS.lower()))


@ANSWERS.message(refused(PROVIDER_ERROR))
def status_of_success_after_an_error(good: Good) -> bytes:
    """Two Status elements, the first an error."""
    first = f'<saml2p:Status {P}><saml2p:StatusCode Value="{RESPONDER}"/></saml2p:Status>'
    return _signed(good, inserting("", first, 1))


@ANSWERS.message(refused(PROVIDER_DENIED))
def denied_by_the_provider(good: Good) -> bytes:
    """The provider says no; nobody has to sign that."""
    return good.response(status=(RESPONDER, REQUEST_DENIED), sign=()).xml


@ANSWERS.message(refused(PROVIDER_ERROR), "CWE-79")
def script_in_the_status_message(good: Good) -> bytes:
    """The status message is a script. It is for the administrator's eyes, and on no page as markup."""
    return good.response(status=(RESPONDER,), status_message="<script>alert(1)</script>", sign=()).xml


SHAPES = Family(
    "Two assertions and other messages",
    "More than one assertion, none, or another message than a Response. Each is refused before anything in it is read.",
    "SAML Profiles 4.1.4.2; CVE-2022-41912 (crewjam/saml)",
)


@SHAPES.message(refused(RESPONSE_SHAPE))
def two_signed_assertions(good: Good) -> bytes:
    """Two assertions of the provider about two people."""
    root = good.tree(sign=())
    second = copy(find(good.tree(sign=(), subject=VICTIM), "a:Assertion"))
    root.append(second)
    for assertion in list(root)[-2:]:
        Signer(good.provider).sign(assertion)
    Signer(good.provider).sign(root)
    return serialize(root)


@SHAPES.message(refused(RESPONSE_SHAPE))
def unsigned_assertion_after_a_signed_one(good: Good) -> bytes:
    """A signed assertion and an unsigned one after it."""
    root = good.tree(sign=ONLY_ASSERTION)
    root.append(forged(find(root, "a:Assertion")))
    return serialize(root)


@SHAPES.message(refused(RESPONSE_SHAPE))
def assertion_in_the_advice_of_a_signed_one(good: Good) -> bytes:
    """The provider signs an assertion with another one in its Advice, which is legal and which nothing here needs."""
    other = copy(find(good.tree(sign=(), subject=VICTIM), "a:Assertion"))

    def add(root: Element) -> None:
        advice = parse(f"<saml2:Advice {A}/>")
        advice.append(other)
        find(root, "a:Assertion/a:Conditions").addnext(advice)

    return _signed(good, add)


@SHAPES.message(refused(RESPONSE_SHAPE))
def no_assertion(good: Good) -> bytes:
    """A success without an assertion."""
    return _signed(good, removing("a:Assertion"), sign=ONLY_RESPONSE)


@SHAPES.message(refused(RESPONSE_SHAPE))
def assertion_as_the_document(good: Good) -> bytes:
    """A bare assertion."""
    return serialize(find(good.tree(), "a:Assertion"))


@SHAPES.message(refused(RESPONSE_SHAPE))
def only_assertion_in_extensions(good: Good) -> bytes:
    """The only assertion does not stand where an assertion stands."""

    def move(root: Element) -> None:
        extensions = parse(f"<saml2p:Extensions {P}/>")
        extensions.append(find(root, "a:Assertion"))
        root.insert(1, extensions)

    return _signed(good, move, sign=ONLY_RESPONSE)


@SHAPES.message(refused(RESPONSE_SHAPE))
def assertion_without_an_id(good: Good) -> bytes:
    """An assertion without an ID: nothing would tell that it was used before."""
    return _signed(good, setting("a:Assertion", "ID", None), sign=ONLY_RESPONSE)


def _renamed(good: Good, name: str) -> bytes:
    """A signed message of another name with a good assertion in it."""

    def rename(root: Element) -> None:
        root.tag = f"{{{PROTOCOL}}}{name}"

    return _signed(good, rename)


@SHAPES.message(refused(RESPONSE_SHAPE))
def logout_request(good: Good) -> bytes:
    """A signed LogoutRequest with a good assertion in it."""
    return _renamed(good, "LogoutRequest")


@SHAPES.message(refused(RESPONSE_SHAPE))
def logout_response(good: Good) -> bytes:
    """A signed LogoutResponse with a good assertion in it."""
    return _renamed(good, "LogoutResponse")


@SHAPES.message(refused(RESPONSE_SHAPE))
def artifact_response(good: Good) -> bytes:
    """An ArtifactResponse, which belongs to another binding."""
    return _renamed(good, "ArtifactResponse")


@SHAPES.message(refused(RESPONSE_SHAPE))
def our_own_request(good: Good) -> bytes:
    """Our AuthnRequest sent back to us."""
    return f'<saml2p:AuthnRequest {P} ID="{good.in_response_to}" Version="2.0"/>'.encode()


@SHAPES.message(refused(RESPONSE_SHAPE))
def metadata_of_the_provider(good: Good) -> bytes:
    """The provider's metadata, which is signed by the same key at some."""
    return good.provider.metadata()


@SHAPES.message(refused(XML_REFUSED))
def no_xml(good: Good) -> bytes:
    """No XML."""
    return f"signed, sealed, delivered by {good.provider.entity_id}".encode()


@SHAPES.message(refused(XML_REFUSED))
def json(good: Good) -> bytes:
    """JSON."""
    return f'{{"name_id": "{good.subject}"}}'.encode()


@SHAPES.message(refused(RESPONSE_UNREADABLE))
def no_base64(good: Good) -> str:
    """XML as it is, not in base64."""
    return good.xml()


@SHAPES.message(refused(RESPONSE_UNREADABLE))
def base64_with_something_in_it(good: Good) -> str:
    """Base64 with characters that lenient decoders skip: one text for a filter, another for the reader."""
    value = good.response().form_value
    return value[:100] + "!" + value[100:]


@SHAPES.message(refused(RESPONSE_UNREADABLE))
def base64_that_goes_on_after_its_end(good: Good) -> str:
    """Base64 that ends, and begins again."""
    return "QUFBQQ==" + good.response().form_value


@SHAPES.message(refused(RESPONSE_UNREADABLE))
def base64_for_addresses(good: Good) -> str:
    """The alphabet of base64 for addresses, which the binding does not use."""
    del good
    return "PD94bWw_-_-_"


@SHAPES.message(refused(RESPONSE_UNREADABLE))
def empty_value(good: Good) -> str:
    """An empty field."""
    del good
    return ""


@SHAPES.message(refused(SUBJECT_MISSING))
def no_subject(good: Good) -> bytes:
    """An assertion about nobody."""
    return _signed(good, removing(".//a:Subject"), in_response_to=None)


@SHAPES.message(refused(SUBJECT_MISSING))
def two_name_ids(good: Good) -> bytes:
    """An assertion about two people."""
    return _signed(good, inserting(".//a:Subject", f"<saml2:NameID {A}>{VICTIM}</saml2:NameID>"))


@SHAPES.message(refused(SUBJECT_MISSING))
def two_subjects(good: Good) -> bytes:
    """Two Subjects."""
    second = f"<saml2:Subject {A}><saml2:NameID>{VICTIM}</saml2:NameID></saml2:Subject>"
    return _signed(good, inserting("a:Assertion", second, 1))


@SHAPES.message(refused(SUBJECT_MISSING))
def empty_name_id(good: Good) -> bytes:
    """A person without a name."""
    return good.response(subject=" \n ").xml


@SHAPES.message(refused(SUBJECT_MISSING))
def endless_name_id(good: Good) -> bytes:
    """A name of 5,000 characters."""
    return good.response(subject="a" * 5000).xml


@SHAPES.message(refused(SUBJECT_MISSING))
def base_id(good: Good) -> bytes:
    """A BaseID, an identifier of no known type, instead of a NameID."""

    def change(root: Element) -> None:
        find(root, ".//a:NameID").tag = find(root, ".//a:NameID").tag.replace("NameID", "BaseID")

    return _signed(good, change)


@SHAPES.message(refused(AUTHN_MISSING))
def no_authentication_statement(good: Good) -> bytes:
    """An assertion about a person of whom it does not say that they signed in."""
    return _signed(good, removing(".//a:AuthnStatement"))


@SHAPES.message(refused(ISSUER_MISMATCH))
def issuer_that_names_us(good: Good) -> bytes:
    """An assertion that we are to have made ourselves."""
    return good.response(issuer=good.audience).xml


@SHAPES.message(refused(SIGNATURE_INVALID))
def response_sent_back_as_its_own_signature(good: Good) -> bytes:
    """A Response whose SignatureValue is a digest that anybody can compute."""
    root = good.tree(sign=ONLY_RESPONSE, subject=VICTIM)
    value = find(root, ".//ds:SignatureValue")
    value.text = ((find(root, ".//ds:DigestValue").text or "").rstrip("=") * 8)[:344]
    return serialize(root)
