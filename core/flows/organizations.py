"""Organizations and their first administrator: what the operator makes on the server."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core import clock
from core.errors import Conflict, NotFound
from core.flows import audit, offboarding
from core.flows.offboarding import Cause
from core.flows.services import Services
from core.store import directory
from core.store.comparable import email_key
from core.store.tables import Organization, Role, User
from core.store.tokens import new_id

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


def create_organization(services: Services, slug: str, name: str = "", contact_email: str = "") -> Organization:
    """Make an organization. ``slug`` is its name in addresses: lower-case letters, digits and hyphens, at most 63.

    Raises ``Conflict`` where the slug cannot be used or is taken.
    """
    if not _SLUG.fullmatch(slug):
        raise Conflict("Choose a short name of lower-case letters, digits and hyphens, such as northwind.")
    organization = Organization(
        id=new_id(), slug=slug, name=name or slug, contact_email=contact_email, created_at=clock.now()
    )
    try:
        with services.database.unscoped() as session:
            session.add(organization)
            session.flush()
            audit.record(
                session,
                audit.Event.ORGANIZATION_CREATED,
                organization_id=organization.id,
                actor="operator",
                subject=organization.name,
            )
    except IntegrityError:
        raise Conflict(f"There is an organization {slug} already.") from None
    return organization


def organization_of(services: Services, slug: str) -> Organization:
    """The organization of this slug. Raises ``NotFound``."""
    organization = directory.organization_by_slug(services.database, slug)
    if organization is None:
        raise NotFound(f"There is no organization {slug}. Make it with: siq organization create {slug}")
    return organization


def create_admin(
    services: Services, organization: Organization, email: str, name: str = "", password_hash: str = ""
) -> User:
    """Make an Admin, or make the person with this address one. ``password_hash`` may be empty: then only one-time
    links and SSO sign this person in. Raises ``Conflict`` for an address that is none.
    """
    if not _EMAIL.fullmatch(email):
        raise Conflict(f"{email} is no email address.")
    with services.database.writing(organization.id) as session:
        user = session.scalar(select(User).where(User.email_key == email_key(email)))
        if user is None:
            user = User(
                id=new_id(),
                organization_id=organization.id,
                email=email,
                email_key=email_key(email),
                user_name=email,
                display_name=name or email.partition("@")[0],
                created_at=clock.now(),
            )
            session.add(user)
        elif not user.active:  # a planned deletion would take the new Admin away again
            offboarding.restore(session, user, Cause("operator"))
        user.role, user.active = Role.ADMIN, True
        user.password_hash = password_hash or user.password_hash or ""
        audit.record(
            session, audit.Event.ADMIN_CREATED, organization_id=organization.id, actor="operator", subject=email
        )
        return user


def all_organizations(services: Services) -> list[Organization]:
    """Every organization, by slug."""
    with services.database.looking_up() as session:
        return list(session.scalars(select(Organization).order_by(Organization.slug)))
