"""Every attack and every control against a running server: one test each.

``SIQ_TEST_RACES`` is how often two processes race for one assertion (``make thorough`` lets them race 200 times).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from core.cli import main
from core.plugin_api import Unsolicited
from core.testing.attacks import ALL, FAMILIES, Case, attacks, controls
from core.testing.attacks.browser import Answer
from core.testing.attacks.cases import always, with_logout
from core.testing.attacks.host import Target, serving, serving_twice
from core.testing.attacks.running import judge, races, run, table
from core.testing.attacks.site import Site
from tests.databases import empty_database

pytestmark = pytest.mark.xdist_group("attacks")

GENEROUS = 10.0  # seconds: a bomb takes minutes, and the machine that runs the tests may be busy
PATIENT = ("--slowest", "10")
KEYLESS = [case for case in controls() if case.applies is always]
"""The controls at a connection that reads nothing encrypted, as Amazon AWS."""
HERE = [case for case in attacks() if case.applies is not with_logout]
"""The attacks at a connection that takes no part in single logout."""
RACES = int(os.environ.get("SIQ_TEST_RACES", "20"))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Amazon AWS, on a server of its own with a new SQLite file."""
    with serving(Target("aws_sso")) as running:
        yield running


@pytest.mark.parametrize("case", HERE, ids=[case.name for case in HERE])
def test_an_attack_opens_no_session(site: Site, case: Case) -> None:
    (outcome,) = run(site, [case], GENEROUS)
    assert not outcome.problem, f"must be: {case.must.words}"
    assert not outcome.server_error


@pytest.mark.parametrize("case", KEYLESS, ids=[case.name for case in KEYLESS])
def test_a_control_signs_in(site: Site, case: Case) -> None:
    (outcome,) = run(site, [case], GENEROUS)
    assert not outcome.problem
    assert outcome.accepted


def test_there_are_as_many_cases_as_were_promised() -> None:
    assert len(attacks()) >= 120
    assert len(controls()) >= 25
    assert {case.family.title for case in ALL.values()} == {family.title for family in FAMILIES}
    assert all(case.reference for case in attacks())


# Other plugins: what they decide themselves, and the deliveries, where they differ


@pytest.mark.thorough
@pytest.mark.parametrize("family", ["Replay", "Other people, other connections", "RelayState and scripts", "Controls"])
def test_a_connection_that_bounces_clicks_is_as_safe(family: str) -> None:
    with serving(Target("custom_saml")) as site:
        assert site.main.unsolicited is Unsolicited.BOUNCE
        assert [one.problem for one in run(site, site.applicable(_of(family)), GENEROUS) if one.problem] == []


@pytest.mark.thorough
@pytest.mark.parametrize(("values", "count"), [({}, 6), ({"sso.allow_cbc": "true"}, 8)])
def test_a_connection_that_reads_encrypted_assertions_is_as_safe(values: dict[str, str | bytes], count: int) -> None:
    with serving(Target("custom_saml", values=values)) as site:
        cases = site.applicable([*_of("Encrypted parts"), *_of("Controls"), *_of("Signature wrapping")])
        assert sum(case.control and case.applies is not always for case in cases) == count
        assert [(one.case.name, one.problem) for one in run(site, cases, GENEROUS) if one.problem] == []


@pytest.mark.thorough
def test_a_connection_that_takes_part_in_single_logout_is_as_safe() -> None:
    with serving(Target("custom_saml")) as site:
        assert site.main.logout_url
        cases = site.applicable(_of("Logout"))
        assert [(one.case.name, one.problem) for one in run(site, cases, GENEROUS) if one.problem] == []
        assert sum(case.control for case in cases) == 8
        assert len(cases) >= 55


@pytest.mark.thorough
def test_a_plugin_of_somebody_else_that_refuses_clicks_is_as_safe(tmp_path: Path) -> None:
    _write_plugin(tmp_path)
    with serving(Target("strict", tmp_path, {"sso.team": "blue"})) as site:
        assert site.main.unsolicited is Unsolicited.REFUSE
        assert site.main.provider.entity_id == "urn:strict"
        cases = [*_of("Replay"), *_of("Other people, other connections"), *_of("Timing"), *_of("Controls")]
        assert [
            (one.case.name, one.problem) for one in run(site, site.applicable(cases), GENEROUS) if one.problem
        ] == []


# Two processes


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_processes_with_one_database_open_one_session_in_each_race(kind: str, tmp_path: Path) -> None:
    with empty_database(kind, tmp_path) as url, serving_twice(Target("aws_sso", database_url=url)) as (site, second):
        assert [problem for problem in races(site, second, RACES) if problem] == []


# The command


@pytest.mark.thorough
def test_the_command_prints_a_table_and_ends_with_0() -> None:
    done = CliRunner().invoke(main, ["plugin", "attack", "aws_sso", "--only", "replay", "--races", "2", *PATIENT])
    assert done.exit_code == 0, done.output
    assert "Replay" in done.output
    assert "2 of 2 races ended with exactly one session" in done.output


def test_the_command_ends_with_1_where_a_control_is_refused() -> None:
    done = CliRunner().invoke(
        main, ["plugin", "attack", "aws_sso", "--subject", "bob", "--only", "no_milliseconds", *PATIENT]
    )
    assert done.exit_code == 1
    assert "no_milliseconds: HTTP 403 SSO-202" in done.output


def test_the_command_fills_the_fields_of_any_plugin(tmp_path: Path) -> None:
    _write_plugin(tmp_path)
    arguments = ["plugin", "attack", "strict", "--plugins-dir", str(tmp_path), "--only", "no_milliseconds", *PATIENT]
    missing = CliRunner().invoke(main, arguments)
    assert missing.exit_code == 1
    assert missing.output.startswith("Error: sso.team: ")
    done = CliRunner().invoke(main, [*arguments, "--set", "sso.team=blue", "--attribute", "mail=ada@example.test"])
    assert done.exit_code == 0, done.output


def test_the_command_finds_a_plugin_in_the_folder_that_the_setting_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_plugin(tmp_path)
    monkeypatch.setenv("SIQ_PLUGINS_DIR", str(tmp_path))
    done = CliRunner().invoke(main, ["plugin", "attack", "strict", "--only", "plain"])
    assert done.output.startswith("Error: sso.team: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "There is no such integration"),
        (["aws_sso", "--set", "team"], "write it as tab.field=value"),
        (["aws_sso", "--set", "sso.certificate=@none.pem"], "none.pem cannot be read"),
        (["aws_sso", "--attribute", "team"], "write it as name=value"),
    ],
)
def test_the_command_says_what_is_wrong_in_a_sentence(arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(main, ["plugin", "attack", *arguments, "--only", "plain"])
    assert done.exit_code == 1
    assert sentence in done.output


# The judge


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(400, "", "SSO-108 signature_invalid", 0.1), ""),
        (Answer(400, "", "SSO-108", 0.1, person=True), "ACCEPTED"),
        (Answer(303, "/", "", 0.1, person=True), "ACCEPTED"),
        (Answer(303, "/", "", 0.1), "HTTP 303"),
        (Answer(400, "", "SSO-104", 0.1), "HTTP 400 SSO-104"),
        (Answer(500, "", "SSO-108", 0.1), "HTTP 500"),
        (Answer(400, "", "SSO-108", 1.5), "took 1.5 s"),
        (Answer(400, "", "SSO-108", 0.1, ended=True), "ACCEPTED"),
        (Answer(400, "", "SSO-108 <script>alert(1)</script>", 0.1), "<script>"),
    ],
)
def test_only_a_refusal_for_the_right_reason_will_do(answer: Answer, problem: str) -> None:
    assert judge(ALL["unknown_key"], answer).startswith(problem) or problem in judge(ALL["unknown_key"], answer)
    assert bool(judge(ALL["unknown_key"], answer)) == bool(problem)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (Answer(303, "/", "", 0.1, person=True), True),
        (Answer(303, "/", "", 0.1), False),
        (Answer(303, "//elsewhere.example.test", "", 0.1, person=True), False),
        (Answer(400, "", "SSO-108", 0.1), False),
    ],
)
def test_a_person_must_land_where_they_should(answer: Answer, right: bool) -> None:
    assert (judge(ALL["plain"], answer) == "") is right
    assert (judge(ALL["next_of_another_site"], answer) == "") is right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (Answer(303, "https://idp.example/", "", 0.1, ended=True), True),
        (Answer(303, "https://idp.example/", "", 0.1), False),
        (Answer(400, "", "SSO-402", 0.1, ended=True), False),
    ],
)
def test_a_sign_out_must_end_a_session(answer: Answer, right: bool) -> None:
    assert (judge(ALL["logout_in_an_address"], answer) == "") is right


def test_the_table_counts(site: Site) -> None:
    text = table(list(run(site, [ALL["plain"], ALL["unknown_key"]])))
    last = text.splitlines()[-1].split()
    assert last[:5] == ["all", "1", "1", "0", "0"]
    assert last[-3:] == ["1", "1", "0"]


def _of(family: str) -> list[Case]:
    return [case for case in ALL.values() if case.family.title == family]


def _write_plugin(folder: Path) -> None:
    (folder / "strict.py").write_text(
        dedent('''
            """Strict: takes no clicks, knows its provider by a name of its own, and asks for a team."""

            from pydantic import BaseModel, Field

            import core.plugin_api as siq


            class Sso(BaseModel):
                """The tab."""

                acs_url: siq.AcsUrl = Field(title="ACS URL")
                team: str = Field(title="Team")
                sign_in_url: siq.SignInUrl = Field(title="Sign-in URL")
                certificate: siq.SigningCertificates = Field(title="Certificate")


            class Config(BaseModel):
                """All of it."""

                sso: Sso = Field(title="SSO")


            @siq.hookimpl
            def describe_tile() -> siq.Tile:
                """The tile."""
                return siq.Tile(title="Strict", maker="T", category=siq.Category.PROVISIONING_SSO, summary="Strict.")


            @siq.hookimpl
            def config_schema() -> type[BaseModel]:
                """The model."""
                return Config


            @siq.hookimpl
            def activate(config: Config) -> siq.Activation:
                """No clicks."""
                sso = config.sso
                trust = siq.SamlTrust("urn:strict", sso.sign_in_url, sso.certificate, siq.Unsolicited.REFUSE)
                return siq.Activation(saml=trust)


            @siq.hookimpl
            def handle_acs(assertion: siq.VerifiedAssertion) -> siq.Identity:
                """The NameID is everything."""
                name = assertion.name_id.value
                return siq.Identity(subject=name, user_name=name, email=name)
        ''').lstrip(),
        encoding="utf-8",
    )
