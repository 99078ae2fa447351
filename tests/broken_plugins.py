"""Plugins that the host must quarantine: the text of each, and words of the reason that it must be given."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

WORKING = """
from pydantic import BaseModel, Field
import core.plugin_api as siq

class Main(BaseModel):
    word: str = Field("", title="Word")

class Config(BaseModel):
    main: Main = Field(title="Main")

@siq.hookimpl
def describe_tile():
    return siq.Tile("Working", "Somebody", siq.Category.DEVELOPER, "It works.")

@siq.hookimpl
def config_schema():
    return Config

@siq.hookimpl
def activate(config):
    return siq.Activation()
"""


class Broken(NamedTuple):
    """A plugin's text and what its reason says."""

    text: str
    words: str


def _with(old: str, new: str, words: str) -> Broken:
    assert old in WORKING
    return Broken(WORKING.replace(old, new), words)


_HANDLE = "\n@siq.hookimpl\ndef handle_acs(config, assertion):\n    return None\n"
_WRAP = "\n@siq.hookimpl(wrapper=True, specname='handle_acs')\ndef policy(assertion):\n    return (yield)\n"

BROKEN: dict[str, Broken] = {
    "misspelled_hook": _with("def describe_tile", "def descibe_tile", "there is no hook 'descibe_tile'; did you mean 'describe_tile'"),
    "unknown_hook": Broken(
        WORKING + "\n@siq.hookimpl\ndef on_sign_out():\n    pass\n",
        "there is no hook 'on_sign_out'; the hooks are activate, config_schema, describe_tile, handle_acs",
    ),
    "unmarked_hook": _with("@siq.hookimpl\ndef activate", "def activate", "activate is not marked with @hookimpl"),
    "missing_hook": _with("@siq.hookimpl\ndef activate(config):\n    return siq.Activation()\n", "", "The hook activate is missing"),
    "no_hooks": Broken("x = 1\n", "The hook describe_tile is missing"),
    "wrong_argument": _with("activate(config)", "activate(configuration)", "the hook has no argument 'configuration'; it is activate(config, site)"),
    "extra_argument": _with("activate(config)", "activate(config, site, request)", "the hook has no argument 'request'"),
    "default_argument": _with("activate(config)", "activate(config, site=None)", "an argument with a default ('site') is not filled"),
    "star_arguments": _with("activate(config)", "activate(*args)", "*args, **kwargs and positional-only arguments are not filled"),
    "async_hook": _with("def activate", "async def activate", "a hook is a plain function, not an async one"),
    "generator_hook": _with("return siq.Activation()", "yield siq.Activation()", "it has a yield but is no wrapper"),
    "wrapper_of_another_hook": _with("@siq.hookimpl\ndef activate", "@siq.hookimpl(wrapper=True)\ndef activate", "only handle_acs may be wrapped"),
    "wrapper_without_yield": Broken(WORKING + _WRAP.replace("return (yield)", "return None"), "a wrapper has one yield"),
    "old_style_wrapper": Broken(WORKING + _WRAP.replace("wrapper=True", "hookwrapper=True"), "old-style wrappers are not called"),
    "wraps_itself": Broken(WORKING + _HANDLE + _WRAP, "handle_acs is both implemented and wrapped"),
    "wrong_declared_answer": _with("def activate(config):", "def activate(config) -> dict:", "it answers dict; the hook answers Activation"),
    "tile_is_a_dict": _with('siq.Tile("Working", "Somebody", siq.Category.DEVELOPER, "It works.")', "{}", "describe_tile of tile_is_a_dict: it answered a dict; it must be Tile"),
    "tile_is_nothing": _with("return siq.Tile", "siq.Tile", "it answered nothing; it must be Tile"),
    "tile_without_title": _with('"Working"', '" "', "title is empty"),
    "tile_with_a_long_title": _with('"Working"', '"W" * 61', "title has 61 characters; at most 60 are kept"),
    "tile_of_no_category": _with("siq.Category.DEVELOPER", '"Games"', "category is a str; it must be Category"),
    "tile_with_a_script": _with('"It works."', '"It works.", documentation="javascript:alert(1)"', "documentation is no https address"),
    "fixes_are_a_list": _with('"It works."', '"It works.", fixes=["Do it right."]', "fixes is a list; it must map refusals to sentences"),
    "fix_of_no_refusal": _with('"It works."', '"It works.", fixes={"SSO-104": "Do it right."}', "fixes has a key that is not one of core.refusals"),
    "fix_without_words": _with('"It works."', '"It works.", fixes={siq.refusals.EXPIRED: " "}', "fixes of SSO-113 is empty"),
    "fix_too_long": _with('"It works."', '"It works.", fixes={siq.refusals.EXPIRED: "w" * 401}', "fixes of SSO-113 has 401 characters; at most 400 are kept"),
    "tile_raises": _with("    return siq.Tile", "    raise RuntimeError('no tile today')\n    return siq.Tile", "describe_tile failed: RuntimeError: no tile today"),
    "tile_exits": _with("    return siq.Tile", "    raise SystemExit(3)\n    return siq.Tile", "describe_tile failed: SystemExit: 3"),
    "schema_is_an_instance": _with("return Config", "return Config(main=Main())", "it answered a Config; it must answer the class of a pydantic model"),
    "schema_cannot_be_shown": _with('word: str = Field("", title="Word")', 'word: bytes = Field(b"", title="Word")', "main.word: string of format binary cannot be shown in a form"),
    "schema_without_its_hook": _with(
        'word: str = Field("", title="Word")',
        "url: siq.SignInUrl\n    certificate: siq.SigningCertificates\n    acs: siq.AcsUrl",
        "The schema asks for a SAML endpoint, but the hook handle_acs is missing",
    ),
    "file_without_an_ending": _with(
        'word: str = Field("", title="Word")',
        'file: __import__("typing").Annotated[str, siq.download("setup", lambda site: "")] = Field(title="File")',
        "The schema cannot be used: main.file: 'setup' must end with one of .csv,",
    ),
    "import_error": Broken("import module_that_is_not_there\n" + WORKING, "ModuleNotFoundError: No module named 'module_that_is_not_there' (line 1)"),
    "syntax_error": Broken("x = 1\ndef broken(:\n" + WORKING, "The import failed: SyntaxError: invalid syntax (line 2)"),
    "exits_at_import": Broken("import sys\nsys.exit('bye')\n" + WORKING, "The import failed: SystemExit: bye (line 2)"),
    "raises_at_import": Broken(WORKING + "\n1 / 0\n", "The import failed: ZeroDivisionError: division by zero"),
    "Bad-Id": Broken(WORKING, "'Bad-Id' cannot be the id of a plugin"),
}  # fmt: skip


def write(folder: Path, plugin_id: str, text: str) -> Path:
    """Put a plugin into a drop-in folder; the path of its file."""
    path = folder / plugin_id / "plugin.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path
