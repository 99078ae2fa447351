"""When SiQ or AWS is in trouble, or time runs out."""

from __future__ import annotations

import json
from email.utils import formatdate
from threading import Thread
from types import SimpleNamespace

import boto3
import pytest
from botocore.model import StructureShape
from moto.identitystore.exceptions import IdentityStoreError, ResourceNotFoundException
from moto.identitystore.responses import IdentityStoreResponse

from plugins.aws_sso.push.handler import handler, run
from plugins.aws_sso.push.identity_store import IdentityStore
from plugins.aws_sso.push.scim import ATTEMPTS, Scim, Stopped
from tests.plugins.push import events
from tests.plugins.push.conftest import World
from tests.plugins.push.directory import STORE
from tests.plugins.push.endpoints import Fault, Request

pytestmark = pytest.mark.thorough


def test_retry_after_is_waited_for(world: World) -> None:
    world.aws.create_user("ada.lovelace")
    world.proxy.faults(Fault(429, {"Retry-After": "17"}), only="POST")

    summary = world.full_pass()

    assert world.siq.active() == {"ada.lovelace"}
    assert sum(world.clock.slept) == pytest.approx(17)
    assert (summary["outcome"], summary["retries_siq"]) == ("complete", 1)


def test_retry_after_may_be_a_date(world: World) -> None:
    world.aws.create_user("ada.lovelace")
    date = formatdate(world.clock.time() + 90, usegmt=True)
    world.proxy.faults(Fault(503, {"Retry-After": date}), only="POST")

    world.full_pass()

    assert world.siq.active() == {"ada.lovelace"}
    assert sum(world.clock.slept) == pytest.approx(90)


def test_all_threads_keep_the_pause_that_one_was_asked_for(world: World) -> None:
    seen: list[float] = []
    others: list[Thread] = []
    sleep = world.clock.sleep

    def sleep_while_another_thread_asks(seconds: float) -> None:
        if not others:
            others.append(Thread(target=scim.find, args=("Users", "userName", "grace.hopper"), daemon=True))
            others[0].start()
            others[0].join(10)
        sleep(seconds)

    def rate_limit(_: Request) -> Fault | None:
        seen.append(world.clock.now)
        return Fault(429, {"Retry-After": "30"}) if len(seen) == 1 else None

    world.proxy.fault = rate_limit
    world.clock.sleep = sleep_while_another_thread_asks  # type: ignore[method-assign]  # of this one
    scim = Scim(world.proxy.base_url, world.siq.token, clock=world.clock)

    scim.find("Users", "userName", "ada.lovelace")

    scim.close()
    assert len(seen) == 3
    assert min(seen[1:]) - seen[0] == pytest.approx(30)


@pytest.mark.parametrize(
    "fault", [Fault(500), Fault(502), Fault(503), Fault(504), Fault(0)], ids=lambda fault: str(fault.status)
)
@pytest.mark.parametrize("late", [False, True], ids=["not done", "done, and the answer lost"])
def test_a_request_that_fails_is_made_again(world: World, fault: Fault, *, late: bool) -> None:
    ada = world.aws.create_user("ada.lovelace")
    world.full_pass()
    grace = world.aws.create_user("grace.hopper")
    world.aws.delete_user(ada)
    failing = [Fault(fault.status, late=late) for _ in range(3)]
    world.proxy.fault = lambda request: failing.pop() if failing and request.method != "GET" else None

    summary = world.full_pass(allow_removals=1)

    assert {name: user["externalId"] for name, user in world.siq.users().items()} == {"grace.hopper": grace}
    assert (summary["outcome"], summary["retries_siq"]) == ("complete", 3)
    assert world.clock.slept == sorted(world.clock.slept)  # each wait longer than the one before


def test_siq_that_stays_away_is_given_up(world: World) -> None:
    world.aws.create_user("ada.lovelace")
    world.proxy.fault = lambda _: Fault(503)

    summary = world.full_pass()

    assert summary["outcome"] == "stopped"
    assert "8 attempts: status 503" in summary["why"]
    assert len(world.proxy.requests) == ATTEMPTS
    assert 0 < sum(world.clock.slept) < 60


def test_a_pause_longer_than_a_lambda_lives_is_not_slept_through(world: World) -> None:
    world.proxy.fault = lambda _: Fault(429, {"Retry-After": "86400"})

    summary = world.full_pass()

    assert (summary["outcome"], world.clock.slept) == ("stopped", [])


def test_a_refused_token_stops_at_once(world: World) -> None:
    for number in range(20):
        world.aws.create_user(f"user.{number}")
    world.settings["SIQ_SCIM_TOKEN"] = "an-old-one"

    summary = world.full_pass()

    assert summary["outcome"] == "stopped"
    assert "refuses the token (401)" in summary["why"]
    assert len(world.proxy.requests) == 1


@pytest.mark.parametrize("answer", [Fault(200), Fault(302, {"Location": "http://127.0.0.1/"}), Fault(404)])
def test_what_is_no_scim_endpoint_is_named(world: World, answer: Fault) -> None:
    world.aws.create_user("ada.lovelace")
    world.proxy.fault = lambda _: answer

    summary = world.full_pass()

    assert summary["outcome"] == "stopped"
    assert "is this the SCIM base URL?" in summary["why"]
    assert world.proxy.writes() == []


@pytest.mark.parametrize("url", ["http://siq.example/scim/v2/c", "ftp://siq.example/", "siq.example", ""])
def test_the_token_never_travels_in_the_clear(url: str) -> None:
    with pytest.raises(Stopped, match="https"):
        Scim(url, "token")


def test_the_pass_stops_in_time_and_the_next_one_goes_on(world: World) -> None:
    for number in range(60):
        world.aws.create_user(f"user.{number:02}")

    def slow(request: Request) -> None:
        world.clock.now += 1 if request.method == "POST" else 0

    world.proxy.fault = slow

    first = world.full_pass(deadline=world.clock.now + 25)

    assert first["outcome"] == "incomplete"
    assert 20 <= first["users_created"] <= 30
    world.proxy.requests.clear()
    second = world.full_pass()
    assert second["outcome"] == "complete"
    assert first["users_created"] + second["users_created"] == 60
    assert len(world.proxy.writes()) == second["users_created"]


def test_memberships_go_on_after_the_last_group(world: World) -> None:
    ada = world.aws.create_user("ada.lovelace")
    for number in range(80):
        world.aws.create_group(f"Group {number:02}", ada)

    def slow(request: Request) -> None:
        world.clock.now += 1 if request.method == "PATCH" else 0

    world.proxy.fault = slow
    queue = boto3.client("sqs").create_queue(QueueName="siq-push")["QueueUrl"]
    settings = {**world.settings, "SIQ_QUEUE_URL": queue}
    message: dict[str, object] = {"pass": "full", "allow_removals": 3}
    summaries = []
    while True:
        summary, undone = run(settings, [message], deadline=world.clock.now + 35, clock=world.clock)
        summaries.append(summary)
        assert undone == set()
        if summary["finished"]:
            break
        [received] = boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"]
        boto3.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=received["ReceiptHandle"])
        message = json.loads(received["Body"])
        assert message["after"]
        assert message["allow_removals"] == 3

    outcomes = [summary["outcome"] for summary in summaries]
    assert len(outcomes) > 2
    assert outcomes == ["incomplete"] * (len(outcomes) - 1) + ["complete"]
    assert set(map(frozenset, world.siq.groups().values())) == {frozenset({"ada.lovelace"})}
    assert sum(summary["groups_members_added"] for summary in summaries) == 80


def test_lambda_is_told_which_messages_to_deliver_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = boto3.client("secretsmanager").create_secret(Name="token", SecretString=f"{world.siq.token}\n")["ARN"]
    for name, value in {**world.settings, "SIQ_TOKEN_SECRET": secret}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SIQ_SCIM_TOKEN")
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
    ada, grace = world.aws.create_user("ada.lovelace"), world.aws.create_user("grace.hopper")
    details = [events.user_created(ada), events.user_created(grace), events.user_changed(ada)]
    records = [
        {"messageId": f"m{number}", "body": json.dumps(events.wrapped(detail))} for number, detail in enumerate(details)
    ]
    world.proxy.fault = lambda request: Fault(401) if grace in request.path else None

    answer = handler({"Records": records}, context)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    world.proxy.fault = lambda _: None
    assert handler({"Records": records}, context) == {"batchItemFailures": []}
    assert world.siq.active() == {"ada.lovelace", "grace.hopper"}
    assert handler({"pass": "full"}, context)["outcome"] == "complete"


def test_a_lambda_without_its_secret_says_so(world: World) -> None:
    settings = {**world.settings, "SIQ_TOKEN_SECRET": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:none"}

    summary, undone = run(settings, [{"pass": "full"}], clock=world.clock)

    assert summary["outcome"] == "stopped"
    assert "Secrets Manager" in summary["why"]
    assert undone == {0}


def test_aws_that_refuses_stops_the_pass_before_anything_is_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.aws.create_user("ada.lovelace")
    world.full_pass()
    world.proxy.requests.clear()

    class AccessDenied(IdentityStoreError):
        TYPE = "AccessDeniedException"
        code = 400

    def denied(_: object) -> str:
        raise AccessDenied(message="not authorized to perform: identitystore:ListUsers")

    monkeypatch.setattr(IdentityStoreResponse, "list_users", denied)

    summary = world.full_pass()

    assert summary["outcome"] == "stopped"
    assert "ListUsers" in summary["why"]
    assert world.proxy.writes() == []


def test_a_user_whom_aws_cannot_decrypt_is_not_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = world.aws.create_user("ada.lovelace")
    world.full_pass()

    def no_key(_: object) -> str:
        raise ResourceNotFoundException(message="USER not found.", resource_type="USER", reason="KMS_KEY_NOT_FOUND")

    monkeypatch.setattr(IdentityStoreResponse, "describe_user", no_key)

    summary = world.push(events.user_changed(ada, "DeleteUser"))

    assert summary["outcome"] == "stopped"
    assert world.siq.active() == {"ada.lovelace"}


def test_an_sdk_too_old_to_tell_who_is_disabled_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StructureShape, "members", {})

    with pytest.raises(Stopped, match="too old"):
        IdentityStore(world.aws.client, STORE)
