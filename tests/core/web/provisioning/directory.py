"""A directory that pushes people, and an administrator who looks at the page."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from core.flows.activation import Activated
from tests.website import Website, post, text_of

AWS = "/settings/integrations/aws_sso"
PAGE = f"{AWS}/provisioning"
HTMX = {"HX-Request": "true"}
SECRET = re.compile(r'<output id="new-token">(siq_scim_[^<]+)</output>')
REVOKE = re.compile(rf'href="({PAGE}/tokens/[0-9a-z]+/revoke)"')
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def new_token(browser: httpx.Client, **data: str) -> tuple[httpx.Response, str]:
    """The page that answers, and the token on it."""
    page = post(browser, PAGE, data)
    found = SECRET.search(page.text)
    assert found, text_of(page)
    return page, found.group(1)


def send(  # noqa: PLR0917  where, by whom, what
    site: Website, aws: Activated, secret: str, method: str, path: str, body: Any = None
) -> httpx.Response:
    """A request of the directory, over HTTP."""
    return httpx.request(
        method,
        f"{site.origin}/scim/v2/{aws.connection_id}{path}",
        content=body if isinstance(body, bytes) else json.dumps(body) if body is not None else None,
        headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/scim+json"},
    )


def push(site: Website, aws: Activated, secret: str, name: str) -> str:
    body = {"schemas": [USER], "userName": name, "displayName": name.title(), "password": "hunter2hunter2"}
    answer = send(site, aws, secret, "POST", "/Users", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def group(site: Website, aws: Activated, secret: str, name: str, *members: str) -> None:
    body = {"schemas": [GROUP], "displayName": name, "members": [{"value": one} for one in members]}
    assert send(site, aws, secret, "POST", "/Groups", body).status_code == 201
