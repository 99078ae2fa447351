"""The responses that a tester can send: what each is, and what the service provider must do with it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from core import clock
from core.refusals import (
    AUDIENCE_MISMATCH,
    AUTHN_MISSING,
    CONDITIONS_MISSING,
    CONFIRMATION_MISSING,
    DESTINATION_MISMATCH,
    EMAIL_MISSING,
    EXPIRED,
    ISSUER_MISMATCH,
    NOT_YET_VALID,
    PERSON_REFUSED,
    PROVIDER_DENIED,
    PROVIDER_ERROR,
    RECIPIENT_MISMATCH,
    REPLAYED,
    REQUEST_UNKNOWN,
    RESPONSE_SHAPE,
    RESPONSE_UNREADABLE,
    SESSION_OVER,
    SIGNATURE_INVALID,
    SIGNATURE_MISSING,
    SIGNATURE_PROFILE,
    SIGNATURE_WEAK,
    SUBJECT_MISSING,
    VERSION_UNSUPPORTED,
    XML_REFUSED,
    Refusal,
)
from core.testing.identity_provider import (
    ASSERTION,
    DSIG,
    NAME_BASIC,
    NAME_URI,
    PERSISTENT,
    REQUEST_DENIED,
    RESPONDER,
    TRANSIENT,
    UNSPECIFIED,
    Element,
    Minted,
)
from core.testing.practice.mint import mint
from core.testing.practice.state import Application, Person

ELSEWHERE: Final = "https://elsewhere.example.test/acs"
INCLUSIVE: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


class NothingToReplay(Exception):
    """The application was sent no unsolicited response yet."""


@dataclass(frozen=True, slots=True)
class Made:
    """A form for the ACS. ``relay_state`` none leaves the field out."""

    form_value: str
    relay_state: str | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of response. ``refusal`` is none where the person must be signed in."""

    name: str
    title: str
    what: str
    make: Callable[[Application, Person], Made]
    refusal: Refusal | None = None

    @property
    def code(self) -> str:
        """The code that the refusal shows, or empty."""
        return self.refusal.code if self.refusal else ""

    @property
    def expected(self) -> str:
        """What must happen, as a sentence."""
        if self.refusal is None:
            return "the person is signed in."
        return f"SiQ refuses the response with {self.code} and opens no session."


def response(relay_state: str | None = None, **changes: Any) -> Callable[[Application, Person], Made]:
    """A tile click's response with these changes (arguments of :func:`mint`)."""
    return lambda application, person: Made(mint(application, person, **changes).form_value, relay_state)


def at(offset: timedelta) -> Callable[[Application, Person], Made]:
    """A response made by a clock that is off by ``offset``."""
    return lambda application, person: Made(mint(application, person, now=clock.now() + offset).form_value)


def somebody(kind: str, subject: str = "", **changes: Any) -> Callable[[Application, Person], Made]:
    """A response about a person of the bench's own, who has an account of their own at the other side.

    The subject is the person's e-mail address unless given; another subject for the address of an account that exists
    already would be refused, and rightly.
    """
    email = f"bench.{kind}@northwind.example"
    attributes = {"email": (email,), "givenName": ("Bench",), "familyName": (kind.title(),)}
    usual = {"subject": subject or email, "attributes": attributes, "attribute_name_format": NAME_BASIC}
    return response(**(usual | changes))


def without(path: str, *, parent: str) -> Callable[[Element], None]:
    """An edit that takes an element of the assertion namespace out."""

    def edit(root: Element) -> None:
        for element in list(root.iter(f"{{{ASSERTION}}}{parent}")):
            for child in element.findall(f"{{{ASSERTION}}}{path}"):
                element.remove(child)

    return edit


def second_assertion(root: Element) -> None:
    """An edit that adds a copy of the assertion with an ID of its own."""
    assertion = next(root.iter(f"{{{ASSERTION}}}Assertion"))
    twin = copy.deepcopy(assertion)
    twin.set("ID", f"{assertion.get('ID')}2")
    root.append(twin)


def inclusive_signature(signature: Element) -> None:
    """An edit of a signature to inclusive canonicalization, which SAML Core 5.4.3 advises against and SiQ refuses."""
    for transform in signature.iter(f"{{{DSIG}}}Transform"):
        if transform.get("Algorithm", "").endswith("exc-c14n#"):
            transform.set("Algorithm", INCLUSIVE)


def replaced(old: Callable[[Application, Person], str], new: str) -> Callable[[Application, Person], Made]:
    """A response whose bytes are changed after signing."""

    def make(application: Application, person: Person) -> Made:
        xml = mint(application, person).xml
        changed = xml.replace(old(application, person).encode(), new.encode())
        assert changed != xml
        return Made(Minted(changed).form_value)

    return make


def with_new_key(application: Application, person: Person) -> Made:
    """A response signed by a key that nobody was told of."""
    stranger = application.active_key.provider.rotate()
    return Made(
        stranger.response(
            application.acs_url, application.audience, subject=application.subject.of(person)[0]
        ).form_value
    )


def again(application: Application, _person: Person) -> Made:
    """The last response of a tile click, byte for byte."""
    if application.last is None:
        raise NothingToReplay
    return Made(application.last.form_value)


# Two tables, one row a variant: name, title, what it is, how it is made, and how it must end.
# fmt: off
REFUSED: Final = (
    Variant("tampered", "Tampered", "The NameID was changed after signing.",
        replaced(lambda application, person: f">{application.subject.of(person)[0]}<", ">root@example.test<"), SIGNATURE_INVALID),
    Variant("unknown-key", "Unknown key", "A key signed it that SiQ was not given; the certificate bears the same name.",
        with_new_key, SIGNATURE_INVALID),
    Variant("unsigned", "Unsigned", "Neither the response nor the assertion is signed.", response(sign=()), SIGNATURE_MISSING),
    Variant("sha1", "SHA-1", "Signed with RSA-SHA1, which AWS still offers.",
        response(signature="rsa-sha1", digest="sha1"), SIGNATURE_WEAK),
    Variant("inclusive", "Unusual signature", "Canonicalized inclusively, outside the SAML signature profile.",
        response(edit_signature=inclusive_signature), SIGNATURE_PROFILE),
    Variant("audience", "Wrong audience", "Made for another service.", response(audience=ELSEWHERE), AUDIENCE_MISMATCH),
    Variant("recipient", "Wrong recipient", "The bearer confirmation names another ACS URL.",
        response(recipient=ELSEWHERE), RECIPIENT_MISMATCH),
    Variant("destination", "Wrong destination", "The response is addressed to another URL.",
        response(destination=ELSEWHERE), DESTINATION_MISMATCH),
    Variant("issuer", "Wrong issuer", "Issued under another entity ID, by the right key.", response(issuer=ELSEWHERE), ISSUER_MISMATCH),
    Variant("expired", "Expired", "Made two hours ago.", at(timedelta(hours=-2)), EXPIRED),
    Variant("not-yet-valid", "Not yet valid", "Made two hours from now.", at(timedelta(hours=2)), NOT_YET_VALID),
    Variant("session-over", "Session over", "The session at the provider has ended.",
        response(session=timedelta(minutes=-10)), SESSION_OVER),
    Variant("replay", "Replay of the last response", "The response of the last tile click, once more.", again, REPLAYED),
    Variant("unknown-request", "Unknown InResponseTo", "Answers a request that SiQ never made.",
        response(in_response_to="_never-asked"), REQUEST_UNKNOWN),
    Variant("not-base64", "Not base64", "The form field holds no base64.", lambda _a, _p: Made("%%%"), RESPONSE_UNREADABLE),
    Variant("not-xml", "Not XML", "The form field holds no XML.", lambda _a, _p: Made(Minted(b"signed, sealed, delivered").form_value), XML_REFUSED),
    Variant("doctype", "DOCTYPE", "The document begins with a document type declaration.",
        replaced(lambda _a, _p: "?>", "?><!DOCTYPE Response>"), XML_REFUSED),
    Variant("two-assertions", "Two assertions", "A second assertion stands beside the first, both signed.",
        response(edit=second_assertion), RESPONSE_SHAPE),
    Variant("version", "SAML 1.1", "The version is not 2.0.", response(version="1.1"), VERSION_UNSUPPORTED),
    Variant("no-conditions", "No conditions", "Without validity and audience.",
        response(edit=without("Conditions", parent="Assertion")), CONDITIONS_MISSING),
    Variant("no-recipient", "No recipient", "The bearer confirmation names no ACS URL.", response(recipient=None), CONFIRMATION_MISSING),
    Variant("no-authn", "No AuthnStatement", "It does not say that the person signed in.",
        response(edit=without("AuthnStatement", parent="Assertion")), AUTHN_MISSING),
    Variant("no-name-id", "No NameID", "It names nobody.", response(edit=without("NameID", parent="Subject")), SUBJECT_MISSING),
    Variant("transient", "NameID transient", "A name that is another one each time finds no account again.",
        somebody("transient", name_id_format=TRANSIENT), PERSON_REFUSED),
    Variant("no-email", "No e-mail address", "Neither an attribute nor the NameID holds one.",
        somebody("nobody", "bench", attributes={}), EMAIL_MISSING),
    Variant("error", "Status: Responder", "The provider answers with an error.", response(status=(RESPONDER,)), PROVIDER_ERROR),
    Variant("denied", "Status: RequestDenied", "The provider says that the person may not.",
        response(status=(RESPONDER, REQUEST_DENIED)), PROVIDER_DENIED),
)

ACCEPTED: Final = (
    Variant("plain", "A tile click", "No InResponseTo and no RelayState.", response()),
    Variant("empty-relay-state", "Empty RelayState", "The form field is there, and empty.", response("")),
    Variant("foreign-relay-state", "RelayState of another site", "Signs in, and must not lead to that site.",
        response("https://elsewhere.example.test/")),
    Variant("assertion-signed", "Only the assertion signed", "The response around it is not.", response(sign=("assertion",))),
    Variant("response-signed", "Only the response signed", "Its signature covers the assertion.", response(sign=("response",))),
    Variant("empty-attributes", "Empty AttributeStatement", "As AWS sends it when only Subject is mapped; against the schema.",
        somebody("subject", attributes={})),
    Variant("no-attributes", "No AttributeStatement", "Nothing but the NameID.", somebody("subject", attributes=None)),
    Variant("attributes-basic", "Attributes of format basic", "E-mail and names.", somebody("basic")),
    Variant("attributes-uri", "Attributes of format uri", "E-mail and names.", somebody("uri", attribute_name_format=NAME_URI)),
    Variant("long-lived", "Valid for an hour", "NotOnOrAfter an hour ahead instead of five minutes.", response(lifetime=timedelta(hours=1))),
    Variant("no-destination", "No Destination", "The response is addressed to no URL; the assertion is.", response(destination=None)),
    Variant("name-id-unspecified", "NameID unspecified", "A user name that is no e-mail address; the e-mail is mapped.",
        somebody("unspecified", "bench", name_id_format=UNSPECIFIED)),
    Variant("name-id-persistent", "NameID persistent", "The directory's id of a person; the e-mail is mapped.",
        somebody("persistent", "6f9f1c52-7f0b-4c53-9d3c-000000000000", name_id_format=PERSISTENT)),
)
# fmt: on

BY_NAME: Final = {variant.name: variant for variant in (*ACCEPTED, *REFUSED)}
