"""Requests of ours that a provider has not answered yet. Each waits in one browser: it is found again by the RelayState that
comes back with the answer, together with the secret of that browser's binding cookie.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import select

from core import clock
from core.flows.prepared import PreparedConnection
from core.flows.services import Services
from core.store.tables import PendingRequest
from core.store.tokens import hashed

Kind = TypeVar("Kind", bound=PendingRequest)


def wait(  # noqa: PLR0917  what makes a row, each part from somewhere else
    services: Services,
    connection: PreparedConnection,
    kind: type[PendingRequest],
    request_id: str,
    relay_state: str,
    browser_token: str,
    **more: Any,
) -> timedelta:
    """Let a request wait for its answer. ``more`` are the columns that only this ``kind`` has; answers for how long it waits."""
    now, lifetime = clock.now(), timedelta(minutes=services.settings.login_request_minutes)
    with services.database.writing(connection.organization_id) as session:
        session.add(
            kind(
                relay_state_hash=hashed(relay_state),
                organization_id=connection.organization_id,
                connection_id=connection.id,
                request_id=request_id,
                browser_hash=hashed(browser_token),
                created_at=now,
                expires_at=now + lifetime,
                **more,
            )
        )
    return lifetime


def waiting(
    services: Services, connection: PreparedConnection, kind: type[Kind], relay_state: str, browser_token: str | None
) -> Kind | None:
    """The request of this connection that waits in this browser; none where either secret is missing or another one."""
    if not relay_state or not browser_token:
        return None
    with services.database.reading(connection.organization_id) as session:
        return session.scalar(
            select(kind).where(
                kind.relay_state_hash == hashed(relay_state),
                kind.browser_hash == hashed(browser_token),
                kind.connection_id == connection.id,
                kind.expires_at > clock.now(),
            )
        )
