"""Moments as people say them."""

from __future__ import annotations

from datetime import datetime


def ago(moment: datetime, now: datetime) -> str:
    """Relative under 24 hours (``just now``, ``24 min ago``, ``3 h ago``), then a date."""
    seconds = int((now - moment).total_seconds())
    if seconds < 60:  # noqa: PLR2004  a minute
        return "just now"
    if seconds < 3600:  # noqa: PLR2004  an hour
        return f"{seconds // 60} min ago"
    if seconds < 86_400:  # noqa: PLR2004  a day
        return f"{seconds // 3600} h ago"
    return day(moment, now)


def day(moment: datetime, now: datetime) -> str:
    """A date as people write it: 3 Aug 2026, without the year in this one."""
    year = "" if moment.year == now.year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year}"
