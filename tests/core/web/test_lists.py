from __future__ import annotations

import httpx
import pytest

from tests.website import text_of


def test_users_are_listed_and_found(viewer: httpx.Client, admin: httpx.Client) -> None:
    assert viewer.get("/").status_code == 200  # so there are two
    page = text_of(admin.get("/users"))
    assert "Maya Okafor" in page
    assert "Viewer Person" in page
    found = text_of(admin.get("/users?q=viewer"))
    assert "viewer@northwind.example" in found
    assert "1 of 1 person" in found
    assert "Nothing matches “zz”" in text_of(admin.get("/users?q=zz"))
    assert "Nobody here" in text_of(admin.get("/users?status=suspended"))


def test_the_audit_log_is_listed_and_found(admin: httpx.Client) -> None:
    page = text_of(admin.get("/audit"))
    assert "Signed in with a one-time link" in page
    assert "Organization created" in page
    assert "Organization created" not in text_of(admin.get("/audit?q=link.sign_in"))
    named = text_of(admin.get("/audit?q=organization CREATED"))  # the words that people read, too
    assert "Organization created" in named
    assert "Signed in with a one-time link" not in named
    nothing = text_of(admin.get("/audit?q=nobody-did-this"))  # a short word may stand in a correlation id
    assert "Nothing matches “nobody-did-this”" in nothing


def test_who_may_not_read_the_audit_log_is_told_who_may(viewer: httpx.Client) -> None:
    answer = viewer.get("/audit")
    assert answer.status_code == 403
    assert "Only people with the role Admin or IT can read the audit log." in text_of(answer)


@pytest.mark.parametrize(
    "query",
    ["before=x", "before=-1", "before=9" + "9" * 40, "before=%F0%9F", "page=0", "page=x", "page=99", "status=%00"],
)
def test_a_nonsense_page_number_is_no_failure(admin: httpx.Client, query: str) -> None:
    assert admin.get(f"/users?{query}").status_code == 200
    assert admin.get(f"/audit?{query}").status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/sso", 404)])
def test_a_page_that_is_not_there_says_so_and_leads_back(
    admin: httpx.Client, nobody: httpx.Client, path: str, status: int
) -> None:
    for browser in (admin, nobody):
        answer = browser.get(path)
        assert answer.status_code == status
        assert "There is no such page" in text_of(answer)
        assert 'href="/"' in answer.text
    assert "Overview" in text_of(admin.get(path))
    assert "Sign-in page" in text_of(nobody.get(path))


def test_a_method_that_a_page_does_not_take_is_a_405(admin: httpx.Client) -> None:
    assert admin.put("/settings").status_code == 405


def test_programs_get_json(nobody: httpx.Client) -> None:
    answer = nobody.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"] == "There is no such page"
