"""``siq plugin attack``: every case over HTTP against a server that runs one plugin, as a table."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core import assignments
from core.errors import Conflict
from core.testing.attacks import ALL
from core.testing.attacks.host import Target, quiet, serving, serving_twice
from core.testing.attacks.running import SLOWEST, Outcome, races, run, table
from core.testing.attacks.site import Person
from core.testing.identity_provider import EMAIL


@click.command("attack")
@click.argument("plugin_id", metavar="PLUGIN")
@click.option(
    "--plugins-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="SIQ_PLUGINS_DIR",
    help="Folder of PLUGIN, instead of SIQ_PLUGINS_DIR.",
)
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="TAB.FIELD=VALUE|@FILE",
    help="A field that PLUGIN requires, beyond those of SAML.",
)
@click.option("--subject", default="ada@example.test", show_default=True, help="NameID of the person who signs in.")
@click.option("--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="An attribute of that person.")
@click.option("--only", default="", metavar="TEXT", help="Only cases and classes whose name holds TEXT.")
@click.option("--races", "race_count", default=0, metavar="N", help="Also race two processes N times for one response.")
@click.option("--slowest", default=SLOWEST, show_default=True, metavar="SECONDS", help="How long an answer may take.")
@click.option("--database", default="", metavar="URL", help="An empty database for it, instead of a new SQLite file.")
def attack(  # noqa: PLR0917  click hands every option over
    plugin_id: str,
    plugins_dir: Path | None,
    values: tuple[str, ...],
    subject: str,
    attributes: tuple[str, ...],
    only: str,
    race_count: int,
    slowest: float,
    database: str,
) -> None:
    """Attack single sign-on through PLUGIN, on a server of its own.

    Sends every attack and every control of core/testing/attacks over HTTP. Ends with 1 where an attack was accepted, a
    control refused, an answer was 5xx or took too long. Nothing that exists is touched.
    """
    quiet()
    person = Person(subject, EMAIL, _attributes(attributes) or {"email": (subject,)})
    target = Target(plugin_id, plugins_dir, dict(map(assignments.read, values)), person, database)
    wanted = [case for case in ALL.values() if only.lower() in f"{case.name} {case.family.title}".lower()]
    outcomes: list[Outcome] = []
    with serving(target) as site:
        for outcome in run(site, site.applicable(wanted), slowest):
            outcomes.append(outcome)
            if outcome.problem:
                click.echo(f"{outcome.case.name}: {outcome.problem} (must be: {outcome.case.must.words})")
    click.echo(table(outcomes))
    lost = _race(target, race_count) if race_count else []
    if lost or any(outcome.problem for outcome in outcomes):
        sys.exit(1)


def _race(target: Target, times: int) -> list[str]:
    with serving_twice(target) as (site, second):
        lost = [problem for problem in races(site, second, times) if problem]
    for problem in lost:
        click.echo(problem)
    click.echo(f"two processes, one database: {times - len(lost)} of {times} races ended with exactly one session")
    return lost


def _attributes(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Conflict(f"--attribute {text}: write it as name=value.")
        found[name] = (*found.get(name, ()), value)
    return found
