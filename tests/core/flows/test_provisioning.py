"""Groups that give roles, and people who are pushed and sign in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from core import clock
from core.errors import Conflict, Forbidden
from core.flows import offboarding, organizations, provisioning
from core.flows.provisioning import RoleRule
from core.flows.refused import SignInFailed
from core.flows.sessions import current_actor
from core.refusals import PERSON_INACTIVE, PERSON_UNKNOWN
from core.store.provisioning_tables import PushedUser
from core.store.tables import AuditEntry, Connection, LinkedIdentity, Organization, Role, User
from tests.core.flows.conftest import Browser
from tests.core.scim.conftest import PLUGIN, Directory


def user_of(directory: Directory, user_id: str) -> User:
    with directory.services.database.reading(directory.organization_id) as session:
        return session.get_one(User, user_id)


def events(directory: Directory) -> list[str]:
    with directory.services.database.reading(directory.organization_id) as session:
        return list(session.scalars(select(AuditEntry.event).order_by(AuditEntry.id)))


class TestSignIn:
    def test_a_pushed_person_who_signs_in_is_the_same_user(self, directory: Directory, browser: Browser) -> None:
        pushed = directory.push(
            "ada@example.test", name={"givenName": "Ada"}, emails=[{"value": "lovelace@example.test"}]
        )
        signed_in = browser.deliver(browser.mint(subject="ada@example.test"))
        actor = current_actor(directory.services, signed_in.session.token)
        assert actor
        assert (actor.user_id, actor.email) == (pushed["id"], "lovelace@example.test")

    def test_a_person_who_signed_in_and_is_pushed_is_the_same_user(
        self, directory: Directory, browser: Browser
    ) -> None:
        signed_in = browser.deliver(browser.mint(subject="ada@example.test"))
        actor = current_actor(directory.services, signed_in.session.token)
        pushed = directory.push("Ada@Example.test", externalId="g-1")
        assert actor
        assert pushed["id"] == actor.user_id
        assert "provisioning.user_adopted" in events(directory)
        assert current_actor(directory.services, signed_in.session.token)

    def test_the_external_id_names_the_person_before_the_user_name_does(
        self, directory: Directory, browser: Browser
    ) -> None:
        by_id = directory.push("ada", externalId="nameid-1")
        signed_in = browser.deliver(browser.mint(subject="nameid-1", attributes={"email": ["x@example.test"]}))
        actor = current_actor(directory.services, signed_in.session.token)
        assert actor
        assert actor.user_id == by_id["id"]

    def test_whose_user_name_the_subject_is_comes_before_whose_external_id_it_is(
        self, directory: Directory, browser: Browser
    ) -> None:
        directory.push("bob@example.test", externalId="ada@example.test")
        ada = directory.push("ada@example.test", externalId="bob@example.test")
        signed_in = browser.deliver(browser.mint(subject="ada@example.test"))
        actor = current_actor(directory.services, signed_in.session.token)
        assert actor
        assert actor.user_id == ada["id"]

    def test_a_user_name_that_was_given_to_somebody_else_is_theirs(
        self, directory: Directory, browser: Browser
    ) -> None:
        first = directory.push("ada@example.test")
        browser.deliver(browser.mint(subject="ada@example.test"))
        directory.patch(f"/Users/{first['id']}", {"op": "replace", "path": "userName", "value": "ada.old@example.test"})
        second = directory.push("ada@example.test")
        signed_in = browser.deliver(
            browser.mint(subject="ada@example.test", attributes={"email": ["new@example.test"]})
        )
        actor = current_actor(directory.services, signed_in.session.token)
        assert actor
        assert actor.user_id == second["id"] != first["id"]

    def test_a_deactivated_person_is_refused_with_the_code_of_that(
        self, directory: Directory, browser: Browser
    ) -> None:
        user = directory.push("ada@example.test", active=False)
        with pytest.raises(SignInFailed) as refused:
            browser.deliver(browser.mint(subject="ada@example.test"))
        assert refused.value.refusal is PERSON_INACTIVE
        assert user["active"] is False

    def test_nobody_else_gets_an_account_where_that_is_switched_off(
        self, directory: Directory, browser: Browser
    ) -> None:
        provisioning.set_create_at_sign_in(directory.services, directory.admin, PLUGIN, on=False)
        directory.push("ada@example.test")
        browser.deliver(browser.mint(subject="ada@example.test"))
        with pytest.raises(SignInFailed) as refused:
            browser.deliver(browser.mint(subject="eve@example.test"))
        assert refused.value.refusal is PERSON_UNKNOWN

    def test_what_the_directory_says_is_not_overwritten_by_an_assertion(
        self, directory: Directory, browser: Browser
    ) -> None:
        user = directory.push("ada@example.test", displayName="Ada Lovelace")
        browser.deliver(browser.mint(subject="ada@example.test", attributes={"name": ["Somebody Else"]}))
        assert user_of(directory, user["id"]).display_name == "Ada Lovelace"


class TestAdoption:
    def test_an_administrator_by_address_keeps_role_and_password(
        self, directory: Directory, organization: Organization
    ) -> None:
        made = organizations.create_admin(directory.services, organization, "grace@example.test", "Grace", "a hash")
        pushed = directory.push("g.hopper", emails=[{"value": "Grace@example.test", "primary": True}])
        user = user_of(directory, made.id)
        assert pushed["id"] == made.id
        assert (user.role, user.password_hash, user.user_name) == (Role.ADMIN, "a hash", "g.hopper")

    def test_an_external_id_comes_before_a_user_name(self, directory: Directory, browser: Browser) -> None:
        by_id, by_name = (
            current_actor(
                directory.services,
                browser.deliver(browser.mint(subject=name, attributes={"email": [f"{name}@x.test"]})).session.token,
            )
            for name in ("subject-1", "ada")
        )
        assert by_id
        assert by_name
        assert directory.push("ada", externalId="subject-1")["id"] == by_id.user_id
        assert directory.push("ada.2", emails=[{"value": "ADA@x.test"}])["id"] == by_name.user_id
        assert events(directory).count("provisioning.user_adopted") == 2

    def test_a_user_name_comes_before_an_address_and_none_is_taken_twice(
        self, directory: Directory, browser: Browser
    ) -> None:
        for name in ("ada", "grace"):
            browser.deliver(browser.mint(subject=name, attributes={"email": [f"{name}@x.test"]}))
        both = {"userName": "ada", "emails": [{"value": "grace@x.test"}]}
        assert directory.send("POST", "/Users", both).status_code == 409  # Ada's account with Grace's address
        assert "provisioning.user_adopted" not in events(directory)

    def test_a_user_name_is_the_same_in_other_capitals_and_the_very_same_comes_first(
        self, directory: Directory, browser: Browser
    ) -> None:
        """userName is not caseExact (RFC 7643 4.1.1). The accounts have addresses that the directory does not know."""
        people = {}
        for number, name in enumerate(("Ödön.L", "ödön.l", "GRACE.H")):
            opened = browser.deliver(browser.mint(subject=name, attributes={"email": [f"person-{number}@x.test"]}))
            actor = current_actor(directory.services, opened.session.token)
            assert actor
            people[name] = actor.user_id
        assert directory.push("ödön.l")["id"] == people["ödön.l"]
        assert directory.push("Grace.h")["id"] == people["GRACE.H"]
        assert events(directory).count("provisioning.user_adopted") == 2

    def test_whom_an_administrator_suspended_is_given_access_back_only_in_so_many_words(
        self, directory: Directory, browser: Browser
    ) -> None:
        people = {}
        for name in ("ada", "grace"):
            opened = browser.deliver(browser.mint(subject=name, attributes={"email": [f"{name}@x.test"]}))
            actor = current_actor(directory.services, opened.session.token)
            assert actor
            people[name] = actor.user_id
            offboarding.suspend_person(directory.services, directory.admin, actor.user_id)
        pushed = directory.push("ada")
        assert (pushed["id"], pushed["active"], user_of(directory, people["ada"]).active) == (
            people["ada"],
            False,
            False,
        )
        assert directory.push("grace", active=True)["active"] is True
        assert user_of(directory, people["grace"]).active is True

    def test_what_another_connection_owns_is_a_409(self, directory: Directory) -> None:
        now = clock.now()
        with directory.services.database.writing(directory.organization_id) as session:
            other = Connection(
                id="c-other",
                organization_id=directory.organization_id,
                plugin_id="other",
                created_at=now,
                changed_at=now,
            )
            session.add(other)
            session.flush()
            session.add(
                User(
                    id="u-other",
                    organization_id=directory.organization_id,
                    email="ada@example.test",
                    email_key="ada@example.test",
                    user_name="ada",
                    source_connection_id="c-other",
                    created_at=now,
                )
            )
        answer = directory.send("POST", "/Users", {"userName": "a", "emails": [{"value": "ada@example.test"}]})
        assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")

    def test_two_people_cannot_have_one_address(self, directory: Directory) -> None:
        directory.push("ada", emails=[{"value": "ada@example.test"}])
        other = directory.push("grace")
        body = {"op": "add", "path": "emails", "value": [{"value": "ADA@example.test"}]}
        answer = directory.patch(f"/Users/{other['id']}", body)
        assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
        assert "emails" not in directory.get(f"/Users/{other['id']}")


class TestRoles:
    RULES = (RoleRule("siq admins", Role.ADMIN), RoleRule("IT", Role.IT), RoleRule("Nobody", Role.BOOKING_MANAGER))

    def test_the_first_rule_that_matches_wins_and_is_kept_up(self, directory: Directory) -> None:
        ada, grace = (directory.push(f"{name}@example.test")["id"] for name in ("ada", "grace"))
        admins, it = directory.group("SiQ Admins", ada), directory.group("IT", ada, grace)
        assert provisioning.set_rules(directory.services, directory.admin, PLUGIN, self.RULES) == 2
        assert [user_of(directory, one).role for one in (ada, grace)] == [Role.ADMIN, Role.IT]
        directory.patch(f"/Groups/{admins['id']}", {"op": "remove", "path": f'members[value eq "{ada}"]'})
        assert user_of(directory, ada).role is Role.IT
        directory.send("DELETE", f"/Groups/{it['id']}")
        assert [user_of(directory, one).role for one in (ada, grace)] == [Role.VIEWER, Role.VIEWER]
        directory.patch(f"/Groups/{admins['id']}", {"op": "add", "path": "members", "value": [{"value": grace}]})
        assert user_of(directory, grace).role is Role.ADMIN
        directory.patch(f"/Groups/{admins['id']}", {"op": "replace", "path": "displayName", "value": "Nobody"})
        assert user_of(directory, grace).role is Role.BOOKING_MANAGER

    def test_a_preview_says_what_would_happen_and_does_not_do_it(self, directory: Directory) -> None:
        ada = directory.push("ada@example.test", displayName="Ada")["id"]
        directory.group("IT", ada)
        preview = provisioning.preview_rules(directory.services, directory.admin, PLUGIN, self.RULES)
        assert [(one.group_exists, one.people) for one in preview.effects] == [(False, 0), (True, 1), (False, 0)]
        assert (preview.people, preview.changes) == (1, (("Ada", "Viewer", "IT"),))
        assert user_of(directory, ada).role is Role.VIEWER
        assert provisioning.provisioning(directory.services, directory.admin, PLUGIN).rules == ()

    def test_no_rule_takes_the_role_of_an_admin_who_was_made_by_hand(
        self, directory: Directory, organization: Organization
    ) -> None:
        made = organizations.create_admin(directory.services, organization, "grace@example.test", "Grace")
        directory.push("grace@example.test")
        directory.group("IT", made.id)
        provisioning.set_rules(directory.services, directory.admin, PLUGIN, self.RULES)
        assert user_of(directory, made.id).role is Role.ADMIN

    def test_too_many_are_refused_not_cut(self, directory: Directory) -> None:
        rules = [RoleRule(f"Group {number}", Role.IT) for number in range(101)]
        with pytest.raises(Conflict, match="at most 100"):
            provisioning.set_rules(directory.services, directory.admin, PLUGIN, rules)
        assert provisioning.provisioning(directory.services, directory.admin, PLUGIN).rules == ()

    def test_only_an_admin_writes_them(self, directory: Directory) -> None:
        it = replace(directory.admin, role=Role.IT)
        with pytest.raises(Forbidden):
            provisioning.set_rules(directory.services, it, PLUGIN, self.RULES)
        with pytest.raises(Forbidden):
            provisioning.preview_rules(directory.services, it, PLUGIN, self.RULES)


def test_a_pushed_person_has_an_account_and_no_second_row(directory: Directory) -> None:
    user = directory.push("ada@example.test")
    with directory.services.database.reading(directory.organization_id) as session:
        assert session.get_one(PushedUser, user["id"]).user_name_key == "ada@example.test"
        assert session.scalars(select(LinkedIdentity)).all() == []
