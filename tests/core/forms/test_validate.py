"""Values become the plugin's configuration, or sentences."""

from __future__ import annotations

import typing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, create_model, field_validator
from pydantic_core import core_schema

from core.errors import PluginMisbehaved
from core.forms import Form, FormInvalid, Values
from core.forms.sentences import OTHERWISE, SENTENCES
from core.plugin_api import Kind, ValueRejected
from core.testing.identity_provider import IdentityProvider
from tests.core.forms.conftest import NOW, SIGN_IN_URL, SITE


def errors(form: Form, values: Values) -> dict[str, str]:
    with pytest.raises(FormInvalid) as invalid:
        form.validate(values, SITE, NOW)
    return {error.field: error.sentence for error in invalid.value.errors}


def test_a_configuration_has_the_entered_values_and_those_of_the_host(everything: Form, good: Values) -> None:
    good["everything"] |= {"until": "2026-05-31T14:30Z", "proxy": {"host": "p"}, "size": 500, "events": ["deleted"]}
    config: Any = everything.validate(good, SITE, NOW)
    tab = config.everything
    assert (tab.login_url, tab.scim_base_url, tab.token) == (SITE.login_url, SITE.scim_base_url, "")
    assert tab.until == datetime(2026, 5, 31, 14, 30, tzinfo=UTC)
    assert (tab.proxy.host, tab.proxy.port, tab.proxy.password) == ("p", 3128, None)
    assert (tab.size.value, tab.events) == (500, {"deleted"})
    assert isinstance(tab.api_key, SecretStr)
    assert everything.value(config, Kind.LOGIN_URL) == SITE.login_url
    assert everything.value(config, Kind.SIGN_IN_URL) is None


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("webhook", None, "Enter the Webhook URL"),
        ("webhook", "example.com/hook", "Enter the Webhook URL with https:// at the start"),
        ("webhook", "http://example.com", "Enter the Webhook URL with https:// at the start"),
        ("webhook", "https://a b", "Enter the Webhook URL without spaces or line breaks"),
        (
            "webhook",
            "https://u:p@example.com",
            "Enter the Webhook URL as a complete address, without a user name in it",
        ),
        ("webhook", "https://e.example/" + "x" * 2048, "Enter an address of at most 2,048 characters"),
        ("directory", "https://example.com", "Enter the Directory with ldaps:// or ldap:// at the start"),
        ("directory", "ldap://[directory", "Enter the Directory as a complete address"),
        ("contact", "ada", "Enter an e-mail address like name@example.com"),
        ("recipients", ["a@example.com", "b"], "Line 2: Enter an e-mail address like name@example.com"),
        ("recipients", ["a@example.com"] * 4, "Enter at most 3: Recipients"),
        ("retries", "many", "Enter a whole number"),
        ("retries", 11, "Enter a number of at most 10"),
        ("retries", -1, "Enter a number of at least 0"),
        ("factor", "nan", "Enter a number"),
        ("factor", 0, "Enter a number above 0"),
        ("factor", 0.7, "Enter a multiple of 0.5"),
        ("since", "yesterday", "Enter a date, such as 2026-05-31"),
        ("since", "1700000000", "Enter a date, such as 2026-05-31"),
        ("until", "noon", "Enter a date and a time, such as 2026-05-31 14:30"),
        ("mode", "weekly", "Choose one of the values in the list"),
        ("size", 11, "Choose one of the values in the list"),
        ("region", "mars", "Choose one of the values in the list"),
        ("events", ["created", "lost"], "Choose one of the values in the list"),
        ("enabled", "perhaps", "Choose on or off"),
        ("message", "x" * 401, "Enter at most 400 characters"),
        ("name", "a", "Enter at least 2 characters"),
        ("name", "Ada", "Enter the name in small letters"),
        ("footer", "x" * 65_537, "Enter at most 65,536 characters"),
        ("footer", "a\x00b", "Enter the Footer without control characters"),
        ("certificate", "hello", None),
    ],
)
def test_a_wrong_value_gets_a_sentence_that_says_what_to_do(
    everything: Form, good: Values, field: str, value: Any, sentence: str | None
) -> None:
    good["everything"][field] = value
    if value is None:
        del good["everything"][field]
    found = errors(everything, good)
    assert list(found) == [f"everything.{field}"]
    if sentence:
        assert found[f"everything.{field}"] == sentence


def test_a_wrong_value_inside_a_nested_object_is_said_there(everything: Form, good: Values) -> None:
    good["everything"]["proxy"] = {"port": 70_000}
    assert errors(everything, good) == {"everything.proxy.port": "Enter a number of at most 65535"}


def test_the_url_scheme_that_the_plugin_allows_is_taken(everything: Form, good: Values) -> None:
    good["everything"]["directory"] = "ldap://directory.example"
    everything.validate(good, SITE, NOW)


def test_all_problems_are_found_at_once_in_the_order_of_the_form(aws: Form) -> None:
    problem = aws.error("sso.certificate", "The certificate file must be smaller than 64 KB")
    with pytest.raises(FormInvalid) as invalid:
        aws.validate({"sso": {"portal_url": "start"}}, SITE, NOW, [problem])
    assert [(e.id, e.sentence) for e in invalid.value.errors] == [
        ("sso-sign_in_url", "Enter the sign-in URL"),
        ("sso-certificate", "The certificate file must be smaller than 64 KB"),
        ("sso-portal_url", "Enter the Amazon AWS Portal URL with https:// at the start"),
    ]
    assert invalid.value.values == {"sso": {"portal_url": "start"}}


def test_problems_of_reading_alone_stop_the_activation(aws: Form, provider: IdentityProvider) -> None:
    values = {"sso": {"sign_in_url": SIGN_IN_URL, "certificate": provider.certificate_pem}}
    aws.validate(values, SITE, NOW)
    with pytest.raises(FormInvalid):
        aws.validate(values, SITE, NOW, [aws.error("sso.metadata", "This is no metadata")])


def test_an_expired_certificate_is_refused_at_activation_and_still_loads(aws: Form, expired: IdentityProvider) -> None:
    values = {"sso": {"sign_in_url": SIGN_IN_URL, "certificate": expired.certificate_pem}}
    assert errors(aws, values)["sso.certificate"].startswith("This certificate expired on 25 October 2026")
    config: Any = aws.load(values, SITE)
    assert config.sso.sign_in_url == SIGN_IN_URL
    assert aws.value(config, Kind.SIGN_IN_URL) == SIGN_IN_URL


def test_a_stored_configuration_that_no_longer_fits_is_refused_by_name(aws: Form) -> None:
    with pytest.raises(FormInvalid) as invalid:
        aws.load({"sso": {"sign_in_url": SIGN_IN_URL}}, SITE)
    assert str(invalid.value) == "sso.certificate: Paste the X.509 Certificate, or choose its file"


def test_a_stored_value_whose_condition_does_not_hold_is_not_used(everything: Form, good: Values) -> None:
    good["everything"] |= {"mode": "daily", "times": ["06:00"]}
    config: Any = everything.validate(good, SITE, NOW)
    assert config.everything.times == []


def test_the_plugins_own_sentence_about_the_whole_tab_is_shown_at_the_tab(everything: Form, good: Values) -> None:
    good["everything"] |= {"mode": "custom"}
    with pytest.raises(FormInvalid) as invalid:
        everything.validate(good, SITE, NOW)
    (error,) = invalid.value.errors
    assert (error.field, error.id, error.label) == ("everything", "tab-everything", "Everything")
    assert error.sentence == "Enter at least one report time, or choose another report"


class Checked(BaseModel):
    word: str = Field("", title="Word")

    @field_validator("word")
    @classmethod
    def _check(cls, value: str) -> str:
        if value == "rejected":
            raise ValueRejected("Enter another word")
        if value == "crash":
            raise KeyError(value)
        return str(int(value))


def checked() -> Form:
    return Form.compile(create_model("Config", main=(Checked, ...)), Path("plugin.py"))


def test_a_validators_own_words_are_shown_only_when_it_wrote_them_for_people() -> None:
    assert errors(checked(), {"main": {"word": "rejected"}}) == {"main.word": "Enter another word"}
    assert errors(checked(), {"main": {"word": "seven"}}) == {"main.word": "Check the Word: this value cannot be used"}


def test_a_validator_that_crashes_is_the_plugins_fault() -> None:
    with pytest.raises(PluginMisbehaved, match="raised KeyError") as misbehaved:
        checked().validate({"main": {"word": "crash"}}, SITE, NOW)
    assert "crash" not in misbehaved.value.public


def test_every_sentence_follows_the_rules_of_the_words() -> None:
    for sentence in (*SENTENCES.values(), OTHERWISE):
        assert not sentence.endswith(".")
        assert "please" not in sentence.lower()
        assert "!" not in sentence


def test_every_error_type_in_the_table_is_one_of_pydantic_or_of_the_host() -> None:
    known = set(typing.get_args(core_schema.ErrorType))
    ours = {"certificate", "control_characters", "email", "entity_id", "text_too_long", "url_characters", "url_schemes"}
    ours |= {"certificate_file_size", "metadata_file_size"}
    assert set(SENTENCES) <= known | ours
