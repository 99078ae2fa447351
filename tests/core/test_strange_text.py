from __future__ import annotations

import httpx
import pytest

from core.flows.actors import Actor
from core.flows.passwords import create_link
from core.flows.services import Services
from core.web.app import create_app
from tests.serving import serving
from tests.website import post


@pytest.mark.parametrize(
    "path",
    [
        "/portal/%00",
        "/sso/%00/login",
        "/sso/%00/metadata",
        "/users?q=%00",
        "/audit?q=%00",
        "/audit?before=99999999999999999999999",
        "/users?page=99999999999999999999999",
        "/settings/integrations/%00",
        "/settings/integrations/aws_sso/attempts/%00",
        "/signin?organization=%00",
        "/settings/integrations/catalog?q=%00&category=%00",
    ],
)
def test_text_that_a_database_cannot_hold_is_a_4xx_or_finds_nothing(
    services: Services, admin: Actor, path: str
) -> None:
    with serving(lambda _: create_app(services)) as origin, httpx.Client(base_url=origin) as browser:
        post(browser, create_link(services, admin.organization_id, admin.user_id).replace("http://localhost:8000", ""))
        assert browser.get(path).status_code < 500


def test_a_password_sign_in_with_a_nul_character_is_no_5xx(services: Services) -> None:
    with serving(lambda _: create_app(services)) as origin, httpx.Client(base_url=origin) as browser:
        answer = post(browser, "/signin", {"email": "a\0@b.example", "password": "x\0" * 9})
        assert answer.status_code in (400, 422)
