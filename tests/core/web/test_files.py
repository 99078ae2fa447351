"""A plugin's file: offered in the dialog, on the page without scripts and on the Provisioning page, and served."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from prometheus_client import generate_latest

from core import certificates
from core.flows import metrics
from core.flows.connections import connection_id, site_of
from core.flows.service_keys import certificates_of
from core.store.tables import Role
from core.testing.identity_provider import IdentityProvider
from plugins.aws_sso.push.template import render
from tests.broken_plugins import WORKING, write
from tests.website import Website, plugins_folder, running, text_of

AWS = "/settings/integrations/aws_sso"
FILE = f"{AWS}/files/provisioning.sender"
FAILING = WORKING.replace(
    'word: str = Field("", title="Word")',
    'file: Annotated[str, siq.download("setup.txt", render)] = Field(title="File")',
).replace(
    "class Main",
    "from typing import Annotated\n\ndef render(site):\n    raise RuntimeError('secret of its maker')\n\nclass Main",
)

OWN_CERTIFICATE = """
from typing import Annotated

from pydantic import BaseModel, Field

import core.plugin_api as siq


class Sso(BaseModel):
    acs: siq.AcsUrl = Field(title="ACS")
    ours: siq.ServiceProviderCertificate = Field(title="Ours")
    url: siq.SignInUrl = Field(title="URL")
    certificate: siq.SigningCertificates = Field(title="Certificate")
    file: Annotated[str, siq.download("ours.txt", lambda site: site.sp_certificate)] = Field(title="File")


class Config(BaseModel):
    sso: Sso = Field(title="SSO")


@siq.hookimpl
def describe_tile():
    return siq.Tile("Own certificate", "Somebody", siq.Category.DEVELOPER, "It gives a file.")


@siq.hookimpl
def config_schema():
    return Config


@siq.hookimpl
def activate(config):
    return siq.Activation()


@siq.hookimpl
def handle_acs(assertion):
    return siq.Identity("a", "a", "a@example.com")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    folder = tmp_path_factory.mktemp("siq")
    plugins = plugins_folder(folder)
    write(plugins, "failing", FAILING)
    write(plugins, "own_certificate", OWN_CERTIFICATE)
    with running(folder, plugins) as website:
        yield website


def expected(site: Website) -> str:
    connection = connection_id(site.organization.id, "aws_sso")
    return render(site_of(site.services.settings, connection).scim_base_url)


def test_the_template_is_an_attachment_filled_in_before_anything_is_activated(
    site: Website, admin: httpx.Client
) -> None:
    answer = admin.get(FILE)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/yaml"
    assert answer.headers["content-disposition"] == 'attachment; filename="siq-push.yaml"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text == expected(site)


def test_a_file_has_the_certificate_of_our_key_where_the_plugin_gives_it_away(
    site: Website, admin: httpx.Client
) -> None:
    answer = admin.get("/settings/integrations/own_certificate/files/sso.file")
    connection = connection_id(site.organization.id, "own_certificate")
    (ours,) = certificates_of(site.services, site.organization.id, connection)
    assert answer.text == certificates.to_pem([ours])


def test_it_is_the_same_file_after_activation(site: Website, admin: httpx.Client, provider: IdentityProvider) -> None:
    before = admin.get(FILE).text
    assert site.activate(provider).site.scim_base_url in before
    assert admin.get(FILE).text == before


def test_the_dialog_and_the_page_without_scripts_offer_it(admin: httpx.Client) -> None:
    for headers in ({}, {"HX-Request": "true"}):
        page = admin.get(f"{AWS}/activate", headers=headers)
        assert f'href="{FILE}" target="_blank"' in page.text
        assert "CloudFormation template" in text_of(page)
        assert "Download siq-push.yaml (opens in a new tab)" in text_of(page)


def test_the_provisioning_page_offers_it(site: Website, admin: httpx.Client, provider: IdentityProvider) -> None:
    site.activate(provider)
    page = admin.get(f"{AWS}/provisioning")
    assert f'href="{FILE}"' in page.text
    assert "CloudFormation template Download siq-push.yaml" in text_of(page)


def test_help_and_file_of_another_plugin_are_its_own(admin: httpx.Client) -> None:
    path = "/settings/integrations/every_widget"
    page = admin.get(f"{path}/activate")
    assert f'href="{path}/files/everything.settings"' in page.text
    assert "Filled in for this connection." in text_of(page)
    answer = admin.get(f"{path}/files/everything.settings")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="widgets.json"'
    assert answer.json()["login"].startswith("http://")


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMIN, Role.IT)])
def test_nobody_else_gets_it(site: Website, role: Role) -> None:
    with site.signed_in(role) as browser:
        assert browser.get(FILE).status_code == 403


def test_people_of_it_get_it_and_who_is_signed_out_signs_in_first(site: Website, nobody: httpx.Client) -> None:
    with site.signed_in(Role.IT) as browser:
        assert browser.get(FILE).text == expected(site)
    assert nobody.get(FILE).headers["location"] == f"/signin?next={quote(FILE, safe='')}"


@pytest.mark.parametrize(
    "path",
    [
        f"{AWS}/files/provisioning.base_url",
        f"{AWS}/files/provisioning",
        f"{AWS}/files/none",
        f"{AWS}/files/..%2Fplugin.py",
        "/settings/integrations/none/files/provisioning.sender",
    ],
)
def test_what_is_no_file_is_not_found(admin: httpx.Client, path: str) -> None:
    assert admin.get(path).status_code == 404


def test_a_plugin_that_fails_shows_a_page_with_a_way_back_and_nothing_of_the_exception(
    site: Website, admin: httpx.Client
) -> None:
    answer = admin.get("/settings/integrations/failing/files/main.file")
    assert answer.status_code == 500
    assert "content-disposition" not in answer.headers
    words = text_of(answer)
    assert "This integration could not do that" in words
    assert "nothing was changed" in words
    assert answer.headers["x-correlation-id"] in words
    assert 'href="/settings/integrations/failing/activate"' in answer.text
    assert "secret of its maker" not in answer.text
    assert admin.get(FILE).text == expected(site)


def test_a_download_is_audited_and_counted(admin: httpx.Client) -> None:
    def count(plugin: str, outcome: str) -> float:
        return metrics.registry.get_sample_value("siq_plugin_files_total", {"plugin": plugin, "outcome": outcome}) or 0

    made, failed = count("aws_sso", "made"), count("failing", "failed")
    admin.get(FILE)
    admin.get("/settings/integrations/failing/files/main.file")
    assert (count("aws_sso", "made"), count("failing", "failed")) == (made + 1, failed + 1)
    assert b"siq_plugin_files_total" in generate_latest(metrics.registry)
    log = text_of(admin.get("/audit?q=Amazon"))
    assert "Set-up file downloaded" in log
    assert "siq-push.yaml" in log
