from __future__ import annotations

import pytest

from core import settings
from core.errors import SettingsInvalid


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SIQ_PUBLIC_URL", "siq.example", "SIQ_PUBLIC_URL: must be an origin such as https://siq.example.com."),
        ("SIQ_PUBLIC_URL", "https://siq.example/path", "SIQ_PUBLIC_URL: must be an origin"),
        ("SIQ_PUBLIC_URL", "ftp://siq.example", "SIQ_PUBLIC_URL: must be an origin"),
        ("SIQ_DATABASE_URL", "mysql://db/siq", "SIQ_DATABASE_URL: must begin with sqlite:/// or postgresql://"),
        ("SIQ_SECRET_KEYS", "short", "SIQ_SECRET_KEYS: must be secrets of at least 32 characters"),
        ("SIQ_CLOCK_SKEW_SECONDS", "3000", "SIQ_CLOCK_SKEW_SECONDS: "),
        ("SIQ_SESSION_HOURS", "soon", "SIQ_SESSION_HOURS: "),
        ("SIQ_LOG_FORMAT", "xml", "SIQ_LOG_FORMAT: "),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as stopped:
        settings.read()
    assert stopped.value.public.startswith(sentence)
    assert "\n" not in stopped.value.public
    assert stopped.value.public.endswith(".")


def test_a_bad_secret_is_not_repeated_in_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIQ_SECRET_KEYS", "hunter2")
    with pytest.raises(SettingsInvalid) as stopped:
        settings.read()
    assert "hunter2" not in stopped.value.public


def test_postgresql_addresses_are_spoken_by_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIQ_DATABASE_URL", "postgres://siq@db/siq")
    assert settings.read().database == "postgresql+psycopg://siq@db/siq"


def test_secrets_do_not_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIQ_SECRET_KEYS", "k" * 40)
    monkeypatch.setenv("SIQ_METRICS_TOKEN", "t" * 40)
    printed = repr(settings.read())
    assert "k" * 40 not in printed
    assert "t" * 40 not in printed
