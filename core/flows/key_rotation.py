"""Exchanging our own key at a connection without a gap: add a second one, sign with it, remove the old one.

Between the steps the administrator tells the provider: both keys are in our metadata from the first step to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import certificates, clock
from core.certificates import Certificate
from core.errors import Conflict, NotFound
from core.flows import audit, metrics
from core.flows.actors import Actor
from core.flows.connections import connection_id, plugin_of
from core.flows.service_keys import certificates_of, new_key, row_of, rows_of
from core.flows.services import Services
from core.plugin_host import Plugin
from core.saml.service_keys import MOST
from core.store.tables import Connection, ServiceProviderKey


@dataclass(frozen=True, slots=True)
class KeyView:
    """One of our keys as administrators see it. ``created_by`` is empty for the one that was made at need."""

    id: str
    certificate: Certificate
    signs: bool
    created_at: datetime
    created_by: str

    @property
    def pem(self) -> str:
        """Its certificate as PEM text."""
        return certificates.to_pem([self.certificate])


def keys(services: Services, actor: Actor, plugin_id: str) -> tuple[KeyView, ...]:
    """The keys of a plugin's connection, the one that signs first; none where the plugin declares no certificate of ours.

    Raises ``Forbidden`` or ``NotFound``.
    """
    actor.require_integrations()
    if not plugin_of(services, plugin_id).form.has_own_keys:
        return ()
    connection = connection_id(actor.organization_id, plugin_id)
    certificates_of(services, actor.organization_id, connection)  # makes the first
    with services.database.reading(actor.organization_id) as session:
        return tuple(_view(row) for row in rows_of(session, connection))


def add_key(services: Services, actor: Actor, plugin_id: str) -> KeyView:
    """A second key: it decrypts from now on and is in our metadata, and signs nothing until it is told to.

    Raises ``Conflict`` where two are live, ``NotFound`` and ``Forbidden`` as all here.
    """
    plugin = _plugin(services, actor, plugin_id)
    connection = connection_id(actor.organization_id, plugin_id)
    if len(keys(services, actor, plugin_id)) >= MOST:
        raise _two_already()
    made = new_key(services, connection)

    def act(session: Session, rows: Sequence[ServiceProviderKey]) -> ServiceProviderKey:
        if len(rows) >= MOST:
            raise _two_already()
        slot = next(each for each in range(1, MOST + 1) if each not in {row.slot for row in rows})
        row = row_of(services, actor.organization_id, connection, made, slot=slot, by=actor.display_name)
        session.add(row)
        session.flush()
        return row

    return _change(services, actor, plugin, audit.Event.KEY_ADDED, act)


def use_key(services: Services, actor: Actor, plugin_id: str, key_id: str) -> KeyView:
    """Sign with this key from now on. Raises ``NotFound`` for one that is gone, ``Conflict`` where it signs already."""
    plugin = _plugin(services, actor, plugin_id)

    def act(session: Session, rows: Sequence[ServiceProviderKey]) -> ServiceProviderKey:
        wanted = _one(rows, key_id)
        if wanted.signs:
            raise Conflict("SiQ signs with this key already.")
        for row in rows:
            row.signs = False
        session.flush()  # one may sign at a time, also in between
        wanted.signs = True
        return wanted

    return _change(services, actor, plugin, audit.Event.KEY_USED, act)


def remove_key(services: Services, actor: Actor, plugin_id: str, key_id: str) -> KeyView:
    """Delete a key: what was encrypted for it cannot be read any more. Raises ``Conflict`` for the one that signs."""
    plugin = _plugin(services, actor, plugin_id)

    def act(session: Session, rows: Sequence[ServiceProviderKey]) -> ServiceProviderKey:
        row = _one(rows, key_id)
        if row.signs:
            raise Conflict("SiQ signs with this key. Sign with the other one first, then remove this one.")
        session.delete(row)
        session.flush()
        return row

    return _change(services, actor, plugin, audit.Event.KEY_REMOVED, act)


def _plugin(services: Services, actor: Actor, plugin_id: str) -> Plugin:
    actor.require_integrations()
    plugin = plugin_of(services, plugin_id)
    if not plugin.form.has_own_keys:
        raise NotFound("This integration has no keys of its own.")
    return plugin


def _change(
    services: Services,
    actor: Actor,
    plugin: Plugin,
    event: audit.Event,
    act: Callable[[Session, Sequence[ServiceProviderKey]], ServiceProviderKey],
) -> KeyView:
    """Change the keys in one transaction. The connection's revision goes up, so that every process reads them anew."""
    connection = connection_id(actor.organization_id, plugin.id)

    def change(session: Session) -> KeyView:
        row = session.scalar(select(Connection).where(Connection.id == connection).with_for_update())
        changed = _view(act(session, rows_of(session, connection)))
        if row is not None:
            row.revision += 1
            row.changed_at, row.changed_by = clock.now(), actor.display_name
        audit.record(
            session,
            event,
            organization_id=actor.organization_id,
            actor=actor.display_name,
            subject=plugin.tile.title,
            details={"certificate": changed.certificate.fingerprint},
        )
        return changed

    changed = services.database.transact(actor.organization_id, change)
    metrics.count_key_change(plugin.id, event.value)
    return changed


def _one(rows: Sequence[ServiceProviderKey], key_id: str) -> ServiceProviderKey:
    found = next((row for row in rows if row.id == key_id), None)
    if found is None:
        raise NotFound("This key is gone.")
    return found


def _two_already() -> Conflict:
    return Conflict("There are two keys already. Remove the one that is not used any more first.")


def _view(row: ServiceProviderKey) -> KeyView:
    return KeyView(row.id, certificates.read(row.certificate)[0], row.signs, row.created_at, row.created_by)
