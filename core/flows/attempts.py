"""Attempts to sign in, and refused messages of single logout: what is kept of each, for the administrator who has to find
out what went wrong.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, correlation
from core.errors import SignInRefused
from core.flows.prepared import PreparedConnection
from core.flows.services import Services
from core.plugin_api import VerifiedAssertion
from core.store.tables import Attempt, Outcome
from core.vault import Vault

_LONGEST_XML = 32_768  # characters; a usual response has 6,000
_LONGEST_NOTE = 2_000
_MOST_FAILURES = 300  # per connection in ten minutes: more would let anybody fill the database
_FAILURE_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Visitor:
    """The browser of a request, as far as an attempt records it."""

    address: str = ""
    browser: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a browser brings: the message (base64), RelayState (empty where there was none), the secret of its binding
    cookie, and itself.
    """

    form_value: str
    relay_state: str
    browser_token: str | None
    visitor: Visitor


@dataclass(frozen=True, slots=True)
class Trace:
    """What was received: attributes of a verified assertion, and the response's XML with signature values shortened."""

    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    xml: str = ""

    def seal(self, vault: Vault, attempt_id: str) -> bytes:
        """Encrypted for one attempt."""
        return vault.seal(json.dumps([self.attributes, self.xml]).encode(), f"attempts.trace:{attempt_id}")

    @classmethod
    def unseal(cls, vault: Vault, attempt_id: str, sealed: bytes) -> Trace:
        """The trace of an attempt. Raises ``ValueError`` where no key opens it."""
        attributes, xml = json.loads(vault.open(sealed, f"attempts.trace:{attempt_id}"))
        return cls(tuple((name, tuple(values)) for name, values in attributes), xml)


@dataclass(slots=True)
class Observed:
    """What is known of a sign-in so far. The flow fills it in as it goes, so that a refusal at any step has it all."""

    connection: PreparedConnection
    delivery: Delivery
    started_here: bool = False
    who: str = ""
    user_id: str | None = None
    assertion: VerifiedAssertion | None = None
    id: str = field(default_factory=correlation.current)

    def trace(self) -> Trace:
        """The trace of what is known."""
        attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()
        if self.assertion:
            name_id = self.assertion.name_id
            attributes = (
                ("NameID", (name_id.value,)),
                ("NameID Format", (name_id.format,)),
                *self.assertion.attributes.items(),
            )
        return Trace(attributes, readable(self.delivery.form_value))


def record(services: Services, session: Session, observed: Observed, refused: SignInRefused | None = None) -> None:
    """Keep the attempt, in the caller's transaction."""
    session.add(
        Attempt(
            id=observed.id,
            organization_id=observed.connection.organization_id,
            connection_id=observed.connection.id,
            at=clock.now(),
            outcome=Outcome.FAILED if refused else Outcome.SIGNED_IN,
            code=refused.refusal.code if refused else "",
            detail=_note(refused.detail) if refused else "",
            expected=_note(refused.expected) if refused else "",
            received=_note(refused.received) if refused else "",
            who=observed.who[:512],
            user_id=observed.user_id,
            started_here=observed.started_here,
            address=observed.delivery.visitor.address[:64],
            browser=observed.delivery.visitor.browser[:300],
            trace=observed.trace().seal(services.vault, observed.id),
        )
    )


def _note(text: str) -> str:
    """What a column can hold: a query may say NUL, which PostgreSQL does not store, and a plugin half a surrogate pair."""
    return text[:_LONGEST_NOTE].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def too_many_failures(session: Session, connection_id: str) -> bool:
    """Whether this connection has had so many refused responses lately that further ones are only counted."""
    recent = (
        select(Attempt.id)
        .where(
            Attempt.connection_id == connection_id,
            Attempt.outcome == Outcome.FAILED,
            Attempt.at > clock.now() - _FAILURE_WINDOW,
        )
        .limit(_MOST_FAILURES)
        .subquery()
    )
    return (session.scalar(select(func.count()).select_from(recent)) or 0) >= _MOST_FAILURES


_LONG_VALUES = re.compile(
    r"(<(?:\w+:)?(?:SignatureValue|X509Certificate|DigestValue|CipherValue)[^<>]*>)([^<]{24})[^<]*"
)


def readable(form_value: str) -> str:
    """The XML of a SAMLResponse field for people: signature values and certificates shortened, at most 32,768
    characters; empty where it is no base64.
    """
    try:
        xml = base64.b64decode(form_value, validate=False)[: 2 * _LONGEST_XML].decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return ""
    shortened = _LONG_VALUES.sub(r"\1\2…", xml.replace("\0", ""))
    return shortened if len(shortened) <= _LONGEST_XML else shortened[:_LONGEST_XML] + "…"
