"""What the SAML tests start from: a provider, a response that is right in everything, and the words for what comes of it."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from lxml import etree

from core.errors import SignInRefused
from core.plugin_api import VerifiedAssertion
from core.refusals import Refusal
from core.saml.pinned_keys import Keys
from core.saml.response import Decryption, Expected, read
from core.testing.attacks.edits import Edit, find
from core.testing.identity_provider import Element, IdentityProvider, Minted, serialize

ISSUER = "https://portal.sso.us-east-1.amazonaws.com/saml/assertion/MTExMTIyMjIzMzMzX2lucy0wMTIzNDU2Nzg5YWJjZGVm"
AUDIENCE = "https://siq.example.test/sso/c1/metadata"
ACS_URL = "https://siq.example.test/sso/c1/acs"
REQUEST = "_req-0001"
NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)

EXPECTED = Expected(ISSUER, AUDIENCE, ACS_URL, REQUEST, unsolicited_allowed=False)
TILE_CLICK = replace(EXPECTED, request_id=None, unsolicited_allowed=True)


def provider(key: str = "rsa-2048", number: int = 1) -> IdentityProvider:
    """A provider of this kind of key; another number is another key."""
    return _provider(key, number)


@cache
def _provider(key: str, _: int) -> IdentityProvider:
    return IdentityProvider.create(ISSUER, key=key, valid_from=NOW - timedelta(days=30))


@cache
def keys(*providers: IdentityProvider) -> Keys:
    return Keys.of("".join(each.certificate_pem for each in providers or (provider(),)))


def minted(by: IdentityProvider | None = None, **changes: Any) -> Minted:
    """A response that is right in everything but the changes."""
    wanted: dict[str, Any] = {
        "in_response_to": REQUEST,
        "attributes": {"email": ["ada@example.test"]},
        "now": NOW,
    } | changes
    return (by or provider()).response(ACS_URL, AUDIENCE, **wanted)


def accept(
    response: Minted | bytes | str,
    expected: Expected = EXPECTED,
    *,
    pinned: Keys | None = None,
    now: datetime = NOW,
    decryption: Decryption | None = None,
) -> VerifiedAssertion:
    return read(form_value(response), pinned or keys(), expected, now, decryption)


def refused(
    because: Refusal,
    response: Minted | bytes | str,
    expected: Expected = EXPECTED,
    *,
    pinned: Keys | None = None,
    now: datetime = NOW,
    decryption: Decryption | None = None,
) -> SignInRefused:
    """Assert that the response is refused for exactly this reason."""
    with pytest.raises(SignInRefused) as caught:
        read(form_value(response), pinned or keys(), expected, now, decryption)
    assert str(caught.value).startswith(f"{because.code} "), str(caught.value)
    return caught.value


def form_value(response: Minted | bytes | str) -> str:
    if isinstance(response, Minted):
        return response.form_value
    return response if isinstance(response, str) else base64.b64encode(response).decode()


def tree(response: Minted) -> Element:
    return etree.fromstring(response.xml)


def changed(response: Minted, edit: Edit) -> bytes:
    """The response after somebody changed it on its way: the signatures stay as they are."""
    root = tree(response)
    edit(root)
    return serialize(root)


def replaced(response: Minted, old: str, new: str) -> bytes:
    text = response.xml.decode()
    assert old in text
    return text.replace(old, new).encode()


def removing(path: str) -> Edit:
    def edit(root: Element) -> None:
        element = find(root, path)
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return edit


def identifier(response: Minted) -> str:
    match = re.search(rb'ID="(_a-[0-9a-f]+)"', response.xml)
    assert match
    return match[1].decode()
