from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.testing.identity_provider import IdentityProvider
from tests.website import Website, post, running, token

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("path", ["/signin", "/signed-out", "/portal/northwind", "/nowhere", "/static/app.css"])
def test_every_answer_has_the_strict_policy(nobody: httpx.Client, path: str) -> None:
    headers = nobody.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert len(headers["x-correlation-id"]) == 12


@pytest.mark.parametrize("path", ["/", "/settings", "/settings/integrations/catalog", "/users", "/audit"])
def test_a_page_for_somebody_is_never_kept(admin: httpx.Client, path: str) -> None:
    page = admin.get(path)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"


def test_browsers_on_https_are_told_to_stay_there_and_get_cookies_for_this_host_alone(tmp_path: Path) -> None:
    with running(tmp_path, public_url="https://siq.example") as site:
        link = site.link().replace("https://siq.example", site.origin)
        asked = httpx.get(link)
        assert asked.headers["strict-transport-security"] == "max-age=31536000"
        visit = asked.headers["set-cookie"].partition(";")[
            0
        ]  # the way to here is plain http: no client sends it by itself
        assert visit.startswith("__Host-siq_visit=")
        opened = httpx.post(link, data={"csrf": token(asked)}, headers={"cookie": visit})
        assert opened.status_code == 303
        session = opened.headers["set-cookie"].partition(";")
        assert session[0].startswith("__Host-siq_session=")
        for word in ("; Secure", "; HttpOnly", "; Path=/", "; SameSite=lax"):
            assert word in f";{session[2]}".partition("siq_portal")[0]
        assert "Hello, Maya Okafor" in httpx.get(f"{site.origin}/", headers={"cookie": session[0]}).text


def test_on_https_a_cookie_that_a_subdomain_can_set_is_not_taken(tmp_path: Path, provider: IdentityProvider) -> None:
    with running(tmp_path, public_url="https://siq.example") as site:

        def asked(method: str, path: str, cookie: str, **form: str) -> httpx.Response:
            return httpx.request(method, f"{site.origin}{path}", headers={"cookie": cookie}, data=form or None)

        link = urlsplit(site.link()).path
        page = httpx.get(f"{site.origin}{link}")
        visit = page.cookies["__Host-siq_visit"]
        assert asked("POST", link, f"siq_visit={visit}", csrf=token(page)).status_code == 403
        opened = asked("POST", link, f"__Host-siq_visit={visit}", csrf=token(page))
        session = opened.cookies["__Host-siq_session"]
        assert asked("GET", "/api/v1/me", f"siq_session={session}").status_code == 401
        assert asked("GET", "/api/v1/me", f"__Host-siq_session={session}").status_code == 200
        login = urlsplit(site.activate(provider).site.login_url).path
        for name in ("siq_login", "siq_login_plain"):
            begun = asked("GET", login, f"{name}=planted")
            assert begun.cookies["__Host-siq_login"] != "planted"


@pytest.mark.parametrize("path", ["/users/", "/static"])
def test_no_host_header_reaches_an_address_that_is_given_away(site: Website, nobody: httpx.Client, path: str) -> None:
    answer = nobody.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 307
    assert answer.headers["location"].startswith(f"{site.origin}/")


def test_a_body_that_says_it_is_too_large_is_refused(admin: httpx.Client) -> None:
    answer = admin.post(
        "/theme", content=b"theme=" + b"x" * 300_000, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 413
    assert "That is too large" in answer.text


def test_a_body_that_turns_out_too_large_is_refused(admin: httpx.Client) -> None:
    def endless() -> object:
        for _ in range(40):
            yield b"x" * 16_384

    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert admin.post("/signout", content=endless(), headers=headers).status_code == 413  # type: ignore[arg-type]  # an iterator
    assert admin.get("/").status_code == 200  # and nobody was signed out


def test_a_form_with_files_may_be_larger(admin: httpx.Client) -> None:
    path = "/settings/integrations/aws_sso/activate"
    answer = post(admin, path, {"intent": "activate"}, files={"sso.certificate_file": ("c.pem", b"x" * 300_000)})
    assert answer.status_code == 422
    answer = post(admin, path, {"intent": "activate"}, files={"sso.certificate_file": ("c.pem", b"x" * 600_000)})
    assert answer.status_code == 413


def test_an_unforeseen_failure_shows_a_page_with_a_correlation_id(site: Website, admin: httpx.Client) -> None:
    def fail(_request: Request) -> Response:
        raise RuntimeError("with a secret in it")

    site.app.router.routes.append(Route("/fail", fail))
    answer = admin.get("/fail")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert answer.headers["x-correlation-id"] in answer.text
    assert "secret" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY
