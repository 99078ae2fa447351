"""A file that a plugin makes: its text is checked, and what the plugin raises fails that one download."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import PluginMisbehaved
from core.plugin_host import PluginHost
from core.plugin_host.answers import MOST_FILE_BYTES
from tests.broken_plugins import WORKING, write
from tests.core.forms.conftest import SITE


def host_of(tmp_path: Path, body: str) -> PluginHost:
    """A host with the plugin ``one``, whose file is made by a function with this body."""
    text = WORKING.replace(
        'word: str = Field("", title="Word")',
        'file: Annotated[str, siq.download("setup.txt", render)] = Field(title="File")',
    ).replace("class Main", f"from typing import Annotated\n\ndef render(site):\n    {body}\n\nclass Main")
    write(tmp_path, "one", text)
    host = PluginHost.load(tmp_path)
    assert not host.quarantined
    return host


def test_the_file_is_the_text_for_this_site_as_utf_8(tmp_path: Path) -> None:
    host = host_of(tmp_path, "return f'push to {site.scim_base_url} now: €'")
    assert host.file("one", "main.file", SITE) == f"push to {SITE.scim_base_url} now: €".encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise RuntimeError('token of somebody')", "it raised RuntimeError in plugin.py, line 8"),
        ("raise SystemExit(3)", "it raised SystemExit in plugin.py, line 8"),
        ("return None", "it answered nothing; it must be str"),
        ("return b'bytes'", "it answered a bytes; it must be str"),
        ("return ' \\n'", "it answered an empty text"),
        ("return chr(0xD800)", "it answered half a surrogate pair, which is no text"),
        (f"return 'x' * {MOST_FILE_BYTES + 1}", "it answered 4,194,305 bytes; at most 4,194,304 are taken"),
    ],
)
def test_what_is_no_file_fails_this_download_with_the_place_and_no_text_of_the_exception(
    tmp_path: Path, body: str, reason: str
) -> None:
    host = host_of(tmp_path, body)
    with pytest.raises(PluginMisbehaved) as broken:
        host.file("one", "main.file", SITE)
    assert broken.value.public == f"render of main.file of one: {reason}."


def test_the_largest_file_is_taken(tmp_path: Path) -> None:
    host = host_of(tmp_path, f"return 'x' * {MOST_FILE_BYTES}")
    assert len(host.file("one", "main.file", SITE)) == MOST_FILE_BYTES
