"""The only clock. Everything that asks for the time asks here, so that a test can set it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta(0)


def now() -> datetime:
    """The current time as an aware UTC datetime."""
    return datetime.now(UTC) + _offset


@contextmanager
def moved_by(offset: timedelta) -> Iterator[None]:
    """Move the clock of this process by ``offset`` inside the block. For tests and nothing else."""
    global _offset  # noqa: PLW0603  one process-wide clock is the point of this module
    before, _offset = _offset, _offset + offset
    try:
        yield
    finally:
        _offset = before
