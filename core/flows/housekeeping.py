"""Removes what has expired, in batches, so that no table grows without an end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from core import clock
from core.flows import offboarding, scim_requests
from core.flows.services import Services
from core.store.database import Base
from core.store.provisioning_tables import ProvisioningRequest
from core.store.tables import (
    Attempt,
    AuditEntry,
    LoginRequest,
    LogoutRequest,
    OneTimeLink,
    PasswordFailure,
    SignInSession,
    UsedAssertion,
)

_BATCH = 1_000  # rows of one transaction: short enough that nobody waits for the lock
AUDIT_DAYS = 400


def prune(services: Services) -> int:
    """Delete expired rows; answers how many. Safe to run in any number of processes at once."""
    now = clock.now()
    day = timedelta(days=1)
    expired: tuple[tuple[type[Base], ColumnElement[bool]], ...] = (
        (LoginRequest, LoginRequest.expires_at < now),  # anybody can make one: none stays longer than it is good for
        (LogoutRequest, LogoutRequest.expires_at < now),
        (UsedAssertion, UsedAssertion.expires_at < now),
        (SignInSession, SignInSession.expires_at < now),
        (OneTimeLink, OneTimeLink.expires_at < now - day),
        (PasswordFailure, PasswordFailure.at < now - day),
        (Attempt, Attempt.at < now - day * services.settings.trace_days),
        (AuditEntry, AuditEntry.at < now - day * AUDIT_DAYS),
        (ProvisioningRequest, ProvisioningRequest.at < now - day * services.settings.scim_log_days),
    )
    deleted = offboarding.delete_due(services) + scim_requests.prune(services)
    return deleted + sum(_prune(services, table, condition) for table, condition in expired)


def _prune(services: Services, table: type[Base], condition: ColumnElement[bool]) -> int:
    key: Any = table.__mapper__.primary_key[-1]
    total = 0
    while True:
        with services.database.unscoped() as session:
            keys = session.scalars(select(key).where(condition).limit(_BATCH)).all()
            if not keys:
                return total
            session.execute(delete(table).where(condition, key.in_(keys)).execution_options(synchronize_session=False))
            total += len(keys)
