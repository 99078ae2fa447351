"""The sender by hand, and what is left when it dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from signal import SIGKILL

import pytest

from plugins.aws_sso.push.__main__ import main
from tests.plugins.push.conftest import World
from tests.plugins.push.directory import REGION, STORE
from tests.plugins.push.endpoints import Fault, Request

# The ids that moto draws are the same in each process, so this AWS is the same AWS each time.
PUSH_FORTY = """
import os, sys
from moto.moto_api._internal import mock_random
from plugins.aws_sso.push.__main__ import main
from tests.plugins.push.directory import directory
mock_random.seed(7)
with directory() as aws:
    users = [aws.create_user(f"user.{number:02}") for number in range(40)]
    aws.create_group("Everybody", *users)
    sys.exit(main(sys.argv[1:], os.environ))
"""


@pytest.fixture
def arguments(world: World) -> list[str]:
    return ["--scim-base-url", world.proxy.base_url, "--identity-store-id", STORE]


def test_everything(world: World, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    world.aws.create_group("Engineering", world.aws.create_user("ada.lovelace"))

    code = main(arguments, {"SIQ_SCIM_TOKEN": world.siq.token})

    assert code == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "complete"
    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}}


def test_one_user_one_group_and_chosen_groups(world: World, arguments: list[str]) -> None:
    ada, grace = world.aws.create_user("ada.lovelace"), world.aws.create_user("grace.hopper")
    group = world.aws.create_group("Engineering", ada)
    world.aws.create_group("Other", grace)
    environment = {"SIQ_SCIM_TOKEN": world.siq.token}

    assert main([*arguments, "--user", ada], environment) == 0
    assert world.siq.active() == {"ada.lovelace"}
    assert main([*arguments, "--group", group], environment) == 0
    assert world.siq.groups() == {"Engineering": {"ada.lovelace"}}
    assert main([*arguments, "--only-group", "Engineering"], environment) == 0
    assert world.siq.active() == {"ada.lovelace"}


def test_the_brake_is_lifted_by_a_number(world: World, arguments: list[str]) -> None:
    environment = {"SIQ_SCIM_TOKEN": world.siq.token}
    users = world.aws.create_user("ada"), world.aws.create_user("grace")
    assert main(arguments, environment) == 0
    world.aws.disabled.update(users)

    assert main(arguments, environment) == 1
    assert main([*arguments, "--allow-removals", "2"], environment) == 0
    assert world.siq.active() == set()


def test_the_exit_code_says_when_siq_did_not_take_somebody_or_anybody(world: World, arguments: list[str]) -> None:
    world.aws.create_user("ada.lovelace")
    world.proxy.fault = lambda request: Fault(400) if request.method == "POST" else None

    assert main(arguments, {"SIQ_SCIM_TOKEN": world.siq.token}) == 1
    assert main(arguments, {"SIQ_SCIM_TOKEN": "an-old-one"}) == 2


def test_the_token_is_no_argument(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments, {})
    assert "set SIQ_SCIM_TOKEN" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_pass_that_is_killed_half_way_is_finished_by_the_next(world: World, arguments: list[str]) -> None:
    command = [sys.executable, "-c", PUSH_FORTY, *arguments]
    environment = os.environ | {"SIQ_SCIM_TOKEN": world.siq.token, "AWS_DEFAULT_REGION": REGION}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as first:  # noqa: S603  the command is ours

        def kill(request: Request) -> None:
            if request.method == "POST" and len(world.proxy.writes()) == 17:
                first.kill()

        world.proxy.fault = kill
        assert first.wait() == -SIGKILL
    done = len(world.siq.active())
    assert 0 < done < 40
    world.proxy.fault = lambda _: None
    world.proxy.requests.clear()

    second = subprocess.run(  # noqa: S603  the command is ours
        command, env=environment, check=True, capture_output=True, text=True
    )

    summary = json.loads(second.stdout)
    assert 0 < summary["users_created"] <= 40 - done  # requests under way at the kill may have arrived after it
    assert len(world.siq.active()) == 40
    assert len(world.siq.groups()["Everybody"]) == 40
