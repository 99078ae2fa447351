"""Chromium without a window, in front of a served SiQ that has been in use for a while."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from sqlalchemy import update

from core import clock
from core.flows import activation, provisioning
from core.flows.activation import Activated
from core.store.provisioning_tables import ProvisioningToken
from core.store.tables import Role
from core.testing.identity_provider import IdentityProvider
from tests.chromium import ARGUMENTS
from tests.website import SIGN_IN_URL, Website, plugins_folder, running

PEOPLE = (
    ("priya.raman@northwind.example", "Priya Raman"),
    ("tom.becker@northwind.example", "Tom Becker"),
    ("ines.duarte@northwind.example", "Inês Duarte"),
)


@pytest.fixture(scope="session")
def provider() -> IdentityProvider:
    """The identity provider behind Amazon AWS. Its certificate ends soon."""
    return IdentityProvider.create(
        SIGN_IN_URL, valid_from=clock.now() - timedelta(days=342), valid_for=timedelta(days=365)
    )


PUSHED = ("Ana Lindqvist", "Ben Osei", "Chidi Anagonye", "Dana Whitfield", "Emeka Obi")


def push(website: Website, aws: Activated) -> None:
    """What a directory sends: people, groups, a request that is refused, and three people who leave at once."""
    made = provisioning.create_token(website.services, website.actor, "aws_sso")
    schema = "urn:ietf:params:scim:schemas:core:2.0:"
    with httpx.Client(headers={"Authorization": f"Bearer {made.secret}"}) as directory:

        def send(method: str, path: str, body: dict[str, object] | None = None) -> str:
            answer = directory.request(method, f"{website.origin}/scim/v2/{aws.connection_id}{path}", json=body)
            return str(answer.json().get("id", "")) if answer.content else ""

        ids = []
        for name in PUSHED:
            address = f"{name.lower().replace(' ', '.')}@northwind.example"
            person = {"userName": address, "displayName": name, "emails": [{"value": address, "primary": True}]}
            ids.append(send("POST", "/Users", {"schemas": [f"{schema}User"], **person}))
        for name in ("Facilities, Lisbon and Porto", "IT Helpdesk"):
            members = [{"value": one} for one in ids[:2]]
            send("POST", "/Groups", {"schemas": [f"{schema}Group"], "displayName": name, "members": members})
        for one in ids[2:]:
            send("DELETE", f"/Users/{one}")
        send("POST", "/Users", {"schemas": [f"{schema}User"], "userName": "ana.lindqvist@northwind.example"})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, provider: IdentityProvider) -> Iterator[Website]:
    """SiQ with Amazon AWS in use, a second integration half set up, a broken plugin, and sign-ins of each kind."""
    folder = tmp_path_factory.mktemp("siq")
    with running(folder, plugins_folder(folder)) as website:
        aws = website.activate(provider)
        for subject, name in PEOPLE:
            website.sso(aws, provider, subject=subject, attributes={"displayName": [name], "email": [subject]})
        website.sso(aws, provider, subject=PEOPLE[0][0], now=clock.now() - timedelta(minutes=20))
        website.sso(aws, provider, subject=PEOPLE[0][0], audience=f"{website.origin}/sso/metadata")
        activation.submit(website.services, website.actor, "custom_saml", {}, "draft")
        push(website, aws)
        with website.services.database.writing(website.organization.id) as session:
            last = clock.now() - timedelta(days=40)
            session.execute(update(ProvisioningToken).values(created_at=last, last_used_at=last))
        yield website


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. Playwright runs an event loop in this thread, so it ends with the module."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("install with: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@dataclass
class Visitors:
    """Makes windows, each of a browser profile of its own, and notes what they complain about."""

    browser: Browser
    site: Website
    wrong: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def page(self, *, role: Role | None = Role.ADMIN, width: int = 1440, scripts: bool = True) -> Page:
        """A window in which somebody with this role is signed in, or nobody."""
        context = self.browser.new_context(
            base_url=self.site.origin,
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        context.on("console", self._note)
        context.on("weberror", lambda error: self.wrong.append(str(error.error)))
        self.contexts.append(context)
        page = context.new_page()
        if role is not None:
            page.goto(self.site.link(role))
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(f"{self.site.origin}/")
        return page

    def _note(self, message: ConsoleMessage) -> None:
        expected = ("Failed to load resource", "Response Status Error Code", "htmx:sendError", "htmx:afterRequest")
        if message.type == "error" and not message.text.startswith(expected):
            self.wrong.append(message.text)


@pytest.fixture
def visitors(chromium: Browser, site: Website) -> Iterator[Visitors]:
    """Windows. A violation of the policy, an error of a script or in the console fails the test."""
    made = Visitors(chromium, site)
    yield made
    for context in made.contexts:
        context.close()
    assert not made.wrong


@pytest.fixture
def page(visitors: Visitors) -> Page:
    """A window in which the administrator is signed in."""
    return visitors.page()
