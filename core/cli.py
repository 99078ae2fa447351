"""The ``siq`` command: what an operator does on the server. Answers are JSON on standard output, problems sentences on
standard error with exit status 1.
"""

from __future__ import annotations

import getpass
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from core import assignments, logs, settings
from core import demo as demonstration
from core.errors import ConfigRejected, Conflict, SiqError
from core.flows import activation, housekeeping, key_rotation, offboarding, organizations, passwords, people, services
from core.flows.actors import Actor, operator_of
from core.flows.connections import plugin_of
from core.flows.key_rotation import KeyView
from core.flows.services import Services
from core.plugin_host import PluginHost, ReportRow
from core.store.tables import Organization
from core.testing.attacks.command import attack
from core.web.app import create_app
from core.web.serving import server


class _Group(click.Group):
    """Turns our errors into one sentence each."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigRejected as rejected:
            raise click.ClickException(f"{rejected.field}: {rejected.public}") from rejected
        except SiqError as error:
            raise click.ClickException(error.public) from error


_organization = click.option("--organization", "slug", required=True, help="The organization's short name.")


@click.group(cls=_Group)
def main() -> None:
    """SiQ integrations host. Settings come from environment variables: see docs/reference/settings.md."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on; 0 takes a free one.")
def serve(host: str, port: int) -> None:
    """Serve SiQ. Run as many processes as you like on one PostgreSQL database."""
    read = settings.read()
    logs.configure(read.log_format)
    started = services.start(read)
    server(create_app(started), host, port, read.trusted_proxies).run()


@main.command()
@click.option("--port", default=8000, show_default=True, help="Port of SiQ on localhost.")
@click.option("--practice-port", default=8001, show_default=True, help="Port of the practice provider on 127.0.0.1.")
@click.option("--data-dir", default="var/demo", show_default=True, help="Folder of the demo's database.")
def demo(port: int, practice_port: int, data_dir: str) -> None:
    """Start SiQ with a sample organization, and the practice AWS identity provider beside it."""
    demonstration.run(port, practice_port, Path(data_dir))


@main.group()
def organization() -> None:
    """Organizations: the companies that subscribe."""


@organization.command("create")
@click.argument("name")
@click.option("--slug", help="Its name in addresses; made from NAME when left out.")
@click.option("--contact", default="", help="E-mail address of its IT team, shown to people who cannot sign in.")
def create_organization(name: str, slug: str | None, contact: str) -> None:
    """Make the organization NAME."""
    host = _services()
    made = organizations.create_organization(host, slug or _slug(name), name, contact)
    _print({"organization": made.slug, "id": made.id, "name": made.name, "portal_url": _portal(host, made)})


@organization.command("list")
def list_organizations() -> None:
    """List every organization."""
    host = _services()
    _print(
        [
            {"organization": one.slug, "id": one.id, "name": one.name, "portal_url": _portal(host, one)}
            for one in organizations.all_organizations(host)
        ]
    )


@main.group()
def admin() -> None:
    """Administrators who sign in without a provider."""


@admin.command("create")
@_organization
@click.option("--email", required=True)
@click.option("--name", default="", help="The person's name.")
@click.option("--link", is_flag=True, help="Print a one-time link instead of asking for a password.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def create_admin(slug: str, email: str, name: str, link: bool, password_stdin: bool) -> None:  # noqa: FBT001  click hands flags over
    """Make an Admin, or make an existing person one."""
    host = _services()
    made = organizations.organization_of(host, slug)
    password_hash = "" if link else passwords.hash_password(_password(from_stdin=password_stdin))
    person = organizations.create_admin(host, made, email, name, password_hash)
    answer = {"organization": made.slug, "email": person.email, "role": person.role.value}
    if link:
        answer["link"] = passwords.create_link(host, made.id, person.id)
    _print(answer)


@main.group()
def person() -> None:
    """People: end somebody's access, or give it back."""


@person.command("suspend")
@click.argument("email")
@_organization
def suspend_person(email: str, slug: str) -> None:
    """End the access of EMAIL now: sessions and one-time links end, nobody signs in. Nothing is deleted."""
    _change_access(slug, email, offboarding.suspend_person)


@person.command("reactivate")
@click.argument("email")
@_organization
def reactivate_person(email: str, slug: str) -> None:
    """Give EMAIL access again. A planned deletion is off."""
    _change_access(slug, email, offboarding.restore_person)


@person.command("remove")
@click.argument("email")
@_organization
def remove_person(email: str, slug: str) -> None:
    """End the access of EMAIL now, and delete the account after SIQ_DELETION_DAYS."""
    _change_access(slug, email, offboarding.remove_person)


@main.group()
def key() -> None:
    """Our own keys at a connection: they sign requests and read encrypted assertions."""


_plugin = click.argument("plugin_id", metavar="PLUGIN")
_key = click.argument("key_id", metavar="KEY")


@key.command("list")
@_plugin
@_organization
def list_keys(plugin_id: str, slug: str) -> None:
    """List the keys at PLUGIN, the one that signs first."""
    _print([_shown_key(one) for one in key_rotation.keys(*_acting(slug), plugin_id)])


@key.command("add")
@_plugin
@_organization
def add_key(plugin_id: str, slug: str) -> None:
    """Add a second key at PLUGIN. It reads at once, and signs when `siq key use` says so."""
    _print(_shown_key(key_rotation.add_key(*_acting(slug), plugin_id)))


@key.command("use")
@_plugin
@_key
@_organization
def use_key(plugin_id: str, key_id: str, slug: str) -> None:
    """Sign with KEY from now on. The provider has to know its certificate by then."""
    _print(_shown_key(key_rotation.use_key(*_acting(slug), plugin_id, key_id)))


@key.command("remove")
@_plugin
@_key
@_organization
def remove_key(plugin_id: str, key_id: str, slug: str) -> None:
    """Delete KEY, which signs no more. What was encrypted for it cannot be read afterwards."""
    _print({"removed": key_rotation.remove_key(*_acting(slug), plugin_id, key_id).id})


@main.group()
def plugin() -> None:
    """Plugins: the integrations that this installation offers."""


plugin.add_command(attack)


@plugin.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(as_json: bool) -> None:  # noqa: FBT001  click hands flags over
    """Show plugins, their hooks and wrappers, and their state."""
    rows = PluginHost.load(settings.read().plugins_dir).report()
    if as_json:
        _print([asdict(row) for row in rows])
        return
    for row in rows:
        click.echo(_report(row))


@main.command()
@click.argument("plugin_id", metavar="PLUGIN")
@_organization
@click.option(
    "--set", "texts", multiple=True, metavar="TAB.FIELD=VALUE|@FILE", help="A value; @FILE reads it from a file."
)
def activate(plugin_id: str, slug: str, texts: tuple[str, ...]) -> None:
    """Activate PLUGIN for an organization, or change its settings. What is not set stays as it is."""
    host = _services()
    made = organizations.organization_of(host, slug)
    done = activation.set_values(host, operator_of(made), plugin_id, dict(map(assignments.read, texts)))
    trust = done.activation.saml if done.activation else None
    _print(
        {
            "connection": done.connection_id,
            "acs_url": done.site.acs_url,
            "audience": done.site.audience,
            "login_url": done.site.login_url,
            "metadata_url": done.site.metadata_url,
            "single_logout_url": done.site.single_logout_url if trust and trust.single_logout_url else None,
            "scim_base_url": done.site.scim_base_url if plugin_of(host, plugin_id).form.scim else None,
        }
    )


@main.command()
def prune() -> None:
    """Delete what has expired. The server does it by itself every ten minutes."""
    _print({"deleted": housekeeping.prune(_services())})


def _shown_key(one: KeyView) -> dict[str, Any]:
    return {
        "key": one.id,
        "signs": one.signs,
        "fingerprint": one.certificate.fingerprint,
        "not_after": one.certificate.not_after.isoformat(),
        "certificate": one.pem,
    }


def _report(row: ReportRow) -> str:
    lines = [f"{row.id}  {row.title}  [{row.state}]".replace("    ", "  "), f"  source    {row.source}"]
    if row.hooks:
        lines.append(f"  hooks     {', '.join(row.hooks)}")
    if row.wrappers:
        lines.append(f"  wrapped   {', '.join(row.wrappers)} (outermost first)")
    if row.reason:
        lines.append(f"  problem   {row.reason}")
    return "\n".join(lines)


def _change_access(slug: str, email: str, act: Callable[[Services, Actor, str], None]) -> None:
    host, operator = _acting(slug)
    act(host, operator, people.with_address(host, operator, email).id)
    now = people.with_address(host, operator, email)
    _print(
        {
            "organization": operator.organization_slug,
            "email": now.email,
            "name": now.name,
            "active": now.active,
            "delete_at": now.delete_at.isoformat() if now.delete_at else None,
        }
    )


def _acting(slug: str) -> tuple[Services, Actor]:
    """The host, and the operator as one who acts in this organization."""
    host = _services()
    return host, operator_of(organizations.organization_of(host, slug))


def _services() -> Services:
    return services.start(settings.read())


def _print(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63]


def _portal(host: Services, made: Organization) -> str:
    return f"{host.settings.public_url}/portal/{made.slug}"


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("The same again: "):
        raise Conflict("The two passwords differ. Nothing was changed.")
    return first


if __name__ == "__main__":
    main()
