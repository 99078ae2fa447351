"""Sends cases to a site and judges what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from core.testing.attacks.browser import Answer, Browser
from core.testing.attacks.cases import Case
from core.testing.attacks.families import FAMILIES
from core.testing.attacks.families.deliveries import at_once
from core.testing.attacks.site import Site, Unplayable

SLOWEST: Final = 1.0
"""Seconds that an answer may take. It is a matter of safety: a bomb takes many."""
_SERVER_ERROR: Final = 500
_NEVER_SHOWN: Final = ("<script>alert", "Traceback (most recent call last)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case. ``problem`` is empty where it went as it must; ``accepted`` says that an attack opened or ended a
    session, or that a control did. ``seconds`` is the slowest answer.
    """

    case: Case
    problem: str
    accepted: bool
    server_error: bool
    seconds: float


def run(site: Site, cases: Iterable[Case], slowest: float = SLOWEST) -> Iterator[Outcome]:
    """Send cases, one after the other. An answer that takes longer than ``slowest`` seconds is a problem."""
    for case in cases:
        try:
            answers = site.play(case)
        except Unplayable as unplayable:
            yield Outcome(case, f"could not be played: {unplayable}", accepted=False, server_error=False, seconds=0)
            continue
        problems = [problem for answer in answers if (problem := judge(case, answer, slowest))]
        yield Outcome(
            case,
            "; ".join(problems),
            # A control of which nothing is left to judge went as it must.
            accepted=any(answer.person or answer.ended for answer in answers) or (case.control and not answers),
            server_error=any(answer.status >= _SERVER_ERROR for answer in answers),
            seconds=max((answer.seconds for answer in answers), default=0),
        )


def judge(case: Case, answer: Answer, slowest: float = SLOWEST) -> str:
    """What is wrong with an answer, or nothing."""
    must = case.must
    if answer.status >= _SERVER_ERROR:
        return f"HTTP {answer.status} {answer.text[:80]}"
    shown = next((text for text in _NEVER_SHOWN if text in answer.text), None)
    if shown:
        return f"the page holds {shown}"
    if answer.seconds > slowest:
        return f"took {answer.seconds:.1f} s"
    if must.location is not None:
        right = answer.person and answer.location == must.location
    else:
        if answer.person or (answer.ended and not must.ended):
            return f"ACCEPTED: somebody was signed {'in' if answer.person else 'out'}"
        shown_right = answer.code in must.codes if must.codes else answer.status in must.statuses
        right = shown_right and answer.ended == must.ended
    return "" if right else f"HTTP {answer.status} {answer.code} {answer.location}".rstrip()


def races(site: Site, second_origin: str, times: int, deliveries: int = 4) -> Iterator[str]:
    """Race two processes: the same response is delivered to both at one moment, from ``deliveries`` threads.

    Answers what went wrong in each of the races, an empty text where exactly one session came of it.
    """
    for number in range(times):
        with site.browser() as browser:
            asked = site.begin(browser)
            cookies = dict(browser.cookies)
        value = site.good(asked).response().form_value
        origins = [site.origin, second_origin]

        def deliver(
            thread: int, value: str = value, relay_state: str = asked.relay_state, cookies: dict[str, str] = cookies
        ) -> Answer:
            with Browser(origins[thread % 2], cookies) as copy:  # noqa: B023  the two never change
                return site.deliver(copy, value, relay_state)

        try:
            rest = at_once(deliver, deliveries)
        except Unplayable as unplayable:
            yield f"race {number}: {unplayable}"
            continue
        wrong = [answer for answer in rest if answer.code != "SSO-121" or answer.person]
        yield "; ".join(f"race {number}: HTTP {each.status} {each.code} session: {each.person}" for each in wrong)


def table(outcomes: Sequence[Outcome]) -> str:
    """One line for each class."""
    head = ("class", "attacks", "refused", "ACCEPTED", "5xx", "slowest", "controls", "taken", "REFUSED")
    rows = [head, *(_row(family.title, [one for one in outcomes if one.case.family is family]) for family in FAMILIES)]
    rows.append(_row("all", list(outcomes)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
        if row[1] != "0" or row[6] != "0"
    )


def _row(title: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    attacks = [one for one in outcomes if not one.case.control]
    controls = [one for one in outcomes if one.case.control]
    slowest = max((one.seconds for one in outcomes), default=0)
    numbers = (
        len(attacks),
        sum(not one.problem for one in attacks),
        sum(one.accepted and one.case.must.location is None for one in attacks),
        sum(one.server_error for one in outcomes),
    )
    taken = sum(not one.problem for one in controls)
    return (
        title,
        *map(str, numbers),
        f"{slowest * 1000:.0f} ms",
        str(len(controls)),
        str(taken),
        str(len(controls) - taken),
    )
