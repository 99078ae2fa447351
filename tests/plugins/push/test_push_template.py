"""The CloudFormation template: one file that an administrator uploads."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint import decode

from plugins.aws_sso.push import events, template
from tests.plugins.push.conftest import World

URL = "https://siq.northwind.example/scim/v2/c-7f3a"
MOST = 460_800  # bytes that CloudFormation took of a file before it took 1 MB


@pytest.fixture(scope="module")
def rendered() -> str:
    return template.render(URL)


@pytest.fixture(scope="module")
def resources(rendered: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("template") / "siq-push.yaml"
    path.write_text(rendered)
    parsed, problems = decode.decode(str(path))
    assert not problems
    assert parsed is not None
    assert parsed["Parameters"]["ScimBaseUrl"]["Default"] == URL
    found: dict[str, Any] = parsed["Resources"]
    return found


def test_cfn_lint_has_nothing_to_say(rendered: str, tmp_path: Path) -> None:
    path = tmp_path / "siq-push.yaml"
    path.write_text(rendered)

    lint = subprocess.run(  # noqa: S603  the command is ours
        [Path(sys.executable).with_name("cfn-lint"), "--include-checks", "I", "--", path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (lint.returncode, lint.stdout) == (0, "")


def test_it_can_be_uploaded_in_one_piece(rendered: str) -> None:
    assert len(rendered.encode()) < MOST
    assert rendered.isascii()  # the console does not keep other letters of inline code


def test_nothing_in_the_url_changes_the_template() -> None:
    hostile = 'https://siq.example/"\n  Evil: !Sub ${AWS::AccountId} #'

    lines = template.render(hostile).splitlines()

    [line] = [line for line in lines if "Evil" in line]
    assert line == f"    Default: {json.dumps(hostile)}"


def test_the_code_in_it_is_the_sender(resources: dict[str, Any]) -> None:
    code = resources["Function"]["Properties"]["Code"]["ZipFile"]

    assert code == template.bundle()
    assert ast.parse(code)


def test_no_name_is_made_twice_in_the_joined_file() -> None:
    made: list[str] = []
    for node in ast.parse(template.bundle()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.append(node.name)
        elif isinstance(node, ast.Assign):
            made += [target.id for target in node.targets if isinstance(target, ast.Name)]

    assert sorted(made) == sorted(set(made))


def test_the_sender_imports_the_standard_library_and_boto3_alone() -> None:
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(template.bundle()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert imported - set(sys.stdlib_module_names) == {"boto3", "botocore"}


def test_the_joined_file_pushes(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world.aws.create_user("ada.lovelace")
    for name, value in world.settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "index.py").write_text(template.bundle())
    monkeypatch.syspath_prepend(tmp_path)
    index = importlib.import_module("index")

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 900_000

    summary = index.handler({"pass": "full"}, Context())

    assert summary["outcome"] == "complete"
    assert world.siq.active() == {"ada.lovelace"}


def test_the_rule_lets_all_events_through_that_the_sender_knows(resources: dict[str, Any]) -> None:
    pattern = resources["Changes"]["Properties"]["EventPattern"]

    assert set(pattern["detail"]["eventSource"]) == set(events.SOURCES)
    assert "source" not in pattern  # EventBridge names it differently for each of the three
    for name in ("CreateUser", "DisableUser", "DeleteUser", "AddMemberToGroup", "DeleteGroupMembership", "PatchGroup"):
        assert name in pattern["detail"]["eventName"]


def test_the_role_may_read_one_identity_store_and_change_nothing_in_it(resources: dict[str, Any]) -> None:
    [policy] = resources["Role"]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    actions = [action for statement in statements if "Action" in statement for action in _list(statement["Action"])]
    resources_of_it = [
        named for statement in statements if "Action" in statement for named in _list(statement["Resource"])
    ]

    identity_store = {action for action in actions if action.startswith("identitystore:")}
    assert identity_store == {
        f"identitystore:{operation}"
        for operation in (
            "DescribeGroup",
            "DescribeUser",
            "GetGroupId",
            "IsMemberInGroups",
            "ListGroupMemberships",
            "ListGroups",
            "ListUsers",
        )
    }
    assert not any("*" in action for action in actions)
    assert "*" not in resources_of_it


def test_the_token_is_never_shown(resources: dict[str, Any], rendered: str) -> None:
    assert "    NoEcho: true\n" in rendered
    assert resources["Token"]["Properties"]["SecretString"] == {"Ref": "ScimToken"}
    assert rendered.count("!Ref ScimToken") == 1


def test_a_message_comes_back_after_the_function_had_to_end(resources: dict[str, Any]) -> None:
    assert resources["Queue"]["Properties"]["VisibilityTimeout"] > resources["Function"]["Properties"]["Timeout"]


def test_it_can_be_written_by_hand() -> None:
    written = subprocess.run(  # noqa: S603  the command is ours
        [sys.executable, "-m", "plugins.aws_sso.push.template", URL], capture_output=True, text=True, check=True
    )

    assert written.stdout == template.render(URL)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
