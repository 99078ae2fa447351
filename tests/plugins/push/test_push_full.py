"""The full pass: AWS and SiQ agree afterwards, whatever happened before."""

from __future__ import annotations

import json

import pytest

from tests.plugins.push.conftest import World
from tests.plugins.push.endpoints import Fault, reference


def test_everybody_and_every_group_arrives(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace", Title="Countess")
    world.aws.create_user("grace.hopper")
    world.aws.create_group("Engineering", ada)
    world.aws.create_group("Nobody yet")

    summary = world.full_pass()

    user = world.siq.users()["ada.lovelace"]
    assert (user["externalId"], user["active"], user["title"]) == (ada, True, "Countess")
    assert user["name"] == {"givenName": "Ada", "familyName": "Lovelace"}
    assert user["emails"] == [{"value": "ada.lovelace@northwind.example", "type": "work", "primary": True}]
    assert world.siq.active() == {"ada.lovelace", "grace.hopper"}
    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}, "Nobody yet": set()}
    assert summary["outcome"] == "complete"
    assert summary["finished"]
    assert (summary["users_created"], summary["groups_created"], summary["groups_members_added"]) == (2, 2, 1)


def test_a_second_pass_changes_nothing(world: World) -> None:
    world.aws.create_group("Engineering", world.aws.create_user("ada.lovelace"))
    world.full_pass()
    world.proxy.requests.clear()

    summary = world.full_pass()

    assert world.proxy.writes() == []
    assert (summary["users_unchanged"], summary["groups_unchanged"]) == (1, 1)


def test_what_changed_in_aws_changes_in_siq(world: World) -> None:
    ada = world.aws.create_user("ada.byron", Title="Countess")
    grace, alan = world.aws.create_user("grace.hopper"), world.aws.create_user("alan.turing")
    edsger = world.aws.create_user("edsger.dijkstra")
    group = world.aws.create_group("Engineering", ada, grace)
    old = world.aws.create_group("Old")
    world.full_pass()

    world.aws.update_user(ada, userName="ada.lovelace", name_familyName="Lovelace", title=None)
    world.aws.disabled.add(alan)
    world.aws.delete_user(edsger)
    world.aws.rename_group(group, "Computing")
    world.aws.leave(group, grace)
    world.aws.join(group, alan)
    world.aws.delete_group(old)
    summary = world.full_pass()

    assert set(world.siq.users()) == {"ada.lovelace", "grace.hopper", "alan.turing"}
    assert world.siq.users()["ada.lovelace"]["name"]["familyName"] == "Lovelace"
    assert "title" not in world.siq.users()["ada.lovelace"]
    assert world.siq.active() == {"ada.lovelace", "grace.hopper"}
    assert world.siq.groups() == {"Computing": {"ada.lovelace", "alan.turing"}}
    assert summary["outcome"] == "complete"
    assert (summary["users_updated"], summary["users_deactivated"], summary["users_deleted"]) == (1, 1, 1)


def test_somebody_who_is_enabled_again_is_active_again(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    world.full_pass()
    world.aws.disabled.add(ada)
    world.full_pass()
    world.aws.disabled.clear()

    world.full_pass()

    assert world.siq.active() == {"ada.lovelace"}


def test_who_was_disabled_before_the_first_pass_is_not_created(world: World) -> None:
    world.aws.disabled.add(world.aws.create_user("ada.lovelace"))

    world.full_pass()

    assert world.siq.users() == {}


def test_who_is_in_siq_but_never_came_from_aws_is_left_alone(world: World) -> None:
    world.aws.create_group("Engineering", world.aws.create_user("ada.lovelace"))
    world.full_pass()
    guest = world.siq.create("Users", userName="guest")
    world.siq.create("Groups", displayName="Guests")
    [group] = [found for found in world.siq._all("Groups") if found["displayName"] == "Engineering"]
    world.siq.patch("Groups", group["id"], {"op": "add", "path": "members", "value": [{"value": guest["id"]}]})

    world.full_pass()

    assert world.siq.active() == {"ada.lovelace", "guest"}
    assert world.siq.groups() == {"Engineering": {"ada.lovelace", "guest"}, "Guests": set()}


def test_who_was_in_siq_under_the_same_name_is_adopted(world: World) -> None:
    before = world.siq.create("Users", userName="ada.lovelace")
    ada = world.aws.create_user("ada.lovelace")

    summary = world.full_pass()

    after = world.siq.users()["ada.lovelace"]
    assert (after["id"], after["externalId"], after["displayName"]) == (before["id"], ada, "Ada Lovelace")
    assert summary["outcome"] == "complete"


def test_two_people_who_swapped_their_user_names(world: World) -> None:
    ada, grace = world.aws.create_user("ada"), world.aws.create_user("grace")
    world.full_pass()
    world.aws.update_user(ada, userName="grace")
    world.aws.update_user(grace, userName="ada")

    summary = world.full_pass()

    users = world.siq.users()
    assert (users["grace"]["externalId"], users["ada"]["externalId"]) == (ada, grace)
    assert summary["outcome"] == "complete"


def test_somebody_deleted_and_made_anew_under_the_same_name_is_another_person(world: World) -> None:
    world.aws.create_user("grace.hopper")
    world.aws.delete_user(first := world.aws.create_user("ada.lovelace"))
    world.siq.create("Users", userName="ada.lovelace", externalId=first)
    second = world.aws.create_user("ada.lovelace")

    world.full_pass()

    assert world.siq.users()["ada.lovelace"]["externalId"] == second


def test_one_who_is_refused_is_told_and_the_others_go_on(world: World) -> None:
    ada, _ = world.aws.create_user("ada.lovelace"), world.aws.create_user("grace.hopper")
    world.proxy.fault = lambda request: Fault(400) if request.body.get("userName") == "ada.lovelace" else None

    summary = world.full_pass()

    assert world.siq.active() == {"grace.hopper"}
    assert summary["outcome"] == "failed"
    assert summary["finished"]
    assert [(failure["kind"], failure["id"]) for failure in summary["failures"]] == [("Users", ada)]
    assert "400" in summary["failures"][0]["why"]


def test_the_reference_implementation_of_scim_takes_the_same_requests(world: World) -> None:
    ada, alan = world.aws.create_user("ada.byron", Title="Countess"), world.aws.create_user("alan.turing")
    grace = world.aws.create_user("grace.hopper")
    group = world.aws.create_group("Engineering", ada, grace)
    with reference() as other:
        world.settings.update(SIQ_SCIM_BASE_URL=other.base_url, SIQ_SCIM_TOKEN=other.token)
        assert world.full_pass()["outcome"] == "complete"
        world.aws.update_user(ada, userName="grace.hopper", title=None)  # who swap names
        world.aws.update_user(grace, userName="ada.byron")
        world.aws.disabled.add(alan)
        world.aws.leave(group, grace)

        assert world.full_pass()["outcome"] == "complete"

        assert other.active() == {"ada.byron", "grace.hopper"}
        assert other.users()["grace.hopper"]["externalId"] == ada
        assert other.groups() == {"Engineering": {"grace.hopper"}}
        assert world.full_pass()["users_unchanged"] == 3


@pytest.mark.thorough
def test_many_users_cost_the_requests_that_the_guide_says(world: World) -> None:
    world.aws.join_many(world.aws.create_group("Everybody"), world.aws.create_many(600))

    new, same = world.full_pass(), world.full_pass()

    assert len(world.siq.groups()["Everybody"]) == 600
    assert new["requests_aws"] == same["requests_aws"] == 6 + 1 + 6  # users, groups, members; 100 in a page
    assert same["requests_siq"] - same["retries_siq"] == 3 + 1 + 1  # users by 200, groups, one group's members
    assert new["requests_siq"] - new["retries_siq"] == 1 + 600 + 1 + 1 + 1 + 2  # members by 500
    assert (new["outcome"], same["outcome"]) == ("complete", "complete")


def test_the_log_is_one_line_without_names_and_token(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.aws.create_user("ada.lovelace")
    world.proxy.fault = lambda request: Fault(400) if request.method == "POST" else None

    summary = world.full_pass()

    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == summary
    assert "lovelace" not in line.casefold()
    assert world.siq.token not in line
