"""Plugins are found, checked, and kept apart where they are broken."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from core.errors import SettingsInvalid
from core.plugin_host import PluginHost, found
from tests.broken_plugins import BROKEN, WORKING, write

BUILT_IN = {"aws_sso", "custom_saml"}


@pytest.mark.parametrize("plugin_id", BROKEN)
def test_a_broken_plugin_is_quarantined_with_its_file_and_the_reason(tmp_path: Path, plugin_id: str) -> None:
    path = write(tmp_path, plugin_id, BROKEN[plugin_id].text)
    write(tmp_path, "working", WORKING)
    host = PluginHost.load(tmp_path)
    broken = host.quarantined[plugin_id]
    assert BROKEN[plugin_id].words in broken.reason
    assert broken.source == str(path)
    assert "\n" not in broken.reason
    assert set(host.plugins) == BUILT_IN | {"working"}
    assert set(host.quarantined) == {plugin_id}


def test_the_built_in_plugins_are_found_by_their_entry_points() -> None:
    host = PluginHost.load()
    assert set(host.plugins) == BUILT_IN
    assert not host.quarantined
    assert host.plugins["aws_sso"].source == Path(__file__).parents[3] / "plugins" / "aws_sso" / "plugin.py"


def test_icon_and_guide_are_the_files_beside_the_plugin(tmp_path: Path) -> None:
    folder = write(tmp_path, "whole", WORKING).parent
    (folder / "icon.png").write_bytes(b"png")
    (folder / "guide.md").write_text("# Guide")
    (tmp_path / "single.py").write_text(WORKING)
    (tmp_path / "single.svg").write_text("<svg/>")
    (tmp_path / "icon.svg").write_text("<svg/>")
    host = PluginHost.load(tmp_path)
    assert (host.plugins["whole"].icon, host.plugins["whole"].guide) == (folder / "icon.png", folder / "guide.md")
    assert (host.plugins["single"].icon, host.plugins["single"].guide) == (tmp_path / "single.svg", None)


def test_hidden_and_private_names_in_the_folder_are_no_plugins(tmp_path: Path) -> None:
    for name in (".git", "__pycache__", "_notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").write_text("Plugins.")
    assert not PluginHost.load(tmp_path).quarantined


def test_a_folder_without_a_plugin_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert PluginHost.load(tmp_path).quarantined["empty"].reason == "The folder has no plugin.py."


def test_a_plugin_folder_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"SIQ_PLUGINS_DIR: .* is not a folder"):
        PluginHost.load(tmp_path / "nowhere")


def test_a_dropped_plugin_cannot_take_the_id_of_one_that_works(tmp_path: Path) -> None:
    path = write(tmp_path, "aws_sso", WORKING)
    host = PluginHost.load(tmp_path)
    assert host.plugins["aws_sso"].tile.title == "Amazon AWS"
    second = host.quarantined["aws_sso-2"]
    assert second.source == str(path)
    assert "The id 'aws_sso' is taken by" in second.reason


def test_two_dropped_plugins_of_one_id_never_shadow_each_other(tmp_path: Path) -> None:
    write(tmp_path, "twin", WORKING)
    (tmp_path / "twin.py").write_text(WORKING)
    host = PluginHost.load(tmp_path)
    assert host.plugins["twin"].source == tmp_path / "twin" / "plugin.py"
    assert host.quarantined["twin-2"].source == str(tmp_path / "twin.py")


def test_a_second_plugin_is_used_where_the_first_of_its_id_is_broken(tmp_path: Path) -> None:
    write(tmp_path, "twin", "import nothing_of_this_name\n")
    (tmp_path / "twin.py").write_text(WORKING)
    host = PluginHost.load(tmp_path)
    assert host.plugins["twin"].source == tmp_path / "twin.py"
    assert host.quarantined["twin"].source == str(tmp_path / "twin" / "plugin.py")


def test_an_entry_point_that_is_no_module_is_quarantined() -> None:
    point = EntryPoint("odd", "core.plugin_api:Tile", found.ENTRY_POINTS)
    with pytest.raises(Exception, match="names something else than a module"):
        found.import_plugin(found.Found("odd", point.value, point.load))


def test_the_log_has_a_trace_of_what_failed_in_a_plugin_and_of_nothing_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path, "failing", "raise KeyError('a table')\n")
    PluginHost.load(tmp_path)
    traces = {str(record.args[0]): record.exc_info for record in caplog.records if isinstance(record.args, tuple)}
    assert not traces["empty"]
    assert traces["failing"]
    assert traces["failing"][0] is KeyError


def test_the_hooks_of_a_quarantined_plugin_are_never_called(tmp_path: Path) -> None:
    text = WORKING.replace('"Working"', '""') + (
        "\n@siq.hookimpl(wrapper=True)\ndef handle_acs(assertion):\n    raise RuntimeError\n    yield\n"
    )
    write(tmp_path, "policy", text)
    host = PluginHost.load(tmp_path)
    assert "title is empty" in host.quarantined["policy"].reason
    assert {row.wrappers for row in host.report()} == {()}


def test_the_report_lists_every_plugin_with_hooks_wrappers_and_reason(tmp_path: Path) -> None:
    policy = (
        "import core.plugin_api as siq\n@siq.hookimpl(wrapper=True{})\ndef handle_acs(assertion):\n    return (yield)\n"
    )
    write(tmp_path, "a_policy", policy.format(""))
    write(tmp_path, "b_policy", policy.format(", tryfirst=True"))
    write(tmp_path, "c_policy", policy.format(", trylast=True"))
    write(tmp_path, "broken", "x = 1\n")
    write(tmp_path, "working", WORKING)
    host = PluginHost.load(tmp_path)
    rows = {row.id: row for row in host.report()}
    assert list(rows) == sorted([*BUILT_IN, "a_policy", "b_policy", "c_policy", "broken", "working"])
    assert rows["aws_sso"].state == "ready"
    assert rows["aws_sso"].title == "Amazon AWS"
    assert rows["aws_sso"].hooks == ("activate", "config_schema", "describe_tile", "handle_acs")
    assert rows["aws_sso"].wrappers == ("b_policy", "a_policy", "c_policy")
    assert rows["a_policy"].state == "policy"
    assert rows["a_policy"].hooks == ("handle_acs (wrapper)",)
    assert rows["working"].wrappers == ()
    assert rows["broken"].state == "quarantined"
    assert "The hook describe_tile is missing" in rows["broken"].reason
    assert "a_policy" not in host.plugins


def test_a_plugin_that_exits_does_not_end_the_process(tmp_path: Path) -> None:
    write(tmp_path, "exits", "raise SystemExit(7)\n")
    program = f"from pathlib import Path; from core.plugin_host import PluginHost; print(len(PluginHost.load(Path({str(tmp_path)!r})).quarantined))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603  our own
    assert (done.returncode, done.stdout.strip()) == (0, "1")
