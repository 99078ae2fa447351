"""Our own keys at connections: made at need, stored sealed, read for sign-in, metadata and the dialog."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import certificates, clock
from core.certificates import Certificate
from core.flows.services import Services
from core.saml import service_keys
from core.saml.service_keys import ServiceKey, ServiceKeys
from core.store.tables import ServiceProviderKey
from core.store.tokens import new_id
from core.vault import Vault


def keys_of(services: Services, organization_id: str, connection: str) -> ServiceKeys:
    """The keys of a connection, ready to use. The first one is made where there is none yet."""
    signing, *others = (_unsealed(services.vault, row) for row in _at_need(services, organization_id, connection))
    return ServiceKeys(signing, *others)


def certificates_of(services: Services, organization_id: str, connection: str) -> tuple[Certificate, ...]:
    """The certificates of a connection's keys, the one that signs first. The first one is made where there is none yet."""
    rows = _at_need(services, organization_id, connection)
    return tuple(certificates.read(row.certificate)[0] for row in rows)


def rows_of(session: Session, connection: str) -> Sequence[ServiceProviderKey]:
    """The stored keys of a connection, the one that signs first; none where none was needed yet."""
    return session.scalars(
        select(ServiceProviderKey)
        .where(ServiceProviderKey.connection_id == connection)
        .order_by(ServiceProviderKey.signs.desc(), ServiceProviderKey.created_at)
    ).all()


def new_key(services: Services, connection: str) -> ServiceKey:
    """A key that nothing knows of yet."""
    host = urlsplit(services.settings.public_url).hostname or ""
    return service_keys.create(host, connection, clock.now())


def row_of(
    services: Services, organization_id: str, connection: str, key: ServiceKey, *, slot: int, by: str
) -> ServiceProviderKey:
    """A key as it is stored; it signs nothing yet."""
    identifier = new_id()
    return ServiceProviderKey(
        id=identifier,
        organization_id=organization_id,
        connection_id=connection,
        slot=slot,
        signs=False,
        certificate=certificates.to_pem([key.certificate]),
        private_key=services.vault.seal(key.der, _place(identifier)),
        created_at=clock.now(),
        created_by=by,
    )


def _at_need(services: Services, organization_id: str, connection: str) -> Sequence[ServiceProviderKey]:
    with services.database.reading(organization_id) as session:
        rows = rows_of(session, connection)
    if rows:
        return rows
    made = new_key(services, connection)

    def keep(session: Session) -> Sequence[ServiceProviderKey]:
        if not rows_of(session, connection):  # somebody else may have been first
            row = row_of(services, organization_id, connection, made, slot=1, by="")
            row.signs = True
            session.add(row)
            session.flush()
        return rows_of(session, connection)

    return services.database.transact(organization_id, keep)


def _unsealed(vault: Vault, row: ServiceProviderKey) -> ServiceKey:
    return service_keys.load(vault.open(row.private_key, _place(row.id)), row.certificate)


def _place(identifier: str) -> str:
    return f"sp_keys.private_key:{identifier}"
