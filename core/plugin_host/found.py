"""Where plugins come from: entry points of installed packages, and the drop-in folder. Importing one is done here."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from core.errors import PluginBroken

ENTRY_POINTS = "siq.plugins"
"""The entry point group; the name of an entry point is the id of its plugin."""

_OURS = "siq-integrations"  # the distribution whose plugins come first
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MOST_REASON = 400  # characters of an exception's text that are shown


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that was found but not imported yet. ``source`` is a file, or a module with its distribution."""

    id: str
    source: str
    load: Callable[[], ModuleType]


def find(folder: Path | None) -> Iterator[Found]:
    """Every plugin: of this distribution, of the others by name, then of the folder by name."""
    points = entry_points(group=ENTRY_POINTS)
    for point in sorted(points, key=lambda one: (_distribution(one) != _OURS, one.name, _distribution(one))):
        yield Found(point.name, f"{point.value} ({_distribution(point)})", _from_entry_point(point))
    if folder is None:
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")):
            continue
        if path.is_dir():
            yield Found(path.name, str(path / "plugin.py"), _from_file(path.name, path / "plugin.py"))
        elif path.suffix == ".py":
            yield Found(path.stem, str(path), _from_file(path.stem, path))


def import_plugin(found: Found) -> ModuleType:
    """Its module. Raises ``PluginBroken`` where the id cannot be used or the import fails, also by ``SystemExit``."""
    if not _ID.fullmatch(found.id):
        raise PluginBroken(
            found.source,
            f"{found.id!r} cannot be the id of a plugin: small letters, digits and underscores, a letter first, at most 40.",
        )
    try:
        module = found.load()
    except (KeyboardInterrupt, PluginBroken):
        raise
    except BaseException as error:
        raise PluginBroken(found.source, f"The import failed: {words_of(error, found.source)}.") from error
    if not isinstance(module, ModuleType):
        raise PluginBroken(found.source, "The entry point names something else than a module.")
    return module


def words_of(error: BaseException, source: str) -> str:
    """What an exception says, with the line of the plugin where it came from, on one line."""
    if isinstance(error, SyntaxError):
        place, text = error.lineno, error.msg
    else:
        frames = traceback.extract_tb(error.__traceback__)
        place = next((frame.lineno for frame in reversed(frames) if frame.filename == source), None)
        text = str(error)
    said = " ".join(f"{type(error).__name__}: {text}".split()).rstrip(".: ")[:_MOST_REASON]
    return f"{said} (line {place})" if place else said


def files_beside(source: Path, *names: str) -> Path | None:
    """The first of these files beside a plugin, such as ``icon.svg``.

    A plugin that is one file among others (``acme.py``) has its own under its own name (``acme.svg``).
    """
    shared = source.name in ("plugin.py", "__init__.py")
    for name in names:
        beside = source.with_name(name) if shared else source.with_suffix(Path(name).suffix)
        if beside.is_file():
            return beside
    return None


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""


def _from_entry_point(point: EntryPoint) -> Callable[[], ModuleType]:
    return point.load


def _from_file(plugin_id: str, path: Path) -> Callable[[], ModuleType]:
    def load() -> ModuleType:
        if not path.is_file():
            raise PluginBroken(path, "The folder has no plugin.py.")
        name = f"siq_drop_in_{plugin_id}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise PluginBroken(path, "Python cannot import this file.")
        module = importlib.util.module_from_spec(spec)
        before = sys.modules.get(name)
        sys.modules[name] = module  # pydantic and dataclasses look annotations up there
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            if before is not None:
                sys.modules[name] = before
            raise
        return module

    return load
