"""The event pass: an event says where to look, and what is found there is pushed."""

from __future__ import annotations

import pytest

from plugins.aws_sso.push.handler import run
from tests.plugins.push import events
from tests.plugins.push.conftest import World


@pytest.mark.parametrize("event", [events.user_created, events.user_created_by_api, events.user_created_by_scim])
def test_a_new_user_arrives_from_each_of_the_three_apis(world: World, event: events.OfUser) -> None:
    ada = world.aws.create_user("ada.lovelace")

    summary = world.push(event(ada))

    assert world.siq.users()["ada.lovelace"]["externalId"] == ada
    assert summary["outcome"] == "complete"
    assert summary["users_created"] == 1


def test_a_renamed_user_is_the_same_user(world: World) -> None:
    ada = world.aws.create_user("ada.byron")
    world.push(events.user_created(ada))
    before = world.siq.users()["ada.byron"]["id"]
    world.aws.update_user(ada, userName="ada.lovelace")

    world.push(events.user_changed(ada, "UpdateUserName"))

    assert {name: user["id"] for name, user in world.siq.users().items()} == {"ada.lovelace": before}


def test_a_disabled_user_is_deactivated_and_an_enabled_one_active_again(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    world.push(events.user_created(ada))
    world.aws.disabled.add(ada)
    world.push(events.user_changed(ada, "DisableUser"))
    assert world.siq.active() == set()
    world.aws.disabled.clear()

    world.push(events.user_changed(ada, "EnableUser"))

    assert world.siq.active() == {"ada.lovelace"}


def test_a_deleted_user_is_deleted(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    world.push(events.user_created(ada))
    world.aws.delete_user(ada)

    world.push(events.user_changed(ada, "DeleteUser"))

    assert world.siq.users() == {}


def test_a_delete_event_deletes_nobody_whom_aws_still_has(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    world.push(events.user_created(ada))

    world.push(events.user_changed(ada, "DeleteUser"))

    assert world.siq.active() == {"ada.lovelace"}


def test_a_group_comes_is_renamed_and_goes(world: World) -> None:
    group = world.aws.create_group("Engineering", world.aws.create_user("ada.lovelace"))
    world.push(events.group_created(group))
    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}}
    world.aws.rename_group(group, "Computing")
    world.push(events.group_changed(group, "UpdateGroupDisplayName"))
    assert world.siq.groups() == {"Computing": {"ada.lovelace"}}
    world.aws.delete_group(group)

    world.push(events.group_changed(group, "DeleteGroup"))

    assert world.siq.groups() == {}


@pytest.mark.parametrize("event", [events.joined, events.joined_by_api])
def test_who_joins_and_leaves_a_group(world: World, event: events.OfMembership) -> None:
    ada, grace = world.aws.create_user("ada.lovelace"), world.aws.create_user("grace.hopper")
    group = world.aws.create_group("Engineering", grace)
    world.full_pass()
    world.aws.join(group, ada)
    world.push(event(group, ada))
    assert world.siq.groups() == {"Engineering": {"ada.lovelace", "grace.hopper"}}
    world.aws.leave(group, grace)

    world.push(events.left(group, grace))

    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}}


def test_a_membership_brings_its_user_and_its_group_along(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    group = world.aws.create_group("Engineering", ada)

    world.push(events.joined(group, ada))

    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}}


def test_a_group_that_changed_upstream_is_compared_member_by_member(world: World) -> None:
    ada, grace = world.aws.create_user("ada.lovelace"), world.aws.create_user("grace.hopper")
    group = world.aws.create_group("Engineering", ada)
    world.full_pass()
    world.aws.leave(group, ada)
    world.aws.join(group, grace)

    world.push(events.group_patched_by_scim(group))

    assert world.siq.groups() == {"Engineering": {"grace.hopper"}}


def test_a_large_group_is_not_looked_up_member_by_member(world: World) -> None:
    users = [world.aws.create_user(f"user.{number:02}") for number in range(30)]
    group = world.aws.create_group("Engineering", *users[:20])
    world.full_pass()
    for user in users[:5]:
        world.aws.leave(group, user)
    for user in users[20:]:
        world.aws.join(group, user)

    summary = world.push(events.group_patched_by_scim(group))

    assert world.siq.groups() == {"Engineering": {f"user.{number:02}" for number in range(5, 30)}}
    assert summary["requests_siq"] < 10


def test_an_event_that_names_no_group_leads_to_a_full_pass(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    group = world.aws.create_group("Engineering", ada)
    world.full_pass()
    membership = world.aws.leave(group, ada)

    summary = world.push(events.left_by_api(membership))

    assert summary["pass"] == "full"
    assert world.siq.groups() == {"Engineering": set()}


def test_a_thousand_of_those_lead_to_one_full_pass(world: World) -> None:
    world.aws.create_user("ada.lovelace")
    early = [events.left_by_api(f"m-{number}") | {"eventTime": "2020-01-01T00:00:00Z"} for number in range(500)]
    assert world.push(*early)["pass"] == "full"
    seen = len(world.proxy.requests)

    summary = world.push(*early)

    assert "pass" not in summary
    assert len(world.proxy.requests) == seen


def test_the_same_event_again_changes_nothing(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    group = world.aws.create_group("Engineering", ada)
    batch = events.user_created(ada), events.group_created(group), events.joined(group, ada)
    world.push(*batch, *batch)
    before = world.siq.users(), world.siq.groups()

    world.push(*batch, events.user_created_by_api(ada))

    assert (world.siq.users(), world.siq.groups()) == before


def test_events_in_the_wrong_order_end_the_same(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    group = world.aws.create_group("Engineering", ada)
    world.aws.disabled.add(alan := world.aws.create_user("alan.turing"))
    world.aws.disabled.clear()
    world.aws.update_user(alan, title="Mathematician")

    for detail in (
        events.user_changed(alan, "EnableUser"),
        events.joined(group, ada),
        events.user_changed(alan, "DisableUser"),
        events.group_created(group),
        events.user_created(alan),
        events.user_created(ada),
    ):
        world.push(detail)

    assert world.siq.active() == {"ada.lovelace", "alan.turing"}
    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}}


def test_lost_events_are_healed_by_the_full_pass(world: World) -> None:
    ada, grace = world.aws.create_user("ada.lovelace"), world.aws.create_user("grace.hopper")
    alan = world.aws.create_user("alan.turing")
    group = world.aws.create_group("Engineering", ada, grace)
    world.full_pass()
    world.aws.create_user("edsger.dijkstra")
    world.aws.delete_user(ada)
    world.aws.disabled.add(alan)
    world.aws.leave(group, grace)  # and none of these events arrives

    world.full_pass()

    assert world.siq.active() == {"grace.hopper", "edsger.dijkstra"}
    assert set(world.siq.users()) == {"grace.hopper", "edsger.dijkstra", "alan.turing"}
    assert world.siq.groups() == {"Engineering": set()}


@pytest.mark.parametrize(
    "event",
    [
        events.user_changed("u") | {"errorCode": "AccessDenied"},
        events.user_changed("u") | {"readOnly": True},
        events.user_changed("u") | {"eventSource": "sso.amazonaws.com"},
        events.user_changed("u") | {"requestParameters": {"identityStoreId": "d-0000000000", "userId": "u"}},
        events.detail(events.CONSOLE, "UpdatePasswordPolicy", {}),
        events.detail(events.SCIM, "PatchUser", {"id": None}),
        events.user_changed("u") | {"requestParameters": None},
    ],
    ids=["refused", "reading", "other service", "other store", "other thing", "no id", "nothing"],
)
def test_an_event_that_is_about_nothing_of_ours_asks_nobody(world: World, event: dict[str, object]) -> None:
    summary = world.push(event)

    assert summary["outcome"] == "complete"
    assert (summary["requests_aws"], summary["requests_siq"]) == (0, 0)


@pytest.mark.parametrize("full", [False, True], ids=["by an event", "by the full pass"])
def test_somebody_who_was_faster_is_not_overwritten(world: World, *, full: bool) -> None:
    ada = world.aws.create_user("ada.lovelace")
    world.push(events.user_created(ada))
    world.aws.update_user(ada, title="Old")
    patches = 0

    def another_sender(request: object) -> None:
        nonlocal patches
        if getattr(request, "method", "") == "PATCH":
            patches += 1
            if patches == 1:  # between our look at AWS and our change: AWS goes on, and somebody pushes that
                world.aws.update_user(ada, title="New")
                scim_id = world.siq.users()["ada.lovelace"]["id"]
                world.siq.patch("Users", scim_id, {"op": "replace", "path": "title", "value": "New"})

    world.proxy.fault = another_sender

    summary = world.full_pass() if full else world.push(events.user_changed(ada))

    assert world.siq.users()["ada.lovelace"]["title"] == "New"
    assert summary["outcome"] == "complete"


def test_a_user_and_a_group_by_hand(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    group = world.aws.create_group("Engineering", ada)

    run(world.settings, [{"user_id": ada}, {"group_id": group}], clock=world.clock)

    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}}
