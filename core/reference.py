"""Writes the reference pages from the code: hooks, field types, settings, codes.

``python -m core.reference docs/reference`` writes them; a test fails when what is committed differs.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from pydantic import SecretStr

from core import attribute_names, field_types, plugin_api, refusals
from core.field_types import Kind
from core.forms import ROWS
from core.plugin_host.hooks import SPECS
from core.settings import Settings

_RANGES = {
    "1": "The response is not accepted",
    "2": "The person is not accepted",
    "3": "The provider answered with an error",
    "4": "A sign-out is not accepted",
}
_OURS = "Something on our side"
_VALUES = (
    "Tile",
    "Category",
    "Site",
    "Activation",
    "SamlTrust",
    "Unsolicited",
    "RequestBinding",
    "SetupStep",
    "VerifiedAssertion",
    "NameId",
    "Identity",
    "ConfigRejected",
    "SignInRefused",
    "ValueRejected",
)


def hooks() -> str:
    """The four hooks, and the values that go in and out of them."""
    parts = [
        _head("Hooks", "core/hookspecs.py", "How they are used: [Write a plugin](../write-a-plugin.md)."),
        *(
            f"## {name}\n\n{_code(_declared(f'def {name}', function))}\n\n{_doc(function)}"
            for name, function in SPECS.items()
        ),
        "## Values\n\nAll of them come from `core.plugin_api`.",
        *(_value(name, getattr(plugin_api, name)) for name in _VALUES),
        f"## Attribute names\n\nThe module `attribute_names`. {_doc(attribute_names)}",
        _table(("Name", "What it names", "Attributes"), _attribute_names()),
    ]
    return "\n\n".join(parts) + "\n"


def _attribute_names() -> Iterable[tuple[str, ...]]:
    for name, text in _documented_assignments(attribute_names).items():
        yield f"`{name}`", text, ", ".join(f"`{each}`" for each in getattr(attribute_names, name))


def field_types_page() -> str:
    """The types that a field of a plugin may have, the hints for its form, and which widget shows what."""
    rows = []
    for name, text in _documented_assignments(field_types).items():
        metadata = get_args(getattr(field_types, name))[1:]
        kind = next((each.kind for each in metadata if isinstance(getattr(each, "kind", None), Kind)), None)
        filled = any(getattr(each, "read_only", False) for each in metadata)
        rows.append((f"`{name}`", "the host" if filled else "the administrator", f"`{kind}`" if kind else "", text))
    widgets = [(str(number), row.schema, f"`{row.widget}`") for number, row in enumerate(ROWS, 1)]
    parts = [
        _head("Field types", "core/field_types.py", "Import them from `core.plugin_api`."),
        _table(("Type", "Filled in by", "Kind", "Meaning"), rows),
        "Every other type that the next table shows may be used as well. A field is optional when it may be `None`.",
        "## Widgets\n\nThe first row that fits the JSON schema of a field decides.",
        _table(("", "JSON schema", "Widget"), widgets),
        *(
            f"## {function.__name__}\n\n{_code(_declared(function.__name__, function))}\n\n{_doc(function)}"
            for function in (field_types.ui, field_types.tab, plugin_api.download, field_types.is_email_address)
        ),
        *(_value(name, getattr(field_types, name)) for name in ("Group", "Note")),
    ]
    return "\n\n".join(parts) + "\n"


def settings() -> str:
    """Every setting, with its default."""
    rows = [
        (f"`SIQ_{name.upper()}`", _default(field.default), f"{field.title}. {field.description}")
        for name, field in Settings.model_fields.items()
    ]
    text = "Set them as environment variables. A value that cannot be used stops the start with one sentence."
    return (
        "\n\n".join((_head("Settings", "core/settings.py", text), _table(("Variable", "Default", "What it is"), rows)))
        + "\n"
    )


def codes() -> str:
    """Every way in which a sign-in ends without a session, and in which a sign-out is refused."""
    text = (
        "A refused sign-in shows a code and a sentence to the person; the administrator sees the check that failed, what was "
        "expected and received, and what to change. `{provider}` stands for the name of the integration, which may say it in the "
        "provider's own words instead (`Tile.fixes`)."
    )
    parts = [_head("Codes", "core/refusals.py", text)]
    groups: dict[str, list[tuple[str, ...]]] = {}
    for one in refusals.ALL:
        title = _RANGES.get(one.code[4], _OURS)
        row = (f"`{one.code}`", one.check, one.sentence, one.fix, "yes" if one.retry else "no")
        groups.setdefault(title, []).append(row)
    columns = ("Code", "Check", "The person reads", "The administrator reads", "May trying again help")
    parts += [f"## {title}\n\n{_table(columns, rows)}" for title, rows in groups.items()]
    return "\n\n".join(parts) + "\n"


PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"hooks.md": hooks, "field-types.md": field_types_page, "settings.md": settings, "codes.md": codes}
)
"""File name -> what makes its text."""


def write(folder: Path) -> None:
    """Write every page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")


def _head(title: str, source: str, text: str) -> str:
    return f"# {title}\n\nMade from `{source}` by `make docs`; changes belong there.\n\n{text}"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _declared(name: str, function: Callable[..., Any]) -> str:
    """A signature as it is written in the code, one line for each parameter where there are several."""
    signature = inspect.signature(function)
    parameters = [_parameter(one) for one in signature.parameters.values()]
    kinds = [one.kind for one in signature.parameters.values()]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        parameters.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    answer = signature.return_annotation
    arrow = "" if answer in (inspect.Signature.empty, None, "None") else f" -> {answer}"
    many = len(parameters) > 2  # noqa: PLR2004  two fit a line
    inside = "\n    " + ",\n    ".join(parameters) + ",\n" if many else ", ".join(parameters)
    return f"{name}({inside}){arrow}"


def _parameter(parameter: inspect.Parameter) -> str:
    star = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else ""
    text = f"{star}{parameter.name}: {parameter.annotation}"
    default = parameter.default
    if default is inspect.Parameter.empty:
        return text
    if isinstance(default, Enum):
        return f"{text} = {type(default).__name__}.{default.name}"
    return f"{text} = {'{}' if repr(default) == '<factory>' else repr(default)}"


def _doc(thing: object) -> str:
    """A docstring as Markdown."""
    text = inspect.getdoc(thing) or ""
    return re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text).replace("``", "`")


def _value(name: str, value: type) -> str:
    parts = [f"### {name}", _doc(value)]
    if issubclass(value, Enum):
        meanings = _documented_assignments(value)
        rows = [(f"`{one.name}`", f"`{one.value}`", meanings.get(one.name, "")) for one in value]
        parts.append(_table(("Name", "Value", "Meaning"), rows))
    elif "__init__" in vars(value):
        parts.insert(1, _code(_declared(name, value)))
    return "\n\n".join(parts)


def _documented_assignments(thing: Any) -> dict[str, str]:
    """Name -> text of the string under it, of the public assignments of a module or class in their order."""
    body = ast.parse(inspect.getsource(thing)).body
    if isinstance(body[0], ast.ClassDef):
        body = body[0].body
    found: dict[str, str] = {}
    for statement, after in pairwise(body):
        if not (
            isinstance(statement, ast.Assign | ast.AnnAssign)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            continue
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        if isinstance(target, ast.Name) and not target.id.startswith("_"):
            found[target.id] = str(after.value.value).replace("``", "`")
    return found


def _default(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "none" if value is None or value == "" else f"`{value}`"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
