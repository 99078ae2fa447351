"""Activating an integration: the dialog, what an administrator types, and what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import certificates, clock
from core.errors import ConfigRejected, Conflict, NotFound, PluginMisbehaved
from core.flows import audit, metrics
from core.flows.actors import Actor
from core.flows.connections import connection_id, own_site, plugin_of, seal, unseal
from core.flows.services import Services
from core.flows.tiles import TileView, tile
from core.forms import Field, FieldError, FormInvalid, FormView, Posted, Upload, Values, Widget
from core.plugin_api import Activation, Site
from core.plugin_host import Plugin
from core.saml import metadata
from core.store.tables import Connection, ConnectionState

Intent = Literal["activate", "draft", "fill"]

_PLUGIN_FAILED = "The plugin failed while it looked at these settings. Nothing was saved; its maker has to mend it."


@dataclass(frozen=True, slots=True)
class Dialog:
    """The activation dialog of a plugin in one organization. ``problem`` is one that no field can show."""

    tile: TileView
    form: FormView
    connection_id: str
    site: Site
    state: ConnectionState | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Activated:
    """A configuration was stored. ``is_new`` says that the connection was not active before."""

    connection_id: str
    plugin_id: str
    title: str
    site: Site
    activation: Activation | None
    is_new: bool


class DialogAgain(Exception):
    """The dialog is to be shown again with what was typed: filled in (200), or with what must be changed (422)."""

    def __init__(self, dialog: Dialog, status: int) -> None:
        super().__init__(
            "; ".join(f"{error.field}: {error.sentence}" for error in dialog.form.errors) or dialog.problem
        )
        self.dialog = dialog
        self.status = status


def open_dialog(services: Services, actor: Actor, plugin_id: str) -> Dialog:
    """The dialog with what is stored: the draft, else the active configuration, else the plugin's defaults.

    Raises ``Forbidden`` or ``NotFound``.
    """
    actor.require_integrations()
    plugin = plugin_of(services, plugin_id)
    stored = _stored(services, actor, plugin_id)
    return _dialog(services, actor, plugin, stored, stored.values)


def unfinished(services: Services, actor: Actor, plugin_id: str) -> tuple[str, ...]:
    """The labels of the fields without which, or with whose values, what is stored cannot be activated, in the form's order.

    Raises ``Forbidden`` or ``NotFound``.
    """
    actor.require_integrations()
    plugin = plugin_of(services, plugin_id)
    row, values = _stored(services, actor, plugin_id)
    connection = row.id if row else connection_id(actor.organization_id, plugin.id)
    try:
        plugin.form.validate(values, own_site(services, actor.organization_id, plugin, connection), clock.now())
    except FormInvalid as invalid:
        return tuple(dict.fromkeys(error.label for error in invalid.errors))
    except PluginMisbehaved:  # the dialog says so, and whom to tell
        return ()
    return ()


def submit(services: Services, actor: Actor, plugin_id: str, posted: Posted, intent: Intent = "activate") -> Activated:
    """Take what was posted. ``activate`` validates and puts it into force; ``draft`` keeps it for later as it is;
    ``fill`` reads metadata into the form.

    Raises ``DialogAgain`` for ``fill`` and wherever something must be changed first: nothing is stored then.
    """
    actor.require_integrations()
    plugin = plugin_of(services, plugin_id)
    stored = _stored(services, actor, plugin_id)
    try:
        values, problems = plugin.form.read(posted, stored.values, metadata.identity_provider), None
    except FormInvalid as invalid:
        values, problems = invalid.values, invalid
    try:
        if intent == "activate":
            activation = _check(services, actor, plugin, values, problems.errors if problems else ())
            return _put_into_force(services, actor, plugin, values, activation)
        if problems:
            raise problems
    except FormInvalid as invalid:
        metrics.count_activation(plugin.id, "refused")
        invalid.metadata = problems.metadata if problems else {}
        raise DialogAgain(_dialog(services, actor, plugin, stored, values, invalid=invalid), 422) from None
    except PluginMisbehaved:
        again = _dialog(services, actor, plugin, stored, values)
        raise DialogAgain(replace(again, problem=_PLUGIN_FAILED), 422) from None
    if intent == "fill":
        raise DialogAgain(_dialog(services, actor, plugin, stored, values), 200)
    return _save_draft(services, actor, plugin, values)


def set_values(services: Services, actor: Actor, plugin_id: str, values: Mapping[str, str | bytes]) -> Activated:
    """Activate without a dialog: values by ``tab.field``, texts or the bytes of a file, over what is stored. An empty one
    removes a secret that is optional.

    Raises ``ConfigRejected`` for the first one that is refused, and for a name that the plugin does not declare.
    """
    form = plugin_of(services, plugin_id).form
    boxes = {tab.metadata.name for tab in open_dialog(services, actor, plugin_id).form.tabs if tab.metadata}
    posted: dict[str, list[str | Upload]] = {}
    for name, value in values.items():
        field = form.field(name)
        if (field is None or field.read_only) and name not in boxes:
            raise ConfigRejected(name, "There is no such field that can be set.")
        takes_file = name in boxes or (field and field.widget is Widget.CERTIFICATE)
        if field and field.secret and value in ("", b""):
            posted[field.remove_name] = ["true"]
        elif isinstance(value, str):
            posted[name] = [value]
        elif takes_file:
            posted[f"{name}_file"] = [Upload("", value)]
        else:
            posted[name] = [value.decode("utf-8", "replace")]
    try:
        return submit(services, actor, plugin_id, posted)
    except DialogAgain as again:
        first = next(iter(again.dialog.form.errors), None)
        raise ConfigRejected(
            first.field if first else plugin_id, first.sentence if first else again.dialog.problem
        ) from None


def disable(services: Services, actor: Actor, plugin_id: str) -> None:
    """Nobody signs in through it any more; everything is kept, and open sessions go on until they end.

    Raises ``Conflict`` where it is not active.
    """
    actor.require_integrations()
    with services.database.writing(actor.organization_id) as session:
        row = _row(session, plugin_id)
        if row is None or row.state is not ConnectionState.ACTIVE:
            raise Conflict("This integration is not active.")
        row.state = ConnectionState.DISABLED
        row.revision += 1
        row.changed_at, row.changed_by = clock.now(), actor.display_name
        audit.record(
            session,
            audit.Event.DISABLED,
            organization_id=actor.organization_id,
            actor=actor.display_name,
            subject=_title(services, plugin_id),
        )


def _check(
    services: Services, actor: Actor, plugin: Plugin, values: Values, problems: tuple[FieldError, ...]
) -> Activation:
    site = own_site(services, actor.organization_id, plugin, connection_id(actor.organization_id, plugin.id))
    try:
        config = plugin.form.validate(values, site, clock.now(), problems)
        return services.plugins.activate(plugin.id, config, site)
    except ConfigRejected as rejected:
        raise FormInvalid((plugin.form.error(rejected.field, rejected.public),), values) from None


def _save_draft(services: Services, actor: Actor, plugin: Plugin, values: Values) -> Activated:
    connection = connection_id(actor.organization_id, plugin.id)

    def save(session: Session) -> None:
        row = _row_or_new(session, actor, plugin.id, connection)
        row.draft = seal(services.vault, connection, values)
        row.changed_at, row.changed_by = clock.now(), actor.display_name
        audit.record(
            session,
            audit.Event.DRAFT_SAVED,
            organization_id=actor.organization_id,
            actor=actor.display_name,
            subject=plugin.tile.title,
        )

    services.database.transact(actor.organization_id, save)
    site = own_site(services, actor.organization_id, plugin, connection)
    return Activated(connection, plugin.id, plugin.tile.title, site, None, is_new=False)


def _put_into_force(
    services: Services, actor: Actor, plugin: Plugin, values: Values, activation: Activation
) -> Activated:
    connection = connection_id(actor.organization_id, plugin.id)

    def promote(session: Session) -> bool:
        row = _row_or_new(session, actor, plugin.id, connection)
        before = unseal(services.vault, connection, row.active) if row.active else {}
        is_new = row.state is not ConnectionState.ACTIVE
        row.active, row.draft = seal(services.vault, connection, values), None
        row.state = ConnectionState.ACTIVE
        row.revision += 1
        row.changed_at, row.changed_by = clock.now(), actor.display_name
        if is_new:
            row.activated_at = clock.now()
        audit.record(
            session,
            audit.Event.ACTIVATED if is_new else audit.Event.UPDATED,
            organization_id=actor.organization_id,
            actor=actor.display_name,
            subject=plugin.tile.title,
            details=_changes(plugin, before, values),
        )
        return is_new

    is_new = services.database.transact(actor.organization_id, promote)
    metrics.count_activation(plugin.id, "activated" if is_new else "updated")
    site = own_site(services, actor.organization_id, plugin, connection)
    return Activated(connection, plugin.id, plugin.tile.title, site, activation, is_new)


class _Stored(NamedTuple):
    """The row of a connection, and the values that are kept in it: the draft, else what is active."""

    row: Connection | None
    values: Values


def _stored(services: Services, actor: Actor, plugin_id: str) -> _Stored:
    with services.database.reading(actor.organization_id) as session:
        row = _row(session, plugin_id)
    sealed = (row.draft or row.active) if row else None
    return _Stored(row, unseal(services.vault, row.id, sealed) if row and sealed else {})


def _row(session: Session, plugin_id: str) -> Connection | None:
    return session.scalar(select(Connection).where(Connection.plugin_id == plugin_id))


def _row_or_new(session: Session, actor: Actor, plugin_id: str, connection: str) -> Connection:
    row = session.scalar(select(Connection).where(Connection.plugin_id == plugin_id).with_for_update())
    if row is None:
        row = Connection(
            id=connection,
            organization_id=actor.organization_id,
            plugin_id=plugin_id,
            state=ConnectionState.DRAFT,
            revision=1,
            created_at=clock.now(),
        )
        session.add(row)
    return row


def _dialog(
    services: Services,
    actor: Actor,
    plugin: Plugin,
    stored: _Stored,
    values: Values,
    *,
    invalid: FormInvalid | None = None,
) -> Dialog:
    connection = connection_id(actor.organization_id, plugin.id)
    site = own_site(services, actor.organization_id, plugin, connection)
    with services.database.reading(actor.organization_id) as session:
        view = tile(services, plugin, stored.row, session)
    form = plugin.form.view(
        values,
        site,
        invalid.errors if invalid else (),
        now=clock.now(),
        stored=stored.values,
        stored_at=stored.row.changed_at if stored.row else None,
        metadata=invalid.metadata if invalid else {},
    )
    return Dialog(view, form, connection, site, stored.row.state if stored.row else None)


def _title(services: Services, plugin_id: str) -> str:
    try:
        return plugin_of(services, plugin_id).tile.title
    except NotFound:
        return plugin_id


def _changes(plugin: Plugin, before: Values, after: Values) -> dict[str, Any]:
    """What changed, for the audit log: values before and after, certificates by fingerprint, secrets not at all."""
    changes: dict[str, Any] = {}
    for tab, fields in after.items():
        for name, value in fields.items():
            old = before.get(tab, {}).get(name)
            if old != value:
                field = plugin.form.field(f"{tab}.{name}")
                changes[f"{tab}.{name}"] = f"{_shown(field, old)} → {_shown(field, value)}"
    return changes


def _shown(field: Field | None, value: object) -> str:
    if value in (None, "", [], {}):
        return "empty"
    if field and field.secret:
        return "a secret"
    if field and field.widget is Widget.CERTIFICATE:
        return ", ".join(certificate.fingerprint for certificate in certificates.read(str(value)))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {part}" for name, part in value.items())
    return str(value)
