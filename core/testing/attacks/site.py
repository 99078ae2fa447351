"""A running server with connections whose keys are known here, for attacks over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from cryptography import x509

from core import clock
from core.plugin_api import Unsolicited
from core.testing.attacks.browser import Answer, Browser
from core.testing.attacks.cases import Case, Good
from core.testing.identity_provider import EMAIL, AuthnRequest, IdentityProvider, parse_authn_request
from core.testing.requests import hidden_fields, parse_posted_request

OK = 200
SEE_OTHER = 303


class Unplayable(Exception):
    """A case could not be played: what had to go well before the attack did not. The message says what."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of the server, and the provider that it trusts. ``own`` are the certificates of its keys. Messages of single
    logout go to ``logout_url`` and ``logout_url_there``; both are empty where it takes no part in it.
    """

    acs_url: str
    audience: str
    login_url: str
    provider: IdentityProvider
    unsolicited: Unsolicited = Unsolicited.ACCEPT
    own: tuple[x509.Certificate, ...] = ()
    allow_cbc: bool = False
    logout_url: str = ""
    logout_url_there: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in in good responses: what a plugin may read of them."""

    subject: str = "ada@example.test"
    name_id_format: str = EMAIL
    attributes: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"email": ("ada@example.test",)})


@dataclass(frozen=True, slots=True)
class Site:
    """A server at ``origin``. ``main`` is the connection under attack; ``twin`` is one of another organization that trusts
    the same provider, ``other`` one of a third that trusts another. ``stranger`` is trusted by nobody.
    """

    origin: str
    main: Connection
    twin: Connection
    other: Connection
    stranger: IdentityProvider
    person: Person = field(default_factory=Person)

    def browser(self, cookies: Mapping[str, str] | None = None) -> Browser:
        """A new browser."""
        return Browser(self.origin, cookies)

    def begin(self, browser: Browser, connection: Connection | None = None, next_path: str = "") -> AuthnRequest:
        """Start a sign-in in this browser; answers the request that goes to the provider."""
        url = (connection or self.main).login_url + (f"?{urlencode({'next': next_path})}" if next_path else "")
        answer = browser.get(url)
        if answer.status == OK:  # the connection sends its requests by a form
            return parse_posted_request(hidden_fields(answer.text))
        if answer.status != SEE_OTHER:
            raise Unplayable(f"the login URL answered {answer.status} {answer.code}")
        return parse_authn_request(urlsplit(answer.location).query)

    def good(self, asked: AuthnRequest | None = None, connection: Connection | None = None) -> Good:
        """What a good response to a request is made of; without one, to a click at the provider."""
        at = connection or self.main
        return Good(
            provider=at.provider,
            stranger=self.stranger,
            acs_url=at.acs_url,
            audience=at.audience,
            now=clock.now(),
            in_response_to=asked.id if asked else None,
            subject=self.person.subject,
            name_id_format=self.person.name_id_format,
            attributes=self.person.attributes,
            own=at.own,
            allow_cbc=at.allow_cbc,
            logout_url=at.logout_url,
        )

    def applicable(self, cases: Iterable[Case]) -> list[Case]:
        """Those that are cases at the connection under attack."""
        good = self.good()
        return [case for case in cases if case.applies(good)]

    def deliver(
        self, browser: Browser, form_value: str, relay_state: str | None = None, connection: Connection | None = None
    ) -> Answer:
        """Post a response to an ACS, as the provider's page makes the browser do."""
        fields = {"SAMLResponse": form_value} | ({} if relay_state is None else {"RelayState": relay_state})
        return browser.post((connection or self.main).acs_url, fields)

    def play(self, case: Case) -> Sequence[Answer]:
        """Play a case; answers what has to be judged. A message is delivered by a browser in which its request waits."""
        if case.play:
            return case.play(self)
        with self.browser() as browser:
            asked = self.begin(browser)
            return [self.deliver(browser, case.form_value(self.good(asked)), asked.relay_state)]
