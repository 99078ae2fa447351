"""Whether the hooks of a module are hooks: names, arguments, kinds of function, declared answers."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from core import hookspecs
from core.errors import PluginBroken

PROJECT = "siq"
_WRAPPABLE = frozenset({"handle_acs"})
_ARGUMENT_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

SPECS: Mapping[str, Callable[..., Any]] = {
    name: function
    for name, function in vars(hookspecs).items()
    if inspect.isfunction(function) and hasattr(function, f"{PROJECT}_spec")
}
"""Every hook by its name."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a module implements and what it wraps."""

    own: frozenset[str]
    wrapped: frozenset[str]

    @property
    def is_policy(self) -> bool:
        """Whether it only wraps hooks of other plugins; it has no tile then."""
        return bool(self.wrapped) and not self.own


def check(module: ModuleType, source: str) -> Hooks:
    """The hooks of a module. Raises ``PluginBroken`` for the first thing that is wrong with them."""
    own: set[str] = set()
    wrapped: set[str] = set()
    for name, function in inspect.getmembers(module, inspect.isfunction):
        options = getattr(function, f"{PROJECT}_impl", None)
        if options is None:
            if name in SPECS and function.__module__ == module.__name__:
                raise PluginBroken(source, f"{name} is not marked with @hookimpl, so it would never be called.")
            continue
        hook = options.get("specname") or name
        reason = next(_problems(hook, function, options), None)
        if reason:
            raise PluginBroken(source, f"{name} (line {function.__code__.co_firstlineno}): {reason}.")
        if hook in SPECS:
            (wrapped if options.get("wrapper") else own).add(hook)
    return _complete(Hooks(frozenset(own), frozenset(wrapped)), source)


def _complete(hooks: Hooks, source: str) -> Hooks:
    if hooks.is_policy:
        return hooks
    for name in ("describe_tile", "config_schema", "activate"):
        if name not in hooks.own:
            raise PluginBroken(source, f"The hook {name} is missing; a plugin has it, marked with @hookimpl.")
    if twice := hooks.own & hooks.wrapped:
        raise PluginBroken(
            source, f"{min(twice)} is both implemented and wrapped; put the wrapper into a plugin of its own."
        )
    return hooks


def _problems(hook: str, function: Callable[..., Any], options: Mapping[str, Any]) -> Iterator[str]:
    if hook not in SPECS:
        if options.get("optionalhook"):
            return
        near = difflib.get_close_matches(hook, SPECS, n=1, cutoff=0.5)
        yield f"there is no hook {hook!r}" + (f"; did you mean {near[0]!r}" if near else f"; the hooks are {_list()}")
        return
    if options.get("hookwrapper"):
        yield "old-style wrappers are not called; use @hookimpl(wrapper=True)"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield "a hook is a plain function, not an async one"
    wraps = bool(options.get("wrapper"))
    if wraps and hook not in _WRAPPABLE:
        yield f"only {', '.join(sorted(_WRAPPABLE))} may be wrapped"
    if wraps and not inspect.isgeneratorfunction(function):
        yield "a wrapper has one yield, which gives it the answer that it wraps"
    if not wraps and inspect.isgeneratorfunction(function):
        yield "it has a yield but is no wrapper; use @hookimpl(wrapper=True), or return"
    yield from _signature_problems(hook, function)
    if not wraps:
        yield from _answer_problems(hook, function)


def _signature_problems(hook: str, function: Callable[..., Any]) -> Iterator[str]:
    wanted = tuple(inspect.signature(SPECS[hook]).parameters)
    shape = f"{hook}({', '.join(wanted)})"
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in _ARGUMENT_KINDS:
            yield f"*args, **kwargs and positional-only arguments are not filled; the hook is {shape}"
        elif parameter.name not in wanted:
            yield f"the hook has no argument {parameter.name!r}; it is {shape}"
        elif parameter.default is not inspect.Parameter.empty:
            yield f"an argument with a default ({parameter.name!r}) is not filled; the hook is {shape}"


def _answer_problems(hook: str, function: Callable[..., Any]) -> Iterator[str]:
    """A declared answer that is another class than the hook's; one that cannot be looked up is checked when called."""
    wanted = typing.get_type_hints(SPECS[hook])["return"]
    try:
        declared = typing.get_type_hints(function).get("return", wanted)
    except Exception:  # noqa: BLE001  a name that exists only for type checkers
        return
    if isinstance(declared, type) and isinstance(wanted, type) and not issubclass(declared, wanted):
        yield f"it answers {declared.__name__}; the hook answers {wanted.__name__}"


def _list() -> str:
    return ", ".join(sorted(SPECS))
