from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from core.errors import ConfigRejected, Conflict, Forbidden, NotFound
from core.flows import activation, catalog, connections, integration
from core.flows.activation import DialogAgain
from core.flows.actors import Actor
from core.flows.services import Services
from core.forms import Posted, Upload
from core.store.tables import AuditEntry, Connection, ConnectionState, Role
from core.testing.identity_provider import IdentityProvider
from tests.core.flows.conftest import Browser, activate


def good(provider: IdentityProvider) -> dict[str, list[str | Upload]]:
    return {"sso.sign_in_url": [provider.sign_in_url], "sso.certificate": [provider.certificate_pem]}


def field(again: DialogAgain, name: str) -> object:
    tabs = again.dialog.form.tabs
    return next(one for tab in tabs for group in tab.groups for one in group.fields if one.name == name)


def test_the_acs_url_in_the_dialog_is_the_one_that_is_stored(
    services: Services, admin: Actor, provider: IdentityProvider
) -> None:
    before = activation.open_dialog(services, admin, "aws_sso")
    done = activation.submit(services, admin, "aws_sso", good(provider))
    assert done.site == before.site
    assert done.site.acs_url == f"http://localhost:8000/sso/{done.connection_id}/acs"
    assert done.is_new


def test_looking_at_the_dialog_stores_nothing(services: Services, admin: Actor) -> None:
    activation.open_dialog(services, admin, "aws_sso")
    with services.database.reading(admin.organization_id) as session:
        assert session.scalars(select(Connection)).all() == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("sso.sign_in_url", "portal.sso.eu-west-1.amazonaws.com", "https://"),
        ("sso.sign_in_url", "", "Enter"),
        (
            "sso.certificate",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
            "private key",
        ),
        ("sso.certificate", "nonsense", "certificate"),
        ("sso.portal_url", "ftp://x", "https://"),
    ],
)
def test_a_bad_value_is_shown_beside_its_field_and_nothing_is_stored_or_lost(  # noqa: PLR0917  parametrized
    services: Services, admin: Actor, provider: IdentityProvider, name: str, value: str, sentence: str
) -> None:
    posted: Posted = {**good(provider), name: [value]}
    with pytest.raises(DialogAgain) as again:
        activation.submit(services, admin, "aws_sso", posted)
    assert again.value.status == 422
    assert [error.field for error in again.value.dialog.form.errors] == [name]
    assert sentence in again.value.dialog.form.errors[0].sentence
    kept = "sso.portal_url" if name == "sso.sign_in_url" else "sso.sign_in_url"
    assert getattr(field(again.value, kept), "value") == posted.get(kept, [""])[0]  # noqa: B009  a view of any field
    with services.database.reading(admin.organization_id) as session:
        assert session.scalars(select(Connection)).all() == []


def test_metadata_fills_sign_in_url_and_certificate(
    services: Services, admin: Actor, provider: IdentityProvider
) -> None:
    posted: Posted = {"sso.metadata_file": [Upload("metadata.xml", provider.metadata())]}
    with pytest.raises(DialogAgain) as again:
        activation.submit(services, admin, "aws_sso", posted, "fill")
    assert (again.value.status, again.value.dialog.form.errors) == (200, ())
    assert getattr(field(again.value, "sso.sign_in_url"), "value") == provider.sign_in_url  # noqa: B009
    assert activation.submit(services, admin, "aws_sso", posted).is_new


def test_what_the_schema_does_not_declare_is_ignored_and_read_only_values_are_not_taken(
    services: Services, admin: Actor, provider: IdentityProvider
) -> None:
    posted: Posted = {
        **good(provider),
        "sso.acs_url": ["https://evil.example/acs"],
        "sso.role": ["Admin"],
        "x.y": ["z"],
    }
    done = activation.submit(services, admin, "aws_sso", posted)
    assert done.site.acs_url.startswith("http://localhost:8000/sso/")
    shown = activation.open_dialog(services, admin, "aws_sso").form
    assert "evil.example" not in repr(shown)


def test_what_is_stored_is_encrypted(services: Services, admin: Actor, provider: IdentityProvider) -> None:
    done = activate(services, admin, provider)
    with services.database.reading(admin.organization_id) as session:
        sealed = session.get_one(Connection, done.connection_id).active
    assert sealed
    assert b"amazonaws" not in sealed


def test_a_draft_keeps_what_was_typed_and_is_continued(services: Services, admin: Actor) -> None:
    half: Posted = {"sso.sign_in_url": ["not yet an address"]}
    activation.submit(services, admin, "aws_sso", half, "draft")
    dialog = activation.open_dialog(services, admin, "aws_sso")
    assert (dialog.state, dialog.tile.state) == (ConnectionState.DRAFT, "draft")
    assert "not yet an address" in repr(dialog.form)


def test_a_draft_beside_an_active_configuration_changes_nothing_until_it_is_activated(
    services: Services, admin: Actor, browser: Browser
) -> None:
    activation.submit(services, admin, "aws_sso", {"sso.sign_in_url": ["https://other.example/"]}, "draft")
    assert browser.deliver(browser.mint()).location == "/"


def test_the_audit_log_says_what_changed_with_fingerprints_for_certificates(
    services: Services, admin: Actor, browser: Browser
) -> None:
    rotated = browser.provider.rotate()
    activation.set_values(services, admin, "aws_sso", {"sso.certificate": rotated.certificate_pem})
    with services.database.reading(admin.organization_id) as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (last.event, last.actor, list(last.details)) == ("integration.updated", "Maya Okafor", ["sso.certificate"])
    assert "BEGIN" not in str(last.details)
    assert last.details["sso.certificate"].count(":") == 2 * 31


def test_disabling_keeps_the_settings_and_activating_again_brings_them_back(
    services: Services, admin: Actor, browser: Browser
) -> None:
    activation.disable(services, admin, "aws_sso")
    with pytest.raises(Conflict):
        activation.disable(services, admin, "aws_sso")
    activation.submit(services, admin, "aws_sso", {})
    assert browser.deliver(browser.mint()).location == "/"


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMIN, Role.IT)])
def test_other_roles_reach_nothing_of_integrations(
    services: Services, admin: Actor, provider: IdentityProvider, role: Role
) -> None:
    other = replace(admin, role=role)
    acts = (
        lambda: activation.open_dialog(services, other, "aws_sso"),
        lambda: activation.submit(services, other, "aws_sso", good(provider)),
        lambda: activation.disable(services, other, "aws_sso"),
        lambda: catalog.catalog(services, other),
        lambda: catalog.overview(services, other),
        lambda: integration.integration(services, other, "aws_sso"),
        lambda: integration.trace(services, other, "aws_sso", "x"),
    )
    for act in acts:
        with pytest.raises(Forbidden, match="Admin or IT"):
            act()


def test_it_manages_integrations_too(services: Services, admin: Actor, provider: IdentityProvider) -> None:
    it = replace(admin, role=Role.IT)
    assert activation.submit(services, it, "aws_sso", good(provider)).is_new


def test_an_unknown_plugin_is_not_found(services: Services, admin: Actor) -> None:
    with pytest.raises(NotFound):
        activation.open_dialog(services, admin, "nothing")


def test_set_values_refuses_an_unknown_field_by_name(services: Services, admin: Actor) -> None:
    with pytest.raises(ConfigRejected) as rejected:
        activation.set_values(services, admin, "aws_sso", {"sso.sign_in_uri": "https://x.example"})
    assert rejected.value.field == "sso.sign_in_uri"


def test_two_administrators_who_activate_at_once_make_one_connection(
    services: Services, admin: Actor, provider: IdentityProvider
) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  one use

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: activate(services, admin, provider), range(4)))
    assert len({one.connection_id for one in done}) == 1
    assert sum(one.is_new for one in done) == 1


def test_our_metadata_is_there_before_activation_for_the_providers_import(services: Services, admin: Actor) -> None:
    draft = activation.submit(services, admin, "aws_sso", {}, "draft")
    assert connections.published(services, draft.connection_id).site == draft.site
    with pytest.raises(NotFound):
        connections.published(services, "c-unknown")
