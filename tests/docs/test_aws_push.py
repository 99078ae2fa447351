"""docs/aws-push.md names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plugins.aws_sso.push import template
from plugins.aws_sso.push.__main__ import main

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "aws-push.md").read_text()
TEMPLATE = template.render("https://siq.example/scim/v2/c-1")


def test_every_alarm_of_the_template_is_explained() -> None:
    alarms = re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm", TEMPLATE, re.MULTILINE)

    assert set(alarms) == set(re.findall(r"^\| \*\*(\w+)\*\*", GUIDE, re.MULTILINE))
    for alarm in alarms:
        assert f"See docs/aws-push.md, {alarm}." in TEMPLATE


def test_every_option_of_the_command_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"], {})
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}

    assert options == set(re.findall(r"`?(--[a-z][a-z-]+)", GUIDE.split("## By hand")[1]))


def test_every_setting_of_the_function_is_there() -> None:
    assert set(re.findall(r"SIQ_[A-Z_]+", template.bundle())) == set(re.findall(r"`(SIQ_[A-Z_]+)`", GUIDE))


def test_the_command_works_as_it_is_written() -> None:
    [command] = re.findall(r"^python -m (plugins\.[\w.]+) --scim-base-url", GUIDE, re.MULTILINE)

    assert (ROOT / command.replace(".", "/") / "__main__.py").exists()
