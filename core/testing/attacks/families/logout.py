"""Logout: somebody who is not the provider ends sessions, or the provider's own message is used for more than it says."""

from __future__ import annotations

import hashlib
import hmac
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from lxml import etree

from core.refusals import (
    LOGOUT_ISSUER,
    LOGOUT_SIGNATURE,
    LOGOUT_UNREADABLE,
)
from core.testing import logout as provider_side
from core.testing.attacks.browser import FORM, Answer
from core.testing.attacks.cases import Family, answered, refused, with_logout, without_logout
from core.testing.attacks.edits import A, P
from core.testing.attacks.signed_in import Scene, scene_at, sign_out_by_hand, with_session
from core.testing.attacks.site import Site
from core.testing.identity_provider import ASSERTION, PROTOCOL, Element

LOGOUT = Family(
    "Logout",
    "Somebody else ends a session, or says that one ended. Where a connection takes part in single logout, only its provider may.",
    "SAML Profiles 4.4; CVE-2023-40178 (node-saml)",
)
_REDIRECT = "SAML Bindings 3.4.4.1"


# Without single logout


def _nobodys(site: Site) -> str:
    """A LogoutRequest that nobody signed."""
    return (
        f'<saml2p:LogoutRequest {P} ID="_l" Version="2.0" Destination="{site.main.acs_url}"><saml2:Issuer {A}>'
        f"{site.main.provider.entity_id}</saml2:Issuer><saml2:NameID {A}>{site.person.subject}</saml2:NameID></saml2p:LogoutRequest>"
    )


def _elsewhere(site: Site, method: str, url: str, body: bytes, headers: dict[str, str]) -> Sequence[Answer]:
    with scene_at(site) as scene:
        answer = scene.browser.send(method, url, body, headers)
        return [replace(answer, person=False, ended=not answer.person)]


@LOGOUT.play(answered(400))
def forged_logout_request_in_a_form(site: Site) -> Sequence[Answer]:
    """A LogoutRequest in a form to the ACS."""
    body = urlencode({"SAMLRequest": b64encode(_nobodys(site).encode())}).encode()
    return _elsewhere(site, "POST", site.main.acs_url, body, {"Content-Type": FORM})


@LOGOUT.play(answered(303))
def forged_logout_request_in_an_address(site: Site) -> Sequence[Answer]:
    """A LogoutRequest in an address, which a picture of another site may load."""
    query = urlencode({"SAMLRequest": b64encode(zlib.compress(_nobodys(site).encode())[2:-4]).decode()})
    return _elsewhere(site, "GET", f"{site.main.acs_url}?{query}", b"", {})


@LOGOUT.play(answered(403))
def sign_out_form_of_another_site(site: Site) -> Sequence[Answer]:
    """Another site sends the form that signs out, which it cannot have read."""
    headers = {"Content-Type": FORM, "Origin": "https://elsewhere.example.test"}
    return _elsewhere(site, "POST", "/signout", b"csrf=x", headers)


@LOGOUT.play(answered(404), applies=without_logout)
def logout_where_none_is_offered(site: Site) -> Sequence[Answer]:
    """The provider's own LogoutRequest at a connection that takes no part in single logout."""
    url = site.main.acs_url.removesuffix("/acs") + "/slo"
    xml = provider_side.logout_request(site.main.provider, url, site.person.subject)
    query = provider_side.query("SAMLRequest", xml, None, site.main.provider)
    return _elsewhere(site, "GET", f"{url}?{query}", b"", {})


# Who signed it


@LOGOUT.play(refused(LOGOUT_SIGNATURE), applies=with_logout)
def logout_unsigned_in_an_address(site: Site) -> Sequence[Answer]:
    """A LogoutRequest in an address, unsigned."""
    return with_session(site, lambda at: at.follow(provider_side.query("SAMLRequest", at.request())))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), applies=with_logout)
def logout_unsigned_in_a_form(site: Site) -> Sequence[Answer]:
    """A LogoutRequest in a form, unsigned."""
    return with_session(site, lambda at: at.post(("SAMLRequest", provider_side.form_value(at.request()))))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), applies=with_logout)
def logout_signed_by_a_stranger_in_an_address(site: Site) -> Sequence[Answer]:
    """Signed with a key that nobody was told of."""
    return with_session(site, lambda at: at.follow(at.query(at.request(), site.stranger)))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), applies=with_logout)
def logout_signed_by_a_stranger_in_a_form(site: Site) -> Sequence[Answer]:
    """The same in a form, with the stranger's certificate in it."""
    return with_session(site, lambda at: at.form(at.request(), site.stranger))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), applies=with_logout)
def logout_signed_by_the_provider_of_others(site: Site) -> Sequence[Answer]:
    """Signed by the provider of another organization."""
    return with_session(site, lambda at: at.follow(at.query(at.request(), site.other.provider)))


@LOGOUT.play(refused(LOGOUT_ISSUER), applies=with_logout)
def logout_of_another_issuer(site: Site) -> Sequence[Answer]:
    """Signed with the right key, in the name of another provider."""
    return with_session(site, lambda at: at.follow(at.query(at.request(issuer="https://elsewhere.example.test"))))


def _without(name: str) -> Callable[[Scene], Answer]:
    def send(at: Scene) -> Answer:
        parts = at.query(at.request()).split("&")
        return at.follow("&".join(part for part in parts if not part.startswith(f"{name}=")))

    return send


@LOGOUT.play(refused(LOGOUT_SIGNATURE), _REDIRECT, applies=with_logout)
def logout_signature_taken_away(site: Site) -> Sequence[Answer]:
    """A good address without its Signature."""
    return with_session(site, _without("Signature"))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), _REDIRECT, applies=with_logout)
def logout_algorithm_taken_away(site: Site) -> Sequence[Answer]:
    """A good address without its SigAlg."""
    return with_session(site, _without("SigAlg"))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), applies=with_logout)
def logout_signature_taken_out_of_a_form(site: Site) -> Sequence[Answer]:
    """A good form without its Signature."""

    def strip(root: Element) -> None:
        root.remove(root[1])

    return with_session(site, lambda at: at.form(at.request(), None, strip))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), _REDIRECT, applies=with_logout)
def logout_signed_with_sha1(site: Site) -> Sequence[Answer]:
    """Signed by the provider with SHA-1."""
    return with_session(site, lambda at: at.follow(at.query(at.request(), algorithm="rsa-sha1")))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), _REDIRECT, applies=with_logout)
def logout_algorithm_changed(site: Site) -> Sequence[Answer]:
    """SigAlg replaced by a weaker one after the signature was made."""
    return with_session(site, lambda at: at.follow(at.query(at.request()).replace("rsa-sha256", "rsa-sha1")))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), "CVE-2015-9235 (key confusion)", applies=with_logout)
def logout_signed_with_the_certificate_as_a_password(site: Site) -> Sequence[Answer]:
    """HMAC, whose key is the provider's public certificate."""

    def send(at: Scene) -> Answer:
        text = at.query(at.request()).partition("&SigAlg=")[0]
        text += "&" + urlencode({"SigAlg": "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"})
        made = hmac.new(at.at.provider.certificate_pem.encode(), text.encode(), hashlib.sha256).digest()
        return at.follow(f"{text}&{urlencode({'Signature': b64encode(made)})}")

    return with_session(site, send)


# What was signed


@LOGOUT.play(refused(LOGOUT_SIGNATURE), _REDIRECT, applies=with_logout)
def logout_of_another_person_under_an_old_signature(site: Site) -> Sequence[Answer]:
    """A request about somebody else, its message replaced by one about the victim."""

    def send(at: Scene) -> Answer:
        signed = dict(parse_qsl(at.query(at.request(subject="somebody@else.example.test"))))
        forged = dict(parse_qsl(at.query(at.request())))
        return at.follow(urlencode(signed | {"SAMLRequest": forged["SAMLRequest"]}))

    return with_session(site, send)


@LOGOUT.play(refused(LOGOUT_SIGNATURE), _REDIRECT, applies=with_logout)
def logout_relay_state_changed(site: Site) -> Sequence[Answer]:
    """RelayState replaced after the signature was made."""
    return with_session(site, lambda at: at.follow(at.query(at.request(), relay_state="one").replace("=one", "=two")))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), _REDIRECT, applies=with_logout)
def logout_relay_state_added(site: Site) -> Sequence[Answer]:
    """A RelayState put beside a message that was signed without one."""
    return with_session(site, lambda at: at.follow(f"{at.query(at.request())}&RelayState=two"))


@LOGOUT.play(refused(LOGOUT_UNREADABLE), "CWE-235", applies=with_logout)
def logout_request_twice(site: Site) -> Sequence[Answer]:
    """SAMLRequest twice, of which only the second is signed."""

    def send(at: Scene) -> Answer:
        other = at.query(at.request(subject="somebody@else.example.test"))
        return at.follow(f"{provider_side.query('SAMLRequest', at.request())}&{other}")

    return with_session(site, send)


@LOGOUT.play(refused(LOGOUT_UNREADABLE), "CWE-235", applies=with_logout)
def logout_signature_twice(site: Site) -> Sequence[Answer]:
    """Signature twice."""
    return with_session(site, lambda at: at.follow(f"{at.query(at.request())}&Signature=AAAA"))


@LOGOUT.play(refused(LOGOUT_UNREADABLE), "CWE-235", applies=with_logout)
def logout_request_and_response(site: Site) -> Sequence[Answer]:
    """SAMLRequest and SAMLResponse in one address."""

    def send(at: Scene) -> Answer:
        message = dict(parse_qsl(at.query(at.request())))["SAMLRequest"]
        return at.follow(f"{urlencode({'SAMLResponse': message})}&{at.query(at.request())}")

    return with_session(site, send)


@LOGOUT.play(refused(LOGOUT_SIGNATURE), "CVE-2012-5664; Somorovsky et al. (USENIX Security 2012)", applies=with_logout)
def logout_wrapped(site: Site) -> Sequence[Answer]:
    """A signed request about somebody else inside a forged one about the victim."""

    def send(at: Scene) -> Answer:
        def wrap(root: Element) -> None:
            whole = etree.fromstring(etree.tostring(root))
            root.set("ID", "_evil")
            root.remove(root[1])
            root.findall(f"{{{ASSERTION}}}NameID")[0].text = site.person.subject
            etree.SubElement(root, f"{{{PROTOCOL}}}Extensions").append(whole)

        return at.form(at.request(subject="somebody@else.example.test"), None, wrap)

    return with_session(site, send)


@LOGOUT.play(refused(LOGOUT_SIGNATURE), applies=with_logout)
def logout_person_changed_in_a_form(site: Site) -> Sequence[Answer]:
    """The NameID of a signed form replaced."""

    def rename(root: Element) -> None:
        root.findall(f"{{{ASSERTION}}}NameID")[0].text = site.person.subject

    return with_session(site, lambda at: at.form(at.request(subject="somebody@else.example.test"), None, rename))


@LOGOUT.play(refused(LOGOUT_UNREADABLE), applies=with_logout)
def assertion_as_a_logout_request(site: Site) -> Sequence[Answer]:
    """A signed response to a sign-in, sent as SAMLRequest: everything in it is signed, but it is no request."""
    return with_session(site, lambda at: at.post(("SAMLRequest", site.good().response().form_value)))


@LOGOUT.play(refused(LOGOUT_UNREADABLE), applies=with_logout)
def response_to_a_sign_in_as_logout_response(site: Site) -> Sequence[Answer]:
    """The same, sent as SAMLResponse."""
    return with_session(site, lambda at: at.post(("SAMLResponse", site.good().response().form_value)))


@LOGOUT.play(refused(LOGOUT_SIGNATURE), applies=with_logout)
def our_own_request_comes_back(site: Site) -> Sequence[Answer]:
    """The request that SiQ itself signed for the provider, sent back to SiQ by another browser of the same person."""

    def send(at: Scene) -> Answer:
        with scene_at(site) as other:
            ours = sign_out_by_hand(other)
        return at.follow(ours.partition("?")[2])

    return with_session(site, send)
