"""What the templates get."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from core.forms import FieldView, Form, FormView, SecretView, Values
from core.plugin_api import Kind
from core.testing.identity_provider import IdentityProvider
from tests.core.forms.conftest import NOW, SIGN_IN_URL, SITE


def fields(view: FormView) -> dict[str, FieldView]:
    top = [field for tab in view.tabs for group in tab.groups for field in group.fields]
    return {field.name: field for outer in top for field in (outer, *outer.fields)}


def secret(view: FormView, name: str) -> SecretView:
    found = fields(view)[f"everything.{name}"].secret
    assert found
    return found


def test_the_first_view_has_defaults_and_the_hosts_values(aws: Form) -> None:
    shown = fields(aws.view({}, SITE, now=NOW))
    assert shown["sso.acs_url"].value == SITE.acs_url
    assert shown["sso.audience"].value == SITE.audience
    assert shown["provisioning.base_url"].value == SITE.scim_base_url
    assert shown["sso.sign_in_url"].value == ""


def test_names_and_ids_are_those_of_the_design(everything: Form) -> None:
    for field in fields(everything.view({}, SITE, now=NOW)).values():
        assert field.name.startswith("everything.")
        assert field.id == field.name.replace(".", "-")


def test_numbered_groups_count_and_the_others_do_not(everything: Form) -> None:
    (tab,) = everything.view({}, SITE, now=NOW).tabs
    assert [(group.number, group.title) for group in tab.groups] == [
        (1, "Read-only values"),
        (2, "Choices"),
        (3, "Texts and numbers"),
        (None, "Nested"),
    ]
    assert tab.groups[0].has(Kind.SCIM_BASE_URL)
    assert tab.groups[0].has("scim_token")
    assert not tab.groups[1].has(Kind.SCIM_BASE_URL)


def test_only_optional_fields_carry_a_mark(aws: Form, everything: Form) -> None:
    marked = {name for name, field in fields(aws.view({}, SITE, now=NOW)).items() if field.optional_mark}
    assert marked == {"sso.portal_url", "sso.redirect_url"}
    shown = fields(everything.view({}, SITE, now=NOW))
    assert shown["everything.region"].optional_mark
    assert not shown["everything.retries"].optional_mark
    assert not shown["everything.enabled"].optional_mark


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("size", 500, "500"),
        ("enabled", False, False),
        ("events", ["deleted"], ("deleted",)),
        ("recipients", ["a@example.com", "b@example.com"], "a@example.com\nb@example.com"),
        ("retries", 4, "4"),
        ("retries", "many", "many"),
        ("factor", 2.0, "2"),
        ("factor", 2.5, "2.5"),
        ("until", "2026-05-31T14:30Z", "2026-05-31T14:30"),
        ("region", None, ""),
        ("message", "two\nlines", "two\nlines"),
    ],
)
def test_values_are_shown_as_a_form_sends_them(everything: Form, field: str, value: Any, shown: Any) -> None:
    assert fields(everything.view({"everything": {field: value}}, SITE, now=NOW))[f"everything.{field}"].value == shown


def test_an_optional_choice_can_be_unset(everything: Form) -> None:
    shown = fields(everything.view({}, SITE, now=NOW))
    assert [(o.value, o.label) for o in shown["everything.region"].options][:2] == [
        ("", "Not set"),
        ("europe", "Europe"),
    ]
    assert [o.value for o in shown["everything.size"].options] == ["10", "500"]


def test_conditions_are_written_for_the_script(everything: Form) -> None:
    assert fields(everything.view({}, SITE, now=NOW))["everything.times"].show_if == "everything.mode=custom"


def test_secrets_are_never_sent_back(everything: Form) -> None:
    values: Values = {"everything": {"api_key": "hunter2", "proxy": {"password": "hunter3"}}}
    at = datetime(2026, 8, 3, tzinfo=UTC)
    view = everything.view(values, SITE, now=NOW, stored=values, stored_at=at)
    assert "hunter" not in str(asdict(view))
    assert secret(view, "api_key").note == "Set on 3 Aug. Leave empty to keep it."
    assert secret(view, "proxy.password").note == "Set on 3 Aug. Leave empty to keep it."
    assert everything.without_secrets(values)["everything"] == {"api_key": "set", "proxy": {"password": "set"}}


def test_a_secret_that_is_not_stored_yet_is_not_called_set(everything: Form) -> None:
    typed = secret(everything.view({"everything": {"api_key": "typed"}}, SITE, now=NOW), "api_key")
    assert (typed.is_set, typed.note) == (False, "Not saved yet: type it again.")
    assert secret(everything.view({}, SITE, now=NOW), "api_key").note == ""


def test_a_secret_that_was_typed_over_a_stored_one_has_to_be_typed_again(everything: Form) -> None:
    stored: Values = {"everything": {"api_key": "old"}}
    at = datetime(2026, 8, 3, tzinfo=UTC)
    view = everything.view({"everything": {"api_key": "new"}}, SITE, now=NOW, stored=stored, stored_at=at)
    assert secret(view, "api_key").note == "Not saved yet: type it again. Empty keeps the one of 3 Aug."


def test_only_a_secret_that_is_optional_and_stored_can_be_removed(everything: Form) -> None:
    stored: Values = {"everything": {"api_key": "x", "proxy": {"password": "y"}}}
    at = datetime(2026, 8, 3, tzinfo=UTC)
    view = everything.view(stored, SITE, now=NOW, stored=stored, stored_at=at)
    assert secret(view, "api_key").remove_name == ""
    assert secret(everything.view({}, SITE, now=NOW), "proxy.password").remove_name == ""
    offered = secret(view, "proxy.password")
    assert (offered.remove_name, offered.removed) == ("everything.proxy.password.remove", False)
    again = everything.view({"everything": {"api_key": "x", "proxy": None}}, SITE, now=NOW, stored=stored, stored_at=at)
    assert secret(again, "proxy.password").removed


def test_a_secret_of_another_year_says_the_year(everything: Form) -> None:
    values: Values = {"everything": {"api_key": "x"}}
    view = everything.view(values, SITE, now=NOW, stored=values, stored_at=datetime(2025, 8, 3, tzinfo=UTC))
    assert secret(view, "api_key").note == "Set on 3 Aug 2025. Leave empty to keep it."


def test_a_certificate_is_previewed(aws: Form, provider: IdentityProvider) -> None:
    shown = fields(aws.view({"sso": {"certificate": provider.certificate_pem}}, SITE, now=NOW))["sso.certificate"]
    (certificate,) = shown.certificates
    assert "amazonaws.com" in certificate.subject
    assert fields(aws.view({"sso": {"certificate": "hello"}}, SITE, now=NOW))["sso.certificate"].certificates == ()


def test_errors_stand_at_their_field_and_count_on_their_tab_which_opens(aws: Form) -> None:
    errors = [aws.error("sso.portal_url", "B"), aws.error("sso.sign_in_url", "A")]
    view = aws.view({"sso": {"sign_in_url": SIGN_IN_URL}}, SITE, errors, now=NOW)
    assert [(error.label, error.sentence) for error in view.errors] == [
        ("AWS SSO sign-in URL", "A"),
        ("Amazon AWS Portal URL", "B"),
    ]
    assert [(tab.id, tab.error_count) for tab in view.tabs] == [("provisioning", 0), ("sso", 2)]
    assert view.selected == "sso"
    assert fields(view)["sso.sign_in_url"].error == "A"
    assert fields(view)["sso.sign_in_url"].value == SIGN_IN_URL


def test_metadata_is_offered_where_it_can_fill_something(aws: Form, everything: Form) -> None:
    provisioning, sso = aws.view({}, SITE, now=NOW).tabs
    assert provisioning.metadata is None
    assert sso.metadata
    assert (sso.metadata.name, sso.metadata.id) == ("sso.metadata", "sso-metadata")
    assert everything.view({}, SITE, now=NOW).tabs[0].metadata is None


def test_a_time_says_that_it_is_in_utc(everything: Form) -> None:
    assert fields(everything.view({}, SITE, now=NOW))["everything.until"].help == "The time is in UTC."


def test_values_of_an_older_schema_do_not_break_the_view(everything: Form) -> None:
    everything.view({"everything": {"events": 7, "recipients": "x", "proxy": "y", "size": None}}, SITE, now=NOW)
