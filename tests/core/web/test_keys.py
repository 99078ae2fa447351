"""The section with our own keys on the page of an integration, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from core import certificates
from core.flows import activation
from core.store.tables import Role
from core.testing.identity_provider import IdentityProvider
from tests.website import Website, post, running, text_of

PAGE = "/settings/integrations/custom_saml"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, provider: IdentityProvider) -> Iterator[Website]:
    """SiQ with Custom SAML 2.0 active, and one key."""
    with running(tmp_path_factory.mktemp("siq")) as website:
        values: dict[str, str | bytes] = {
            "sso.issuer": "https://idp.example.test/",
            "sso.sign_in_url": "https://idp.example.test/sso",
            "sso.certificate": provider.certificate_pem,
        }
        activation.set_values(website.services, website.actor, "custom_saml", values)
        yield website


def acts(page: httpx.Response) -> list[str]:
    """The acts that the page offers: ``add``, or a key and what may be done with it."""
    return re.findall(rf'href="{PAGE}/keys/([^"]+)"', page.text)


def test_a_key_is_exchanged_without_scripts(admin: httpx.Client) -> None:
    first = admin.get(PAGE)
    assert "Key of SiQ" in text_of(first)
    assert [act for act in acts(first) if not act.endswith("certificate")] == ["add"]

    assert "Add a second key?" in text_of(admin.get(f"{PAGE}/keys/add"))
    done = post(admin, f"{PAGE}/keys/add")
    assert (done.status_code, done.headers["location"]) == (303, f"{PAGE}?done=key-added")
    second = admin.get(f"{PAGE}?done=key-added")
    assert "There are two keys now" in text_of(second)
    assert text_of(second).count("Signs and reads") == 1
    offered = [act for act in acts(second) if not act.endswith("certificate")]
    assert [act.partition("/")[2] for act in offered] == ["use", "remove"]

    assert "Sign with this key from now on?" in text_of(admin.get(f"{PAGE}/keys/{offered[0]}"))
    assert post(admin, f"{PAGE}/keys/{offered[0]}").headers["location"] == f"{PAGE}?done=key-used"
    third = admin.get(f"{PAGE}?done=key-used")
    old = next(act for act in acts(third) if act.endswith("/remove"))
    assert old.partition("/")[0] != offered[0].partition("/")[0]

    assert "cannot be brought back" in text_of(admin.get(f"{PAGE}/keys/{old}"))
    assert post(admin, f"{PAGE}/keys/{old}").headers["location"] == f"{PAGE}?done=key-removed"
    assert [act for act in acts(admin.get(PAGE)) if not act.endswith("certificate")] == ["add"]
    log = text_of(admin.get("/audit"))
    for event in ("integration.key_added", "integration.key_used", "integration.key_removed"):
        assert event in log


def test_the_certificate_is_a_file(admin: httpx.Client) -> None:
    (link,) = [act for act in acts(admin.get(PAGE)) if act.endswith("certificate")]
    answer = admin.get(f"{PAGE}/keys/{link}")
    assert answer.headers["content-disposition"].startswith('attachment; filename="siq-custom_saml-')
    (read,) = certificates.read(answer.content)
    assert read.fingerprint[:11] in text_of(admin.get(PAGE))
    assert "PRIVATE" not in answer.text


def test_a_question_is_a_dialog_where_there_are_scripts(admin: httpx.Client) -> None:
    part = admin.get(f"{PAGE}/keys/add", headers=HTMX)
    assert '<dialog id="question"' in part.text
    assert "<!doctype" not in part.text


def test_two_keys_are_the_most(admin: httpx.Client) -> None:
    post(admin, f"{PAGE}/keys/add")
    again = post(admin, f"{PAGE}/keys/add")
    assert again.status_code == 409
    assert "two keys already" in text_of(again)


def test_a_key_that_is_gone_is_a_404(admin: httpx.Client) -> None:
    for act in ("use", "remove", "certificate"):
        assert admin.get(f"{PAGE}/keys/{'0' * 24}/{act}").status_code == 404


def test_an_integration_without_keys_shows_none(site: Website, admin: httpx.Client, provider: IdentityProvider) -> None:
    site.activate(provider)
    assert "Key of SiQ" not in text_of(admin.get("/settings/integrations/aws_sso"))
    without = "/settings/integrations/aws_sso/keys/add"
    assert admin.get(without).status_code == 404
    assert post(admin, without, page=PAGE + "/keys/add").status_code == 404


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SPACE_CAPTAIN])
def test_only_people_who_manage_integrations_get_to_a_key(site: Website, admin: httpx.Client, role: Role) -> None:
    (link,) = [act for act in acts(admin.get(PAGE)) if act.endswith("certificate")]
    with site.signed_in(role) as other:
        for act in ("add", link):
            assert other.get(f"{PAGE}/keys/{act}").status_code == 403
    with site.browser() as nobody:
        assert nobody.get(f"{PAGE}/keys/{link}").status_code == 303


def test_it_may_exchange_a_key(site: Website) -> None:
    with site.signed_in(Role.IT) as it:
        assert post(it, f"{PAGE}/keys/add").status_code == 303
