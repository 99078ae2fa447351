"""Loads plugins, keeps the broken ones apart, and calls one of them at a time."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, ParamSpec, TypeVar

import pluggy
from pydantic import BaseModel

from core import hookspecs
from core.errors import ConfigRejected, PluginBroken, PluginMisbehaved, SettingsInvalid, SignInRefused
from core.forms import Form
from core.plugin_api import Activation, Identity, Site, Tile, VerifiedAssertion
from core.plugin_host import answers, found, hooks

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A working plugin. ``icon`` is its icon.svg or icon.png and ``guide`` its guide.md, where there are any."""

    id: str
    tile: Tile
    form: Form
    source: Path
    icon: Path | None
    guide: Path | None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A plugin that cannot be used: one sentence says what is wrong with it and where."""

    id: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One line of ``siq plugin list``.

    ``state`` is ``ready``, ``policy`` (wraps other plugins and has no tile) or ``quarantined``. ``wrappers`` are the ids
    of the plugins whose wrappers run around this one's ``handle_acs``, the outermost first.
    """

    id: str
    title: str
    state: str
    hooks: tuple[str, ...]
    wrappers: tuple[str, ...]
    source: str
    reason: str


class PluginHost:
    """The plugins of this process. Made once; every call is safe between threads.

    Two plugins of one id: the one found first stays (this distribution's, then the other entry points by name, then the
    drop-in folder), so that a dropped file cannot replace a sign-in that works. The other one is quarantined under
    ``<id>-2``, which is nobody's id.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._modules: dict[str, ModuleType] = {}
        self._hooks: dict[str, hooks.Hooks] = {}
        self._plugins: dict[str, Plugin] = {}
        self._quarantined: dict[str, Quarantined] = {}

    @classmethod
    def load(cls, folder: Path | None = None) -> PluginHost:
        """Find, import and check every plugin. A broken one stops nothing.

        ``folder`` is ``SIQ_PLUGINS_DIR``. Raises ``SettingsInvalid`` where it is no folder.
        """
        if folder is not None and not folder.is_dir():
            raise SettingsInvalid(f"SIQ_PLUGINS_DIR: {folder} is not a folder.")
        host = cls()
        for one in found.find(folder.resolve() if folder else None):
            try:
                host._add(one)
            except PluginBroken as broken:
                host._quarantine(one.id, broken)
        return host

    @property
    def plugins(self) -> Mapping[str, Plugin]:
        """The working plugins that have a tile, by id."""
        return MappingProxyType(self._plugins)

    @property
    def quarantined(self) -> Mapping[str, Quarantined]:
        """The broken ones, by id; a second one of the same id under ``<id>-2``."""
        return MappingProxyType(self._quarantined)

    def activate(self, plugin_id: str, config: BaseModel, site: Site) -> Activation:
        """What a configuration means to its plugin.

        Raises ``ConfigRejected``, naming a field of the plugin, and ``PluginMisbehaved`` for everything else that may
        go wrong in it.
        """
        form = self._plugins[plugin_id].form
        try:
            answer = self._call(plugin_id, "activate", ConfigRejected, config=config, site=site)
        except ConfigRejected as rejected:
            raise self._checked(plugin_id, "activate", answers.check_config_rejected, rejected, form) from None
        return self._checked(plugin_id, "activate", answers.check_activation, answer, form)

    def handle_acs(self, plugin_id: str, config: BaseModel, assertion: VerifiedAssertion) -> Identity:
        """Who an assertion is about, by the connection's plugin with the wrappers of the others around it.

        Raises ``SignInRefused`` with one of the codes of ``core.refusals``, and ``PluginMisbehaved`` for everything else
        that may go wrong.
        """
        try:
            answer = self._call(plugin_id, "handle_acs", SignInRefused, config=config, assertion=assertion)
        except SignInRefused as refused:
            raise self._checked(plugin_id, "handle_acs", answers.check_refusal, refused) from refused
        return self._checked(plugin_id, "handle_acs", answers.check_identity, answer)

    def file(self, plugin_id: str, field: str, site: Site) -> bytes:
        """The file that a field of the schema declares, rendered for a connection: UTF-8 text.

        ``field`` is ``tab.field`` of a download. Raises ``PluginMisbehaved`` for everything that may go wrong in the plugin.
        """
        declared = self._plugins[plugin_id].form.field(field)
        assert declared
        assert declared.download
        what = f"render of {field}"
        answer = self._bounded(plugin_id, what, partial(declared.download.render, site))
        return self._checked(plugin_id, what, answers.check_file, answer)

    def report(self) -> tuple[ReportRow, ...]:
        """Every plugin that was found, for ``siq plugin list``, by id."""
        rows = [
            ReportRow(
                id=plugin_id,
                title=self._plugins[plugin_id].tile.title if plugin_id in self._plugins else "",
                state="ready" if plugin_id in self._plugins else "policy",
                hooks=tuple(sorted(own.own)) + tuple(f"{name} (wrapper)" for name in sorted(own.wrapped)),
                wrappers=self._wrappers(plugin_id) if "handle_acs" in own.own else (),
                source=str(self._modules[plugin_id].__file__),
                reason="",
            )
            for plugin_id, own in self._hooks.items()
        ]
        rows += [
            ReportRow(key, "", "quarantined", (), (), broken.source, broken.reason)
            for key, broken in self._quarantined.items()
        ]
        return tuple(sorted(rows, key=lambda row: row.id))

    # ---- loading

    def _add(self, one: found.Found) -> None:
        if one.id in self._modules:
            raise PluginBroken(one.source, f"The id {one.id!r} is taken by {self._modules[one.id].__file__}.")
        module = found.import_plugin(one)
        source = str(module.__file__)
        own = hooks.check(module, source)
        try:
            self._manager.register(module, name=one.id)
            self._manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            self._forget(one.id)
            raise PluginBroken(source, f"pluggy refuses it: {' '.join(str(error).split())}") from error
        self._modules[one.id], self._hooks[one.id] = module, own
        if own.is_policy:
            return
        try:
            self._plugins[one.id] = self._described(one.id, source)
        except BaseException:
            self._forget(one.id)
            raise

    def _described(self, plugin_id: str, source: str) -> Plugin:
        answer = self._ask(plugin_id, "describe_tile", source)
        tile = self._checked(plugin_id, "describe_tile", answers.check_tile, answer)
        answered = self._ask(plugin_id, "config_schema", source)
        model = self._checked(plugin_id, "config_schema", answers.check_model, answered)
        form = Form.compile(model, source)
        if form.saml and "handle_acs" not in self._hooks[plugin_id].own:
            raise PluginBroken(source, "The schema asks for a SAML endpoint, but the hook handle_acs is missing.")
        path = Path(source)
        icon = found.files_beside(path, "icon.svg", "icon.png")
        return Plugin(plugin_id, tile, form, path, icon, found.files_beside(path, "guide.md"))

    def _ask(self, plugin_id: str, hook: str, source: str) -> Any:
        try:
            return self._caller(plugin_id, hook)()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginBroken(source, f"{hook} failed: {found.words_of(error, source)}.") from error

    def _forget(self, plugin_id: str) -> None:
        if self._manager.has_plugin(plugin_id):
            self._manager.unregister(name=plugin_id)
        self._modules.pop(plugin_id, None)
        self._hooks.pop(plugin_id, None)

    def _quarantine(self, plugin_id: str, broken: PluginBroken) -> None:
        key, number = plugin_id, 1
        while key in self._modules or key in self._quarantined:
            number += 1
            key = f"{plugin_id}-{number}"
        self._quarantined[key] = Quarantined(key, broken.source, broken.public)
        why = broken.__cause__  # what failed in the plugin; what is found wrong with it is said in one sentence
        _log.error("plugin %s is quarantined: %s (%s)", key, broken.public, broken.source, exc_info=why)

    # ---- calling

    def _caller(self, plugin_id: str, hook: str) -> pluggy.HookCaller:
        """The hook of one plugin, with the wrappers of the others around it and nothing else of theirs."""
        others = [
            module
            for other, module in self._modules.items()
            if other != plugin_id and hook not in self._hooks[other].wrapped
        ]
        return self._manager.subset_hook_caller(hook, others)

    def _wrappers(self, plugin_id: str) -> tuple[str, ...]:
        called = reversed(self._caller(plugin_id, "handle_acs").get_hookimpls())
        return tuple(implementation.plugin_name for implementation in called if implementation.wrapper)

    def _call(self, plugin_id: str, hook: str, expected: type[Exception], **arguments: object) -> Any:
        return self._bounded(plugin_id, hook, partial(self._caller(plugin_id, hook), **arguments), expected)

    def _bounded(self, plugin_id: str, what: str, call: Callable[[], Any], *expected: type[Exception]) -> Any:
        """Run a plugin's code. What it raises on purpose passes; everything else, ``SystemExit`` too, is its misbehaviour.

        The text of an unexpected exception may hold values of a person, so only its type and place are told.
        """
        try:
            return call()
        except expected:
            raise
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}, line {place.lineno}"
            raise self._misbehaved(plugin_id, what, f"it raised {type(error).__name__} in {where}") from error

    def _checked(self, plugin_id: str, hook: str, check: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return check(*arguments, **named)
        except answers.WrongAnswerError as wrong:
            raise self._misbehaved(plugin_id, hook, str(wrong)) from wrong

    def _misbehaved(self, plugin_id: str, hook: str, reason: str) -> PluginMisbehaved:
        wrappers = self._wrappers(plugin_id) if hook == "handle_acs" else ()
        around = f" (wrapped by {', '.join(wrappers)})" if wrappers else ""
        return PluginMisbehaved(str(self._modules[plugin_id].__file__), f"{hook} of {plugin_id}{around}: {reason}.")
