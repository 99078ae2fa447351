"""A file that a schema declares: how it is compiled, and which declarations are refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from core.field_types import Kind
from core.forms import Form, Widget
from core.forms.downloads import MEDIA_TYPES, media_type
from core.plugin_api import Download, Site, download
from tests.core.forms.conftest import NOW, SITE
from tests.core.forms.test_schema import field_of, form_of, reason


def rendered(site: Site) -> str:
    return site.login_url


async def later(site: Site) -> str:
    return site.login_url


def nothing() -> str:
    return ""


def two(site: Site, config: object) -> str:
    return f"{site}{config}"


def offered(filename: Any = "setup.yaml", render: Any = rendered) -> Any:
    return Annotated[str, download(filename, render)]


def test_a_declared_file_is_a_read_only_field_of_its_own_widget() -> None:
    found = field_of(offered(), field=Field(title="Setup file", description="Filled in."))
    assert (found.label, found.help, found.widget, found.kind) == (
        "Setup file",
        "Filled in.",
        Widget.DOWNLOAD,
        Kind.DOWNLOAD,
    )
    assert found.read_only
    assert not found.required
    assert found.download == Download("setup.yaml", rendered)


def test_the_value_of_its_field_is_the_name_of_the_file_whatever_is_sent() -> None:
    form = form_of(offered())
    values = form.read({"main.value": ["/etc/passwd"]}, {})
    assert values == {"main": {}}
    assert form.validate(values, SITE, NOW).model_dump() == {"main": {"value": "setup.yaml"}}
    ((shown,),) = [group.fields for group in form.view(values, SITE, now=NOW).tabs[0].groups]
    assert (shown.widget, shown.value, shown.error) == ("download", "setup.yaml", "")


def test_several_files_may_be_offered() -> None:
    form = form_of(offered(), other=(offered("other.json", partial(two, config=None)), ...))
    assert [one.download.filename for one in form.tabs[0].fields if one.download] == ["setup.yaml", "other.json"]


@pytest.mark.parametrize("ending", MEDIA_TYPES)
def test_every_ending_of_the_documentation_has_its_media_type(ending: str) -> None:
    assert f"``{ending}``" in (download.__doc__ or "")
    assert field_of(offered(f"Setup-1_b{ending}")).download
    assert media_type(f"Setup-1_b{ending}") == MEDIA_TYPES[ending]


@pytest.mark.parametrize(
    "filename",
    ["", "../setup.yaml", "a/b.yaml", 'a".yaml', "a\r\nX: 1.yaml", "ä.yaml", " a.yaml", ".yaml", "a" * 97 + ".yaml", 7],
)
def test_a_name_that_is_no_plain_file_name_is_refused(filename: Any) -> None:
    assert reason(offered(filename)) == (
        f"The schema cannot be used: main.value: {filename!r} cannot be the name of a file; "
        "use letters, digits, dots, hyphens and underscores."
    )


@pytest.mark.parametrize("filename", ["setup", "setup.html", "setup.svg", "setup.yaml.exe", "setup.YAML"])
def test_an_ending_of_another_kind_is_refused(filename: str) -> None:
    assert f"main.value: '{filename}' must end with one of .csv, .json" in reason(offered(filename))


@pytest.mark.parametrize(
    ("render", "words"),
    [
        ("text", "main.value: what renders setup.yaml is no function; it takes the site and answers the text"),
        (later, "main.value: what renders setup.yaml is async; it must be a plain function"),
        (nothing, "main.value: what renders setup.yaml must take one argument, the site"),
        (two, "main.value: what renders setup.yaml must take one argument, the site"),
    ],
)
def test_what_cannot_be_called_with_a_site_is_refused(render: Callable[..., Any], words: str) -> None:
    assert words in reason(offered(render=render))


@pytest.mark.parametrize(
    "annotation",
    [
        offered() | None,
        Annotated[str, Field(json_schema_extra={"format": "download"})],
        Annotated[str, Field(json_schema_extra={"siq": "download"})],
        Annotated[str, download("setup.yaml", rendered), Field(json_schema_extra={"readOnly": True})],
    ],
)
def test_a_file_that_is_not_declared_as_one_is_refused(annotation: Any) -> None:
    words = "main.value: a download is declared as Annotated[str, siq.download(...)], and is not optional"
    assert words in reason(annotation)


def test_a_file_inside_a_nested_model_is_refused() -> None:
    class Inner(BaseModel):
        setup: offered("inner.json")  # type: ignore[valid-type]  # made by a function for this test

    assert "main.value.setup: this type means something to the host" in reason(Inner)


def test_the_form_of_amazon_aws_offers_the_template(aws: Form) -> None:
    field = aws.field("provisioning.sender")
    assert field
    assert field.download
    text = field.download.render(SITE)
    assert f'Default: "{SITE.scim_base_url}"' in text
