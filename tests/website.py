"""SiQ as it is served: a real server on a free port, a real database, and people who sign in over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette

from core.flows import activation, organizations, passwords
from core.flows import services as starting
from core.flows.activation import Activated
from core.flows.actors import Actor, actor_of
from core.flows.services import Services
from core.settings import Settings
from core.store.tables import Organization, Role, User
from core.testing.identity_provider import IdentityProvider, parse_authn_request
from core.web.app import create_app
from tests.serving import serving

PASSWORD = "correct horse battery staple"
SIGN_IN_URL = "https://portal.sso.eu-west-1.amazonaws.com/saml/assertion/MDk4NzY1NDMyMV9pbnMtNzIyMw"
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True)
class Website:
    """A running SiQ with one organization."""

    origin: str
    services: Services
    app: Starlette
    organization: Organization
    admin: User

    @property
    def actor(self) -> Actor:
        """The administrator, for calling flows."""
        return actor_of(self.admin, self.organization)

    def browser(self) -> httpx.Client:
        """A browser without scripts in which nobody is signed in. It follows no redirect by itself."""
        return httpx.Client(base_url=self.origin, timeout=60)

    def link(self, role: Role = Role.ADMIN) -> str:
        """A one-time link for somebody with this role."""
        user = self.admin
        if role is not Role.ADMIN:
            name = f"{role.value} Person"
            email = f"{role.value.lower().replace(' ', '.')}@northwind.example"
            user = organizations.create_admin(self.services, self.organization, email, name)
            with self.services.database.writing(self.organization.id) as session:
                session.get_one(User, user.id).role = role
        return passwords.create_link(self.services, self.organization.id, user.id)

    @contextmanager
    def signed_in(self, role: Role = Role.ADMIN) -> Iterator[httpx.Client]:
        """A browser in which somebody with this role is signed in."""
        with self.browser() as browser:
            post(browser, self.link(role))
            yield browser

    def activate(self, provider: IdentityProvider, **more: str) -> Activated:
        """Amazon AWS, activated with this provider's values."""
        values: dict[str, str | bytes] = {
            "sso.sign_in_url": provider.sign_in_url,
            "sso.certificate": provider.certificate_pem,
            **{f"sso.{name}": value for name, value in more.items()},
        }
        return activation.set_values(self.services, self.actor, "aws_sso", values)

    def sso(self, activated: Activated, provider: IdentityProvider, **changes: Any) -> httpx.Response:
        """One sign-in through the connection in a new browser: what the ACS answers. ``changes`` are of the response."""
        with self.browser() as browser:
            begun = browser.get(urlsplit(activated.site.login_url).path)
            request = parse_authn_request(urlsplit(begun.headers["location"]).query)
            wanted: dict[str, Any] = {"in_response_to": request.id, "attributes": {}, **changes}
            minted = provider.response(
                activated.site.acs_url, wanted.pop("audience", activated.site.audience), **wanted
            )
            return browser.post(
                urlsplit(activated.site.acs_url).path,
                data={"SAMLResponse": minted.form_value, "RelayState": request.relay_state},
            )


@contextmanager
def running(
    folder: Path, plugins_dir: Path | None = None, public_url: str = "", database_url: str = ""
) -> Iterator[Website]:
    """SiQ with its data in ``folder``, for the length of the block; on a database of its own unless one is named."""
    made: list[Website] = []

    def create(origin: str) -> Starlette:
        settings = Settings(
            public_url=public_url or origin, data_dir=folder, plugins_dir=plugins_dir, database_url=database_url
        )
        services = starting.start(settings)
        organization = organizations.create_organization(
            services, "northwind", "Northwind Robotics", "it@northwind.example"
        )
        admin = organizations.create_admin(
            services, organization, "maya.okafor@northwind.example", "Maya Okafor", passwords.hash_password(PASSWORD)
        )
        app = create_app(services)
        made.append(Website(origin, services, app, organization, admin))
        return app

    with serving(create):
        yield made[0]
    made[0].services.database.close()


def token(page: httpx.Response) -> str:
    """The token of a page's forms."""
    found = _TOKEN.search(page.text)
    assert found, f"no form on {page.url} ({page.status_code})"
    return unescape(found.group(1))


def post(
    browser: httpx.Client,
    path: str,
    data: Mapping[str, str] | None = None,
    *,
    page: str = "",
    headers: Mapping[str, str] | None = None,
    files: Mapping[str, tuple[str, bytes]] | None = None,
) -> httpx.Response:
    """Open ``page`` (else ``path`` itself) and send its form to ``path``."""
    csrf = token(browser.get(page or path))
    return browser.post(path, data={**(data or {}), "csrf": csrf}, headers=headers, files=files)


def text_of(page: httpx.Response) -> str:
    """The words of a page, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def plugins_folder(folder: Path) -> Path:
    """A drop-in folder with the plugin that shows every widget, and one that says nothing about itself."""
    plugins = folder / "plugins"
    broken = plugins / "half_made"
    broken.mkdir(parents=True)
    (broken / "plugin.py").write_text("import core.plugin_api as siq\n\n\n@siq.hookimpl\ndef describe_tyle(): ...\n")
    whole = Path(__file__).parent / "plugins_for_tests" / "every_widget"
    (plugins / "every_widget").mkdir()
    (plugins / "every_widget" / "plugin.py").write_text((whole / "plugin.py").read_text())
    return plugins
