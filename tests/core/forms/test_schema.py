"""Which widget each schema gets, and which schemas are refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from core.errors import PluginBroken
from core.forms import ROWS, Form, Widget
from core.forms.fields import Field as CompiledField
from core.plugin_api import (
    AcsUrl,
    Audience,
    Group,
    LoginUrl,
    Note,
    ScimBaseUrl,
    Secret,
    ServiceProviderCertificate,
    SigningCertificates,
    SignInUrl,
    SingleLogoutServiceUrl,
    SingleLogoutUrl,
    TileClicks,
    Unsolicited,
    tab,
    ui,
)


class Inner(BaseModel):
    """Text of the class, which is no help for a field."""

    word: str = Field("", title="Word")


def form_of(annotation: Any, *, field: Any = ..., config: ConfigDict | None = None, **others: Any) -> Form:
    one = create_model("Tab", __config__=config, value=(annotation, field), **others)
    return Form.compile(create_model("Config", main=(one, ...)), "plugin.py")


def field_of(annotation: Any, *, field: Any = ..., **others: Any) -> CompiledField:
    found = form_of(annotation, field=field, **others).field("main.value")
    assert found
    return found


def reason(annotation: Any, *, field: Any = ..., config: ConfigDict | None = None, **others: Any) -> str:
    with pytest.raises(PluginBroken) as refused:
        form_of(annotation, field=field, config=config, **others)
    assert refused.value.source == "plugin.py"
    return refused.value.public


@pytest.mark.parametrize(
    ("annotation", "widget", "input_type"),
    [
        (AcsUrl, Widget.COPY, "text"),
        (Annotated[str, Field(json_schema_extra={"format": "x509-pem"})], Widget.CERTIFICATE, "text"),
        (Literal["a", "b"], Widget.RADIO, "text"),
        (Literal["a"] | Literal["b"], Widget.RADIO, "text"),  # noqa: PYI030  pydantic writes this one as a union
        (
            Annotated[Literal["a", "b", "c"], Field(json_schema_extra=ui(helps={"a": "The first"}))],
            Widget.RADIO,
            "text",
        ),
        (Literal["a", "b", "c"], Widget.SELECT, "text"),
        (Literal[1, 2, 3], Widget.SELECT, "text"),
        (bool, Widget.SWITCH, "text"),
        (list[Literal["a", "b"]], Widget.CHECKBOXES, "text"),
        (list[str], Widget.LINES, "text"),
        (tuple[str, ...], Widget.LINES, "text"),
        (int, Widget.INPUT, "number"),
        (float, Widget.INPUT, "number"),
        (Annotated[str, Field(json_schema_extra={"format": "uri"})], Widget.INPUT, "url"),
        (Annotated[str, Field(json_schema_extra={"format": "email"})], Widget.INPUT, "email"),
        (date, Widget.INPUT, "date"),
        (datetime, Widget.INPUT, "datetime-local"),
        (Secret, Widget.INPUT, "password"),
        (Annotated[str, Field(json_schema_extra={"writeOnly": True})], Widget.INPUT, "password"),
        (Annotated[str, Field(json_schema_extra={"format": "textarea"})], Widget.TEXTAREA, "text"),
        (Annotated[str, Field(max_length=201)], Widget.TEXTAREA, "text"),
        (Annotated[str, Field(max_length=200)], Widget.INPUT, "text"),
        (Inner, Widget.OBJECT, "text"),
        (str, Widget.INPUT, "text"),
    ],
)
def test_each_schema_has_its_widget(annotation: Any, widget: Widget, input_type: str) -> None:
    found = field_of(annotation)
    assert (found.widget, found.input_type) == (widget, input_type)


@pytest.mark.parametrize(
    ("schema", "widget"),
    [
        ({"type": "string", "format": "x509-pem", "readOnly": True}, Widget.COPY),
        ({"type": "string", "format": "uri", "enum": ["https://a", "https://b", "https://c"]}, Widget.SELECT),
        ({"type": "string", "format": "uri", "maxLength": 2083}, Widget.INPUT),
        ({"type": "string", "format": "password", "maxLength": 500}, Widget.INPUT),
    ],
)
def test_the_first_row_that_fits_decides(schema: dict[str, Any], widget: Widget) -> None:
    assert next(row for row in ROWS if row.matches(schema)).widget is widget


def test_the_table_has_the_rows_of_the_design_and_one_for_files() -> None:
    assert len(ROWS) == 15


@pytest.mark.parametrize(
    "annotation",
    [str | None, int | None, Literal["a", "b"] | None, Inner | None, Secret | None, Literal["a", "b", None]],  # noqa: PYI061  written so by plugins too
)
def test_a_field_that_may_be_none_is_shown_as_its_type_and_optional(annotation: Any) -> None:
    found = field_of(annotation)
    assert found.nullable
    assert not found.required


def test_title_description_example_and_default_become_label_help_placeholder_and_first_value() -> None:
    found = field_of(str, field=Field("red", title="Colour", description="As it\n is painted.", examples=["blue", "x"]))
    assert (found.label, found.help, found.placeholder, found.default) == ("Colour", "As it is painted.", "blue", "red")
    assert not found.required


def test_a_class_name_or_docstring_is_never_shown() -> None:
    found = field_of(Inner)
    assert (found.label, found.help) == ("Value", "")


def test_labels_and_helps_of_values_come_from_the_hints() -> None:
    found = field_of(
        Literal["on", "not_yet", "off"],
        field=Field("on", json_schema_extra=ui(labels={"on": "Yes"}, helps={"off": "Never."})),
    )
    assert [(option.text, option.label, option.help) for option in found.options] == [
        ("on", "Yes", ""),
        ("not_yet", "Not yet", ""),
        ("off", "Off", "Never."),
    ]


@pytest.mark.parametrize("annotation", [TileClicks, TileClicks | None])
def test_what_a_tile_click_does_is_explained_by_the_host(annotation: Any) -> None:
    found = field_of(annotation, field=Field(Unsolicited.BOUNCE, json_schema_extra=ui(width="half")))
    assert (found.widget, found.default) == (Widget.RADIO, "bounce")
    assert [(option.text, option.label) for option in found.options] == [
        ("accept", "Sign them in"),
        ("bounce", "Start a new sign-in here"),
        ("refuse", "Refuse"),
    ]
    assert all(option.help for option in found.options)


def test_a_plugin_may_explain_a_tile_click_in_its_own_words() -> None:
    extra = ui(labels={"accept": "Yes"}, helps={"accept": "At once."})
    found = field_of(TileClicks, field=Field(Unsolicited.ACCEPT, json_schema_extra=extra))
    assert [(option.label, option.help) for option in found.options] == [
        ("Yes", "At once."),
        ("Bounce", ""),
        ("Refuse", ""),
    ]


def test_bounds_of_whole_numbers_are_inclusive() -> None:
    found = field_of(int, field=Field(3, gt=0, lt=10, multiple_of=3))
    assert (found.minimum, found.maximum, found.step) == (1, 9, 3)


def test_groups_stand_in_the_order_of_the_tab_and_one_without_fields_is_left_out() -> None:
    form = form_of(
        str,
        field=Field(title="Late", json_schema_extra=ui(group="b")),
        config=tab(Group("a", "First"), Group("b", "Second"), Group("c", "Third"), note=Note("So it is", "Thus.")),
        early=(str, Field(json_schema_extra=ui(group="a"))),
        loose=(str, ...),
    )
    assert [group.title for group in form.tabs[0].groups] == ["", "First", "Second"]
    assert form.tabs[0].note == Note("So it is", "Thus.")


def test_an_unknown_hint_is_ignored_with_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = field_of(str, field=Field(json_schema_extra={"ui": {"sparkle": True, "width": "third"}}))
    assert found.width == ""
    assert "'sparkle' on main.value is ignored" in caplog.text
    assert "'third' on main.value is ignored" in caplog.text


def test_the_fields_decide_which_endpoints_there_are() -> None:
    plain = form_of(str)
    saml = form_of(SignInUrl, certificate=(SigningCertificates, ...), acs=(AcsUrl, ...), audience=(Audience, ...))
    scim = form_of(ScimBaseUrl)
    assert (plain.saml, plain.scim) == (False, False)
    assert (saml.saml, saml.scim) == (True, False)
    assert (scim.saml, scim.scim) == (False, True)


class Deep(BaseModel):
    inner: Inner = Field(title="Inner")


class Deeper(BaseModel):
    deep: Deep = Field(title="Deep")


class Itself(BaseModel):
    again: Itself | None = None


@dataclass
class Plain:
    word: str


class Unknown:
    """A type that pydantic does not know."""


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bytes, "main.value: string of format binary cannot be shown in a form"),
        (Decimal, "main.value: it may be number or string; a field has one type, or that and None"),
        (int | str, "main.value: it may be integer or string"),
        (dict[str, int], "main.value: a mapping cannot be shown in a form"),
        (Any, "main.value: a value of any type cannot be shown in a form"),
        (list[int], "main.value: array of integer cannot be shown in a form"),
        (list[Inner], "main.value: array of object cannot be shown in a form"),
        (list[Secret], "main.value: a list of secrets or bytes cannot be shown in a form"),
        (tuple[str, int], "main.value: array cannot be shown in a form"),
        (Plain, "main.value: an object must be a pydantic model"),
        (Deep, "main.value.inner: a model inside a model inside a tab is too deep; one level is shown"),
        (Itself, "main.value.again: a model inside a model inside a tab is too deep"),
        (Literal["a", ""], "main.value: an empty text cannot be chosen in a form"),
        (Literal[1, "1"], "main.value: values are written as '1' twice"),
        (Literal[True], "main.value: the value True cannot be chosen in a form"),
        (
            Annotated[str, Field(json_schema_extra={"siq": "magic"})],
            "main.value: 'magic' is no meaning that the host knows",
        ),
        (Annotated[str, Field(json_schema_extra={"ui": "half"})], "main.value: its hints must be made with ui(...)"),
        (Annotated[str, Field(json_schema_extra={"ui": {"group": 3}})], "main.value: the hint 'group' must be a str"),
    ],
)
def test_a_type_that_cannot_be_shown_or_stored_is_refused_with_field_and_reason(annotation: Any, words: str) -> None:
    assert words in reason(annotation)


def test_an_arbitrary_type_is_refused() -> None:
    config = ConfigDict(arbitrary_types_allowed=True)
    assert "pydantic makes no JSON schema of the model" in reason(Unknown, config=config)


def test_a_default_that_cannot_be_stored_is_refused() -> None:
    assert "not JSON serializable" in reason(str, field=Field(Unknown()))
    assert "value: its default cannot be made or stored (ZeroDivisionError)" in reason(
        str, field=Field(default_factory=lambda: 1 / 0)
    )


@pytest.mark.parametrize("annotation", [str, Inner | None, list[Inner], dict[str, str]])
def test_a_tab_that_is_no_model_is_refused(annotation: Any) -> None:
    with pytest.raises(PluginBroken, match="main: a tab must be a pydantic model, always there"):
        Form.compile(create_model("Config", main=(annotation, ...)), "plugin.py")


def test_a_model_without_tabs_is_refused() -> None:
    with pytest.raises(PluginBroken, match="the model has no fields"):
        Form.compile(create_model("Config"), "plugin.py")


def test_a_group_that_the_tab_does_not_declare_is_refused() -> None:
    field = Field(json_schema_extra=ui(group="mine"))
    assert "main.value: the group 'mine' is not declared by the tab (declared: yours)" in reason(
        str, field=field, config=tab(Group("yours", "Yours"))
    )


def test_two_fields_of_one_label_are_refused() -> None:
    assert "main: fields have the label 'name' twice" in reason(
        str, field=Field(title="Name"), other=(str, Field(title="NAME"))
    )


def test_two_tabs_of_one_title_are_refused() -> None:
    model = create_model("Config", a=(Inner, Field(title="Main")), b=(Inner, Field(title="Main")))
    with pytest.raises(PluginBroken, match="tabs have the title 'main' twice"):
        Form.compile(model, "plugin.py")


def test_two_groups_of_one_key_are_refused() -> None:
    assert "main: groups have the key 'a' twice" in reason(str, config=tab(Group("a", "A"), Group("a", "B")))


def test_an_alias_is_refused_because_it_would_hide_what_is_stored() -> None:
    assert "main.other: it has an alias" in reason(str, field=Field(alias="other"))


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        ({"nobody": True}, "show_if names 'nobody', which is no field above it"),
        ({"value": True}, "show_if names 'value', which is no field above it"),
        ({"mode": "c"}, "show_if asks 'mode' for 'c', which it can never be"),
        ({"text": "x"}, "show_if asks 'text' for 'x', which it can never be"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(hint: dict[str, Any], words: str) -> None:
    class Tab(BaseModel):
        mode: Literal["a", "b"] = "a"
        text: str = ""
        value: str = Field("", json_schema_extra=ui(show_if=hint))

    with pytest.raises(PluginBroken) as refused:
        Form.compile(create_model("Config", main=(Tab, ...)), "plugin.py")
    assert f"main.value: {words}" in refused.value.public


def test_a_required_field_that_is_not_always_shown_is_refused() -> None:
    class Tab(BaseModel):
        on: bool = False
        value: str = Field(json_schema_extra=ui(show_if={"on": True}))

    with pytest.raises(PluginBroken, match=r"main\.value: a field that is not always shown must be optional"):
        Form.compile(create_model("Config", main=(Tab, ...)), "plugin.py")


def test_a_read_only_field_that_nobody_fills_is_refused() -> None:
    assert "it is read-only, but the host does not fill it" in reason(
        Annotated[str, Field(json_schema_extra={"readOnly": True})]
    )


def test_a_sign_in_without_all_its_fields_is_refused() -> None:
    assert "a sign-in needs a SignInUrl, SigningCertificates and an AcsUrl; missing: acs_url" in reason(
        SignInUrl, certificate=(SigningCertificates, ...)
    )


def test_single_logout_without_all_its_fields_is_refused() -> None:
    sign_in: dict[str, Any] = {"certificate": (SigningCertificates, ...), "acs": (AcsUrl, ...)}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"out": (SingleLogoutUrl, ...)}, "single_logout_service_url, sp_certificate"),
        ({"out": (SingleLogoutUrl, ...), "ours": (SingleLogoutServiceUrl, ...)}, "sp_certificate"),
        ({"ours": (SingleLogoutServiceUrl, ...), "key": (ServiceProviderCertificate, ...)}, "single_logout_url"),
    ]
    for fields, missing in cases:
        assert reason(SignInUrl, **(sign_in | fields)).endswith(f"ServiceProviderCertificate; missing: {missing}.")


def test_a_sign_in_spread_over_two_tabs_is_refused() -> None:
    one = create_model("One", url=(SignInUrl, ...), acs=(AcsUrl, ...))
    two = create_model("Two", certificate=(SigningCertificates, ...))
    with pytest.raises(PluginBroken, match="must be fields of one tab"):
        Form.compile(create_model("Config", one=(one, ...), two=(two, ...)), "plugin.py")


def test_two_fields_of_one_meaning_are_refused() -> None:
    assert "main.other: a second field means sign_in_url" in reason(
        SignInUrl, certificate=(SigningCertificates, ...), acs=(AcsUrl, ...), other=(SignInUrl, ...)
    )


def test_a_field_with_a_meaning_inside_a_nested_model_is_refused() -> None:
    inner = create_model("Inner", url=(LoginUrl, Field(title="Login")))
    assert "main.value.url: this type means something to the host" in reason(inner)


def test_a_nested_name_that_would_repeat_an_element_id_is_refused() -> None:
    inner = create_model("Inner", help=(str, ""))
    assert "main.value.help: a field of a nested model cannot have this name" in reason(inner)


def test_a_name_that_the_host_uses_for_metadata_is_refused() -> None:
    assert "fields are sent under the name 'main.metadata' twice" in reason(
        SignInUrl, certificate=(SigningCertificates, ...), acs=(AcsUrl, ...), metadata=(str, "")
    )
