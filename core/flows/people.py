"""The people of an organization: as a list, and one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from core.errors import Forbidden, NotFound
from core.flows import offboarding
from core.flows.actors import Actor, initials
from core.flows.services import Services
from core.store.comparable import email_key
from core.store.provisioning_tables import Departure
from core.store.tables import Connection, User

PAGE = 50


@dataclass(frozen=True, slots=True)
class PersonView:
    """One row of the users page. ``source`` is the provider that made the account, or "SiQ".

    ``delete_at`` is when the account will be deleted (none: never), ``deletion_held`` that this waits for an Admin.
    ``changeable``: whoever looks may end and give back this person's access.
    """

    id: str
    name: str
    initials: str
    email: str
    role: str
    source: str
    active: bool
    last_sign_in_at: datetime | None
    delete_at: datetime | None = None
    deletion_held: bool = False
    changeable: bool = False


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """People by name. ``status`` is all, active or suspended; ``page`` counts from 1."""

    people: tuple[PersonView, ...]
    query: str
    status: str
    counts: dict[str, int]
    page: int
    pages: int
    matching: int


def people(services: Services, actor: Actor, query: str = "", status: str = "all", page: int = 1) -> PeoplePage:
    """The people whose name or address holds ``query``. For Admin and IT; raises ``Forbidden`` for the others."""
    if not actor.manages_integrations:
        raise Forbidden("Only people with the role Admin or IT can see the list of users. Ask one of them.")
    found = select(User)
    if query:
        columns = (User.display_name, User.email, User.user_name)
        found = found.where(or_(*(column.icontains(query, autoescape=True) for column in columns)))
    with services.database.reading(actor.organization_id) as session:

        def count(selected: Select[User]) -> int:
            return session.scalar(select(func.count()).select_from(selected.subquery())) or 0

        counts = {
            "all": count(found),
            "active": count(found.where(User.active.is_(True))),
            "suspended": count(found.where(User.active.is_(False))),
        }
        status = status if status in counts else "all"
        if status != "all":
            found = found.where(User.active.is_(status == "active"))
        pages = max(1, -(-counts[status] // PAGE))
        page = min(max(1, page), pages)
        rows = session.scalars(
            found.order_by(func.lower(User.display_name), User.id).limit(PAGE).offset((page - 1) * PAGE)
        ).all()
        shown = _views(services, actor, session, rows)
    return PeoplePage(
        people=shown,
        query=query,
        status=status,
        counts=counts,
        page=page,
        pages=pages,
        matching=counts[status],
    )


def person(services: Services, actor: Actor, user_id: str) -> PersonView:
    """One person whose access the actor may change. Raises ``Forbidden`` or ``NotFound``."""
    with services.database.reading(actor.organization_id) as session:
        user = offboarding.changeable(session, actor, user_id)
        return _views(services, actor, session, [user])[0]


def with_address(services: Services, actor: Actor, email: str) -> PersonView:
    """The person with this e-mail address, whose access the actor may change. Raises ``Forbidden`` or ``NotFound``."""
    with services.database.reading(actor.organization_id) as session:
        user_id = session.scalar(select(User.id).where(User.email_key == email_key(email)))
    if user_id is None:
        raise NotFound(f"Nobody in {actor.organization_name} has the address {email}.")
    return person(services, actor, user_id)


def _views(services: Services, actor: Actor, session: Session, users: Sequence[User]) -> tuple[PersonView, ...]:
    plugin_ids = {row.id: row.plugin_id for row in session.scalars(select(Connection))}
    leaving = select(Departure).where(Departure.user_id.in_([user.id for user in users]))
    departures = {row.user_id: row for row in session.scalars(leaving)}
    return tuple(_view(services, actor, user, plugin_ids, departures.get(user.id)) for user in users)


def _view(
    services: Services, actor: Actor, user: User, plugin_ids: Mapping[str, str], departure: Departure | None
) -> PersonView:
    name = user.display_name or user.user_name
    plugin_id = plugin_ids.get(user.source_connection_id or "", "")
    plugin = services.plugins.plugins.get(plugin_id)
    return PersonView(
        id=user.id,
        name=name,
        initials=initials(name),
        email=user.email,
        role=user.role.value,
        source=plugin.tile.title if plugin else plugin_id or "SiQ",
        active=user.active,
        last_sign_in_at=user.last_sign_in_at,
        delete_at=departure.delete_at if departure else None,
        deletion_held=departure is not None and departure.held and departure.delete_at is not None,
        changeable=user.id != actor.user_id and offboarding.may_change(actor, user.role),
    )
