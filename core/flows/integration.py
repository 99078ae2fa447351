"""The page of one integration: how it is doing, what it is made of, and every recent attempt with its trace."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import certificates, clock
from core.errors import NotFound, SignInRefused
from core.flows import audit
from core.flows.activation import Dialog, open_dialog, unfinished
from core.flows.actors import Actor
from core.flows.attempts import Trace
from core.flows.connections import active_connection
from core.flows.key_rotation import KeyView, keys
from core.flows.prepared import PreparedConnection
from core.flows.services import Services
from core.flows.tiles import TileView
from core.plugin_api import SetupStep
from core.refusals import BY_CODE, SIGN_OUT
from core.saml import logout
from core.saml.response import CHECKS
from core.store.tables import Attempt, Connection, ConnectionState, LinkedIdentity, Outcome

ATTEMPTS = 25
DAYS = 14

_STARTED = "Request sent"
_AFTER = ("Match a person", "Start a session")


@dataclass(frozen=True, slots=True)
class Step:
    """One check of an attempt: ``ok``, ``fail`` or ``skip``, its name, and a note."""

    state: Literal["ok", "fail", "skip"]
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt in the list. ``fix`` is what the administrator changes, in the provider's own words. ``of_sign_out``: it
    was a message of single logout, not a sign-in.
    """

    id: str
    outcome: Outcome
    at: datetime
    who: str
    why: str
    code: str
    name: str
    detail: str
    expected: str
    received: str
    fix: str
    of_sign_out: bool
    started_here: bool
    address: str
    browser: str


@dataclass(frozen=True, slots=True)
class AttemptTrace:
    """An attempt with everything that is kept of it."""

    attempt: AttemptView
    steps: tuple[Step, ...]
    attributes: tuple[tuple[str, tuple[str, ...]], ...]
    xml: str


@dataclass(frozen=True, slots=True)
class Day:
    """Sign-ins of one UTC day."""

    signed_in: int
    failed: int


@dataclass(frozen=True, slots=True)
class IntegrationView:
    """The page of an integration that has a connection. ``steps`` are left to do at the provider, ``keys`` are our
    own there. ``single_logout``: it takes part in single logout. ``unfinished`` are labels of what a draft still needs.
    """

    dialog: Dialog
    state: ConnectionState
    activated_at: datetime | None
    changed_at: datetime
    changed_by: str
    certificates: tuple[certificates.Certificate, ...]
    keys: tuple[KeyView, ...]
    problem: str
    steps: tuple[SetupStep, ...]
    single_logout: bool
    unfinished: tuple[str, ...]
    people: int
    last_sign_in: AttemptView | None
    days: tuple[Day, ...]
    outcome: Literal["all", "failed"]
    attempts: tuple[AttemptView, ...]
    failed_count: int


def integration(services: Services, actor: Actor, plugin_id: str, outcome: str = "all") -> IntegrationView:
    """The page's values. ``outcome`` is all or failed.

    Raises ``Forbidden``, and ``NotFound`` for a plugin that is not there, is not working, or was never set up here.
    """
    dialog = open_dialog(services, actor, plugin_id)
    connection, problem = _prepared(services, dialog)
    wanted: Literal["all", "failed"] = "failed" if outcome == "failed" else "all"
    with services.database.reading(actor.organization_id) as session:
        row = session.get(Connection, dialog.connection_id)
        if row is None:
            raise NotFound("This integration is not set up yet. Activate it from the catalog.")
        days = _days(session, row.id)
        attempts = _attempts(session, dialog, wanted)
        people = session.scalar(
            select(func.count()).select_from(LinkedIdentity).where(LinkedIdentity.connection_id == row.id)
        )
        last = session.scalars(
            select(Attempt)
            .where(Attempt.connection_id == row.id, Attempt.outcome == Outcome.SIGNED_IN)
            .order_by(Attempt.at.desc())
            .limit(1)
        ).first()
    saml = connection.activation.saml if connection else None
    return IntegrationView(
        dialog=dialog,
        state=row.state,
        activated_at=row.activated_at,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        certificates=certificates.read(saml.certificates) if saml else (),
        keys=keys(services, actor, plugin_id),
        problem=problem,
        steps=connection.activation.steps if connection else (),
        single_logout=bool(saml and saml.single_logout_url),
        unfinished=unfinished(services, actor, plugin_id) if row.state is ConnectionState.DRAFT else (),
        people=people or 0,
        last_sign_in=_view(last, dialog.tile) if last else None,
        days=days,
        outcome=wanted,
        attempts=attempts,
        failed_count=sum(day.failed for day in days),
    )


def trace(services: Services, actor: Actor, plugin_id: str, attempt_id: str) -> AttemptTrace:
    """Everything that is kept of an attempt; the view is audited.

    Raises ``Forbidden``, and ``NotFound`` where there is no such attempt (any more) at this integration.
    """
    dialog = open_dialog(services, actor, plugin_id)
    with services.database.writing(actor.organization_id) as session:
        row = session.scalar(
            select(Attempt).where(Attempt.id == attempt_id, Attempt.connection_id == dialog.connection_id)
        )
        if row is None:
            days = services.settings.trace_days
            raise NotFound(f"This trace is gone. Traces are kept for {days} {'day' if days == 1 else 'days'}.")
        audit.record(
            session,
            audit.Event.TRACE_VIEWED,
            organization_id=actor.organization_id,
            actor=actor.display_name,
            subject=dialog.tile.title,
            details={"attempt": attempt_id},
        )
        try:
            kept = Trace.unseal(services.vault, row.id, row.trace)
        except ValueError:
            kept = Trace(xml="")  # the key that sealed it was removed; the rest is still worth showing
        return AttemptTrace(_view(row, dialog.tile), _steps(row), kept.attributes, kept.xml)


def _prepared(services: Services, dialog: Dialog) -> tuple[PreparedConnection | None, str]:
    if dialog.state is not ConnectionState.ACTIVE:
        return None, ""
    try:
        return active_connection(services, dialog.connection_id), ""
    except SignInRefused as refused:
        return None, refused.detail or refused.public


def _attempts(session: Session, dialog: Dialog, outcome: str) -> tuple[AttemptView, ...]:
    found = select(Attempt).where(Attempt.connection_id == dialog.connection_id)
    if outcome == "failed":
        found = found.where(Attempt.outcome == Outcome.FAILED)
    rows = session.scalars(found.order_by(Attempt.at.desc(), Attempt.id).limit(ATTEMPTS))
    return tuple(_view(row, dialog.tile) for row in rows)


def _days(session: Session, connection: str) -> tuple[Day, ...]:
    today = clock.now().date()
    first = clock.now() - timedelta(days=DAYS)
    counts: Counter[tuple[int, Outcome]] = Counter()
    rows = session.execute(
        select(Attempt.at, Attempt.outcome).where(
            Attempt.connection_id == connection, Attempt.at > first, Attempt.code.not_like(f"{SIGN_OUT}%")
        )
    )
    for at, outcome in rows:
        counts[(today - at.date()).days, outcome] += 1
    return tuple(Day(counts[ago, Outcome.SIGNED_IN], counts[ago, Outcome.FAILED]) for ago in range(DAYS - 1, -1, -1))


def _view(row: Attempt, tile: TileView) -> AttemptView:
    refusal = BY_CODE.get(row.code)
    started = "Started here" if row.started_here else f"Started at {tile.title}"
    return AttemptView(
        id=row.id,
        outcome=row.outcome,
        at=row.at,
        who=row.who or "Unknown person",
        why=row.detail[:160] or refusal.name.replace("_", " ") if refusal else started,
        code=row.code,
        name=refusal.name if refusal else "",
        detail=row.detail,
        expected=row.expected,
        received=row.received,
        fix=tile.fixes.get(refusal, refusal.fix).replace("{provider}", tile.title) if refusal else "",
        of_sign_out=bool(refusal and refusal.of_sign_out),
        started_here=row.started_here,
        address=row.address,
        browser=row.browser,
    )


def _steps(row: Attempt) -> tuple[Step, ...]:
    """The checks in the order in which they ran, up to the one that failed."""
    if row.code.startswith(SIGN_OUT):
        checks = logout.RESPONSE_CHECKS if row.started_here else logout.REQUEST_CHECKS
        failing = checks.index(BY_CODE[row.code].check)
        return (*(Step("ok", name) for name in checks[:failing]), Step("fail", checks[failing], row.detail))
    names = list(dict.fromkeys((*CHECKS, *_AFTER)))
    failed = BY_CODE[row.code].check if row.code in BY_CODE else ""
    if failed and failed not in names:  # whatever else may fail does so before anybody is matched
        names.insert(names.index(_AFTER[0]), failed)
    at = names.index(failed) if failed else len(names)
    first = (
        Step("ok", _STARTED, "Started on our sign-in page")
        if row.started_here
        else Step("ok", _STARTED, "None: the sign-in began at the provider")
    )
    steps = [Step("ok" if place < at else "skip", name) for place, name in enumerate(names)]
    if failed:
        steps[at] = Step("fail", failed, row.detail)
    return (first, *steps)
