"""The tokens of a directory, the record of its requests, and what it is answered where the database is away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select, text

from core import clock
from core.errors import Conflict, Forbidden, NotFound
from core.flows import provisioning, scim_requests
from core.store import database
from core.store.provisioning_tables import ProvisioningToken
from core.store.tables import Role
from tests.core.scim.conftest import PLUGIN, Directory


def test_a_directory_is_told_to_come_again_where_the_database_does_not_answer(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even the look at its token has to wait for a lock that somebody holds."""
    held = directory.services.database
    monkeypatch.setattr(database, "_PATIENCE", 50)
    held.engine.dispose()
    with held.unscoped() as session:
        is_postgresql = held.engine.dialect.name == "postgresql"
        session.execute(text("LOCK TABLE scim_tokens IN ACCESS EXCLUSIVE MODE" if is_postgresql else "SELECT 1"))
        told = directory.send("POST", "/Users", {"userName": "ada"})
    assert (told.status_code, told.headers["retry-after"]) == (503, "5")
    assert told.json()["status"] == "503"
    assert directory.send("GET", "/Users").json()["totalResults"] == 0


class TestTokens:
    def test_a_token_is_shown_once_and_kept_as_a_hash(self, directory: Directory) -> None:
        assert directory.token.startswith("siq_scim_")
        with directory.services.database.reading(directory.organization_id) as session:
            (row,) = session.scalars(select(ProvisioningToken))
        assert directory.token not in str(vars(row))
        assert row.ending == directory.token[-4:]

    def test_two_are_live_at_once_and_a_third_is_refused(self, directory: Directory) -> None:
        second = provisioning.create_token(directory.services, directory.admin, PLUGIN)
        with pytest.raises(Conflict, match="Two tokens"):
            provisioning.create_token(directory.services, directory.admin, PLUGIN)
        for token in (directory.token, second.secret):
            assert replace(directory, token=token).send("GET", "/Users").status_code == 200

    def test_a_rotation_states_when_the_old_one_ends_and_it_does(self, directory: Directory) -> None:
        (old,) = provisioning.provisioning(directory.services, directory.admin, PLUGIN).tokens
        rotated = provisioning.rotate_token(directory.services, directory.admin, PLUGIN, old.id)
        assert rotated.replaces
        assert rotated.replaces.state == "ending"
        assert timedelta(hours=23) < rotated.replaces.ends_at - clock.now() < timedelta(hours=25)
        renewed = replace(directory, token=rotated.secret)
        assert directory.send("GET", "/Users").status_code == renewed.send("GET", "/Users").status_code == 200
        with clock.moved_by(timedelta(hours=25)):
            assert directory.send("GET", "/Users").status_code == 401
            assert renewed.send("GET", "/Users").status_code == 200
            provisioning.create_token(directory.services, directory.admin, PLUGIN)

    def test_a_revoked_token_opens_nothing_and_makes_room(self, directory: Directory) -> None:
        (token,) = provisioning.provisioning(directory.services, directory.admin, PLUGIN).tokens
        provisioning.revoke_token(directory.services, directory.admin, PLUGIN, token.id)
        assert directory.send("GET", "/Users").status_code == 401
        with pytest.raises(NotFound):
            provisioning.revoke_token(directory.services, directory.admin, PLUGIN, token.id)
        for _ in range(2):
            provisioning.create_token(directory.services, directory.admin, PLUGIN)

    def test_two_who_make_the_second_one_at_the_same_moment_make_one(self, directory: Directory) -> None:
        together = Barrier(3)

        def create(_: int) -> bool:
            together.wait(timeout=30)
            try:
                provisioning.create_token(directory.services, directory.admin, PLUGIN)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(3) as threads:
            assert sorted(threads.map(create, range(3))) == [False, False, True]

    def test_it_expires(self, directory: Directory) -> None:
        with clock.moved_by(timedelta(days=366)):
            assert directory.send("GET", "/Users").status_code == 401

    def test_its_last_use_is_known_by_time_and_address(self, directory: Directory) -> None:
        directory.send("GET", "/Users")
        (token,) = provisioning.provisioning(directory.services, directory.admin, PLUGIN).tokens
        assert token.last_used_address == "127.0.0.1"
        assert token.last_used_at

    def test_wrong_ones_are_throttled_and_the_right_one_is_not(self, directory: Directory) -> None:
        wrong = replace(directory, token="siq_scim_wrong")
        statuses = [wrong.send("GET", "/Users").status_code for _ in range(62)]
        assert (statuses[0], statuses[-1]) == (401, 429)
        assert int(wrong.send("GET", "/Users").headers["retry-after"]) > 0
        assert directory.send("GET", "/Users").status_code == 200

    def test_only_people_who_manage_integrations_make_them(self, directory: Directory) -> None:
        viewer = replace(directory.admin, role=Role.VIEWER)
        with pytest.raises(Forbidden):
            provisioning.create_token(directory.services, viewer, PLUGIN)

    def test_a_plugin_that_takes_no_directory_has_none(self, directory: Directory) -> None:
        with pytest.raises(NotFound):
            provisioning.create_token(directory.services, directory.admin, "nosuch")


class TestRecord:
    def test_says_that_it_waits_until_the_first_request(self, directory: Directory) -> None:
        view = provisioning.provisioning(directory.services, directory.admin, PLUGIN)
        assert (view.waiting, view.people, view.groups, view.requests) == (True, 0, 0, ())
        user = directory.push("ada@example.test")
        directory.group("Everyone", user["id"])
        view = provisioning.provisioning(directory.services, directory.admin, PLUGIN)
        assert (view.waiting, view.people, view.groups, view.group_names) == (False, 1, 1, ("Everyone",))
        assert view.last_sync
        assert view.base_url.endswith(f"/scim/v2/{directory.connection_id}")

    def test_holds_what_was_asked_and_why_it_was_refused(self, directory: Directory) -> None:
        directory.push("ada@example.test")
        directory.send("POST", "/Users", {"userName": "ada@example.test", "password": "correct horse"})
        newest = provisioning.provisioning(directory.services, directory.admin, PLUGIN).requests[0]
        assert (newest.method, newest.path, newest.status, newest.ok) == ("POST", "/Users", 409, False)
        assert (newest.scim_type, newest.who, newest.reason) == (
            "uniqueness",
            "ada@example.test",
            "Another resource has this userName, externalId or e-mail address",
        )
        assert "correct horse" not in newest.body
        assert newest.milliseconds > 0

    def test_is_searched_by_person(self, directory: Directory) -> None:
        ada = directory.push("ada@example.test")
        directory.push("grace@example.test")
        directory.get(f"/Users/{ada['id']}")
        directory.get("/Users", filter='userName eq "ada@example.test"')
        for query, count in (("ada@", 3), (ada["id"], 2), ("grace", 1), ("nobody", 0)):
            found = provisioning.provisioning(directory.services, directory.admin, PLUGIN, query).requests
            assert len(found) == count, query

    def test_is_bounded(self, directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scim_requests, "MOST", 3)
        for _ in range(5):
            directory.get("/Users")
        assert scim_requests.prune(directory.services) == 2
        assert len(provisioning.provisioning(directory.services, directory.admin, PLUGIN).requests) == 3
