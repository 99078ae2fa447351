"""What a case is: a good response, what an attacker makes of it, and what must happen then."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cryptography import x509
from lxml import etree

from core.refusals import Refusal
from core.testing.encryption import Encryptor
from core.testing.identity_provider import EMAIL, Element, IdentityProvider, Minted

if TYPE_CHECKING:  # a site is made of cases' parts; only its name is needed here
    from core.testing.attacks.browser import Answer
    from core.testing.attacks.site import Site

VICTIM: Final = "admin@victim.example"
"""Whom the attacker wants to be. No good response names this person."""
ELSEWHERE: Final = "https://elsewhere.example.test/acs"


@dataclass(frozen=True, slots=True)
class Good:
    """What a case starts from: everything that a good response needs, which is more than any attacker has.

    ``provider`` holds the key that the connection trusts. ``stranger`` is an attacker's provider with the same entity
    ID, the same names in its certificate, and a key that nobody was told of. ``in_response_to`` is the request that
    waits in the browser, none where none does. ``own`` are the certificates in our metadata, the one that signs first, none
    where the connection reads nothing encrypted; ``allow_cbc`` says whether it takes AES-CBC. ``logout_url`` takes messages of
    single logout, and is empty where the connection takes none.
    """

    provider: IdentityProvider
    stranger: IdentityProvider
    acs_url: str
    audience: str
    now: datetime
    in_response_to: str | None = None
    subject: str = "ada@example.test"
    name_id_format: str = EMAIL
    attributes: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"email": ["ada@example.test"]})
    own: tuple[x509.Certificate, ...] = ()
    allow_cbc: bool = False
    logout_url: str = ""

    def encryptor(self, content: str = "aes256-gcm", *, old: bool = False, **how: Any) -> Encryptor:
        """Encrypts for the connection (for its ``old`` key, if it has one); for somebody else where it has no keys."""
        known = self.own or (self.stranger.certificate,)
        return Encryptor(known[-1 if old else 0], content, **how)

    def response(self, *, by: IdentityProvider | None = None, **changes: Any) -> Minted:
        """A good response but for the changes, which are arguments of :meth:`IdentityProvider.response`."""
        usual: dict[str, Any] = {
            "acs_url": self.acs_url,
            "audience": self.audience,
            "in_response_to": self.in_response_to,
            "subject": self.subject,
            "name_id_format": self.name_id_format,
            "attributes": self.attributes,
            "now": self.now,
        }
        return (by or self.provider).response(**(usual | changes))

    def xml(self, **changes: Any) -> str:
        """The same as text."""
        return self.response(**changes).xml.decode()

    def tree(self, **changes: Any) -> Element:
        """The same as a tree, to be taken apart."""
        return etree.fromstring(self.response(**changes).xml)


@dataclass(frozen=True, slots=True)
class Must:
    """What an answer has to be. Without ``location`` no session may come of it.

    ``codes`` are those of refusals, of which the page must show one; ``statuses`` those of HTTP, where no refusal is
    shown. ``location`` is where a person who was signed in must land. With ``ended`` a session must end, and else none may.
    """

    codes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    location: str | None = None
    ended: bool = False

    @property
    def words(self) -> str:
        """As a cell of a table."""
        if self.location is not None:
            return f"signed in, lands on {self.location}"
        if self.ended:
            return "signed out"
        return " or ".join(self.codes or [f"HTTP {status}" for status in self.statuses])


def refused(*refusals: Refusal) -> Must:
    """The page of one of these refusals."""
    return Must(codes=tuple(refusal.code for refusal in refusals))


def answered(*statuses: int) -> Must:
    """One of these statuses, and no session."""
    return Must(statuses=statuses)


def signed_out() -> Must:
    """A session ends, and the browser goes back to the provider."""
    return Must(statuses=(303,), ended=True)


def signed_in(location: str = "/") -> Must:
    """A session, and this path."""
    return Must(location=location)


Message: TypeAlias = "Callable[[Good], bytes | str]"
"""Makes what is posted: the bytes of a document, or the very text of the form field."""
Play: TypeAlias = "Callable[[Site], Sequence[Answer]]"
"""Plays a sequence of requests against a running server; every answer that comes back is judged."""


Applies: TypeAlias = "Callable[[Good], bool]"
"""Says whether a case is one at this connection."""


def always(_good: Good) -> bool:
    """At every connection."""
    return True


def with_keys(good: Good) -> bool:
    """Where the connection reads encrypted assertions."""
    return bool(good.own)


def with_cbc(good: Good) -> bool:
    """Where it takes AES-CBC, too."""
    return bool(good.own) and good.allow_cbc


def without_cbc(good: Good) -> bool:
    """Where it does not."""
    return not with_cbc(good)


def with_logout(good: Good) -> bool:
    """Where the connection takes part in single logout."""
    return bool(good.logout_url)


def without_logout(good: Good) -> bool:
    """Where it does not."""
    return not good.logout_url


@dataclass(frozen=True, slots=True)
class Case:
    """An attack or a control. Exactly one of ``message`` and ``play`` is there. ``applies`` says at which connections."""

    name: str
    family: Family
    what: str
    must: Must
    reference: str
    control: bool = False
    applies: Applies = always
    message: Message | None = None
    play: Play | None = None

    def form_value(self, good: Good) -> str:
        """What is posted as SAMLResponse, for a case that is one message."""
        assert self.message
        made = self.message(good)
        return made if isinstance(made, str) else base64.b64encode(made).decode("ascii")


@dataclass(frozen=True, slots=True)
class Family:
    """A class of attacks. ``reference`` is where it is described, unless a case names its own source."""

    title: str
    what: str
    reference: str = ""

    def message(self, must: Must, reference: str = "", *, applies: Applies = always) -> Callable[[Message], Message]:
        """Register a function that makes one message, delivered by a browser in which the right request waits."""

        def register(function: Message) -> Message:
            _add(function, self, must, reference, message=function, applies=applies)
            return function

        return register

    def play(
        self, must: Must, reference: str = "", *, control: bool = False, applies: Applies = always
    ) -> Callable[[Play], Play]:
        """Register a function that plays several requests."""

        def register(function: Play) -> Play:
            _add(function, self, must, reference, play=function, control=control, applies=applies)
            return function

        return register

    def control(self, function: Message) -> Message:
        """Register a function that makes a message which must be accepted."""
        _add(function, self, signed_in(), "", message=function, control=True)
        return function

    def control_where(self, applies: Applies) -> Callable[[Message], Message]:
        """Register the same for some connections only."""

        def register(function: Message) -> Message:
            _add(function, self, signed_in(), "", message=function, control=True, applies=applies)
            return function

        return register

    @property
    def cases(self) -> list[Case]:
        """Its cases in their order."""
        return [case for case in ALL.values() if case.family is self]


ALL: Final[dict[str, Case]] = {}
"""Every case by name, filled by the decorators of :mod:`core.testing.attacks.families`."""


def attacks() -> list[Case]:
    """Every attack."""
    return [case for case in ALL.values() if not case.control]


def controls() -> list[Case]:
    """Every control."""
    return [case for case in ALL.values() if case.control]


def _add(function: Callable[..., object], family: Family, must: Must, reference: str, **rest: Any) -> None:
    name = function.__name__
    assert name not in ALL, name
    assert function.__doc__, name
    what = " ".join(function.__doc__.split())
    ALL[name] = Case(name, family, what, must, reference or family.reference, **rest)
