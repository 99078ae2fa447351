from __future__ import annotations

import pytest

from core.flows.local_path import local_path


@pytest.mark.parametrize("path", ["/", "/users", "/settings/integrations?q=a%20b", "/portal/northwind", "/users#top"])
def test_a_path_of_a_page_is_followed(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "users",
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "/ /evil.example",
        "javascript:alert(1)",
        "/users//evil",
        "/./users",
        "/../users",
        "/a/.//evil.example",
        "/sso/c-1/login",
        "/signout",
        "/signin/link/abc",
        "/scim/v2/c-1/Users",
        "/api/v1/me",
        "/" + "a" * 2048,
        "/\x7f",
        "/\x00",
    ],
)
def test_anything_else_is_dropped(path: str | None) -> None:
    assert local_path(path) is None
