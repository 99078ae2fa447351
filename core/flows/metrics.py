"""What an operator watches, for Prometheus. One process exposes its own numbers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

registry = CollectorRegistry()

_sign_ins = Counter("siq_sign_ins", "Ends of sign-ins by SAML.", ("plugin", "outcome", "code"), registry=registry)
_sign_outs = Counter(
    "siq_sign_outs", "Messages of single logout, sent and received.", ("plugin", "outcome", "code"), registry=registry
)
sign_in_duration = Histogram(
    "siq_acs_seconds",
    "Seconds from the posted response to the session or the refusal.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
    registry=registry,
)
_activations = Counter("siq_activations", "Activations of integrations.", ("plugin", "outcome"), registry=registry)
_keys = Counter("siq_key_changes", "Changes of our own keys at connections.", ("plugin", "event"), registry=registry)
_files = Counter("siq_plugin_files", "Files that plugins made for download.", ("plugin", "outcome"), registry=registry)
_scim = Counter(
    "siq_scim_requests",
    "Requests of directories; without plugin where no token fits.",
    ("plugin", "method", "status"),
    registry=registry,
)
_scim_duration = Histogram(
    "siq_scim_seconds",
    "Seconds to answer a request of a directory.",
    ("method",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0),
    registry=registry,
)
_access = Counter(
    "siq_access_changes", "Access of people ended, given back, or deleted.", ("event",), registry=registry
)
_password_sign_ins = Counter("siq_password_sign_ins", "Sign-ins by password.", ("outcome",), registry=registry)
plugins_quarantined = Gauge("siq_plugins_quarantined", "Plugins that cannot be used.", registry=registry)


def count_sign_in(plugin: str, outcome: str, code: str = "") -> None:
    """Count the end of a sign-in: ``signed_in``, ``bounced`` or ``failed`` with its code."""
    _sign_ins.labels(plugin, outcome, code).inc()


def count_sign_out(plugin: str, outcome: str, code: str = "") -> None:
    """Count a step of single logout: ``asked`` (the provider, by us), ``confirmed`` or ``partial`` (by its answer),
    ``ended`` (at its request), or ``failed`` with its code.
    """
    _sign_outs.labels(plugin, outcome, code).inc()


def count_activation(plugin: str, outcome: str) -> None:
    """Count a press of Activate: ``activated``, ``updated`` or ``refused``."""
    _activations.labels(plugin, outcome).inc()


def count_key_change(plugin: str, event: str) -> None:
    """Count a step of an exchange of keys: the code of its audit event."""
    _keys.labels(plugin, event).inc()


def count_file(plugin: str, outcome: str) -> None:
    """Count a file that was asked for: ``made`` or ``failed``."""
    _files.labels(plugin, outcome).inc()


def count_scim(plugin: str, method: str, status: int, seconds: float) -> None:
    """Count a request of a directory."""
    _scim.labels(plugin, method, str(status)).inc()
    _scim_duration.labels(method).observe(seconds)


def count_access(event: str) -> None:
    """Count a change of somebody's access, or the brake: the code of its audit event."""
    _access.labels(event).inc()


def count_password_sign_in(outcome: str) -> None:
    """Count a password sign-in: ``signed_in``, ``failed`` or ``throttled``."""
    _password_sign_ins.labels(outcome).inc()
