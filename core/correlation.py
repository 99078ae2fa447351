"""One id for everything that one request causes: in its log lines, its audit rows, its answer."""

from __future__ import annotations

import secrets
from contextvars import ContextVar

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to misread
_LENGTH = 12  # 60 random bits

_current: ContextVar[str] = ContextVar("correlation_id", default="")


def begin() -> str:
    """Start a new correlation id for the current context and return it (12 characters)."""
    value = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    _current.set(value)
    return value


def begun() -> str:
    """The id of the current context; empty where none was begun (outside of requests)."""
    return _current.get()


def current() -> str:
    """The id of the current context; a new one where none was begun."""
    return _current.get() or begin()
