"""For whom, from whom, to whom: audience, recipient, destination, issuer."""

from __future__ import annotations

from typing import Any

from core.refusals import (
    AUDIENCE_MISMATCH,
    CONDITIONS_MISSING,
    CONFIRMATION_MISSING,
    DESTINATION_MISMATCH,
    ISSUER_MISMATCH,
    RECIPIENT_MISMATCH,
)
from core.testing.attacks.cases import ELSEWHERE, Family, Good, refused
from core.testing.attacks.edits import (
    ONLY_ASSERTION,
    A,
    Edit,
    after_signing,
    find,
    inserting,
    removing,
    setting,
    writing,
)
from core.testing.identity_provider import Element

ADDRESSES = Family(
    "Audience, recipient, destination, issuer",
    "A genuine assertion that was made for another service, or by another provider. A service that somebody signs in to "
    "could hand it on.",
    "SAML Core 2.5.1.4, SAML Profiles 4.1.4.3; Mainka et al., Your Software at my Service (CCSW 2014)",
)


def _signed(good: Good, edit: Edit, **changes: Any) -> bytes:
    return good.response(edit=edit, **changes).xml


# Audience


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def audience_of_another_service(good: Good) -> bytes:
    """Made for another service of the same provider."""
    return good.response(audience="https://elsewhere.example.test").xml


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def no_audience(good: Good) -> bytes:
    """Made for nobody in particular, which is everybody."""
    return _signed(good, removing(".//a:AudienceRestriction"))


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def empty_audience(good: Good) -> bytes:
    """An empty audience."""
    return good.response(audience="").xml


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def restriction_without_an_audience(good: Good) -> bytes:
    """An AudienceRestriction that names nobody."""
    return _signed(good, removing(".//a:Audience"))


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def second_restriction_to_another_audience(good: Good) -> bytes:
    """Two restrictions, both of which have to hold; one names us."""
    other = f"<saml2:AudienceRestriction {A}><saml2:Audience>{ELSEWHERE}</saml2:Audience></saml2:AudienceRestriction>"
    return _signed(good, inserting(".//a:Conditions", other))


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def audience_that_begins_like_ours(good: Good) -> bytes:
    """Our audience with something after it."""
    return good.response(audience=f"{good.audience}.evil.test").xml


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def audience_that_ends_like_ours(good: Good) -> bytes:
    """Our audience with something before it."""
    return good.response(audience=f"https://evil.test/?{good.audience}").xml


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def audience_in_capitals(good: Good) -> bytes:
    """Our audience in other letters: an entity ID is compared to the letter (Core 8.3.6)."""
    return good.response(audience=good.audience.upper()).xml


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def audience_in_a_list_of_words(good: Good) -> bytes:
    """Our audience as one of several words in one element."""
    return good.response(audience=f"{ELSEWHERE} {good.audience}").xml


@ADDRESSES.message(refused(AUDIENCE_MISMATCH))
def audience_in_the_wrong_place(good: Good) -> bytes:
    """Our audience stands in a proxy restriction, the restriction of the audience names another."""
    ours = f"<saml2:ProxyRestriction {A}><saml2:Audience>{good.audience}</saml2:Audience></saml2:ProxyRestriction>"
    return _signed(good, inserting(".//a:Conditions", ours), audience=ELSEWHERE)


@ADDRESSES.message(refused(CONDITIONS_MISSING))
def no_conditions(good: Good) -> bytes:
    """No Conditions at all."""
    return _signed(good, removing(".//a:Conditions"))


@ADDRESSES.message(refused(CONDITIONS_MISSING))
def two_conditions(good: Good) -> bytes:
    """Conditions twice, the second with our audience."""
    ours = f"<saml2:Conditions {A}><saml2:AudienceRestriction><saml2:Audience>{good.audience}</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>"
    return _signed(good, inserting("a:Assertion", ours, 3), audience=ELSEWHERE)


@ADDRESSES.message(refused(CONDITIONS_MISSING), "SAML Core 2.5.1")
def condition_that_is_not_understood(good: Good) -> bytes:
    """A condition of an unknown kind: the assertion is then neither valid nor invalid."""
    return _signed(good, inserting(".//a:Conditions", f"<saml2:Condition {A}/>"))


# Recipient


@ADDRESSES.message(refused(RECIPIENT_MISMATCH))
def recipient_of_another_service(good: Good) -> bytes:
    """The bearer confirmation is for another URL."""
    return good.response(recipient=ELSEWHERE).xml


@ADDRESSES.message(refused(RECIPIENT_MISMATCH))
def recipient_that_begins_like_ours(good: Good) -> bytes:
    """Our URL with something after it."""
    return good.response(recipient=f"{good.acs_url}/../../evil").xml


@ADDRESSES.message(refused(RECIPIENT_MISMATCH))
def recipient_with_another_port(good: Good) -> bytes:
    """Our host on another port."""
    return good.response(recipient=good.acs_url.replace("/sso/", ":1/sso/")).xml


@ADDRESSES.message(refused(CONFIRMATION_MISSING))
def no_recipient(good: Good) -> bytes:
    """A bearer confirmation that is for every URL."""
    return good.response(recipient=None).xml


@ADDRESSES.message(refused(CONFIRMATION_MISSING))
def no_confirmation(good: Good) -> bytes:
    """No SubjectConfirmation, in a Response that names no request either."""
    return _signed(good, removing(".//a:SubjectConfirmation"), in_response_to=None)


@ADDRESSES.message(refused(CONFIRMATION_MISSING))
def confirmation_by_another_method(good: Good) -> bytes:
    """Sender vouches: whoever sends it vouches for it, which is the attacker."""
    return _signed(good, setting(".//a:SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"))


@ADDRESSES.message(refused(CONFIRMATION_MISSING))
def confirmation_by_a_key(good: Good) -> bytes:
    """Holder of key: the person would have to prove a key, which browsers do not."""
    return _signed(good, setting(".//a:SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"))


@ADDRESSES.message(refused(CONFIRMATION_MISSING))
def confirmation_without_data(good: Good) -> bytes:
    """A bearer confirmation that says nothing more."""
    return _signed(good, removing(".//a:SubjectConfirmationData"), in_response_to=None)


@ADDRESSES.message(refused(RECIPIENT_MISMATCH))
def halves_of_two_confirmations(good: Good) -> bytes:
    """Of two bearer confirmations, each holds in a half: one has the recipient, the other the time."""

    def two(root: Element) -> None:
        half = (
            f'<saml2:SubjectConfirmation {A} Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml2:SubjectConfirmationData'
            f' NotOnOrAfter="2001-01-01T00:00:00Z" Recipient="{good.acs_url}"/></saml2:SubjectConfirmation>'
        )
        find(root, ".//a:SubjectConfirmationData").set("Recipient", ELSEWHERE)
        inserting(".//a:Subject", half, 2)(root)

    return _signed(good, two)


# Destination


@ADDRESSES.message(refused(DESTINATION_MISMATCH))
def destination_of_another_service(good: Good) -> bytes:
    """The Response is addressed to another URL, and signed so."""
    return good.response(destination=ELSEWHERE).xml


@ADDRESSES.message(refused(DESTINATION_MISMATCH))
def unsigned_destination_of_another_service(good: Good) -> bytes:
    """The same where only the assertion is signed."""
    return good.response(destination=ELSEWHERE, sign=ONLY_ASSERTION).xml


@ADDRESSES.message(refused(DESTINATION_MISMATCH))
def empty_destination(good: Good) -> bytes:
    """An empty Destination is another one than ours."""
    return _signed(good, setting("", "Destination", ""))


@ADDRESSES.message(refused(DESTINATION_MISMATCH))
def destination_with_a_query(good: Good) -> bytes:
    """Our URL with a query."""
    return good.response(destination=f"{good.acs_url}?x=1").xml


# Issuer


@ADDRESSES.message(refused(ISSUER_MISMATCH))
def issuer_of_another_provider(good: Good) -> bytes:
    """The right key under another name, as one product with many customers has it."""
    return good.response(issuer="https://elsewhere.example.test").xml


@ADDRESSES.message(refused(ISSUER_MISMATCH))
def issuer_of_the_assertion_alone(good: Good) -> bytes:
    """The Response is of our provider, the assertion in it of another."""
    issuer = "https://elsewhere.example.test"
    return good.response(issuer=issuer, response_issuer=good.provider.entity_id).xml


@ADDRESSES.message(refused(ISSUER_MISMATCH))
def issuer_of_the_response_alone(good: Good) -> bytes:
    """The assertion is of our provider, the unsigned Response around it of another."""
    return good.response(response_issuer="https://elsewhere.example.test", sign=ONLY_ASSERTION).xml


@ADDRESSES.message(refused(ISSUER_MISMATCH))
def no_issuer_of_the_assertion(good: Good) -> bytes:
    """An assertion of nobody."""
    return _signed(good, removing("a:Assertion/a:Issuer"))


@ADDRESSES.message(refused(ISSUER_MISMATCH))
def two_issuers(good: Good) -> bytes:
    """Two issuers, the first of which is ours."""
    return _signed(good, inserting("a:Assertion", f"<saml2:Issuer {A}>{ELSEWHERE}</saml2:Issuer>", 1))


@ADDRESSES.message(refused(ISSUER_MISMATCH))
def issuer_with_a_slash(good: Good) -> bytes:
    """Our provider's name with a slash after it."""
    return good.response(issuer=f"{good.provider.entity_id}/").xml


@ADDRESSES.message(refused(ISSUER_MISMATCH))
def issuer_in_capitals(good: Good) -> bytes:
    """Our provider's name in other letters."""
    return good.response(issuer=good.provider.entity_id.upper()).xml


@ADDRESSES.message(refused(ISSUER_MISMATCH))
def issuer_changed_on_the_way(good: Good) -> bytes:
    """Somebody writes another issuer into a signed response: refused before anything is verified."""
    edits = [writing("a:Issuer", ELSEWHERE), writing("a:Assertion/a:Issuer", ELSEWHERE)]
    return after_signing(good, *edits)
