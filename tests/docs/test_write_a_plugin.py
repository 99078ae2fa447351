"""What the page about plugins quotes is the plugin, and its samples run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import SignInRefused
from core.plugin_host import PluginHost
from core.refusals import BY_CODE
from tests.broken_plugins import BROKEN, write
from tests.core.plugin_host.test_calling import ASSERTION, PLUGIN

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/write-a-plugin.md").read_text()
PLUGIN_FILE = (ROOT / "plugins/aws_sso/plugin.py").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def blocks(section: str, language: str = "python") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[section], re.DOTALL | re.MULTILINE)


def test_every_quoted_block_is_in_the_plugin_to_the_letter() -> None:
    for block in blocks("The Amazon AWS plugin, line by line"):
        assert block in PLUGIN_FILE


def test_every_line_of_the_plugin_is_explained_in_its_order() -> None:
    quoted = "".join(blocks("The Amazon AWS plugin, line by line"))
    assert [line for line in quoted.splitlines() if line] == [line for line in PLUGIN_FILE.splitlines() if line]


def test_what_is_quoted_of_the_files_beside_the_plugin_is_there() -> None:
    sender, fixes = blocks("The Amazon AWS plugin, line by line", "py")
    assert sender in (ROOT / "plugins/aws_sso/sender_template.py").read_text()
    assert fixes in (ROOT / "plugins/aws_sso/words.py").read_text()


def test_the_sample_test_passes() -> None:
    (sample,) = blocks("Test it")
    names: dict[str, Any] = {}
    exec(compile(sample, "write-a-plugin.md", "exec"), names)  # noqa: S102  our own page
    test: Callable[[], None] = names["test_a_person_signs_in"]
    test()


def test_the_sample_wrapper_refuses_other_addresses(tmp_path: Path) -> None:
    (sample,) = blocks("Wrap every sign-in")
    write(tmp_path, "northwind_only", sample)
    identity = "siq.Identity('u-1', 'ada', 'ada@' + assertion.name_id.value)"
    text = PLUGIN.format(name="n", activate="return None", handle_acs=f"return {identity}")
    write(tmp_path, "provider", text)
    host = PluginHost.load(tmp_path)
    assert not host.quarantined
    config = host.plugins["provider"].form.model.model_construct()
    with pytest.raises(SignInRefused, match=r"Only addresses of northwind\.example may sign in"):
        host.handle_acs("provider", config, ASSERTION)


def test_the_reasons_that_the_page_shows_are_given_like_that() -> None:
    (shown,) = blocks("Drop it in", "text")
    for name in ("misspelled_hook", "schema_cannot_be_shown"):
        assert BROKEN[name].words in shown


def test_every_page_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_the_guides_name_their_pictures_as_the_browser_tests_take_them() -> None:
    guide = (ROOT / "plugins/aws_sso/guide.md").read_text()
    assert re.findall(r"!\[[^\]]+\]\(guide/([^)]+)\)", guide) == [
        "1-aws-metadata.png",
        "2-catalog.png",
        "3-dialog-sso.png",
        "4-aws-application.png",
        "5-integration.png",
        "6-sign-in.png",
    ]


def test_the_codes_in_the_guides_exist() -> None:
    for guide in ROOT.glob("plugins/*/guide.md"):
        assert set(re.findall(r"SSO-\d{3}", guide.read_text())) <= set(BY_CODE)
