"""``siq demo``: SiQ with a sample organization on localhost, and the practice AWS identity provider on 127.0.0.1.

Two host names, so that browsers treat them as two sites and cookies behave as they do between SiQ and AWS.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click

from core import logs
from core.flows import organizations, passwords, services
from core.flows.services import Services
from core.settings import Settings
from core.store import directory
from core.testing.practice import create_practice
from core.web.app import create_app
from core.web.serving import server

_SLUG, _NAME, _CONTACT = "northwind", "Northwind Robotics", "it@northwind.example"
_ADMIN, _ADMIN_NAME = "maya.okafor@northwind.example", "Maya Okafor"


def run(port: int, practice_port: int, data_dir: Path) -> None:
    """Serve both until interrupted. Prints what to open, with a one-time link for the sample administrator."""
    logs.configure("text")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # what is printed below says it better
    public_url, practice_url = f"http://localhost:{port}", f"http://127.0.0.1:{practice_port}"
    own = Settings(public_url=public_url, data_dir=data_dir, database_url="", log_format="text")  # no database in use
    host = services.start(own)
    link = _administrator_link(host)
    click.echo(
        f"""
SiQ                  {public_url}
Practice AWS         {practice_url}
Sign in as {_ADMIN_NAME} (Admin), once, within 30 minutes:

    {link}

Then: profile name > Settings > Integrations > READ MORE > Provisioning & SSO > Amazon AWS > Activate.
The practice provider's console has the values to copy. Ctrl+C stops both; the data stays in {data_dir}.
"""
    )
    asyncio.run(_serve(host, port, practice_url, practice_port))


def _administrator_link(host: Services) -> str:
    organization = directory.organization_by_slug(host.database, _SLUG) or organizations.create_organization(
        host, _SLUG, _NAME, _CONTACT
    )
    admin = organizations.create_admin(host, organization, _ADMIN, _ADMIN_NAME)
    return passwords.create_link(host, organization.id, admin.id)


async def _serve(host: Services, port: int, practice_url: str, practice_port: int) -> None:
    siq = server(create_app(host), "localhost", port)
    practice = server(create_practice(practice_url), "127.0.0.1", practice_port)
    both = [asyncio.create_task(each.serve()) for each in (siq, practice)]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    siq.should_exit = practice.should_exit = True
    await asyncio.gather(*both)
