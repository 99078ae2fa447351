from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from core.testing.identity_provider import IdentityProvider
from tests.website import PASSWORD, Website, post, running, text_of

MAYA = "maya.okafor@northwind.example"


def sign_in(browser: httpx.Client, **data: str) -> httpx.Response:
    return post(browser, "/signin", {"email": MAYA, "password": PASSWORD, **data})


def test_an_administrator_signs_in_with_a_password(nobody: httpx.Client) -> None:
    answer = sign_in(nobody)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Hello, Maya Okafor" in text_of(nobody.get("/"))


def test_a_wrong_password_and_an_unknown_person_get_the_same_words_and_the_address_stays(site: Website) -> None:
    pages = []
    for email, password in ((MAYA, "wrong"), ("nobody@elsewhere.example", PASSWORD)):
        with site.browser() as browser:
            answer = sign_in(browser, email=email, password=password)
        assert answer.status_code == 422
        assert f'value="{email}"' in answer.text
        assert password not in answer.text
        pages.append(answer.text)
    assert [("The email address or the password is not right." in page) for page in pages] == [True, True]


@pytest.mark.parametrize(
    ("email", "password", "words"), [("", "x", "Enter your email address"), (MAYA, "", "Enter your password")]
)
def test_an_empty_field_is_named(nobody: httpx.Client, email: str, password: str, words: str) -> None:
    answer = sign_in(nobody, email=email, password=password)
    assert answer.status_code == 422
    assert words in answer.text


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/settings/integrations", "/settings/integrations"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/signout", "/"),
    ],
)
def test_a_person_returns_to_a_page_of_ours_and_nowhere_else(site: Website, wanted: str, given: str) -> None:
    with site.browser() as browser:
        assert sign_in(browser, next=wanted).headers["location"] == given
        assert browser.get("/signin", params={"next": wanted}).headers["location"] == given


def test_guessing_is_slowed_down_with_429(tmp_path: Path) -> None:
    with running(tmp_path) as site, site.browser() as browser:
        statuses = [sign_in(browser, password=f"guess {number}").status_code for number in range(12)]
        assert statuses[0] == 422
        assert statuses[-1] == 429
        assert sign_in(browser).headers["retry-after"]


def test_a_one_time_link_asks_first_works_once_and_is_used_up(site: Website, nobody: httpx.Client) -> None:
    link = site.link()
    for _ in range(2):  # a preview of the link changes nothing
        assert "The link works once" in text_of(nobody.get(link))
    assert post(nobody, link).headers["location"] == "/"
    with site.browser() as other:
        used = other.get(link)
    assert used.status_code == 404
    assert "Ask the operator for a new one" in text_of(used)


def test_signing_out_ends_the_session(site: Website) -> None:
    with site.signed_in() as browser:
        stolen = dict(browser.cookies)
        answer = post(browser, "/signout", page="/")
        assert answer.status_code == 303
        page = browser.get(answer.headers["location"])
        assert "You are signed out" in text_of(page)
        assert browser.get("/").status_code == 303
    assert httpx.get(f"{site.origin}/", cookies=stolen).status_code == 303


def test_signing_out_leads_on_to_the_portal_of_the_provider(tmp_path: Path, provider: IdentityProvider) -> None:
    with running(tmp_path) as site:
        aws = site.activate(provider, portal_url="https://d-93677f1c2a.awsapps.com/start")
        with site.browser() as browser:
            browser.cookies = site.sso(aws, provider).cookies
            answer = post(browser, "/signout", page="/")
            assert answer.headers["location"].startswith(
                "/signed-out?to="
            )  # never straight there: form-action stops it
            page = browser.get(answer.headers["location"])
        assert page.headers["refresh"] == "2; url=https://d-93677f1c2a.awsapps.com/start"
        assert "Continue to d-93677f1c2a.awsapps.com" in text_of(page)


def test_the_signed_out_page_goes_nowhere_for_a_way_on_that_we_did_not_write(nobody: httpx.Client) -> None:
    page = nobody.get("/signed-out", params={"to": '["", "Evil", "https://evil.example"].x.y'})
    assert page.status_code == 200
    assert "refresh" not in page.headers
    assert "evil.example" not in page.text


def test_the_sign_in_page_offers_what_the_organization_has(tmp_path: Path, provider: IdentityProvider) -> None:
    with running(tmp_path) as site, site.browser() as browser:
        assert "Continue with" not in text_of(browser.get("/signin"))
        aws = site.activate(provider)
        page = browser.get("/signin?next=/audit")
        assert "Sign in to Northwind Robotics" in text_of(page)
        assert f'href="/sso/{aws.connection_id}/login?next=%2Faudit"' in page.text


def test_a_portal_without_sso_redirect_shows_its_page(nobody: httpx.Client) -> None:
    page = nobody.get("/portal/northwind")
    assert page.status_code == 200
    assert "Northwind Robotics" in text_of(page)
    assert nobody.get("/portal/unknown").status_code == 404


def test_a_portal_with_sso_redirect_sends_on_once_and_not_after_signing_out(
    tmp_path: Path, provider: IdentityProvider
) -> None:
    with running(tmp_path) as site, site.browser() as browser:
        login = site.activate(provider).site.login_url
        aws = site.activate(provider, redirect_url=login)
        first = browser.get("/portal/northwind")
        assert first.status_code == 303
        assert first.headers["location"] == f"{login}?next=%2Fportal%2Fnorthwind"
        assert "That did not sign you in" in text_of(browser.get("/portal/northwind"))
        assert "Sign in with your company account" in text_of(browser.get("/portal/northwind?local=1"))
        with site.browser() as other:
            other.cookies = site.sso(aws, provider).cookies
            assert other.get("/portal/northwind").headers["location"] == "/"
            post(other, "/signout", page="/")
            assert "You signed out" in text_of(other.get("/portal/northwind"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_a_cookie_that_the_server_renders(admin: httpx.Client, theme: str) -> None:
    answer = post(admin, "/theme", {"theme": theme, "next": "/settings"}, page="/settings")
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    assert f'<html lang="en" data-theme="{theme}">' in admin.get("/").text
    post(admin, "/theme", {"theme": "system"}, page="/")
    assert '<html lang="en">' in admin.get("/").text
