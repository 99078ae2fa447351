"""Logout, the other half: for whom a message is, when, and in what wrapping; and the controls."""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from lxml import etree

from core import clock
from core.refusals import (
    LOGOUT_DESTINATION,
    LOGOUT_EXPIRED,
    LOGOUT_REPLAYED,
    LOGOUT_SIGNATURE,
    LOGOUT_SUBJECT,
    LOGOUT_UNKNOWN,
    LOGOUT_UNREADABLE,
)
from core.testing import logout as provider_side
from core.testing.attacks.browser import Answer
from core.testing.attacks.cases import answered, refused, signed_out, with_logout
from core.testing.attacks.families.logout import LOGOUT
from core.testing.attacks.signed_in import CONFUSED, Scene, scene_at, sign_in, sign_out_by_hand, with_session
from core.testing.attacks.site import Site, Unplayable
from core.testing.identity_provider import ASSERTION, PERSISTENT, SIGNATURES, Element, IdentityProvider
from core.testing.signing import Signer

SIGNED_DESTINATION = "SAML Bindings 3.4.5.2"

# For whom, and when


@LOGOUT.play(refused(LOGOUT_REPLAYED), applies=with_logout)
def logout_replayed(site: Site) -> Sequence[Answer]:
    """The provider's request a second time, after the person signed in again."""

    def send(at: Scene) -> Answer:
        query = at.query(at.request())
        if not at.follow(query).ended:
            raise Unplayable("the first delivery ended nothing")
        sign_in(site, at.browser)
        return at.follow(query)

    return with_session(site, send)


@LOGOUT.play(refused(LOGOUT_REPLAYED), applies=with_logout)
def logout_replayed_in_another_binding(site: Site) -> Sequence[Answer]:
    """A request that came in an address, once more in a form."""

    def send(at: Scene) -> Answer:
        xml = at.request()
        if not at.follow(at.query(xml)).ended:
            raise Unplayable("the first delivery ended nothing")
        sign_in(site, at.browser)
        return at.form(xml)

    return with_session(site, send)


@LOGOUT.play(refused(LOGOUT_DESTINATION), SIGNED_DESTINATION, applies=with_logout)
def logout_for_another_organization(site: Site) -> Sequence[Answer]:
    """A request for another organization's connection that trusts the same provider."""
    return with_session(site, lambda at: at.follow(at.query(at.request(destination=site.twin.logout_url))))


@LOGOUT.play(refused(LOGOUT_DESTINATION), SIGNED_DESTINATION, applies=with_logout)
def logout_for_no_address(site: Site) -> Sequence[Answer]:
    """A signed request without Destination could be sent anywhere."""
    return with_session(site, lambda at: at.follow(at.query(at.request(destination=None))))


@LOGOUT.play(refused(LOGOUT_DESTINATION), SIGNED_DESTINATION, applies=with_logout)
def logout_for_the_acs(site: Site) -> Sequence[Answer]:
    """A request for the address that takes sign-ins."""
    return with_session(site, lambda at: at.form(at.request(destination=site.main.acs_url)))


@LOGOUT.play(answered(303), applies=with_logout)
def logout_in_another_organization(site: Site) -> Sequence[Answer]:
    """A good request at another organization, about the same name: the session here lives on."""
    return with_session(
        site, lambda at: replace(at, at=site.twin).follow(at.query(at.request(destination=site.twin.logout_url)))
    )


@LOGOUT.play(refused(LOGOUT_EXPIRED), applies=with_logout)
def logout_made_long_ago(site: Site) -> Sequence[Answer]:
    """A request that was made ten minutes ago."""
    return with_session(site, lambda at: at.follow(at.query(at.request(now=clock.now() - timedelta(minutes=10)))))


@LOGOUT.play(refused(LOGOUT_EXPIRED), applies=with_logout)
def logout_made_in_the_future(site: Site) -> Sequence[Answer]:
    """A request of tomorrow, which could be kept until then."""
    return with_session(site, lambda at: at.follow(at.query(at.request(now=clock.now() + timedelta(days=1)))))


@LOGOUT.play(refused(LOGOUT_EXPIRED), "SAML Core 3.7.1", applies=with_logout)
def logout_after_its_end(site: Site) -> Sequence[Answer]:
    """A request whose NotOnOrAfter has passed."""
    return with_session(
        site, lambda at: at.follow(at.query(at.request(not_on_or_after=clock.now() - timedelta(minutes=2))))
    )


@LOGOUT.play(answered(303), applies=with_logout)
def logout_of_somebody_else(site: Site) -> Sequence[Answer]:
    """A good request about another person in this person's browser: whom it names counts, not who is signed in."""
    return with_session(site, lambda at: at.follow(at.query(at.request(subject="somebody@else.example.test"))))


@LOGOUT.play(answered(303), "SAML Core 2.2.2", applies=with_logout)
def logout_of_the_same_name_in_another_format(site: Site) -> Sequence[Answer]:
    """The same text as a NameID of another Format is another person."""
    return with_session(site, lambda at: at.follow(at.query(at.request(name_id_format=PERSISTENT))))


@LOGOUT.play(answered(303), applies=with_logout)
def logout_of_another_session(site: Site) -> Sequence[Answer]:
    """A good request about another session of this person."""
    return with_session(site, lambda at: at.follow(at.query(at.request(session_indexes=["_another"]))))


@LOGOUT.play(refused(LOGOUT_SUBJECT), applies=with_logout)
def logout_of_two_people(site: Site) -> Sequence[Answer]:
    """Two NameIDs, of which one reader takes the first and another the last."""
    more = "<a:NameID>somebody@else.example.test</a:NameID>"
    return with_session(site, lambda at: at.follow(at.query(at.request(inside=more))))


@LOGOUT.play(refused(LOGOUT_SUBJECT), applies=with_logout)
def logout_of_an_encrypted_person(site: Site) -> Sequence[Answer]:
    """An EncryptedID beside a NameID."""
    return with_session(site, lambda at: at.follow(at.query(at.request(inside="<a:EncryptedID/>"))))


@LOGOUT.play(refused(LOGOUT_SUBJECT), applies=with_logout)
def logout_of_an_empty_session_index(site: Site) -> Sequence[Answer]:
    """An empty SessionIndex, which would fit every session without one."""
    return with_session(site, lambda at: at.follow(at.query(at.request(session_indexes=[""]))))


# Documents and forms


@LOGOUT.play(refused(LOGOUT_UNREADABLE), "CVE-2023-26483 (gosaml2), CVE-2023-28119 (crewjam/saml)", applies=with_logout)
def logout_deflate_bomb(site: Site) -> Sequence[Answer]:
    """An address whose message inflates to 40 MB."""
    bomb = b64encode(zlib.compress(b"<" + b" " * 40_000_000, 9)[2:-4]).decode()
    return with_session(site, lambda at: at.follow(urlencode({"SAMLRequest": bomb})[:60_000]))


@LOGOUT.play(refused(LOGOUT_UNREADABLE), "CWE-611", applies=with_logout)
def logout_with_an_external_entity(site: Site) -> Sequence[Answer]:
    """A DOCTYPE that names a file, in a signed address."""
    dtd = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    return with_session(site, lambda at: at.follow(at.query(f"{dtd}{at.request(inside='&e;')}")))


@LOGOUT.play(refused(LOGOUT_UNREADABLE), "CVE-2017-11427 and its siblings", applies=with_logout)
def logout_of_a_name_with_a_comment(site: Site) -> Sequence[Answer]:
    """A comment in the NameID after signing, where the canonical form has none: one reader stops there."""

    def split(root: Element) -> None:
        name_id = root.findall(f"{{{ASSERTION}}}NameID")[0]
        comment = etree.Comment("")
        comment.tail = ".example.test"
        name_id.text = site.person.subject
        name_id.append(comment)

    subject = f"{site.person.subject}.example.test"
    return with_session(site, lambda at: at.form(at.request(subject=subject), None, split))


@LOGOUT.play(refused(LOGOUT_UNREADABLE), applies=with_logout)
def logout_relay_state_of_two_kilobytes(site: Site) -> Sequence[Answer]:
    """A RelayState that is far longer than any, signed with the message."""
    return with_session(site, lambda at: at.follow(at.query(at.request(), relay_state="A" * 2_000)))


@LOGOUT.play(answered(400), applies=with_logout)
def logout_form_with_both_messages(site: Site) -> Sequence[Answer]:
    """SAMLRequest and SAMLResponse in one form."""
    return with_session(site, lambda at: at.post(("SAMLRequest", "AAAA"), ("SAMLResponse", "AAAA")))


@LOGOUT.play(answered(400), "CWE-235", applies=with_logout)
def logout_form_with_the_request_twice(site: Site) -> Sequence[Answer]:
    """SAMLRequest twice in a form."""

    def send(at: Scene) -> Answer:
        value = provider_side.form_value(at.request(), at.at.provider)
        return at.post(("SAMLRequest", value), ("SAMLRequest", value))

    return with_session(site, send)


@LOGOUT.play(answered(413), applies=with_logout)
def logout_form_too_large(site: Site) -> Sequence[Answer]:
    """A form of 600 KiB."""
    return with_session(site, lambda at: at.post(("SAMLRequest", "A" * 600 * 1024)))


@LOGOUT.play(answered(405), applies=with_logout)
def logout_by_head(site: Site) -> Sequence[Answer]:
    """A good address, asked for by HEAD as programs do that look at links."""
    return with_session(site, lambda at: at.follow(at.query(at.request()), "HEAD"))


# Answers to our own request


def _answered_by(site: Site, by: IdentityProvider | None, browser: Callable[[Scene, str], Answer]) -> Sequence[Answer]:
    """A person signs out, and somebody answers the request that SiQ sends then."""
    with scene_at(site) as other:
        asked = provider_side.read(sign_out_by_hand(other))
        xml = provider_side.logout_response(site.main.provider, site.main.logout_url, asked.id)
        return [browser(other, provider_side.query("SAMLResponse", xml, asked.relay_state, by))]


@LOGOUT.play(refused(LOGOUT_UNKNOWN), "SAML Profiles 4.4.4.2", applies=with_logout)
def logout_response_in_another_browser(site: Site) -> Sequence[Answer]:
    """The provider's answer to one person, delivered by another's browser: nothing ends there."""

    def elsewhere(_: Scene, query: str) -> Answer:
        with scene_at(site) as victim:
            return victim.follow(query)

    return _answered_by(site, site.main.provider, elsewhere)


@LOGOUT.play(refused(LOGOUT_SIGNATURE), applies=with_logout)
def logout_response_of_a_stranger(site: Site) -> Sequence[Answer]:
    """A stranger's LogoutResponse in the browser of a person who is signed in."""
    xml = provider_side.logout_response(site.main.provider, site.main.logout_url, "_r")
    return with_session(site, lambda at: at.follow(provider_side.query("SAMLResponse", xml, "x", site.stranger)))


# Controls


def _control(function: Callable[[Site], Sequence[Answer]]) -> Callable[[Site], Sequence[Answer]]:
    return LOGOUT.play(signed_out(), control=True, applies=with_logout)(function)


@_control
def logout_in_an_address(site: Site) -> Sequence[Answer]:
    """The provider's request in an address."""
    return with_session(site, lambda at: at.follow(at.query(at.request())))


@_control
def logout_in_a_form(site: Site) -> Sequence[Answer]:
    """The same in a form."""
    return with_session(site, lambda at: at.form(at.request()))


@_control
def logout_of_one_session_in_an_address(site: Site) -> Sequence[Answer]:
    """With the SessionIndex of the sign-in, in an address."""
    return with_session(site, lambda at: at.follow(at.query(at.request(session_indexes=["_older", at.session_index]))))


@_control
def logout_of_one_session_in_a_form(site: Site) -> Sequence[Answer]:
    """The same in a form."""
    return with_session(site, lambda at: at.form(at.request(session_indexes=[at.session_index])))


@_control
def logout_with_a_relay_state(site: Site) -> Sequence[Answer]:
    """A RelayState, which the answer brings back as it came."""

    def send(at: Scene) -> Answer:
        answer = at.follow(at.query(at.request(), relay_state="a b&c=d%é"))
        return answer if answer.text.endswith("RelayState=a b&c=d%é") else CONFUSED

    return with_session(site, send)


@_control
def logout_in_small_hexadecimal_digits(site: Site) -> Sequence[Answer]:
    """An address that was percent-encoded with small letters before it was signed, as AD FS does."""

    def send(at: Scene) -> Answer:
        text = at.query(at.request()).partition("&Signature=")[0]
        text = re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text)
        signer = Signer(at.at.provider)
        assert SIGNATURES[signer.algorithm].rpartition("#")[2] in text
        return at.follow(f"{text}&{urlencode({'Signature': b64encode(signer.sign_octets(text.encode()))})}")

    return with_session(site, send)


@_control
def logout_with_an_end(site: Site) -> Sequence[Answer]:
    """A NotOnOrAfter that is still to come."""
    return with_session(site, lambda at: at.form(at.request(not_on_or_after=clock.now() + timedelta(minutes=5))))


@_control
def logout_of_an_encrypted_name(site: Site) -> Sequence[Answer]:
    """The NameID encrypted for SiQ, as Shibboleth writes it."""

    def send(at: Scene) -> Answer:
        kept = f'Format="{site.person.name_id_format}">{escape(site.person.subject)}'
        made = site.good().encryptor().encrypted(f'<a:NameID xmlns:a="{ASSERTION}" {kept}</a:NameID>'.encode())
        made.tag = f"{{{ASSERTION}}}EncryptedID"
        return at.follow(at.query(at.request(subject="", inside=etree.tostring(made, encoding="unicode"))))

    return with_session(site, send)
