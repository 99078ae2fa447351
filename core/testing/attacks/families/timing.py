"""Timing: responses out of their time, at the edges, and without an end."""

from __future__ import annotations

from datetime import timedelta

from core.refusals import (
    AUTHN_MISSING,
    CONDITIONS_MISSING,
    CONFIRMATION_MISSING,
    EXPIRED,
    NOT_YET_VALID,
    SESSION_OVER,
)
from core.testing.attacks.cases import Family, Good, refused
from core.testing.attacks.edits import setting

TIMING = Family(
    "Timing",
    "Well signed, and too early, too late, without an end or with one that is no time. Clocks may differ by 60 seconds.",
    "SAML Core 2.5.1.2, SAML Profiles 4.1.4.3; CVE-2018-14637 (Keycloak)",
)
_CONDITIONS, _CONFIRMATION, _STATEMENT = ".//a:Conditions", ".//a:SubjectConfirmationData", ".//a:AuthnStatement"


def _at(good: Good, path: str, name: str, seconds: float) -> bytes:
    """A time so many seconds from now."""
    return _written(good, path, name, f"{good.now + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}")


def _written(good: Good, path: str, name: str, value: str | None) -> bytes:
    return good.response(edit=setting(path, name, value)).xml


@TIMING.message(refused(EXPIRED))
def made_two_hours_ago(good: Good) -> bytes:
    """A response that somebody kept for two hours."""
    return good.response(now=good.now - timedelta(hours=2)).xml


@TIMING.message(refused(NOT_YET_VALID))
def made_in_two_hours(good: Good) -> bytes:
    """A response of a clock that is far ahead."""
    return good.response(now=good.now + timedelta(hours=2)).xml


@TIMING.message(refused(EXPIRED))
def conditions_over_for_61_seconds(good: Good) -> bytes:
    """NotOnOrAfter of the Conditions, just beyond the allowed difference."""
    return _at(good, _CONDITIONS, "NotOnOrAfter", -61)


@TIMING.message(refused(EXPIRED))
def conditions_over_for_60_seconds(good: Good) -> bytes:
    """NotOnOrAfter of the Conditions, at the very end of the allowed difference: the end is exclusive."""
    return _at(good, _CONDITIONS, "NotOnOrAfter", -60)


@TIMING.message(refused(NOT_YET_VALID))
def conditions_that_begin_in_90_seconds(good: Good) -> bytes:
    """NotBefore of the Conditions, beyond the allowed difference."""
    return _at(good, _CONDITIONS, "NotBefore", 90)


@TIMING.message(refused(EXPIRED))
def confirmation_over_for_61_seconds(good: Good) -> bytes:
    """NotOnOrAfter of the bearer confirmation, just beyond the allowed difference."""
    return _at(good, _CONFIRMATION, "NotOnOrAfter", -61)


@TIMING.message(refused(NOT_YET_VALID))
def confirmation_that_begins_in_90_seconds(good: Good) -> bytes:
    """NotBefore of the bearer confirmation, which should have none."""
    return _at(good, _CONFIRMATION, "NotBefore", 90)


@TIMING.message(refused(CONFIRMATION_MISSING))
def confirmation_without_an_end(good: Good) -> bytes:
    """A bearer confirmation without NotOnOrAfter could be used for ever."""
    return _written(good, _CONFIRMATION, "NotOnOrAfter", None)


@TIMING.message(refused(CONFIRMATION_MISSING))
def confirmation_until_the_end_of_time(good: Good) -> bytes:
    """A bearer confirmation until the year 9999; arithmetic with such times overflows."""
    return _written(good, _CONFIRMATION, "NotOnOrAfter", "9999-12-31T23:59:59Z")


@TIMING.message(refused(CONFIRMATION_MISSING))
def confirmation_for_ten_years(good: Good) -> bytes:
    """A bearer confirmation for ten years: that it was used would have to be remembered as long."""
    return _at(good, _CONFIRMATION, "NotOnOrAfter", 10 * 365 * 86_400)


@TIMING.message(refused(EXPIRED))
def window_that_ends_before_it_begins(good: Good) -> bytes:
    """NotOnOrAfter before NotBefore."""
    return _at(good, _CONDITIONS, "NotOnOrAfter", -600)


@TIMING.message(refused(NOT_YET_VALID))
def conditions_from_the_end_of_time(good: Good) -> bytes:
    """NotBefore in the year 9999."""
    return _written(good, _CONDITIONS, "NotBefore", "9999-12-31T23:59:59Z")


@TIMING.message(refused(EXPIRED))
def conditions_until_the_beginning_of_time(good: Good) -> bytes:
    """NotOnOrAfter in the year 1."""
    return _written(good, _CONDITIONS, "NotOnOrAfter", "0001-01-01T00:00:00Z")


@TIMING.message(refused(CONDITIONS_MISSING))
def time_of_another_zone(good: Good) -> bytes:
    """A time with an offset, where SAML has UTC only (Core 1.3.3): whoever drops the offset is hours off."""
    return _written(good, _CONDITIONS, "NotOnOrAfter", f"{good.now + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}-05:00")


@TIMING.message(refused(CONDITIONS_MISSING))
def time_without_a_zone(good: Good) -> bytes:
    """A time of no zone, which readers take for their own."""
    return _written(good, _CONDITIONS, "NotOnOrAfter", f"{good.now + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}")


@TIMING.message(refused(CONFIRMATION_MISSING))
def thirteenth_month(good: Good) -> bytes:
    """A time that is none."""
    return _written(good, _CONFIRMATION, "NotOnOrAfter", f"{good.now.year}-13-01T00:00:00Z")


@TIMING.message(refused(CONFIRMATION_MISSING))
def time_in_other_digits(good: Good) -> bytes:
    """Digits of another script, which some parsers take for numbers."""
    text = f"{good.now + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    return _written(good, _CONFIRMATION, "NotOnOrAfter", text.translate({48 + n: 0x0660 + n for n in range(10)}))


@TIMING.message(refused(CONDITIONS_MISSING))
def empty_time(good: Good) -> bytes:
    """An empty NotOnOrAfter, which is another thing than none."""
    return _written(good, _CONDITIONS, "NotOnOrAfter", "")


@TIMING.message(refused(SESSION_OVER))
def session_that_is_over(good: Good) -> bytes:
    """The session at the provider has ended (Core 2.7.2)."""
    return good.response(session=timedelta(minutes=-10)).xml


@TIMING.message(refused(AUTHN_MISSING))
def session_that_ends_at_no_time(good: Good) -> bytes:
    """A SessionNotOnOrAfter that is no time."""
    return _written(good, _STATEMENT, "SessionNotOnOrAfter", "never")


@TIMING.message(refused(AUTHN_MISSING))
def no_moment_of_authentication(good: Good) -> bytes:
    """An AuthnStatement without AuthnInstant."""
    return _written(good, _STATEMENT, "AuthnInstant", None)
