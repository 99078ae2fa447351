"""The brake: what looks like a mistake removes nobody."""

from __future__ import annotations

import json

import pytest
from moto.identitystore.responses import IdentityStoreResponse

from tests.plugins.push.conftest import World


def people(world: World, number: int) -> list[str]:
    """Their ids; pushed already."""
    made = [world.aws.create_user(f"user.{index:02}") for index in range(number)]
    world.full_pass()
    return made


@pytest.mark.parametrize("number", [2, 8, 40])
def test_an_empty_listing_removes_nobody(world: World, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    people(world, number)
    monkeypatch.setattr(IdentityStoreResponse, "list_users", lambda _: '{"Users": []}')
    monkeypatch.setattr(IdentityStoreResponse, "list_groups", lambda _: '{"Groups": []}')
    world.proxy.requests.clear()

    summary = world.full_pass()

    assert summary["outcome"] == "braked"
    assert summary["braked"] == {"users": number}
    assert world.proxy.writes() == []


def test_a_listing_that_comes_short_removes_nobody_whom_aws_still_knows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(world, 40)
    full = IdentityStoreResponse.list_users

    def short(self: IdentityStoreResponse) -> str:
        answer = json.loads(full(self))
        return json.dumps(answer | {"Users": answer["Users"][5:]})

    monkeypatch.setattr(IdentityStoreResponse, "list_users", short)

    summary = world.full_pass()

    assert len(world.siq.active()) == 40
    assert summary["outcome"] == "complete"


@pytest.mark.thorough
def test_more_than_a_fifth_at_once_wait_for_somebody_who_means_it(world: World) -> None:
    made = people(world, 60)
    for user in made[:13]:
        world.aws.delete_user(user)
    newcomer = world.aws.create_user("new.comer")

    summary = world.full_pass()

    assert (summary["outcome"], summary["braked"]) == ("braked", {"users": 13})
    assert len(world.siq.active()) == 61
    assert world.siq.users()["new.comer"]["externalId"] == newcomer  # everything else goes on
    assert world.full_pass(allow_removals=12)["outcome"] == "braked"
    assert world.full_pass(allow_removals=13)["outcome"] == "complete"
    assert len(world.siq.users()) == 48


@pytest.mark.thorough
def test_mass_disabling_is_held_back_too(world: World) -> None:
    made = people(world, 60)
    world.aws.disabled.update(made[:13])

    summary = world.full_pass()

    assert summary["braked"] == {"users": 13}
    assert len(world.siq.active()) == 60


def test_a_few_leavers_are_removed_without_asking(world: World) -> None:
    made = people(world, 20)
    for user in made[:10]:
        world.aws.delete_user(user)

    summary = world.full_pass()

    assert (summary["outcome"], summary["users_deleted"]) == ("complete", 10)


def test_groups_that_are_all_gone_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = world.aws.create_user("ada.lovelace")
    for number in range(12):
        world.aws.create_group(f"Group {number}", ada)
    world.full_pass()
    monkeypatch.setattr(IdentityStoreResponse, "list_groups", lambda _: '{"Groups": []}')

    summary = world.full_pass()

    assert summary["braked"] == {"groups": 12}
    assert len(world.siq.groups()) == 12


def test_a_group_that_is_suddenly_empty_keeps_its_members(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = people(world, 12)
    world.aws.create_group("Engineering", *made)
    world.full_pass()
    monkeypatch.setattr(IdentityStoreResponse, "list_group_memberships", lambda _: '{"GroupMemberships": []}')

    summary = world.full_pass()

    assert summary["braked"] == {"memberships": 12}
    assert len(world.siq.groups()["Engineering"]) == 12
    assert world.full_pass(allow_removals=12)["outcome"] == "complete"
    assert world.siq.groups() == {"Engineering": set()}
