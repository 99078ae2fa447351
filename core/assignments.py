"""A value as it is written on a command line: ``tab.field=value``, or ``tab.field=@file`` for the bytes of a file."""

from __future__ import annotations

from pathlib import Path

from core.errors import Conflict


def read(text: str) -> tuple[str, str | bytes]:
    """The field as ``tab.field``, and its value. Raises ``Conflict`` for another form, and for a file that cannot be read."""
    name, equals, value = text.partition("=")
    if not equals or "." not in name:
        raise Conflict(f"--set {text}: write it as tab.field=value or tab.field=@file.")
    if not value.startswith("@"):
        return name, value
    try:
        return name, Path(value[1:]).read_bytes()
    except OSError as error:
        raise Conflict(f"--set {name}: {value[1:]} cannot be read ({error.strerror}).") from None
