"""The database, and the rule that a query sees one organization.

Every table whose rows belong to an organization derives from :class:`Owned`. A session is opened for one organization;
each of its queries gets the condition ``organization_id = …`` added here, and a new row of another organization is
refused. So a forgotten condition cannot show or change another company's data. The few look-ups that find the
organization in the first place (by its short name, a session, a connection) are in ``directory.py``.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import DateTime, Engine, ForeignKey, create_engine, event
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    UOWTransaction,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.types import TypeDecorator

T = TypeVar("T")

_PATIENCE = 10_000  # milliseconds for which a writer waits for the others, on every database
_DEADLOCK = "40P01"  # of PostgreSQL; SQLite has none, its writers come one after the other
_CACHE = 16_384  # KiB a connection: the inner pages of the indexes of a million users, which every look-up goes through
_SWITCHES = 20  # times; one more than those that may open a new file at once is enough


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, D102  SQLAlchemy's hook
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime has no place here")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, D102  SQLAlchemy's hook
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The declarative base of every table."""

    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012  SQLAlchemy reads it from the class


class Owned(Base):
    """A row that belongs to one organization."""

    __abstract__ = True
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)


class OrganizationMissing(RuntimeError):
    """A programming error: a query of an owned table in a session that was opened for no organization."""


class Database:
    """Opens sessions. One per process; safe to share between threads."""

    def __init__(self, url: str) -> None:
        """``url`` is a SQLAlchemy URL of SQLite or PostgreSQL. Nothing is connected yet."""
        self.url = url
        self.engine = _engine(url)
        self._writer = threading.Lock()

    @contextmanager
    def reading(self, organization_id: str) -> Iterator[Session]:
        """A session that reads one organization; what it changes is rolled back."""
        with Session(self.engine, info={"organization_id": organization_id}) as session:
            yield session

    @contextmanager
    def writing(self, organization_id: str) -> Iterator[Session]:
        """A session for one transaction in one organization: committed at the end, rolled back on any error."""
        with (
            self._turn(),
            self.engine.connect().execution_options(siq_writes=True) as connection,
            Session(connection, info={"organization_id": organization_id}, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def transact(self, organization_id: str, act: Callable[[Session], T]) -> T:
        """What ``act`` answers in one transaction. Where a unique key says that somebody else has just made the same
        row, or two waited for each other and the database ended this one, the transaction is undone and ``act`` runs once
        more, and now finds it made.
        """
        try:
            with self.writing(organization_id) as session:
                return act(session)
        except (IntegrityError, OperationalError) as error:
            if isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", "") != _DEADLOCK:
                raise
            with self.writing(organization_id) as session:
                return act(session)

    @contextmanager
    def unscoped(self) -> Iterator[Session]:
        """A session across organizations: for housekeeping, the operator's commands, and tables that belong to none."""
        with (
            self._turn(),
            self.engine.connect().execution_options(siq_writes=True) as connection,
            Session(connection, info={"unscoped": True}, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def looking_up(self) -> Iterator[Session]:
        """Like :meth:`unscoped`, for reading: takes no write lock."""
        with Session(self.engine, info={"unscoped": True}) as session:
            yield session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer of this process at a time where the database takes no more anyway. SQLite lets others ask again and
        again, asleep for up to 100 ms between: whoever comes then is faster than who has waited long.
        """
        if self.engine.dialect.name != "sqlite":
            yield
            return
        taken = self._writer.acquire(timeout=_PATIENCE / 1000)
        try:
            yield  # without its turn, too: then SQLite says what is the matter
        finally:
            if taken:
                self._writer.release()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    """An engine whose errors, which are logged, hold no values: those are of people, and hashes of secrets."""
    if not url.startswith("sqlite"):
        return _patient(create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=10, max_overflow=10))
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, hide_parameters=True, pool_size=10, max_overflow=30)

    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None  # we send BEGIN ourselves, below
        for pragma in (f"busy_timeout={_PATIENCE}", "synchronous=FULL", "foreign_keys=ON", f"cache_size=-{_CACHE}"):
            dbapi_connection.execute(f"PRAGMA {pragma}")
        _write_ahead(dbapi_connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later can fail with "database is locked" at once: SQLite does not
        # wait when a lock must be upgraded. A writer therefore takes the lock at the start.
        writes = connection.get_execution_options().get("siq_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _patient(engine: Engine) -> Engine:
    """PostgreSQL waits for a lock without end unless told otherwise: one that somebody forgets would keep every thread."""

    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.execute(f"SET lock_timeout = {_PATIENCE}")
        dbapi_connection.commit()

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to write-ahead logging, for good. Of two that switch a new file at once SQLite refuses one without
    waiting ("database is locked"), since each holds what the other needs: that one lets go by asking again.
    """
    for _ in range(_SWITCHES):
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")
            return
    connection.execute("PRAGMA journal_mode=WAL")


@event.listens_for(Session, "do_orm_execute")
def _only_this_organization(state: ORMExecuteState) -> None:
    if state.session.info.get("unscoped"):
        return
    organization_id = state.session.info.get("organization_id")
    if organization_id is None or not state.is_orm_statement:
        raise OrganizationMissing(
            "open the session with Database.reading() or Database.writing(), and query mapped classes"
        )
    if state.is_insert:
        raise OrganizationMissing("add rows with Session.add(), which checks their organization")
    state.statement = state.statement.options(
        with_loader_criteria(Owned, lambda table: table.organization_id == organization_id, include_aliases=True)
    )


@event.listens_for(Session, "before_flush")
def _only_rows_of_this_organization(session: Session, _context: UOWTransaction, _instances: object) -> None:
    if session.info.get("unscoped"):
        return
    organization_id = session.info.get("organization_id")
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, Owned) and row.organization_id != organization_id:
            raise OrganizationMissing(f"a row of another organization was added: {type(row).__name__}")
