"""What Lambda calls: with a batch of the queue, or by hand with ``{"pass": "full"}``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .events import Subject, subject_of
from .identity_store import IdentityStore
from .scim import Clock, OutOfTime, Scim, Stopped
from .sender import Sender

MARGIN = 60.0  # seconds kept back at the end of an invocation, for one slow request and the summary
AWS = Config(retries={"mode": "standard", "total_max_attempts": 10}, connect_timeout=10, read_timeout=20)

Message = dict[str, Any]


class Work:
    """The messages of one invocation, and which of them are still to do."""

    last_full_pass = 0.0  # when it began, in seconds since 1970; of this process, which Lambda keeps for a while

    def __init__(self, settings: Mapping[str, str], messages: Sequence[Message], clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._messages = messages
        self.undone = set(range(len(messages)))
        self.log: dict[str, Any] = {}

    def do(self, sender: Sender) -> None:
        """First what events name, then everything, if that is asked for. Raises Stopped with the rest undone."""
        passes, subjects = self._sorted()
        for subject in sorted(subjects, key=lambda subject: (bool(subject.group_id), bool(subject.user_id))):
            if subject.user_id and subject.group_id:
                sender.push_membership(subject.group_id, subject.user_id)
            elif subject.user_id:
                sender.push_user(subject.user_id)
            else:
                sender.push_group(subject.group_id, members=subject.members)
            self.undone -= subjects[subject]
        if passes:
            self._full_pass(sender, [self._messages[number] for number in sorted(passes)])
            self.undone -= passes

    def allowed_removals(self) -> int | None:
        """The most that a message allows; None without one."""
        return max(
            (message["allow_removals"] for message in self._messages if "allow_removals" in message), default=None
        )

    def _sorted(self) -> tuple[set[int], dict[Subject, set[int]]]:
        passes: set[int] = set()
        subjects: dict[Subject, set[int]] = {}
        for number, message in enumerate(self._messages):
            subject = self._subject(message)
            if message.get("pass") == "full" or (subject == Subject() and self._is_news(message)):
                passes.add(number)
            elif subject is None or subject == Subject():
                self.undone.discard(number)
            else:
                subjects.setdefault(subject, set()).add(number)
        return passes, subjects

    def _subject(self, message: Message) -> Subject | None:
        if "detail" in message:
            return subject_of(message["detail"], self._settings["SIQ_IDENTITY_STORE_ID"])
        if "user_id" in message or "group_id" in message:
            return Subject(message.get("user_id", ""), message.get("group_id", ""), members=True)
        return None

    def _is_news(self, message: Message) -> bool:
        """Whether no full pass began after this event: a thousand of them at once ask for one pass, not a thousand."""
        try:
            return datetime.fromisoformat(message["detail"]["eventTime"]).timestamp() >= Work.last_full_pass
        except (KeyError, ValueError):
            return True

    def _full_pass(self, sender: Sender, asked: Sequence[Message]) -> None:
        self.log["pass"] = "full"  # noqa: S105  of the passes over a directory
        began = self._clock.time()
        after = sender.full_pass(min(message.get("after", "") for message in asked))
        self.log["finished"] = after is None
        if after is None:
            Work.last_full_pass = began
            return
        if "SIQ_QUEUE_URL" not in self._settings:
            raise OutOfTime("The full pass was not finished in time")
        allowed = self.allowed_removals()
        message = {"pass": "full", "after": after} | ({} if allowed is None else {"allow_removals": allowed})
        _client("sqs").send_message(QueueUrl=self._settings["SIQ_QUEUE_URL"], MessageBody=json.dumps(message))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Entry point of Lambda. Answers the queue which messages to deliver again; by hand, the summary."""
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - MARGIN
    records = event.get("Records")
    if records is None:
        return run(os.environ, [event], deadline=deadline)[0]
    _, undone = run(os.environ, [json.loads(record["body"]) for record in records], deadline=deadline)
    return {"batchItemFailures": [{"itemIdentifier": records[number]["messageId"]} for number in sorted(undone)]}


def run(
    settings: Mapping[str, str],
    messages: Sequence[Message],
    *,
    deadline: float = float("inf"),
    clock: Clock = time,
) -> tuple[dict[str, Any], set[int]]:
    """Do what the messages ask for, write one line of JSON about it, and answer that and the numbers of those undone.

    A message is an EventBridge event; or ``{"user_id": ...}``, ``{"group_id": ...}`` or both for a membership; or
    ``{"pass": "full"}``, where ``"after"`` and ``"allow_removals"`` may be added (see Sender). ``settings`` are the
    environment variables of docs/aws-push.md.
    """
    began = clock.monotonic()
    work = Work(settings, messages, clock)
    scim: Scim | None = None
    store: IdentityStore | None = None
    sender: Sender | None = None
    log: dict[str, Any] = {"sender": "siq-push", "messages": len(messages)}
    problem: dict[str, Any] = {}
    try:
        scim = Scim(settings["SIQ_SCIM_BASE_URL"], _token(settings), deadline=deadline, clock=clock)
        only = [name.strip() for name in settings.get("SIQ_ONLY_GROUPS", "").split(",") if name.strip()]
        store = IdentityStore(
            _client("identitystore"), settings["SIQ_IDENTITY_STORE_ID"], only, deadline=deadline, clock=clock
        )
        sender = Sender(store, scim, allow_removals=work.allowed_removals())
        work.do(sender)
    except Stopped as stopped:
        problem = {"outcome": "incomplete" if isinstance(stopped, OutOfTime) else "stopped", "why": str(stopped)}
    finally:
        if scim is not None:
            scim.close()
    if work.log.get("finished") is False:
        problem = {"outcome": "incomplete"}
    log |= work.log | (sender.report.summary() if sender else {}) | problem
    log |= {
        "requests_aws": store.requests if store else 0,
        "requests_siq": scim.requests if scim else 0,
        "retries_siq": scim.retries if scim else 0,
        "seconds": round(clock.monotonic() - began, 1),
    }
    sys.stdout.write(json.dumps(log) + "\n")
    return log, work.undone


@cache
def _client(service: str) -> Any:
    """A client of boto3, which takes a fifth of a second to make."""
    return boto3.client(service, config=AWS)


def _token(settings: Mapping[str, str]) -> str:
    """The bearer token: read anew each time, so that a new one in Secrets Manager counts at once."""
    if "SIQ_TOKEN_SECRET" not in settings:
        return settings.get("SIQ_SCIM_TOKEN", "")
    try:
        answer = _client("secretsmanager").get_secret_value(SecretId=settings["SIQ_TOKEN_SECRET"])
    except (BotoCoreError, ClientError) as problem:
        raise Stopped(f"The token cannot be read from Secrets Manager: {problem}"[:300]) from problem
    return str(answer["SecretString"]).strip()
