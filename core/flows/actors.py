"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import Forbidden
from core.store.tables import Organization, Role, User


@dataclass(frozen=True, slots=True)
class Actor:
    """The signed-in person of a request. ``connection_id`` is the one they signed in through; none with a password."""

    user_id: str
    organization_id: str
    organization_slug: str
    organization_name: str
    display_name: str
    email: str
    user_name: str
    role: Role
    connection_id: str | None = None

    @property
    def manages_integrations(self) -> bool:
        """Whether this person may see and change integrations: Admin or IT."""
        return self.role in (Role.ADMIN, Role.IT)

    @property
    def initials(self) -> str:
        """One or two letters for the avatar."""
        return initials(self.display_name)

    def require_integrations(self) -> None:
        """Raise ``Forbidden`` unless this person manages integrations."""
        if not self.manages_integrations:
            raise Forbidden("Only people with the role Admin or IT can open Integrations. Ask one of them to do it.")


def initials(name: str) -> str:
    """One or two letters of a person's name, for the avatar."""
    words = name.split() or ["?"]
    return "".join(word[0] for word in (words[0], *words[1:][-1:])).upper()


def actor_of(user: User, organization: Organization, connection_id: str | None = None) -> Actor:
    """The actor that a user of an organization is."""
    return Actor(
        user_id=user.id,
        organization_id=organization.id,
        organization_slug=organization.slug,
        organization_name=organization.name,
        display_name=user.display_name or user.user_name,
        email=user.email,
        user_name=user.user_name,
        role=user.role,
        connection_id=connection_id,
    )


def operator_of(organization: Organization) -> Actor:
    """Whoever runs SiQ, acting in an organization as an Admin; no account is theirs."""
    return Actor(
        user_id="operator",
        organization_id=organization.id,
        organization_slug=organization.slug,
        organization_name=organization.name,
        display_name="operator",
        email="",
        user_name="operator",
        role=Role.ADMIN,
    )
