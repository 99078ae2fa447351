"""People who leave: access ends at once, by every path; deletion waits, and a mistake can be undone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select

from core import clock
from core.errors import Conflict, Forbidden, NotFound
from core.flows import housekeeping, offboarding, organizations, passwords, provisioning
from core.flows.actors import Actor, actor_of
from core.flows.refused import SignInFailed
from core.flows.services import Services
from core.flows.sessions import current_actor
from core.store.provisioning_tables import Departure
from core.store.tables import Attempt, OneTimeLink, Organization, Role, SignInSession, User
from tests.core.flows.conftest import Browser
from tests.core.scim.conftest import PLUGIN, Directory, directory_of


@pytest.fixture
def directory(services: Services, admin: Actor, browser: Browser) -> Directory:
    assert browser.activated.connection_id
    return directory_of(services, admin)


def exists(directory: Directory, user_id: str) -> bool:
    with directory.services.database.reading(directory.organization_id) as session:
        return session.get(User, user_id) is not None


def departure(directory: Directory, user_id: str) -> Departure | None:
    with directory.services.database.reading(directory.organization_id) as session:
        return session.get(Departure, user_id)


def by_patch(directory: Directory, user_id: str) -> None:
    directory.patch(f"/Users/{user_id}", {"op": "replace", "value": {"active": False}})


def by_put(directory: Directory, user_id: str) -> None:
    directory.send("PUT", f"/Users/{user_id}", {"userName": "ada@example.test", "active": False})


def by_delete(directory: Directory, user_id: str) -> None:
    directory.send("DELETE", f"/Users/{user_id}")


def by_bulk(directory: Directory, user_id: str) -> None:
    schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
    body = {"schemas": [schema], "Operations": [{"method": "DELETE", "path": f"/Users/{user_id}"}]}
    directory.send("POST", "/Bulk", body)


def by_administrator(directory: Directory, user_id: str) -> None:
    offboarding.suspend_person(directory.services, directory.admin, user_id)


def by_removal(directory: Directory, user_id: str) -> None:
    offboarding.remove_person(directory.services, directory.admin, user_id)


def by_the_operator(directory: Directory, user_id: str) -> None:
    operator = replace(directory.admin, user_id="operator", display_name="operator")
    offboarding.suspend_person(directory.services, operator, user_id)


@pytest.mark.parametrize(
    "leave",
    [by_patch, by_put, by_delete, by_bulk, by_administrator, by_removal, by_the_operator],
    ids=lambda one: one.__name__,
)
def test_sessions_and_links_end_at_once_by_every_path(
    directory: Directory, browser: Browser, leave: Callable[[Directory, str], None]
) -> None:
    user = directory.push("ada@example.test")
    opened = browser.deliver(browser.mint(subject="ada@example.test")).session.token
    link = passwords.create_link(directory.services, directory.organization_id, user["id"]).rpartition("/")[2]
    assert current_actor(directory.services, opened)
    leave(directory, user["id"])
    assert current_actor(directory.services, opened) is None
    with pytest.raises(NotFound):
        passwords.redeem_link(directory.services, link)
    with directory.services.database.reading(directory.organization_id) as session:
        for table in (SignInSession, OneTimeLink):
            assert session.scalar(select(func.count()).select_from(table).where(table.user_id == user["id"])) == 0


def test_who_was_removed_gets_no_second_account_by_signing_in_when_their_address_was_another_one(
    directory: Directory, browser: Browser
) -> None:
    pushed = {"externalId": "x-7", "emails": [{"value": "a.lovelace@example.test"}]}
    user = directory.push("ada@example.test", **pushed)
    by_delete(directory, user["id"])
    for subject in ("Ada@example.test", "x-7"):
        minted = browser.mint(subject=subject, attributes={"email": ["ada@example.test"]})
        with pytest.raises(SignInFailed, match="SSO-203"):
            browser.deliver(minted)
    # And the directory can bring them back, which a second account with the address would prevent.
    assert (
        directory.push("ada@example.test", **pushed | {"emails": [{"value": "ada@example.test"}]})["id"] == user["id"]
    )


def test_what_was_open_before_stays_closed_when_access_comes_back(directory: Directory, browser: Browser) -> None:
    user = directory.push("ada@example.test")
    opened = browser.deliver(browser.mint(subject="ada@example.test")).session.token
    by_patch(directory, user["id"])
    directory.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"active": True}})
    assert current_actor(directory.services, opened) is None
    browser.deliver(browser.mint(subject="ada@example.test"))
    assert departure(directory, user["id"]) is None


def test_a_session_that_was_opened_in_the_same_moment_does_not_come_back_to_life(
    directory: Directory, browser: Browser
) -> None:
    user = directory.push("ada@example.test")
    opened = browser.deliver(browser.mint(subject="ada@example.test")).session.token
    with directory.services.database.reading(directory.organization_id) as session:
        racing = session.scalars(select(SignInSession)).one()
        columns = {column.key: getattr(racing, column.key) for column in SignInSession.__mapper__.column_attrs}
    by_patch(directory, user["id"])
    with directory.services.database.writing(directory.organization_id) as session:
        session.add(SignInSession(**columns))  # a sign-in that had read "active" before, and wrote after
    assert current_actor(directory.services, opened) is None
    directory.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"active": True}})
    assert current_actor(directory.services, opened) is None


def test_a_suspended_person_is_never_deleted_and_a_removed_one_on_the_day(directory: Directory) -> None:
    suspended, removed = (directory.push(f"{name}@example.test")["id"] for name in ("ada", "grace"))
    for name in "bcdefghi":
        directory.push(f"{name}@example.test")
    by_patch(directory, suspended)
    with clock.moved_by(timedelta(minutes=20)):
        by_delete(directory, removed)
    with clock.moved_by(timedelta(days=29)):
        housekeeping.prune(directory.services)
        assert exists(directory, removed)
    with clock.moved_by(timedelta(days=31)):
        housekeeping.prune(directory.services)
        assert not exists(directory, removed)
        assert exists(directory, suspended)


def test_somebody_who_signed_in_is_deleted_without_a_trace_of_an_error(directory: Directory, browser: Browser) -> None:
    user = directory.push("ada@example.test")
    directory.group("Everyone", user["id"])
    browser.deliver(browser.mint(subject="ada@example.test"))
    by_removal(directory, user["id"])
    with clock.moved_by(timedelta(days=31)):
        assert offboarding.delete_due(directory.services) == 1
    assert not exists(directory, user["id"])
    assert directory.send("GET", f"/Users/{user['id']}").status_code == 404
    with directory.services.database.reading(directory.organization_id) as session:
        assert session.scalars(select(Attempt.user_id)).all() == [None]


@pytest.mark.parametrize(
    "again",
    [
        {"userName": "ADA@example.test"},
        {"userName": "someone", "externalId": "g-1"},
        {"userName": "someone", "emails": [{"value": "Ada@work.example"}]},
    ],
    ids=["user name", "external id", "address"],
)
def test_who_is_pushed_again_before_the_day_gets_the_same_account_back(
    directory: Directory, again: dict[str, object]
) -> None:
    user = directory.push("ada@example.test", externalId="g-1", emails=[{"value": "ada@work.example"}])
    by_delete(directory, user["id"])
    back = directory.send("POST", "/Users", again).json()
    assert (back["id"], back["active"]) == (user["id"], True)
    assert departure(directory, user["id"]) is None


def test_who_is_pushed_again_as_inactive_is_not_deleted_either(directory: Directory) -> None:
    user = directory.push("ada@example.test")
    by_delete(directory, user["id"])
    assert directory.push("ada@example.test", active=False)["active"] is False
    with clock.moved_by(timedelta(days=31)):
        assert offboarding.delete_due(directory.services) == 0


def test_who_is_made_an_admin_again_is_not_deleted_on_the_day_of_the_former_plan(
    directory: Directory, organization: Organization
) -> None:
    user = directory.push("ada@example.test", emails=[{"value": "ada@example.test"}])
    by_removal(directory, user["id"])
    organizations.create_admin(directory.services, organization, "ada@example.test")
    assert departure(directory, user["id"]) is None
    with clock.moved_by(timedelta(days=31)):
        assert offboarding.delete_due(directory.services) == 0
    assert exists(directory, user["id"])


def test_who_an_administrator_removed_too_is_still_found_when_the_directory_pushes_them_anew(
    directory: Directory,
) -> None:
    user = directory.push("ada@example.test", externalId="g-1")
    by_delete(directory, user["id"])
    by_removal(directory, user["id"])
    assert directory.push("someone", externalId="g-1")["id"] == user["id"]


def test_two_admins_cannot_end_each_others_access_at_the_same_moment(
    directory: Directory, organization: Organization
) -> None:
    services, maya = directory.services, directory.admin
    grace = actor_of(organizations.create_admin(services, organization, "grace@example.test"), organization)
    together = Barrier(2)

    def suspend(actor: Actor, user_id: str) -> bool:
        together.wait(timeout=30)
        try:
            offboarding.suspend_person(services, actor, user_id)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        both = pool.map(suspend, (maya, grace), (grace.user_id, maya.user_id))
        assert sorted(both) == [False, True]


class TestBrake:
    def test_more_than_a_fifth_within_ten_minutes_are_suspended_but_kept(self, directory: Directory) -> None:
        ids = [directory.push(f"user-{number}@example.test")["id"] for number in range(10)]
        for user_id in ids[:2]:
            by_delete(directory, user_id)
        assert provisioning.provisioning(directory.services, directory.admin, PLUGIN).brake is None
        by_delete(directory, ids[2])
        brake = provisioning.provisioning(directory.services, directory.admin, PLUGIN).brake
        assert brake
        assert (brake.people, len(brake.names)) == (3, 3)
        with clock.moved_by(timedelta(days=31)):
            assert offboarding.delete_due(directory.services) == 0
        assert all(directory.send("GET", f"/Users/{user_id}").status_code == 404 for user_id in ids[:3])

    def test_a_number_of_people_is_enough_however_many_there_are(
        self, directory: Directory, services: Services
    ) -> None:
        settings = services.settings.model_copy(update={"brake_users": 2})
        few = replace(services, settings=settings)
        ids = [directory.push(f"user-{number}@example.test")["id"] for number in range(30)]
        directory.app.state.services = few
        for user_id in ids[:2]:
            by_delete(directory, user_id)
        assert provisioning.provisioning(services, directory.admin, PLUGIN).brake is None
        by_delete(directory, ids[2])
        assert provisioning.provisioning(services, directory.admin, PLUGIN).brake

    def test_as_many_over_a_day_are_nothing_unusual(self, directory: Directory) -> None:
        ids = [directory.push(f"user-{number}@example.test")["id"] for number in range(10)]
        for hour, user_id in enumerate(ids[:5]):
            with clock.moved_by(timedelta(hours=hour)):
                by_delete(directory, user_id)
        assert provisioning.provisioning(directory.services, directory.admin, PLUGIN).brake is None

    def test_people_who_were_suspended_one_by_one_and_are_deleted_at_once_are_kept(self, directory: Directory) -> None:
        ids = [directory.push(f"user-{number}@example.test")["id"] for number in range(10)]
        for hour, user_id in enumerate(ids[:3]):
            with clock.moved_by(timedelta(hours=hour)):
                by_patch(directory, user_id)
        with clock.moved_by(timedelta(days=1)):
            for user_id in ids[:3]:
                by_delete(directory, user_id)
            brake = provisioning.provisioning(directory.services, directory.admin, PLUGIN).brake
        assert brake
        assert brake.people == 3

    def test_one_person_of_a_small_team_is_nothing_unusual(self, directory: Directory) -> None:
        ids = [directory.push(f"user-{number}@example.test")["id"] for number in range(3)]
        by_delete(directory, ids[0])
        assert provisioning.provisioning(directory.services, directory.admin, PLUGIN).brake is None

    @pytest.mark.parametrize(("role", "left"), [(Role.ADMIN, 3), (Role.IT, 4)])
    def test_removing_one_of_them_decides_where_an_admin_does_it(
        self, directory: Directory, role: Role, left: int
    ) -> None:
        ids = [directory.push(f"user-{number}@example.test")["id"] for number in range(8)]
        for user_id in ids[:4]:
            by_delete(directory, user_id)
        somebody = replace(directory.admin, user_id="somebody", role=role)
        offboarding.remove_person(directory.services, somebody, ids[0])
        brake = provisioning.provisioning(directory.services, directory.admin, PLUGIN).brake
        assert brake
        assert brake.people == left
        with clock.moved_by(timedelta(days=31)):
            offboarding.delete_due(directory.services)
        assert sum(exists(directory, user_id) for user_id in ids[:4]) == left

    @pytest.mark.parametrize(("delete_them", "left"), [(True, 0), (False, 4)])
    def test_an_admin_decides(self, directory: Directory, *, delete_them: bool, left: int) -> None:
        ids = [directory.push(f"user-{number}@example.test")["id"] for number in range(8)]
        for user_id in ids[:4]:
            by_delete(directory, user_id)
        with pytest.raises(Forbidden):
            offboarding.release_brake(
                directory.services, replace(directory.admin, role=Role.IT), PLUGIN, delete_them=delete_them
            )
        assert offboarding.release_brake(directory.services, directory.admin, PLUGIN, delete_them=delete_them) == 4
        with pytest.raises(Conflict):
            offboarding.release_brake(directory.services, directory.admin, PLUGIN, delete_them=delete_them)
        with clock.moved_by(timedelta(days=31)):
            offboarding.delete_due(directory.services)
        assert sum(exists(directory, user_id) for user_id in ids[:4]) == left


class TestAdministrators:
    def test_cannot_lock_themselves_out(self, directory: Directory) -> None:
        with pytest.raises(Conflict, match="your own"):
            offboarding.suspend_person(directory.services, directory.admin, directory.admin.user_id)

    def test_the_last_admin_stays(self, directory: Directory) -> None:
        operator = replace(directory.admin, user_id="operator")
        with pytest.raises(Conflict, match="last Admin"):
            offboarding.remove_person(directory.services, operator, directory.admin.user_id)

    def test_it_cannot_end_the_access_of_an_admin(self, directory: Directory, organization: Organization) -> None:
        other = organizations.create_admin(directory.services, organization, "grace@example.test")
        it = replace(directory.admin, user_id="it", role=Role.IT)
        with pytest.raises(Forbidden):
            offboarding.suspend_person(directory.services, it, other.id)

    def test_somebody_of_another_organization_is_not_there(self, directory: Directory, services: Services) -> None:
        elsewhere = organizations.create_organization(services, "contoso")
        stranger = organizations.create_admin(services, elsewhere, "eve@contoso.example")
        with pytest.raises(NotFound):
            offboarding.suspend_person(services, directory.admin, stranger.id)

    def test_give_access_back(self, directory: Directory) -> None:
        user = directory.push("ada@example.test")
        offboarding.suspend_person(directory.services, directory.admin, user["id"])
        changed = directory.get(f"/Users/{user['id']}")
        assert (changed["active"], changed["meta"]["version"]) == (False, 'W/"2"')
        offboarding.restore_person(directory.services, directory.admin, user["id"])
        assert directory.get(f"/Users/{user['id']}")["active"] is True
        with pytest.raises(Conflict):
            offboarding.restore_person(directory.services, directory.admin, user["id"])
