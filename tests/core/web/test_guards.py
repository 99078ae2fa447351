from __future__ import annotations

import httpx
import pytest

from core.store.tables import Role
from tests.website import Website, post, text_of, token

ACTIVATE = "/settings/integrations/aws_sso/activate"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(nobody: httpx.Client) -> None:
    answer = nobody.get("/settings/integrations/catalog?q=aws")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/signin?next=%2Fsettings%2Fintegrations%2Fcatalog%3Fq%3Daws"


def test_a_post_after_the_session_ended_is_told_that_the_text_is_still_there(site: Website) -> None:
    with site.signed_in() as browser:
        csrf = token(browser.get(ACTIVATE))
        post(browser, "/signout", page="/")
        answer = browser.post(ACTIVATE, data={"csrf": csrf, "intent": "activate"})
    assert answer.status_code in (401, 403)
    assert "Nothing was saved" in answer.text


@pytest.mark.parametrize("path", ["/theme", "/signout", "/signin", ACTIVATE, "/settings/integrations/aws_sso/disable"])
def test_a_form_without_a_token_is_refused(admin: httpx.Client, path: str) -> None:
    answer = admin.post(path, data={"theme": "dark"})
    assert answer.status_code == 403
    assert "This form is out of date" in answer.text


def test_a_token_of_another_browser_is_refused(site: Website, admin: httpx.Client, nobody: httpx.Client) -> None:
    with site.signed_in() as same_person:
        others = (token(nobody.get("/signin")), token(same_person.get("/")))
    for other in others:
        assert admin.post("/theme", data={"theme": "dark", "csrf": other}).status_code == 403


@pytest.mark.parametrize("place", [3, -9])
def test_a_token_that_was_changed_is_refused(admin: httpx.Client, place: int) -> None:
    good = token(admin.get("/"))
    other = "A" if good[place] != "A" else "B"  # not the last one: some of its bits mean nothing in base64
    changed = good[:place] + other + good[place:][1:]
    assert admin.post("/theme", data={"theme": "dark", "csrf": changed}).status_code == 403


def test_a_refused_form_brings_a_token_that_works(admin: httpx.Client) -> None:
    refused = admin.post("/theme", data={"theme": "dark"})
    again = admin.post("/theme", data={"theme": "dark", "csrf": refused.headers["x-form-token"]})
    assert again.status_code == 303


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("text/plain", b"csrf=1"),
        ("multipart/form-data", b"--x"),
        ("multipart/form-data; boundary=x", b"--y\r\nnothing"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(2000))),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_with_400(admin: httpx.Client, kind: str, body: bytes) -> None:
    answer = admin.post(ACTIVATE, content=body, headers={"content-type": kind})
    assert answer.status_code == 400
    assert "The request cannot be read" in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("body", [b"csrf=%ff%fe&intent=%00", b"csrf=" + b"A" * 1000, "csrf=\u2028é".encode()])
def test_strange_bytes_in_a_form_are_no_failure_of_ours(admin: httpx.Client, body: bytes) -> None:
    assert admin.post(ACTIVATE, content=body, headers=FORM).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/settings/integrations",
        "/settings/integrations/catalog",
        "/settings/integrations/aws_sso",
        ACTIVATE,
        "/settings/integrations/aws_sso/disable",
        "/settings/integrations/aws_sso/guide",
        "/settings/integrations/aws_sso/icon",
        "/settings/integrations/aws_sso/attempts/0123456789AB",
        "/users",
        "/audit",
    ],
)
def test_a_viewer_gets_403_and_who_can_help(viewer: httpx.Client, path: str) -> None:
    answer = viewer.get(path)
    assert answer.status_code == 403
    assert "Admin or IT" in text_of(answer)


def test_a_viewer_cannot_activate(viewer: httpx.Client) -> None:
    assert post(viewer, ACTIVATE, {"intent": "activate"}, page="/").status_code == 403


def test_a_viewer_sees_no_integrations_in_the_navigation(viewer: httpx.Client) -> None:
    for path in ("/", "/settings"):
        page = viewer.get(path)
        assert page.status_code == 200
        assert "/settings/integrations" not in page.text


@pytest.mark.parametrize("role", [Role.ADMIN, Role.IT])
def test_admin_and_it_reach_the_catalog(site: Website, role: Role) -> None:
    with site.signed_in(role) as browser:
        assert browser.get("/settings/integrations/catalog").status_code == 200


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMIN, Role.IT)])
def test_no_other_role_reaches_the_catalog(site: Website, role: Role) -> None:
    with site.signed_in(role) as browser:
        assert browser.get("/settings/integrations/catalog").status_code == 403


def test_the_profile_name_opens_a_menu_with_role_settings_theme_and_sign_out(admin: httpx.Client) -> None:
    page = admin.get("/").text
    menu = page[page.index('id="profile" popover') :].partition("</div>\n</header>")[0]
    for part in ("Maya Okafor", "Admin", 'href="/settings"', 'action="/theme"', 'action="/signout"'):
        assert part in menu
