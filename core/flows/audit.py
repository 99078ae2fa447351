"""The audit log: who did what, with what before and after. Rows are added in the transaction of the act itself."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core import clock, correlation
from core.errors import Forbidden
from core.flows.actors import Actor
from core.flows.services import Services
from core.store.tables import Attempt, AuditEntry, Connection

PAGE = 50
_LONGEST_NAME = 512


class Event(enum.StrEnum):
    """Everything that is audited, with the words that people read."""

    words: str

    def __new__(cls, value: str, words: str) -> Self:
        """A member that is its code, with its words beside it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.words = words
        return member

    ORGANIZATION_CREATED = "organization.created", "Organization created"
    ADMIN_CREATED = "user.admin_created", "Administrator created"
    LINK_CREATED = "user.link_created", "One-time link created"
    SIGNED_IN = "sso.sign_in", "Signed in"
    SIGN_IN_FAILED = "sso.sign_in.failed", "Sign-in failed"
    USER_CREATED = "user.created", "Person created at first sign-in"
    USER_LINKED = "user.linked", "Account linked to a provider"
    PASSWORD_SIGN_IN = "password.sign_in", "Signed in with password"
    PASSWORD_FAILED = "password.failed", "Password not accepted"
    LINK_SIGN_IN = "link.sign_in", "Signed in with a one-time link"
    SIGNED_OUT = "session.ended", "Signed out"
    SIGNED_OUT_BY_PROVIDER = "sso.sign_out", "Signed out by the provider"
    SIGN_OUT_FAILED = "sso.sign_out.failed", "Sign-out with the provider failed"
    DRAFT_SAVED = "integration.draft_saved", "Setup started"
    ACTIVATED = "integration.activated", "Integration activated"
    UPDATED = "integration.updated", "Settings changed"
    DISABLED = "integration.disabled", "Integration disabled"
    KEY_ADDED = "integration.key_added", "Key of SiQ added"
    KEY_USED = "integration.key_used", "Key of SiQ signs from now on"
    KEY_REMOVED = "integration.key_removed", "Key of SiQ removed"
    TRACE_VIEWED = "integration.trace_viewed", "Sign-in trace viewed"
    FILE_DOWNLOADED = "integration.file_downloaded", "Set-up file downloaded"
    USER_PUSHED = "provisioning.user_created", "Person created by the directory"
    USER_ADOPTED = "provisioning.user_adopted", "Account taken over by the directory"
    USER_SUSPENDED = "user.suspended", "Access ended"
    USER_REMOVED = "user.removed", "Access ended, deletion planned"
    USER_RESTORED = "user.restored", "Access given back"
    USER_DELETED = "user.deleted", "Account deleted"
    ROLE_CHANGED = "user.role_changed", "Role changed by a group rule"
    BRAKE_ENGAGED = "provisioning.brake_engaged", "Deletions held: many people left at once"
    BRAKE_RELEASED = "provisioning.brake_released", "Held deletions decided"
    TOKEN_CREATED = "provisioning.token_created", "SCIM token created"
    TOKEN_ROTATED = "provisioning.token_rotated", "SCIM token rotated"
    TOKEN_REVOKED = "provisioning.token_revoked", "SCIM token revoked"
    RULES_CHANGED = "provisioning.rules_changed", "Provisioning rules changed"


def record(
    session: Session,
    event: Event,
    *,
    organization_id: str,
    actor: str,
    subject: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    """Add an entry in the caller's transaction. ``actor`` and ``subject`` are names for people, of which 512 characters are
    kept (a NameID may have more); no secrets in ``details``.
    """
    session.add(
        AuditEntry(
            organization_id=organization_id,
            at=clock.now(),
            event=event.value,
            actor=actor[:_LONGEST_NAME],
            subject=subject[:_LONGEST_NAME],
            details=details or {},
            correlation_id=correlation.current(),
        )
    )


@dataclass(frozen=True, slots=True)
class EntryView:
    """One row of the audit page. ``attempt_at``: the plugin whose page has the sign-in attempt of this entry's correlation
    id; empty where none is kept.
    """

    id: int
    at: datetime
    event: str
    words: str
    actor: str
    subject: str
    details: tuple[tuple[str, str], ...]
    correlation_id: str
    attempt_at: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first. ``older`` is the value of ``before`` for the next page, none on the last one."""

    entries: tuple[EntryView, ...]
    total: int
    query: str
    older: int | None


def entries(services: Services, actor: Actor, query: str = "", before: int | None = None) -> AuditPage:
    """The organization's audit log. ``query`` is a part of a person, event (its code or its words) or correlation id.

    For Admin and IT; raises ``Forbidden`` for the others.
    """
    if not actor.manages_integrations:
        raise Forbidden("Only people with the role Admin or IT can read the audit log. Ask one of them.")
    found = select(AuditEntry)
    if query:
        columns = (AuditEntry.actor, AuditEntry.subject, AuditEntry.event, AuditEntry.correlation_id)
        named = [event.value for event in Event if query.casefold() in event.words.casefold()]
        holds = (column.icontains(query, autoescape=True) for column in columns)
        found = found.where(or_(*holds, AuditEntry.event.in_(named)))
    with services.database.reading(actor.organization_id) as session:
        total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
        if before is not None:
            found = found.where(AuditEntry.id < before)
        rows = session.scalars(found.order_by(AuditEntry.id.desc()).limit(PAGE + 1)).all()
        kept = (
            select(Attempt.id, Connection.plugin_id)
            .join(Connection, Connection.id == Attempt.connection_id)
            .where(Attempt.id.in_({row.correlation_id for row in rows}))
        )
        attempts = {attempt: plugin for attempt, plugin in session.execute(kept)}  # noqa: C416  rows are no pairs to mypy
    return AuditPage(
        entries=tuple(_view(services, row, attempts.get(row.correlation_id, "")) for row in rows[:PAGE]),
        total=total,
        query=query,
        older=rows[PAGE - 1].id if len(rows) > PAGE else None,
    )


def _view(services: Services, row: AuditEntry, attempt_at: str) -> EntryView:
    known = {event.value: event.words for event in Event}
    return EntryView(
        id=row.id,
        at=row.at,
        event=row.event,
        words=known.get(row.event, row.event),
        actor=row.actor,
        subject=row.subject,
        details=tuple((_label(services, row.subject, name), str(value)) for name, value in row.details.items()),
        correlation_id=row.correlation_id,
        attempt_at=attempt_at,
    )


def _label(services: Services, subject: str, name: str) -> str:
    """What a detail is called: the label of a plugin's field (``tab.field``) where the entry concerns that plugin."""
    form = next((plugin.form for plugin in services.plugins.plugins.values() if plugin.tile.title == subject), None)
    field = form.field(name) if form else None
    return field.label if field else name.replace("_", " ")
