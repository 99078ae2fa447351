"""A refusal on its way to a page: put on record, with what the page shows."""

from __future__ import annotations

from datetime import datetime

from core import clock, correlation
from core.errors import SignInRefused
from core.flows import attempts, audit
from core.flows.attempts import Observed
from core.flows.services import Services
from core.store import directory
from core.store.tables import Organization


class SignInFailed(Exception):
    """A sign-in was refused, or a message of single logout, and the refusal is on record.

    Carries what its page shows: the refusal, the correlation id, the time, the provider's name, the connection's id
    and the organization's contact (an e-mail address, or empty).
    """

    def __init__(
        self,
        refused: SignInRefused,
        *,
        provider: str,
        connection_id: str,
        plugin_id: str = "",
        organization_name: str = "",
        contact: str = "",
    ) -> None:
        super().__init__(str(refused))
        self.refusal = refused.refusal
        self.provider = provider
        self.connection_id = connection_id
        self.plugin_id = plugin_id
        self.organization_name = organization_name
        self.contact = contact
        self.correlation_id = correlation.current()
        self.at: datetime = clock.now()


def on_record(services: Services, observed: Observed, refused: SignInRefused, event: audit.Event) -> SignInFailed:
    """Keep an attempt with its refusal and audit it as ``event``, unless there were too many lately; answers the error for
    its page.
    """
    connection = observed.connection
    with services.database.writing(connection.organization_id) as session:
        if not attempts.too_many_failures(session, connection.id):
            attempts.record(services, session, observed, refused)
            audit.record(
                session,
                event,
                organization_id=connection.organization_id,
                actor=observed.who or "unknown person",
                subject=connection.title,
                details={"code": f"{refused.refusal.code} {refused.refusal.name}"},
            )
    organization = directory.organization_by_id(services.database, connection.organization_id) or Organization()
    return SignInFailed(
        refused,
        provider=connection.title,
        connection_id=connection.id,
        plugin_id=connection.plugin_id,
        organization_name=organization.name,
        contact=organization.contact_email,
    )
