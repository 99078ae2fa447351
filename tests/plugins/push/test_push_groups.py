"""Limited to some groups: they and their members, and nobody else."""

from __future__ import annotations

import pytest

from tests.plugins.push import events
from tests.plugins.push.conftest import World


def test_only_the_chosen_groups_and_their_members_arrive(world: World) -> None:
    ada, grace = world.aws.create_user("ada.lovelace"), world.aws.create_user("grace.hopper")
    alan = world.aws.create_user("alan.turing")
    world.aws.create_group("Engineering", ada)
    visitors = world.aws.create_group("Visitors", grace)
    world.aws.create_group("Secret", ada, alan)
    world.settings["SIQ_ONLY_GROUPS"] = f"Engineering, {visitors}"  # a name and an id

    world.full_pass()

    assert world.siq.active() == {"ada.lovelace", "grace.hopper"}
    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}, "Visitors": {"grace.hopper"}}


def test_who_leaves_the_chosen_groups_is_deactivated_and_not_deleted(world: World) -> None:
    ada, grace = world.aws.create_user("ada.lovelace"), world.aws.create_user("grace.hopper")
    group = world.aws.create_group("Engineering", ada, grace)
    world.settings["SIQ_ONLY_GROUPS"] = "Engineering"
    world.full_pass()
    world.aws.leave(group, ada)

    summary = world.full_pass()

    assert (summary["outcome"], summary["users_deactivated"]) == ("complete", 1)
    assert set(world.siq.users()) == {"ada.lovelace", "grace.hopper"}
    assert world.siq.active() == {"grace.hopper"}
    assert world.siq.groups() == {"Engineering": {"grace.hopper"}}
    assert world.full_pass()["users_unchanged"] == 2
    world.aws.join(group, ada)
    world.full_pass()
    assert world.siq.active() == {"ada.lovelace", "grace.hopper"}


def test_events_keep_to_the_chosen_groups(world: World) -> None:
    ada, grace = world.aws.create_user("ada.lovelace"), world.aws.create_user("grace.hopper")
    chosen, other = world.aws.create_group("Engineering"), world.aws.create_group("Other", grace)
    world.settings["SIQ_ONLY_GROUPS"] = "Engineering"

    world.push(events.user_created(ada), events.group_created(other), events.joined(other, grace))

    assert (world.siq.users(), world.siq.groups()) == ({}, {})
    world.aws.join(chosen, ada)
    world.push(events.joined(chosen, ada))
    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}}
    world.aws.leave(chosen, ada)
    world.push(events.left(chosen, ada))
    assert world.siq.active() == set()
    assert world.siq.groups() == {"Engineering": set()}


def test_a_chosen_group_that_nobody_knows_stops_everything(world: World) -> None:
    group = world.aws.create_group("Engineering", world.aws.create_user("ada.lovelace"))
    world.settings["SIQ_ONLY_GROUPS"] = "Engineering"
    world.full_pass()
    world.aws.rename_group(group, "Computing")
    world.proxy.requests.clear()

    summary = world.full_pass()

    assert summary["outcome"] == "stopped"
    assert "AWS has no group 'Engineering'" in summary["why"]
    assert world.proxy.writes() == []


@pytest.mark.thorough
def test_limiting_it_later_deactivates_the_others(world: World) -> None:
    for number in range(60):
        world.aws.create_user(f"user.{number:02}")
    ada = world.aws.create_user("ada.lovelace")
    world.aws.create_group("Engineering", ada)
    world.aws.create_group("Other", ada)
    world.full_pass()
    world.settings["SIQ_ONLY_GROUPS"] = "Engineering"

    assert world.full_pass()["braked"] == {"users": 60}
    summary = world.full_pass(allow_removals=60)

    assert summary["outcome"] == "complete"
    assert world.siq.active() == {"ada.lovelace"}
    assert len(world.siq.users()) == 61
    assert set(world.siq.groups()) == {"Engineering"}
