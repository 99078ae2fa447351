"""What two do at the same moment about one person, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text

from core.errors import SiqError
from core.flows import offboarding, passwords, provisioning
from core.flows.actors import Actor
from core.flows.offboarding import Cause
from core.flows.pushed_people import RoleRule
from core.flows.refused import SignInFailed
from core.flows.services import Services
from core.flows.sessions import may_come_in, open_session
from core.scim.members import Change
from core.store.tables import Role, SignInSession, User
from tests.core.flows.conftest import Browser
from tests.core.scim.conftest import PLUGIN, Directory, directory_of

PASSWORD = "correct horse battery staple"


@pytest.fixture
def directory(services: Services, admin: Actor, browser: Browser) -> Directory:
    assert browser.activated.connection_id
    return directory_of(services, admin)


@pytest.fixture
def ada(directory: Directory) -> str:
    return str(directory.push("ada@example.test", emails=[{"value": "ada@example.test"}])["id"])


def started(pool: ThreadPoolExecutor, services: Services, act: Callable[[], Any]) -> Future[Any]:
    """An act in a thread that has come as far as it can: it waits for the lock of the transaction at hand, or is done. On
    SQLite it waits for its turn before it reads anything.
    """
    future = pool.submit(act)
    if services.database.engine.dialect.name == "postgresql":
        waits = text("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        with services.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not future.done() and connection.execute(waits).first() is None:
                pass
    return future


def sessions(services: Services, organization_id: str) -> list[str]:
    with services.database.reading(organization_id) as session:
        return list(session.scalars(select(SignInSession.user_id)))


def test_who_is_suspended_while_they_sign_in_has_no_session(services: Services, directory: Directory, ada: str) -> None:
    with ThreadPoolExecutor() as pool:
        with services.database.writing(directory.organization_id) as session:
            user = session.get_one(User, ada)
            assert may_come_in(session, user)
            open_session(services, session, user)
            session.flush()
            suspending = started(pool, services, lambda: offboarding.suspend_person(services, directory.admin, ada))
        suspending.result()
    assert sessions(services, directory.organization_id) == []


@pytest.mark.parametrize("door", ["provider", "link", "password"])
def test_who_signs_in_while_they_are_suspended_is_refused(
    services: Services, directory: Directory, ada: str, browser: Browser, door: str
) -> None:
    with services.database.writing(directory.organization_id) as session:
        session.get_one(User, ada).password_hash = passwords.hash_password(PASSWORD)
    link = passwords.create_link(services, directory.organization_id, ada).rpartition("/")[2]
    doors: dict[str, Callable[[], Any]] = {
        "provider": lambda: browser.deliver(browser.mint(subject="ada@example.test")),
        "link": lambda: passwords.redeem_link(services, link),
        "password": lambda: passwords.sign_in(services, "ada@example.test", PASSWORD, "203.0.113.9"),
    }
    with ThreadPoolExecutor() as pool:
        with services.database.writing(directory.organization_id) as session:
            offboarding.suspend(services.settings, session, session.get_one(User, ada), Cause("Maya"))
            session.flush()
            signing_in = started(pool, services, doors[door])
        with pytest.raises((SiqError, SignInFailed)):
            signing_in.result()
    assert sessions(services, directory.organization_id) == []


def test_a_person_who_is_pushed_again_while_their_account_is_deleted_gets_a_new_one(
    services: Services, directory: Directory, ada: str
) -> None:
    directory.send("DELETE", f"/Users/{ada}")
    with ThreadPoolExecutor() as pool:
        with services.database.unscoped() as session:
            offboarding._delete(session, session.get_one(User, ada))
            pushing = started(pool, services, lambda: directory.push("ada@example.test"))
        assert pushing.result()["id"] != ada


def test_the_role_of_a_person_whose_groups_two_requests_change_follows_from_both(
    services: Services, directory: Directory, ada: str
) -> None:
    provisioning.set_rules(
        services, directory.admin, PLUGIN, [RoleRule("A", Role.IT), RoleRule("B", Role.SPACE_CAPTAIN)]
    )
    a, b = directory.group("A", ada)["id"], directory.group("B")["id"]
    with ThreadPoolExecutor() as pool:
        with services.database.writing(directory.organization_id) as session:
            storage = directory.storage(session)
            storage.change_group(storage.group_row(a), Change(remove=frozenset({ada})), None)
            adding = started(
                pool,
                services,
                lambda: directory.patch(f"/Groups/{b}", {"op": "add", "path": "members", "value": [{"value": ada}]}),
            )
        assert adding.result().status_code == 200
    assert role(services, directory, ada) is Role.SPACE_CAPTAIN


def test_a_role_follows_from_the_rules_of_an_admin_who_changes_them_at_the_same_time(
    services: Services, directory: Directory, ada: str
) -> None:
    provisioning.set_rules(services, directory.admin, PLUGIN, [RoleRule("A", Role.IT)])
    a = directory.group("A")["id"]
    with ThreadPoolExecutor() as pool:
        with services.database.writing(directory.organization_id) as session:
            storage = directory.storage(session)
            storage.change_group(storage.group_row(a), Change(add={ada: None}), None)
            rules = [RoleRule("A", Role.SPACE_CAPTAIN)]
            changing = started(pool, services, lambda: provisioning.set_rules(services, directory.admin, PLUGIN, rules))
        changing.result()
    assert role(services, directory, ada) is Role.SPACE_CAPTAIN


def role(services: Services, directory: Directory, user_id: str) -> Role:
    with services.database.reading(directory.organization_id) as session:
        return session.get_one(User, user_id).role
