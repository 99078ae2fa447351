"""What holds for each plugin of this repository."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from core.plugin_host import PluginHost
from core.plugin_host.hooks import SPECS

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/plugin.py"))
ids = pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)


@ids
def test_it_imports_the_plugin_api_pydantic_and_its_own_modules_only(folder: Path) -> None:
    own = f"plugins.{folder.name}."
    imported = {name for module in folder.glob("*.py") for name in _imported(module)} - {"typing"}
    assert {name for name in imported if not name.startswith(own)} == {"core.plugin_api", "pydantic"}


def _imported(module: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@ids
def test_it_has_an_icon_of_its_own_that_runs_nothing(folder: Path) -> None:
    text = (folder / "icon.svg").read_text()
    root = ET.fromstring(text)  # noqa: S314  a file of this repository
    assert root.get("viewBox") == "0 0 40 40"
    assert {element.tag.partition("}")[2] for element in root.iter()} <= {"svg", "g", "rect", "path", "circle"}
    assert not any(
        attribute.startswith("on") or "href" in attribute for element in root.iter() for attribute in element.attrib
    )


@ids
def test_it_works_and_has_a_guide(folder: Path) -> None:
    plugin = PluginHost.load().plugins[folder.name]
    assert plugin.icon == folder / "icon.svg"
    assert plugin.guide == folder / "guide.md"
    assert (folder / "guide.md").read_text().startswith("# ")


@pytest.mark.parametrize("name", SPECS)
def test_every_hook_says_when_it_is_called(name: str) -> None:
    text = inspect.getdoc(SPECS[name])
    assert text
    assert "Called " in text


def test_there_are_the_four_hooks_of_the_design() -> None:
    assert set(SPECS) == {"describe_tile", "config_schema", "activate", "handle_acs"}
