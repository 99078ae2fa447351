"""The plugins of this process: found, checked, quarantined where they are broken, and called one at a time."""

from core.plugin_host.host import Plugin, PluginHost, Quarantined, ReportRow

__all__ = ["Plugin", "PluginHost", "Quarantined", "ReportRow"]
