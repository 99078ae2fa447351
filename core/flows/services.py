"""What every flow works with: made once when the process starts, immutable after."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.flows import metrics
from core.flows.prepared import PreparedConnections
from core.plugin_host import PluginHost
from core.settings import Settings
from core.store import schema
from core.store.database import Database
from core.vault import Vault, open_vault


@dataclass(frozen=True, slots=True)
class Services:
    """The host's parts. ``prepared`` holds what is costly to make of a connection's configuration."""

    settings: Settings
    database: Database
    plugins: PluginHost
    vault: Vault
    prepared: PreparedConnections = field(default_factory=PreparedConnections)


def start(settings: Settings, plugins: PluginHost | None = None) -> Services:
    """Open the database, bring it to the newest schema, and load the plugins, unless they are loaded already.

    Raises ``SettingsInvalid`` with one sentence where a setting cannot be used. A broken plugin stops nothing.
    """
    vault = open_vault(settings)
    database = Database(settings.database)
    schema.upgrade(database)
    schema.check_keys(database, vault)
    plugins = plugins or PluginHost.load(settings.plugins_dir)
    metrics.plugins_quarantined.set(len(plugins.quarantined))
    return Services(settings, database, plugins, vault)
