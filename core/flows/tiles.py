"""A plugin as one organization sees it: its tile, with the state of its connection."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import certificates, clock
from core.errors import SignInRefused
from core.flows.connections import active_connection
from core.flows.services import Services
from core.moments import ago
from core.plugin_api import Category
from core.plugin_host import Plugin, Quarantined
from core.refusals import Refusal
from core.store.tables import Attempt, Connection, ConnectionState, LinkedIdentity, Outcome

State = Literal["off", "draft", "active", "attention", "error"]

EXPIRY_NOTICE = timedelta(days=30)
_HUES = 7


@dataclass(frozen=True, slots=True)
class Logo:
    """The plugin's own picture, or its monogram in one of seven hues."""

    monogram: str
    hue: int
    url: str | None


@dataclass(frozen=True, slots=True)
class Fact:
    """One line on a tile: an icon's name, a sentence, and ``warn`` or ``bad`` where it matters."""

    icon: str
    text: str
    tone: Literal["", "warn", "bad"] = ""


@dataclass(frozen=True, slots=True)
class TileView:
    """A tile of the catalog. ``reason`` says why a plugin is not working; ``fixes`` are its own words for refusals."""

    plugin_id: str
    title: str
    maker: str
    summary: str
    category: Category
    tags: tuple[str, ...]
    state: State
    facts: tuple[Fact, ...]
    logo: Logo
    reason: str = ""
    documentation: str = ""
    has_guide: bool = False
    search_text: str = ""
    fixes: Mapping[Refusal, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def in_use(self) -> bool:
        """Whether it stands under "In use"."""
        return self.state != "off" and not (self.state == "error" and self.reason)


def tile(services: Services, plugin: Plugin, connection: Connection | None, session: Session) -> TileView:
    """The tile of a working plugin. ``session`` is one of the organization."""
    state, facts = _state(services, connection, session)
    tags = tuple(name for name, has in (("SSO", plugin.form.saml), ("Provisioning", plugin.form.scim)) if has)
    spec = plugin.tile
    return TileView(
        plugin_id=plugin.id,
        title=spec.title,
        maker=spec.maker,
        summary=spec.summary,
        category=spec.category,
        tags=tags,
        state=state,
        facts=facts,
        logo=logo(plugin.id, spec.title, has_icon=plugin.icon is not None),
        documentation=spec.documentation,
        has_guide=plugin.guide is not None,
        fixes=spec.fixes,
        search_text=" ".join((spec.title, spec.maker, spec.summary, *tags, *spec.search)).lower(),
    )


def broken_tile(plugin: Quarantined, connection: Connection | None) -> TileView:
    """The tile of a quarantined plugin: it says that and why."""
    facts = [Fact("alert", "The plugin is not working", "bad")]
    if connection is not None and connection.state is ConnectionState.ACTIVE:
        facts.append(Fact("info", "Its settings are safe. Nobody can sign in through it now"))
    return TileView(
        plugin_id=plugin.id,
        title=plugin.id,
        maker="/".join(Path(plugin.source).parts[-2:]),  # no folder of the server is a customer's business
        summary="",
        category=Category.PROVISIONING_SSO,
        tags=(),
        state="error",
        facts=tuple(facts),
        logo=logo(plugin.id, plugin.id, has_icon=False),
        reason=plugin.reason,
        search_text=plugin.id.lower(),
    )


def logo(plugin_id: str, title: str, *, has_icon: bool) -> Logo:
    """The logo of a plugin; the hue follows from the id, so it stays."""
    letters = [word[0] for word in title.split()][:2] if " " in title else list(title[:2])
    hue = hashlib.sha256(plugin_id.encode()).digest()[0] % _HUES + 1
    url = f"/settings/integrations/{plugin_id}/icon" if has_icon else None
    return Logo("".join(letters).capitalize(), hue, url)


def _state(services: Services, connection: Connection | None, session: Session) -> tuple[State, tuple[Fact, ...]]:
    if connection is None:
        return "off", ()
    if connection.state is ConnectionState.DRAFT:
        started = Fact("info", f"Started by {connection.changed_by}, {ago(connection.changed_at, clock.now())}")
        return "draft", (started,)
    if connection.state is ConnectionState.DISABLED:
        return "off", (
            Fact("minus", f"Disabled by {connection.changed_by}, {ago(connection.changed_at, clock.now())}"),
        )
    problem = _problem(services, connection)
    facts = (*((problem,) if problem else ()), _activity(connection, session))
    if problem is None:
        return "active", facts
    return ("error" if problem.tone == "bad" else "attention"), facts


def _problem(services: Services, connection: Connection) -> Fact | None:
    """The worst thing that is wrong with an active connection."""
    try:
        prepared = active_connection(services, connection.id)
    except SignInRefused as refused:
        return Fact("alert", refused.detail or refused.public, "bad")
    if prepared.activation.saml is None:
        return None
    pinned = certificates.read(prepared.activation.saml.certificates)
    return certificate_problem(pinned, clock.now())


def certificate_problem(pinned: tuple[certificates.Certificate, ...], now: datetime) -> Fact | None:
    """What is wrong with a connection's certificates: the newest has expired, or will within 30 days."""
    ends_at = max(certificate.not_after for certificate in pinned)
    if ends_at <= now:
        return Fact("alert", "The certificate has expired. Nobody can sign in", "bad")
    if ends_at - now <= EXPIRY_NOTICE:
        days = (ends_at - now).days
        return Fact("alert", f"The certificate expires in {days} {'day' if days == 1 else 'days'}", "warn")
    return None


def _activity(connection: Connection, session: Session) -> Fact:
    people = session.scalar(
        select(func.count()).select_from(LinkedIdentity).where(LinkedIdentity.connection_id == connection.id)
    )
    last = session.scalar(
        select(func.max(Attempt.at)).where(Attempt.connection_id == connection.id, Attempt.outcome == Outcome.SIGNED_IN)
    )
    if last is None:
        return Fact("users", "No sign-ins yet")
    return Fact("users", f"{people} {'person' if people == 1 else 'people'}, last sign-in {ago(last, clock.now())}")
