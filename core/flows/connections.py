"""Connections: their ids, the values that we give the provider, their stored configurations."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from urllib.parse import quote

from sqlalchemy import select

from core import certificates
from core.certificates import Certificate
from core.errors import ConfigRejected, NotFound, PluginMisbehaved, SignInRefused
from core.flows.prepared import PreparedConnection
from core.flows.service_keys import certificates_of, keys_of
from core.flows.services import Services
from core.forms import FormInvalid, Values
from core.plugin_api import SamlTrust, Site
from core.plugin_host import Plugin
from core.refusals import CONNECTION_INACTIVE, PLUGIN_FAILED
from core.saml.pinned_keys import Keys
from core.settings import Settings
from core.store import directory
from core.store.tables import Connection, ConnectionState
from core.vault import Vault


@dataclass(frozen=True, slots=True)
class Published:
    """What our SAML metadata says of a connection; ``certificates`` are those of our own keys there, ``trust`` is what
    it does now (none while it is not active). ``takes_logout``: its plugin offers single logout.
    """

    site: Site
    certificates: tuple[Certificate, ...] = ()
    trust: SamlTrust | None = None
    takes_logout: bool = False

    @property
    def single_logout_url(self) -> str:
        """Where the provider may send its messages of single logout; empty where it may not. A connection that is not
        active yet has it, because our metadata is often imported first and once.
        """
        offered = self.takes_logout and (self.trust is None or self.trust.single_logout_url)
        return self.site.single_logout_url if offered else ""


def connection_id(organization_id: str, plugin_id: str) -> str:
    """The id of this plugin's connection in this organization: the same before and after it is stored, so that the
    dialog can show the ACS URL first.
    """
    digest = hashlib.sha256(f"{organization_id}:{plugin_id}".encode()).digest()
    return "c-" + base64.b32encode(digest[:10]).decode().lower()


def site_of(settings: Settings, connection: str) -> Site:
    """What this host gives the provider for a connection. Every URL begins with the public URL."""
    base = settings.public_url
    return Site(
        acs_url=f"{base}/sso/{connection}/acs",
        audience=f"{base}/sso/{connection}",
        login_url=f"{base}/sso/{connection}/login",
        metadata_url=f"{base}/sso/{connection}/metadata",
        scim_base_url=f"{base}/scim/v2/{connection}",
        single_logout_url=f"{base}/sso/{connection}/slo",
    )


def own_site(services: Services, organization_id: str, plugin: Plugin, connection: str) -> Site:
    """The same with the certificate of our own key, where the plugin gives it to the provider."""
    site = site_of(services.settings, connection)
    if not plugin.form.has_own_keys:
        return site
    first, *_ = certificates_of(services, organization_id, connection)
    return replace(site, sp_certificate=certificates.to_pem([first]))


def login_path(connection_id: str, next_path: str = "") -> str:
    """The path that begins a sign-in and returns to ``next_path``."""
    return f"/sso/{connection_id}/login" + (f"?next={quote(next_path, safe='')}" if next_path else "")


def seal(vault: Vault, connection: str, values: Values) -> bytes:
    """Values of a configuration, encrypted for this connection."""
    return vault.seal(json.dumps(values).encode(), f"connections.values:{connection}")


def unseal(vault: Vault, connection: str, sealed: bytes) -> Values:
    """The values that were sealed. Raises ``ValueError`` where no key opens them."""
    values: Values = json.loads(vault.open(sealed, f"connections.values:{connection}"))
    return values


def plugin_of(services: Services, plugin_id: str) -> Plugin:
    """The working plugin of this id. Raises ``NotFound``, also for a quarantined one."""
    plugin = services.plugins.plugins.get(plugin_id)
    if plugin is None:
        raise NotFound("There is no such integration, or it is not working.")
    return plugin


def active_connection(services: Services, connection: str) -> PreparedConnection:
    """An active connection, prepared for sign-in.

    Raises ``NotFound`` for an unknown id and ``SignInRefused`` (SSO-502) for one that is not active, whose plugin is
    not working, or whose stored configuration its plugin no longer understands.
    """
    found = directory.connection(services.database, connection)
    if found is None:
        raise NotFound("There is no such connection. Check the address, or start from the sign-in page.")
    if found.state is not ConnectionState.ACTIVE:
        raise SignInRefused(CONNECTION_INACTIVE, "the connection is not active")
    if prepared := services.prepared.get(connection, found.revision):
        return prepared
    with services.database.reading(found.organization_id) as session:
        row = session.execute(select(Connection.revision, Connection.active).where(Connection.id == connection)).one()
    revision, sealed = row
    prepared = _prepare(services, found.organization_id, connection, found.plugin_id, sealed or b"")
    services.prepared.keep(revision, prepared)
    return prepared


def published(services: Services, connection: str) -> Published:
    """What our SAML metadata says of a connection, active or not: it is imported at the provider before activation. A
    connection that nobody has saved yet has it, too, where its dialog shows the certificate of a key of ours.

    Raises ``NotFound`` for an unknown id and for a plugin without SAML.
    """
    organization_id = directory.of_connection(services.database, connection)
    if organization_id is not None:
        for plugin in services.plugins.plugins.values():
            if plugin.form.saml and connection_id(organization_id, plugin.id) == connection:
                own = certificates_of(services, organization_id, connection) if plugin.form.has_own_keys else ()
                site, trust = site_of(services.settings, connection), _trust(services, connection)
                return Published(site, own, trust, takes_logout=plugin.form.single_logout)
    raise NotFound("There is no such connection. Check the address.")


def _trust(services: Services, connection: str) -> SamlTrust | None:
    try:
        return active_connection(services, connection).activation.saml
    except (NotFound, SignInRefused):
        return None


def _prepare(
    services: Services, organization_id: str, connection: str, plugin_id: str, sealed: bytes
) -> PreparedConnection:
    site = site_of(services.settings, connection)
    try:
        plugin = plugin_of(services, plugin_id)
        own = keys_of(services, organization_id, connection) if plugin.form.has_own_keys else None
        if own:
            site = replace(site, sp_certificate=certificates.to_pem([own.signing.certificate]))
        config = plugin.form.load(unseal(services.vault, connection, sealed), site)
        activation = services.plugins.activate(plugin_id, config, site)
    except NotFound:
        raise SignInRefused(CONNECTION_INACTIVE, f"the plugin {plugin_id} is not working") from None
    except (FormInvalid, ConfigRejected) as invalid:
        raise SignInRefused(
            CONNECTION_INACTIVE, f"the stored configuration does not fit the plugin: {invalid}"
        ) from None
    except PluginMisbehaved as broken:
        raise SignInRefused(PLUGIN_FAILED, str(broken)) from None
    return PreparedConnection(
        id=connection,
        organization_id=organization_id,
        plugin_id=plugin_id,
        title=plugin.tile.title,
        site=site,
        config=config,
        activation=activation,
        keys=Keys.of(activation.saml.certificates) if activation.saml else None,
        own=own,
    )
