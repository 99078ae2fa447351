from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core import clock
from core.cli import main
from core.testing.identity_provider import IdentityProvider

SIGN_IN_URL = "https://portal.sso.eu-west-1.amazonaws.com/saml/assertion/MTEx"
Siq = Callable[..., Result]


@pytest.fixture
def siq(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Siq:
    """Runs ``siq`` with a data folder of its own."""
    monkeypatch.setenv("SIQ_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("SIQ_PUBLIC_URL", "https://siq.example")

    def run(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(main, arguments, input=stdin)

    return run


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_key_is_exchanged_step_by_step(siq: Siq) -> None:
    siq("organization", "create", "Northwind")
    at = ("custom_saml", "--organization", "northwind")
    (old,) = answer(siq("key", "list", *at))
    assert old["signs"] is True
    new = answer(siq("key", "add", *at))
    assert new["signs"] is False
    assert new["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    refused = siq("key", "remove", "custom_saml", old["key"], "--organization", "northwind")
    assert refused.exit_code == 1
    assert "Sign with the other one first" in refused.output
    assert answer(siq("key", "use", "custom_saml", new["key"], "--organization", "northwind"))["signs"] is True
    assert [one["key"] for one in answer(siq("key", "list", *at))] == [new["key"], old["key"]]
    assert answer(siq("key", "remove", "custom_saml", old["key"], "--organization", "northwind")) == {
        "removed": old["key"]
    }
    assert [one["key"] for one in answer(siq("key", "list", *at))] == [new["key"]]


def test_a_plugin_without_keys_says_so(siq: Siq) -> None:
    siq("organization", "create", "Northwind")
    assert answer(siq("key", "list", "aws_sso", "--organization", "northwind")) == []
    refused = siq("key", "add", "aws_sso", "--organization", "northwind")
    assert (refused.exit_code, refused.output) == (1, "Error: This integration has no keys of its own.\n")


def test_an_organization_gets_a_slug_from_its_name_and_is_listed(siq: Siq) -> None:
    made = answer(siq("organization", "create", "Northwind Robotics", "--contact", "it@northwind.example"))
    assert made["portal_url"] == "https://siq.example/portal/northwind-robotics"
    assert answer(siq("organization", "list")) == [{key: made[key] for key in made}]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["organization", "create", "!!"], "Choose a short name"),
        (["admin", "create", "--organization", "nobody", "--email", "a@b.example", "--link"], "no organization nobody"),
        (["activate", "aws_sso", "--organization", "northwind"], "sso.sign_in_url: "),
        (["activate", "nothing", "--organization", "northwind"], "no such integration"),
        (["activate", "aws_sso", "--organization", "northwind", "--set", "sso"], "write it as tab.field=value"),
        (["activate", "aws_sso", "--organization", "northwind", "--set", "sso.x=1"], "sso.x: "),
        (
            ["activate", "aws_sso", "--organization", "northwind", "--set", "sso.certificate=@none.pem"],
            "cannot be read",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_status_1(siq: Siq, arguments: list[str], sentence: str) -> None:
    answer(siq("organization", "create", "Northwind"))
    result = siq(*arguments)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_activation_prints_one_json_object_with_the_keys_that_scripts_rely_on(siq: Siq, tmp_path: Path) -> None:
    provider = IdentityProvider.create(SIGN_IN_URL)
    certificates = tmp_path / "both.pem"
    certificates.write_text(provider.certificate_pem + provider.rotate().certificate_pem)
    answer(siq("organization", "create", "Northwind"))
    settings = ["--set", f"sso.sign_in_url={SIGN_IN_URL}", "--set", f"sso.certificate=@{certificates}"]
    done = answer(siq("activate", "aws_sso", "--organization", "northwind", *settings))
    base = f"https://siq.example/sso/{done['connection']}"
    assert done == {
        "connection": done["connection"],
        "acs_url": f"{base}/acs",
        "audience": base,
        "login_url": f"{base}/login",
        "metadata_url": f"{base}/metadata",
        "single_logout_url": None,
        "scim_base_url": f"https://siq.example/scim/v2/{done['connection']}",
    }
    assert answer(siq("activate", "aws_sso", "--organization", "northwind", "--set", "sso.portal_url=")) == done


def test_activation_takes_the_providers_metadata_file(siq: Siq, tmp_path: Path) -> None:
    file = tmp_path / "metadata.xml"
    file.write_bytes(IdentityProvider.create(SIGN_IN_URL).metadata())
    answer(siq("organization", "create", "Northwind"))
    assert answer(siq("activate", "aws_sso", "--organization", "northwind", "--set", f"sso.metadata=@{file}"))


def test_an_admin_gets_a_link_or_a_password_that_is_long_enough(siq: Siq) -> None:
    answer(siq("organization", "create", "Northwind"))
    person = ["admin", "create", "--organization", "northwind", "--email", "maya@northwind.example"]
    assert answer(siq(*person, "--link"))["link"].startswith("https://siq.example/signin/link/")
    assert siq(*person, "--password-stdin", stdin="short\n").exit_code == 1
    assert answer(siq(*person, "--password-stdin", stdin="correct horse battery\n"))["role"] == "Admin"


def test_a_persons_access_is_ended_given_back_and_removed_by_address(siq: Siq) -> None:
    answer(siq("organization", "create", "Northwind"))
    for name in ("maya", "ana"):
        email = f"{name}@northwind.example"
        answer(siq("admin", "create", "--organization", "northwind", "--email", email, "--link"))

    def act(verb: str, email: str = "ANA@northwind.example") -> Any:
        return answer(siq("person", verb, email, "--organization", "northwind"))

    ana = {"organization": "northwind", "email": "ana@northwind.example", "name": "ana"}
    assert act("suspend") == {**ana, "active": False, "delete_at": None}
    assert act("reactivate") == {**ana, "active": True, "delete_at": None}
    removed = act("remove")
    planned = datetime.fromisoformat(removed["delete_at"]) - clock.now()
    assert removed["active"] is False
    assert timedelta(days=29) < planned <= timedelta(days=30)
    assert act("reactivate")["delete_at"] is None


def test_the_operators_act_is_audited_as_the_operators(siq: Siq, tmp_path: Path) -> None:
    answer(siq("organization", "create", "Northwind"))
    for name in ("maya", "ana"):
        siq("admin", "create", "--organization", "northwind", "--email", f"{name}@northwind.example", "--link")
    answer(siq("person", "suspend", "ana@northwind.example", "--organization", "northwind"))
    with closing(sqlite3.connect(tmp_path / "var" / "siq.db")) as database:
        entries = database.execute("SELECT actor, subject FROM audit_log WHERE event = 'user.suspended'").fetchall()
    assert entries == [("operator", "ana@northwind.example")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["suspend", "nobody@northwind.example"], "Nobody in Northwind has the address nobody@northwind.example."),
        (["suspend", "maya@northwind.example"], "This is the last Admin. Make somebody else an Admin first."),
        (["remove", "maya@northwind.example"], "This is the last Admin. Make somebody else an Admin first."),
        (["reactivate", "maya@northwind.example"], "This person is active."),
    ],
)
def test_an_act_that_is_not_possible_is_one_sentence(siq: Siq, arguments: list[str], sentence: str) -> None:
    answer(siq("organization", "create", "Northwind"))
    answer(siq("admin", "create", "--organization", "northwind", "--email", "maya@northwind.example", "--link"))
    result = siq("person", *arguments, "--organization", "northwind")
    assert (result.exit_code, result.stderr) == (1, f"Error: {sentence}\n")


def test_a_person_of_another_organization_is_not_found(siq: Siq) -> None:
    for name in ("Northwind", "Contoso"):
        answer(siq("organization", "create", name))
    answer(siq("admin", "create", "--organization", "contoso", "--email", "eve@contoso.example", "--link"))
    result = siq("person", "remove", "eve@contoso.example", "--organization", "northwind")
    assert "Nobody in Northwind has the address eve@contoso.example." in result.stderr


def test_the_list_of_plugins_says_hooks_state_and_what_is_broken(
    siq: Siq, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "broken.py").write_text("import nothing_of_this_name\n")
    monkeypatch.setenv("SIQ_PLUGINS_DIR", str(tmp_path / "plugins"))
    listed = siq("plugin", "list").stdout
    assert "aws_sso  Amazon AWS  [ready]" in listed
    assert "broken" in listed
    assert "nothing_of_this_name" in listed
    states = {row["id"]: row["state"] for row in json.loads(siq("plugin", "list", "--json").stdout)}
    assert (states["aws_sso"], states["broken"]) == ("ready", "quarantined")


def test_a_bad_setting_stops_the_server_with_one_sentence(siq: Siq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIQ_PUBLIC_URL", "siq.example")
    result = siq("serve")
    assert result.exit_code == 1
    assert result.stderr.strip() == "Error: SIQ_PUBLIC_URL: must be an origin such as https://siq.example.com."


def test_pruning_says_how_much_it_deleted(siq: Siq) -> None:
    assert answer(siq("prune")) == {"deleted": 0}
