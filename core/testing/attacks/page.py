"""Writes docs/attacks.md from the cases: ``python -m core.testing.attacks.page docs/attacks.md``."""

from __future__ import annotations

import sys
from pathlib import Path

from core.testing.attacks.cases import Case, attacks, controls
from core.testing.attacks.families import FAMILIES

_HEAD = """# Attacks

Made from `core/testing/attacks` by `make docs`; changes belong there.

What the host protects every plugin from, and what it must go on accepting: {attacks} attacks in {classes} classes, and
{controls} controls. A plugin has to do nothing for it. To see it for your own plugin:

```sh
siq plugin attack my_plugin --plugins-dir my-plugins
```

(without `--plugins-dir` it is looked for in `SIQ_PLUGINS_DIR`) starts a server with a new database on a free port, activates the plugin there with a provider whose key it holds, sends
every case over HTTP, prints a table, and ends with 1 when an attack was accepted, a control refused, an answer was 5xx, or
one took longer than a second. `--set tab.field=value` fills fields that the plugin requires, `--attribute name=value` adds
what it reads of a person, `--races 200` lets two processes with one database race for one response.

The codes are those of [the codes page](reference/codes.md).
"""


def page() -> str:
    """The whole page."""
    count = {"attacks": len(attacks()), "classes": len(FAMILIES) - 1, "controls": len(controls())}
    parts = [_HEAD.format(**count)]
    for family in FAMILIES:
        columns = "| Case | What it is | What must happen | Reference |\n| --- | --- | --- | --- |"
        rows = "\n".join(_row(case) for case in family.cases)
        parts.append(f"## {family.title}\n\n{family.what}\n\n{columns}\n{rows}\n")
    return "\n".join(parts)


def _row(case: Case) -> str:
    what = case.what.replace("``", "`")
    return "| " + " | ".join(_cell(text) for text in (f"`{case.name}`", what, case.must.words, case.reference)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/attacks.md").write_text(page(), encoding="utf-8")
