"""Single logout: the messages of both sides (SAML Core 3.7; Profiles 4.4).

What is received is verified before anything in it is read: in a query by its signature (Bindings 3.4.4.1), in a form by the
gate. :func:`verified` answers signed bytes, parsed, and everything after it reads those alone. What we send goes by
HTTP-Redirect and is signed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_hex
from typing import Final

from saml2 import saml, samlp

from core import clock
from core.errors import SignInRefused
from core.plugin_api import NameId
from core.refusals import (
    LOGOUT_DESTINATION,
    LOGOUT_EXPIRED,
    LOGOUT_ISSUER,
    LOGOUT_NOT_DONE,
    LOGOUT_REPLAYED,
    LOGOUT_SIGNATURE,
    LOGOUT_SUBJECT,
    LOGOUT_UNKNOWN,
    LOGOUT_UNREADABLE,
    SIGNATURE_MISSING,
)
from core.saml import document, redirect
from core.saml.document import DocumentRefused, Element
from core.saml.elements import (
    ID,
    STATUS,
    A,
    P,
    local_name,
    name_id_from,
    stamp,
    status_codes,
    status_message,
    text_of,
    time_of,
)
from core.saml.encryption import Decryption, decrypt
from core.saml.pinned_keys import Keys
from core.saml.service_keys import ServiceKey
from core.saml.signature import ISSUER, gate

_BOTH: Final = (LOGOUT_UNREADABLE, LOGOUT_SIGNATURE, LOGOUT_ISSUER, LOGOUT_DESTINATION, LOGOUT_EXPIRED)
REQUEST_CHECKS: Final = tuple(refusal.check for refusal in (*_BOTH, LOGOUT_SUBJECT, LOGOUT_REPLAYED))
RESPONSE_CHECKS: Final = tuple(refusal.check for refusal in (*_BOTH, LOGOUT_UNKNOWN, LOGOUT_NOT_DONE))
"""The names of the checks in the order in which they run."""
LONGEST_AGE: Final = timedelta(minutes=5)
"""Of a message: it is made when the browser is sent here with it. That a request was used is remembered as long."""

_UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_LONGEST_RELAY_STATE: Final = 1024
"""Bytes. SAML allows 80 (Bindings 3.4.3); some providers take more, and only they read it again."""
_MOST_SESSION_INDEXES: Final = 100


class Status(StrEnum):
    """How a sign-out ended at one side."""

    SUCCESS = "Success"
    PARTIAL = "PartialLogout"
    """The provider could not reach all the others."""
    REFUSED = "Requester"
    """The request was not accepted."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came. ``xml`` is to be shown and nothing else: nobody knows yet who wrote it.

    ``query`` is there where it came in one; else it came in a form.
    """

    name: redirect.Name
    xml: bytes
    relay_state: str
    query: redirect.Received | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a connection expects, to the letter: the provider's entity ID, and the URL of ours that was asked. ``skew`` is how
    far the clocks may be apart.
    """

    issuer: str
    url: str
    skew: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Request:
    """A LogoutRequest that passed every check but that it was never used: the caller sees to it until ``remember_until``.

    It is about all sessions of ``name_id``, or about those of ``session_indexes`` where there are any.
    """

    id: str
    name_id: NameId
    session_indexes: tuple[str, ...]
    remember_until: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """A LogoutRequest of ours: the ID that the answer names, and the URL to send the browser to."""

    id: str
    url: str


def from_query(query: str) -> Received:
    """The message in a query string as it was sent, still percent-encoded. Raises SignInRefused (LOGOUT_UNREADABLE)."""
    try:
        received = redirect.read(query)
    except DocumentRefused as refused:
        raise SignInRefused(LOGOUT_UNREADABLE, str(refused)) from None
    return _bounded(Received(received.name, received.xml, received.relay_state, received))


def from_form(name: redirect.Name, value: str, relay_state: str) -> Received:
    """The message in a field of a form (base64; Bindings 3.5.4). Raises SignInRefused (LOGOUT_UNREADABLE)."""
    try:
        return _bounded(Received(name, document.octets(value), relay_state))
    except ValueError:
        raise SignInRefused(LOGOUT_UNREADABLE, f"{name} is not base64") from None


def verified(received: Received, keys: Keys, now: datetime) -> Element:
    """The root of the bytes that a pinned certificate signed. Raises SignInRefused: LOGOUT_UNREADABLE, LOGOUT_SIGNATURE."""
    try:
        if received.query:
            redirect.verify(received.query, keys, now)
            return document.message(received.xml)
        return gate(document.message(received.xml), keys, now).read()
    except DocumentRefused as refused:
        raise SignInRefused(LOGOUT_UNREADABLE, str(refused)) from None
    except SignInRefused as refused:
        why = "It is not signed" if refused.refusal is SIGNATURE_MISSING else refused.detail
        raise SignInRefused(LOGOUT_SIGNATURE, why, expected=refused.expected, received=refused.received) from None


# What is believed: every element from here on comes from signed bytes


def read_request(root: Element, expected: Expected, now: datetime, decryption: Decryption | None = None) -> Request:
    """A LogoutRequest (Core 3.7.1). ``decryption`` is how an encrypted NameID is read; none where the connection has no
    keys for it. Raises SignInRefused, whose ``refusal.check`` is one of REQUEST_CHECKS.
    """
    issued = _check_message(root, "LogoutRequest", expected, now)
    end = time_of(root, "NotOnOrAfter", LOGOUT_EXPIRED)
    if end is not None and now - expected.skew >= end:
        raise SignInRefused(LOGOUT_EXPIRED, "NotOnOrAfter", expected=stamp(end), received=f"{stamp(now)} here")
    name_id = _name_id(root, decryption)
    indexes = tuple(text_of(element) for element in root.iterchildren(f"{P}SessionIndex"))
    if not all(indexes) or len(indexes) > _MOST_SESSION_INDEXES:
        raise SignInRefused(LOGOUT_SUBJECT, f"A SessionIndex is empty, or there are more than {_MOST_SESSION_INDEXES}")
    return Request(root.get("ID", ""), name_id, indexes, issued + LONGEST_AGE + 2 * expected.skew)


def _name_id(root: Element, decryption: Decryption | None) -> NameId:
    """Who it is about: one NameID, plain or encrypted for us (Core 2.2.4). What is encrypted was signed as it stands here, so
    that nothing can be learned by changing it.
    """
    named = [element for element in root.iterchildren(f"{A}*") if element.tag != ISSUER]
    tags = [local_name(element) for element in named]
    if tags == ["EncryptedID"] and len(named[0]) and decryption:
        try:
            plain = document.message(decrypt(named[0], decryption, signed=True))
        except DocumentRefused as refused:
            raise SignInRefused(LOGOUT_SUBJECT, f"What was encrypted is no NameID. {refused}") from None
        except SignInRefused as refused:
            raise SignInRefused(
                LOGOUT_SUBJECT, refused.detail, expected=refused.expected, received=refused.received
            ) from None
        named, tags = [plain], [local_name(plain)]
    if tags != ["NameID"] or named[0].tag != f"{A}NameID":
        raise SignInRefused(LOGOUT_SUBJECT, "What names the person", expected="NameID", received=", ".join(tags))
    return name_id_from(named[0], LOGOUT_SUBJECT)


def read_response(root: Element, expected: Expected, request_id: str | None, now: datetime) -> Status:
    """How a sign-out that we asked for ended (Core 3.7.2): ``SUCCESS`` or ``PARTIAL``. ``request_id`` is what waits in this
    browser, none where nothing does. Raises SignInRefused, whose ``refusal.check`` is one of RESPONSE_CHECKS, for every
    other status too.
    """
    _check_message(root, "LogoutResponse", expected, now)
    answers = root.get("InResponseTo", "")
    if answers != request_id:
        waiting = request_id or "no sign-out waits in this browser"
        raise SignInRefused(LOGOUT_UNKNOWN, expected=waiting, received=answers or "no InResponseTo")
    codes = [code.removeprefix(STATUS) for code in status_codes(root)]
    if Status.PARTIAL in codes:
        return Status.PARTIAL
    if codes[:1] != [Status.SUCCESS]:
        received = " / ".join(codes)
        raise SignInRefused(LOGOUT_NOT_DONE, status_message(root), expected=Status.SUCCESS, received=received)
    return Status.SUCCESS


def _check_message(root: Element, name: str, expected: Expected, now: datetime) -> datetime:
    """What holds for both messages; answers when it was made. Destination is required, because it is signed
    (Bindings 3.4.5.2, 3.5.5.2), and the Issuer (Profiles 4.4.4).
    """
    if root.tag != f"{P}{name}" or root.get("Version") != "2.0" or not ID.fullmatch(root.get("ID", "")):
        what = f"{local_name(root)} of version {root.get('Version', '')} with the ID {root.get('ID', '')}"
        raise SignInRefused(LOGOUT_UNREADABLE, "The message", expected=f"{name} of version 2.0", received=what)
    issuers = [text_of(issuer) for issuer in root.iterchildren(ISSUER)]
    if issuers != [expected.issuer]:
        raise SignInRefused(LOGOUT_ISSUER, expected=expected.issuer, received=", ".join(issuers))
    if root.get("Destination") != expected.url:
        raise SignInRefused(LOGOUT_DESTINATION, expected=expected.url, received=root.get("Destination", "none"))
    issued = time_of(root, "IssueInstant", LOGOUT_EXPIRED)
    if issued is None or not -LONGEST_AGE - expected.skew < issued - now <= expected.skew:
        made = stamp(issued) if issued else "no IssueInstant"
        raise SignInRefused(LOGOUT_EXPIRED, "IssueInstant", expected=f"about {stamp(now)}", received=made)
    return issued


# What we send


def request(  # noqa: PLR0917  what makes a request, each part from somewhere else
    url: str, issuer: str, name_id: NameId, session_index: str, relay_state: str, key: ServiceKey
) -> Sent:
    """A new LogoutRequest of ``issuer`` (our entity ID) to the provider's ``url``, signed with ``key``. It names the person as
    the provider did, and the one session where it has an index.
    """
    identifier, destination = f"_{token_hex(20)}", redirect.destination(url)
    message = samlp.LogoutRequest(
        **_head(identifier, destination, issuer),
        not_on_or_after=stamp(clock.now() + LONGEST_AGE),
        name_id=saml.NameID(
            text=name_id.value,
            format=name_id.format or None,
            name_qualifier=name_id.name_qualifier or None,
            sp_name_qualifier=name_id.sp_name_qualifier or None,
        ),
        session_index=[samlp.SessionIndex(text=session_index)] if session_index else [],
    )
    return Sent(identifier, redirect.location(destination, "SAMLRequest", str(message), relay_state, key))


def answer(  # noqa: PLR0917  the same for a response
    url: str, issuer: str, root: Element, status: Status, relay_state: str, key: ServiceKey, words: str = ""
) -> str:
    """The URL that carries our LogoutResponse to a verified LogoutRequest. ``words`` are for people at the provider."""
    destination = redirect.destination(url)
    message = samlp.LogoutResponse(
        **_head(f"_{token_hex(20)}", destination, issuer),
        in_response_to=root.get("ID") if ID.fullmatch(root.get("ID", "")) else None,
        status=samlp.Status(
            status_code=samlp.StatusCode(value=f"{STATUS}{status}"),
            status_message=samlp.StatusMessage(text=words) if words else None,
        ),
    )
    return redirect.location(destination, "SAMLResponse", str(message), relay_state, key)


def subject_key(name_id: NameId, issuer: str, audience: str) -> str:
    """What is equal for two NameIDs that name the same person at a connection (Core 2.2.2, 3.3.4, 8.3.1, 8.3.7): value, Format
    and qualifiers, of which an absent one stands for the usual one.
    """
    qualifiers = [
        "" if name_id.name_qualifier == issuer else name_id.name_qualifier,
        "" if name_id.sp_name_qualifier == audience else name_id.sp_name_qualifier,
    ]
    return json.dumps([name_id.value, name_id.format or _UNSPECIFIED, *qualifiers])


def _head(identifier: str, destination: str, issuer: str) -> dict[str, object]:
    return {
        "id": identifier,
        "version": "2.0",
        "issue_instant": stamp(clock.now()),
        "destination": destination,
        "issuer": saml.Issuer(text=issuer),
    }


def _bounded(received: Received) -> Received:
    if len(received.relay_state.encode("utf-8", "replace")) > _LONGEST_RELAY_STATE:
        raise SignInRefused(LOGOUT_UNREADABLE, f"RelayState is longer than {_LONGEST_RELAY_STATE} bytes")
    return received
