"""A person who is signed in, and a provider that sends messages of single logout: what attacks on them begin with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from core.testing import logout as provider_side
from core.testing.attacks.browser import Answer, Browser
from core.testing.attacks.site import Connection, Site, Unplayable
from core.testing.identity_provider import Element, IdentityProvider

CONFUSED = Answer(500, "", "the answer is not what was to be read", 0)


@dataclass(frozen=True, slots=True)
class Scene:
    """A person who is signed in, in a browser of theirs. What is sent here is sent by that browser."""

    site: Site
    browser: Browser
    at: Connection
    session_index: str

    def request(self, **changes: Any) -> str:
        """A good LogoutRequest, unsigned, but for the changes."""
        usual: dict[str, Any] = {
            "destination": self.at.logout_url,
            "subject": self.site.person.subject,
            "name_id_format": self.site.person.name_id_format,
        }
        return provider_side.logout_request(self.at.provider, **(usual | changes))

    def query(self, xml: str, by: IdentityProvider | None = None, relay_state: str | None = None, **how: str) -> str:
        """The query that carries it, signed by the provider unless ``by`` somebody else."""
        return provider_side.query("SAMLRequest", xml, relay_state, by or self.at.provider, **how)

    def follow(self, query: str, method: str = "GET") -> Answer:
        """Open the address with this query."""
        return self._looked_at(self.browser.send(method, f"{self.at.logout_url}?{query}"))

    def post(self, *fields: tuple[str, str]) -> Answer:
        """Send a form with these fields."""
        return self._looked_at(self.browser.post(self.at.logout_url, list(fields)))

    def form(
        self, xml: str, by: IdentityProvider | None = None, edit: Callable[[Element], None] | None = None
    ) -> Answer:
        """Send it in a form, signed by the provider unless ``by`` somebody else, and changed after that."""
        return self.post(("SAMLRequest", provider_side.form_value(xml, by or self.at.provider, edit)))

    def _looked_at(self, answer: Answer) -> Answer:
        """An answer by what became of the session. One that goes to the provider is read, and has to be signed by us."""
        seen = replace(answer, person=False, ended=not answer.person)
        if not answer.location.startswith(f"{self.at.logout_url_there}?"):
            return seen
        sent = provider_side.read(answer.location, self.at.own)
        text = f"{' '.join(sent.statuses)} {sent.message} RelayState={sent.relay_state}"
        return replace(seen, text=text) if sent.signed else CONFUSED


@contextmanager
def scene_at(site: Site) -> Iterator[Scene]:
    """The scene at the connection under attack, for the length of the block."""
    with site.browser() as browser:
        yield Scene(site, browser, site.main, sign_in(site, browser))


def sign_in(site: Site, browser: Browser) -> str:
    """Sign in; answers the SessionIndex."""
    asked = site.begin(browser)
    minted = site.good(asked).response()
    if not site.deliver(browser, minted.form_value, asked.relay_state).person:
        raise Unplayable("the sign-in before was refused")
    found = re.search(rb'SessionIndex="([^"]*)"', minted.xml)
    return found[1].decode() if found else ""


def with_session(site: Site, send: Callable[[Scene], Answer]) -> Sequence[Answer]:
    """What ``send`` answers in the browser of a person who has just signed in."""
    with scene_at(site) as scene:
        return [send(scene)]


def sign_out_by_hand(scene: Scene) -> str:
    """Sign out in SiQ; answers the provider's URL that carries our request."""
    token = re.search(r'name="csrf" value="([^"]+)"', scene.browser.get("/").text)
    left = scene.browser.post("/signout", {"csrf": token[1] if token else ""})
    page = scene.browser.get(left.location).text
    onward = re.search(rf'href="({re.escape(scene.at.logout_url_there)}[^"]+)"', page)
    if onward is None:
        raise Unplayable(f"signing out led to {left.status} {left.location}")
    return onward[1].replace("&amp;", "&")
