"""Files that a plugin offers, filled in for the connection of one organization."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from core.errors import NotFound, PluginMisbehaved
from core.field_types import Kind
from core.flows import audit, metrics
from core.flows.actors import Actor
from core.flows.connections import connection_id, own_site, plugin_of
from core.flows.services import Services
from core.forms import Form, media_type

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file that can be downloaded: ``field`` names it as ``tab.field``."""

    field: str
    filename: str
    label: str
    help: str


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file as it is sent: UTF-8 text of a media type."""

    filename: str
    media_type: str
    data: bytes


def offered_beside(form: Form, kind: Kind) -> tuple[OfferedFile, ...]:
    """The files of the tabs that have a field of this kind, in their order."""
    return tuple(
        OfferedFile(one.name, one.download.filename, one.label, one.help)
        for tab in form.tabs
        if tab.of_kind(kind)
        for one in tab.fields
        if one.download
    )


def make(services: Services, actor: Actor, plugin_id: str, field: str) -> MadeFile:
    """The file of a field, filled in for the actor's connection, whether it is set up yet or not.

    Raises ``Forbidden`` for people who do not manage integrations, ``NotFound`` for a field that declares no file, and
    ``PluginMisbehaved`` where the plugin does not make it.
    """
    actor.require_integrations()
    plugin = plugin_of(services, plugin_id)
    declared = plugin.form.field(field)
    if declared is None or declared.download is None:
        raise NotFound("This integration offers no such file.")
    site = own_site(services, actor.organization_id, plugin, connection_id(actor.organization_id, plugin_id))
    filename = declared.download.filename
    try:
        data = services.plugins.file(plugin_id, field, site)
    except PluginMisbehaved as broken:
        metrics.count_file(plugin_id, "failed")
        log.error("a plugin could not make a file", plugin=plugin_id, reason=broken.public)  # noqa: TRY400  its locals are not ours to log
        raise
    metrics.count_file(plugin_id, "made")
    with services.database.writing(actor.organization_id) as session:
        audit.record(
            session,
            audit.Event.FILE_DOWNLOADED,
            organization_id=actor.organization_id,
            actor=actor.display_name,
            subject=plugin.tile.title,
            details={"file": filename},
        )
    return MadeFile(filename, media_type(filename), data)
