from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.web import filters

NOW = datetime(2026, 11, 24, 9, 41, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(0), "Just now"),
        (timedelta(minutes=24), "24 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=1), "23 Nov"),
        (timedelta(days=400), "20 Oct 2025"),
        (timedelta(seconds=-30), "Just now"),
    ],
)
def test_times_are_relative_for_a_day_and_then_a_date(before: timedelta, words: str) -> None:
    assert filters.ago(NOW - before, NOW) == words


def test_the_exact_time_is_utc() -> None:
    assert filters.stamp(NOW) == "24 Nov 2026, 09:41:15 UTC"
    assert filters.iso(NOW) == "2026-11-24T09:41:15Z"


@pytest.mark.parametrize(
    ("text", "other", "marked"),
    [
        ("https://a/x1", "https://a/y2", "https://a/<mark>x1</mark>"),
        ("same", "same", "same"),
        ("abc", "", "abc"),
        ("abXc", "abc", "ab<mark>X</mark>c"),
        ("abc", "abXc", "abc"),
        ("<b>", "<i>", "&lt;<mark>b</mark>&gt;"),
    ],
)
def test_what_differs_is_marked(text: str, other: str, marked: str) -> None:
    assert filters.difference(text, other) == marked


def test_xml_is_indented_coloured_and_escaped() -> None:
    shown = filters.xml('<a:R ID="x&amp;y"><b>"quoted" &lt;script></b><c/></a:R>')
    assert (
        '<span class="t">&lt;a:R</span> <span class="a">ID</span>=<span class="s">&#34;x&amp;amp;y&#34;</span>' in shown
    )
    assert "\n  <span" in shown
    assert "<script" not in shown


def test_what_did_not_fit_is_marked_in_the_xml() -> None:
    assert "<mark>https://e/&amp;lt;i&amp;gt;</mark>" in filters.xml("<A>https://e/&lt;i&gt;</A>", "https://e/<i>")
    assert "<mark>there</mark>" in filters.xml('<A Destination="https://there/acs"/>', "there")
    assert "<mark>" not in filters.xml("<span>class</span>", "s")


@pytest.mark.parametrize(
    "hostile",
    ["<" * 5000, "<a " * 3000, '<a b="' * 2000, "><" * 10_000, "<!--" * 1000, "<" + "a" * 32_000, "<" + "a " * 16_000],
)
def test_hostile_xml_is_shown_quickly(hostile: str) -> None:
    assert "<a" not in filters.xml(hostile)


def test_capabilities_are_a_line() -> None:
    assert filters.capabilities(("SSO", "Provisioning")) == "Single sign-on and provisioning"
    assert filters.capabilities(()) == ""


def test_a_query_holds_what_is_not_empty() -> None:
    assert filters.query("/users", q="a b", status="", page=None) == "/users?q=a+b"
    assert filters.query("/users") == "/users"
