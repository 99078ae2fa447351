from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from core import clock
from core.errors import SettingsInvalid
from core.flows import organizations
from core.flows.services import Services
from core.store import schema
from core.store.database import Database, OrganizationMissing
from core.store.tables import AuditEntry, LinkedIdentity, Organization, User
from core.vault import Vault


def person(organization_id: str, name: str) -> User:
    return User(
        id=name,
        organization_id=organization_id,
        email=f"{name}@example.test",
        email_key=f"{name}@example.test",
        user_name=name,
        created_at=clock.now(),
    )


@pytest.fixture
def other(services: Services, organization: Organization) -> Organization:
    """Another company with one person, beside Northwind with one."""
    made = organizations.create_organization(services, "contoso")
    for company, name in ((organization, "ours"), (made, "theirs")):
        with services.database.writing(company.id) as session:
            session.add(person(company.id, name))
    return made


def test_a_query_sees_its_own_organization_only(
    services: Services, organization: Organization, other: Organization
) -> None:
    for company, name in ((organization, "ours"), (other, "theirs")):
        with services.database.reading(company.id) as session:
            assert session.scalars(select(User.id)).all() == [name]


@pytest.mark.usefixtures("other")
def test_another_organizations_row_cannot_be_had_by_its_key(services: Services, organization: Organization) -> None:
    with services.database.reading(organization.id) as session:
        assert session.get(User, "theirs") is None
        assert session.get(User, "ours") is not None


@pytest.mark.usefixtures("other")
def test_a_join_or_an_alias_does_not_reach_another_organization(services: Services, organization: Organization) -> None:
    with services.database.reading(organization.id) as session:
        everybody = select(User).subquery()
        assert session.scalars(select(everybody.c.id)).all() == ["ours"]
        joined = select(User.id, LinkedIdentity.subject).outerjoin(LinkedIdentity, LinkedIdentity.user_id == User.id)
        assert [row.id for row in session.execute(joined)] == ["ours"]


def test_an_update_or_delete_of_everything_stays_in_its_organization(
    services: Services, organization: Organization, other: Organization
) -> None:
    with services.database.writing(organization.id) as session:
        session.execute(update(User).values(given_name="changed"))
        session.execute(delete(User).where(User.id == "theirs"))
    with services.database.reading(other.id) as session:
        assert session.scalars(select(User.given_name)).all() == [""]


def test_a_row_of_another_organization_cannot_be_added(
    services: Services, organization: Organization, other: Organization
) -> None:
    with pytest.raises(OrganizationMissing), services.database.writing(organization.id) as session:
        session.add(person(other.id, "smuggled"))


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize(
    "statement", [text("SELECT * FROM users"), insert(User).values(id="x")], ids=["text", "insert"]
)
def test_a_statement_that_cannot_be_scoped_is_refused(
    services: Services, organization: Organization, statement: object
) -> None:
    with pytest.raises(OrganizationMissing), services.database.reading(organization.id) as session:
        session.execute(statement)  # type: ignore[call-overload]  # any statement


def test_what_a_reading_session_changes_is_not_kept(services: Services, organization: Organization) -> None:
    with services.database.reading(organization.id) as session:
        session.add(person(organization.id, "nobody"))
        session.flush()
    with services.database.reading(organization.id) as session:
        assert session.get(User, "nobody") is None


def test_a_failed_transaction_keeps_nothing(services: Services, organization: Organization) -> None:
    twice = person(organization.id, "second")
    twice.email_key = "first@example.test"
    with pytest.raises(IntegrityError), services.database.writing(organization.id) as session:
        session.add_all([person(organization.id, "first"), twice])
    with services.database.reading(organization.id) as session:
        assert session.scalars(select(User)).all() == []


def test_an_error_of_the_database_says_no_value_of_a_person(services: Services, organization: Organization) -> None:
    twice = person(organization.id, "twice")
    twice.email_key = "once@example.test"
    with pytest.raises(IntegrityError) as failed, services.database.writing(organization.id) as session:
        session.add_all([person(organization.id, "once"), twice])
    assert "INSERT INTO users" in str(failed.value)
    assert "example.test" not in str(failed.value).replace(str(failed.value.orig), "")


def test_times_come_back_aware_and_in_utc(services: Services, organization: Organization) -> None:
    before = clock.now()
    with services.database.writing(organization.id) as session:
        session.add(person(organization.id, "timed"))
    with services.database.reading(organization.id) as session:
        created_at = session.get_one(User, "timed").created_at
    assert created_at.tzinfo is not None
    assert 0 <= (created_at - before).total_seconds() < 60


def test_many_writers_at_once_wait_for_each_other(services: Services, organization: Organization) -> None:
    failures: list[BaseException] = []
    together = threading.Barrier(8)

    def write(number: int) -> None:
        try:
            together.wait()
            for turn in range(5):
                with services.database.writing(organization.id) as session:
                    session.scalars(select(User)).all()  # a read before the write is what SQLite cannot upgrade
                    session.add(person(organization.id, f"{number}-{turn}"))
        except BaseException as error:  # noqa: BLE001  handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with services.database.reading(organization.id) as session:
        assert len(session.scalars(select(User)).all()) == 40


def test_writers_of_one_process_take_turns_so_that_nobody_waits_in_vain_for_sqlite(
    tmp_path: Path, sqlite_template: Path
) -> None:
    database = Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'siq.db')}")

    @event.listens_for(database.engine, "connect")
    def do_not_wait(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=0")  # whoever asks SQLite for the lock while it is taken is refused

    def write(number: int) -> None:
        for turn in range(10):
            with database.unscoped() as session:
                slug = f"{number}-{turn}"
                session.add(Organization(id=slug, slug=slug, name="Company", created_at=clock.now()))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, range(8))) == [None] * 8
    database.close()


def test_the_audit_log_cannot_be_changed_even_by_sql(services: Services, organization: Organization) -> None:
    with services.database.reading(organization.id) as session:
        assert session.scalars(select(AuditEntry)).all()
    with pytest.raises(DatabaseError, match="append-only"), services.database.unscoped() as session:
        session.execute(text("UPDATE audit_log SET actor = 'nobody'"))


def test_migrations_and_tables_say_the_same(services: Services) -> None:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415  only here
    from alembic.migration import MigrationContext  # noqa: PLC0415

    from core.store.database import Base  # noqa: PLC0415

    with services.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_people_of_an_older_database_are_found_by_their_user_names_in_any_capitals(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    schema.upgrade(database, "0004")
    with database.engine.connect().execution_options(siq_writes=True) as connection, connection.begin():
        values = {"now": clock.now()}
        connection.execute(
            text(
                "INSERT INTO organizations (id, slug, name, contact_email, created_at) VALUES ('o', 'o', 'O', '', :now)"
            ),
            values,
        )
        connection.execute(
            text(
                "INSERT INTO users (id, organization_id, email, email_key, user_name, given_name, family_name, display_name,"
                " role, active, password_hash, created_at)"
                " VALUES ('u', 'o', '', '', 'Ödön.L', '', '', '', 'Viewer', true, '', :now)"
            ),
            values,
        )
    schema.upgrade(database)
    with database.unscoped() as session:
        assert session.scalars(select(User.user_name_key)).all() == ["ödön.l"]
    database.close()


def test_a_start_with_other_secret_keys_is_refused(services: Services) -> None:
    with pytest.raises(SettingsInvalid, match="SIQ_SECRET_KEYS"):
        schema.check_keys(services.database, Vault(["x" * 32]))


def test_an_unreachable_database_stops_the_start_with_one_sentence() -> None:
    with pytest.raises(SettingsInvalid, match="cannot be reached") as stopped:
        schema.upgrade(Database("postgresql+psycopg://nobody@127.0.0.1:1/siq"))
    assert "\n" not in stopped.value.public


def test_processes_that_start_together_migrate_once(empty_database_url: str) -> None:
    failures: list[BaseException] = []
    together = threading.Barrier(4)

    def start() -> None:
        try:
            database = Database(empty_database_url)
            together.wait()
            schema.upgrade(database)
            database.close()
        except BaseException as error:  # noqa: BLE001  handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_many_that_open_a_new_sqlite_file_at_once_are_not_locked_out(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def open_it(database: Database, together: threading.Barrier) -> None:
        together.wait()
        try:
            database.engine.connect().close()
        except OperationalError as error:
            failures.append(error)

    for turn in range(60):
        together = threading.Barrier(8)
        databases = [Database(f"sqlite:///{tmp_path / f'{turn}.db'}") for _ in range(8)]
        threads = [threading.Thread(target=open_it, args=(database, together)) for database in databases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for database in databases:
            database.close()
    assert failures == []


def test_a_lock_that_somebody_holds_is_waited_for_ten_seconds_on_postgresql_too(database_url: str) -> None:
    database = Database(database_url)
    with database.engine.connect() as connection:
        asked = "PRAGMA busy_timeout" if connection.dialect.name == "sqlite" else "SHOW lock_timeout"
        assert connection.exec_driver_sql(asked).scalar() in (10_000, "10s")
        connection.rollback()
        assert connection.exec_driver_sql(asked).scalar() in (10_000, "10s")
    database.close()
