"""The people of an organization, as a list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, or_, select

from core.errors import Forbidden, NotFound
from core.flows.actors import Actor, initials
from core.flows.services import Services
from core.store.tables import Connection, Role, User

PAGE = 50


@dataclass(frozen=True, slots=True)
class PersonView:
    """One row of the users page. ``source`` is the provider that made the account, or "SiQ"."""

    id: str
    name: str
    initials: str
    email: str
    role: str
    source: str
    active: bool
    last_sign_in_at: datetime | None


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
    if actor.role not in (Role.ADMIN, Role.IT):
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
        titles = {row.id: row.plugin_id for row in session.scalars(select(Connection))}
    return PeoplePage(
        people=tuple(_view(services, user, titles) for user in rows),
        query=query,
        status=status,
        counts=counts,
        page=page,
        pages=pages,
        matching=counts[status],
    )


def person(services: Services, actor: Actor, user_id: str) -> PersonView:
    """One person, for an Admin. Raises ``Forbidden`` for everybody else, and ``NotFound``."""
    if actor.role is not Role.ADMIN:
        raise Forbidden("Only an Admin can change who has access. Ask one of them.")
    with services.database.reading(actor.organization_id) as session:
        user = session.get(User, user_id)
        if user is None:
            raise NotFound("There is no such person in your organization.")
        titles = {row.id: row.plugin_id for row in session.scalars(select(Connection))}
        return _view(services, user, titles)


def _view(services: Services, user: User, plugin_ids: dict[str, str]) -> PersonView:
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
    )
