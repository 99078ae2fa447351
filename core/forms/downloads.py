"""Whether a declared file can be offered: its name, and what renders it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".csv": "text/csv; charset=utf-8",
        ".json": "application/json",
        ".ps1": "text/plain; charset=utf-8",
        ".sh": "text/plain; charset=utf-8",
        ".tf": "text/plain; charset=utf-8",
        ".txt": "text/plain; charset=utf-8",
        ".xml": "application/xml",
        ".yaml": "application/yaml",
        ".yml": "application/yaml",
    }
)
"""How the name of a file to download may end, and its media type (YAML: RFC 9512)."""

_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def problem(name: object, render: object) -> str:
    """What is wrong with a declaration; empty where nothing is."""
    if not (isinstance(name, str) and _FILENAME.fullmatch(name)):
        return f"{name!r} cannot be the name of a file; use letters, digits, dots, hyphens and underscores"
    if PurePosixPath(name).suffix not in MEDIA_TYPES:
        return f"{name!r} must end with one of {', '.join(MEDIA_TYPES)}"
    if not callable(render):
        return f"what renders {name} is no function; it takes the site and answers the text"
    if inspect.iscoroutinefunction(render):
        return f"what renders {name} is async; it must be a plain function"
    try:
        inspect.signature(render).bind(object())
    except (TypeError, ValueError):
        return f"what renders {name} must take one argument, the site"
    return ""


def media_type(filename: str) -> str:
    """The media type of a file whose name was checked."""
    return MEDIA_TYPES[PurePosixPath(filename).suffix]
