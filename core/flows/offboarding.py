"""People who leave: the one place where access ends, whoever ends it (the directory, an administrator, the operator).

Access ends **in the transaction** of the act: the account is suspended, and its sessions and one-time links are gone.
Deletion comes later (``SIQ_DELETION_DAYS``), so that a mistake can be undone. The *brake* watches each connection: when
unusually many people leave at once, their access still ends, but their deletion waits for an Admin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Forbidden, NotFound
from core.flows import audit, metrics
from core.flows.actors import Actor
from core.flows.connections import connection_id
from core.flows.services import Services
from core.scim import members, rows
from core.settings import Settings
from core.store.comparable import comparable
from core.store.provisioning_tables import Departure, Membership, PushedEmail, PushedUser
from core.store.tables import Attempt, LinkedIdentity, OneTimeLink, Role, SignInSession, User

_BATCH = 200  # accounts deleted in one transaction
_SAMPLE = 10  # names shown of those whom the brake holds


@dataclass(frozen=True, slots=True)
class Cause:
    """Who ends (or restores) access, in words for the audit log, and the connection that asked (none: a person)."""

    by: str
    connection_id: str | None = None


@dataclass(frozen=True, slots=True)
class Brake:
    """People of a connection who may not be deleted before an Admin decides. ``names`` are the first of ``people``;
    ``deletions`` is how many of them were removed, and not only suspended.
    """

    people: int
    deletions: int
    since: datetime
    names: tuple[str, ...]


# -- the act itself, in the caller's transaction ----------------------------------------------------------------------


def suspend(settings: Settings, session: Session, user: User, cause: Cause) -> None:
    """End a person's access. Sessions and one-time links end with the caller's transaction; nothing is deleted."""
    _end_access(session, user)
    user.active = False
    _depart(settings, session, user, cause, delete_at=None)
    _audit(session, audit.Event.USER_SUSPENDED, user, cause)


def remove(settings: Settings, session: Session, user: User, cause: Cause, external_id: str | None = None) -> None:
    """End a person's access, and delete the account ``SIQ_DELETION_DAYS`` from now."""
    _end_access(session, user)
    user.active = False
    delete_at = clock.now() + timedelta(days=settings.deletion_days)
    departure = _depart(settings, session, user, cause, delete_at=delete_at)
    departure.external_id = external_id or departure.external_id
    departure.user_name_key = comparable(user.user_name, exact=False)
    session.flush()
    _audit(
        session,
        audit.Event.USER_REMOVED,
        user,
        cause,
        {"deletion": "held" if departure.held else f"{delete_at:%d %B %Y}"},
    )


def restore(session: Session, user: User, cause: Cause) -> None:
    """Give access back; a planned deletion is off. What was open before stays closed."""
    _end_access(session, user)
    user.active = True
    session.execute(delete(Departure).where(Departure.user_id == user.id))
    _audit(session, audit.Event.USER_RESTORED, user, cause)


def keep(session: Session, user: User) -> None:
    """A person stays suspended, and the planned deletion is off."""
    session.execute(update(Departure).where(Departure.user_id == user.id).values(delete_at=None, held=False))


def _end_access(session: Session, user: User) -> None:
    # Who is signing in at this moment is waited for: their session would stay otherwise.
    session.execute(select(User.id).where(User.id == user.id).with_for_update())
    session.execute(delete(SignInSession).where(SignInSession.user_id == user.id))
    session.execute(delete(OneTimeLink).where(OneTimeLink.user_id == user.id))


def _depart(settings: Settings, session: Session, user: User, cause: Cause, *, delete_at: datetime | None) -> Departure:
    departure = session.get(Departure, user.id)
    if departure is None:
        departure = Departure(user_id=user.id, organization_id=user.organization_id, held=False, decided=False)
        departure.at = clock.now()
        session.add(departure)
    departure.by = cause.by
    departure.connection_id = cause.connection_id or departure.connection_id  # which finds the person when pushed anew
    if delete_at is not None and departure.delete_at is None:  # it counts for the brake on the day of the deletion
        departure.at = clock.now()
    departure.delete_at = delete_at or departure.delete_at
    session.flush()
    if cause.connection_id:
        _brake(settings, session, departure, cause.connection_id)
    return departure


def _brake(settings: Settings, session: Session, departure: Departure, connection: str) -> None:
    """Hold every deletion of the window where too many leave. One departure alone is never too many."""
    lately = (
        Departure.connection_id == connection,
        Departure.at > clock.now() - timedelta(minutes=settings.brake_minutes),
    )
    leaving = session.scalar(select(func.count()).select_from(Departure).where(*lately)) or 0
    if leaving < 2:  # noqa: PLR2004  see the docstring
        return
    # The share is over the limit when fewer than this stay: so no more of them are counted.
    enough = leaving * (100 - settings.brake_percent) // settings.brake_percent + 1
    active = select(User.id).join(PushedUser).where(PushedUser.connection_id == connection, User.active).limit(enough)
    staying = session.scalar(select(func.count()).select_from(active.subquery())) or 0
    if leaving <= settings.brake_users and staying * settings.brake_percent >= leaving * (100 - settings.brake_percent):
        return
    newly = session.scalars(
        update(Departure)
        .where(*lately, Departure.held.is_(False), Departure.decided.is_(False))
        .values(held=True)
        .returning(Departure.user_id)
        .execution_options(synchronize_session=False)
    ).all()
    session.refresh(departure)
    if len(newly) > 1:
        metrics.count_access(audit.Event.BRAKE_ENGAGED.value)
        audit.record(
            session,
            audit.Event.BRAKE_ENGAGED,
            organization_id=departure.organization_id,
            actor=departure.by,
            details={"people who left": leaving, "minutes": settings.brake_minutes},
        )


def _audit(
    session: Session, event: audit.Event, user: User, cause: Cause, details: dict[str, str] | None = None
) -> None:
    metrics.count_access(event.value)
    audit.record(
        session,
        event,
        organization_id=user.organization_id,
        actor=cause.by,
        subject=user.email or user.user_name,
        details=details,
    )


# -- administrators ----------------------------------------------------------------------------------------------------


def suspend_person(services: Services, actor: Actor, user_id: str) -> None:
    """An administrator ends a person's access. Raises ``Forbidden``, ``NotFound`` or ``Conflict``."""
    with services.database.writing(actor.organization_id) as session:
        user = changeable(session, actor, user_id)
        if not user.active:
            raise Conflict("This person is suspended already.")
        _not_the_last(session, actor, user)
        suspend(services.settings, session, user, Cause(actor.display_name))
        _changed_here(session, user)


def remove_person(services: Services, actor: Actor, user_id: str) -> None:
    """An administrator removes a person: access ends now, the account is deleted later."""
    with services.database.writing(actor.organization_id) as session:
        user = changeable(session, actor, user_id)
        _not_the_last(session, actor, user)
        remove(services.settings, session, user, Cause(actor.display_name))
        if actor.role is Role.ADMIN:  # who decides about those whom the brake holds
            session.get_one(Departure, user.id).held = False
        _changed_here(session, user)


def restore_person(services: Services, actor: Actor, user_id: str) -> None:
    """An administrator gives a person's access back. Raises ``Conflict`` where it was never taken."""
    with services.database.writing(actor.organization_id) as session:
        user = changeable(session, actor, user_id)
        if user.active:
            raise Conflict("This person is active.")
        restore(session, user, Cause(actor.display_name))
        _changed_here(session, user)


def _changed_here(session: Session, user: User) -> None:
    """Its SCIM resource has another version now: a directory that compares ETags sees that somebody was here."""
    pushed = session.get(PushedUser, user.id)
    if pushed is not None:
        rows.changed(pushed)


def may_change(actor: Actor, role: Role) -> bool:
    """Whether the actor may end and give back the access of people with this role: IT that of everybody but Admins."""
    return actor.role is Role.ADMIN or (actor.role is Role.IT and role is not Role.ADMIN)


def changeable(session: Session, actor: Actor, user_id: str) -> User:
    """The person whose access the actor wants to change. Raises ``Forbidden`` or ``NotFound``."""
    if not actor.manages_integrations:
        raise Forbidden("Only people with the role Admin or IT can change who has access. Ask one of them to do it.")
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such person in your organization.")
    if not may_change(actor, user.role):
        raise Forbidden("Only an Admin can change the access of an Admin.")
    return user


def _not_the_last(session: Session, actor: Actor, user: User) -> None:
    if user.id == actor.user_id:
        raise Conflict("You cannot end your own access. Ask another administrator.")
    if user.role is not Role.ADMIN:
        return
    # All of them are locked, so that two Admins cannot end each other's access at the same moment.
    admins = session.scalars(select(User.id).where(User.role == Role.ADMIN).order_by(User.id).with_for_update()).all()
    others = select(User.id).where(User.id.in_(admins), User.active, User.id != user.id).limit(1)
    if session.scalar(others) is None:
        raise Conflict("This is the last Admin. Make somebody else an Admin first.")


# -- the brake, and deletion -------------------------------------------------------------------------------------------


def brake(session: Session, connection: str) -> Brake | None:
    """Whom the brake of a connection holds; none where it holds nobody."""
    held = (Departure.connection_id == connection, Departure.held)
    counted = select(func.count(), func.count(Departure.delete_at), func.min(Departure.at)).where(*held)
    people, deletions, since = session.execute(counted).one()
    if not people:
        return None
    names = session.scalars(
        select(User.display_name)
        .join(Departure, Departure.user_id == User.id)
        .where(*held)
        .order_by(Departure.at)
        .limit(_SAMPLE)
    )
    return Brake(people, deletions, since, tuple(names))


def release_brake(services: Services, actor: Actor, plugin_id: str, *, delete_them: bool) -> int:
    """An Admin decides about those whom the brake holds: their deletion goes ahead on its day, or is off. They stay
    suspended either way. Answers how many; raises ``Forbidden`` for everybody but an Admin, ``Conflict`` for nobody held.
    """
    if actor.role is not Role.ADMIN:
        raise Forbidden("Only an Admin can decide about these deletions.")
    connection = connection_id(actor.organization_id, plugin_id)
    with services.database.writing(actor.organization_id) as session:
        values: dict[str, object] = {"held": False, "decided": True}
        if not delete_them:
            values["delete_at"] = None
        people = session.scalars(
            update(Departure)
            .where(Departure.connection_id == connection, Departure.held)
            .values(values)
            .returning(Departure.user_id)
            .execution_options(synchronize_session=False)
        ).all()
        if not people:
            raise Conflict("No deletion waits for a decision.")
        audit.record(
            session,
            audit.Event.BRAKE_RELEASED,
            organization_id=actor.organization_id,
            actor=actor.display_name,
            details={"people": len(people), "decision": "delete on their day" if delete_them else "do not delete"},
        )
        return len(people)


def delete_due(services: Services) -> int:
    """Delete the accounts whose day has come and that nothing holds; answers how many. For housekeeping."""
    total = 0
    while True:
        with services.database.unscoped() as session:
            due = session.scalars(
                select(Departure.user_id)
                .join(User, User.id == Departure.user_id)
                .where(Departure.delete_at <= clock.now(), Departure.held.is_(False), User.active.is_(False))
                .limit(_BATCH)
                .with_for_update(skip_locked=True)
            ).all()
            for user_id in due:
                _delete(session, session.get_one(User, user_id))
        total += len(due)
        if len(due) < _BATCH:
            return total


def _delete(session: Session, user: User) -> None:
    _end_access(session, user)
    session.execute(update(Attempt).where(Attempt.user_id == user.id).values(user_id=None))
    members.leave(session, Membership.user_id == user.id)
    for table, column in (
        (PushedEmail, PushedEmail.user_id),
        (PushedUser, PushedUser.user_id),
        (LinkedIdentity, LinkedIdentity.user_id),
        (Departure, Departure.user_id),
    ):
        session.execute(delete(table).where(column == user.id))
    _audit(session, audit.Event.USER_DELETED, user, Cause("SiQ"))
    session.delete(user)
    session.flush()
