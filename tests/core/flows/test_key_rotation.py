"""Our own keys at a connection, from the first look at the dialog to the end of an exchange."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core import certificates
from core.errors import Conflict, Forbidden, NotFound
from core.flows import activation, connections, key_rotation, metrics, organizations
from core.flows.activation import Activated
from core.flows.actors import Actor, actor_of
from core.flows.service_keys import keys_of
from core.flows.services import Services
from core.plugin_api import Kind
from core.saml import service_keys
from core.store.tables import AuditEntry, Connection, Role, ServiceProviderKey
from core.testing.identity_provider import IdentityProvider

PLUGIN = "custom_saml"


@pytest.fixture
def active(services: Services, admin: Actor, provider: IdentityProvider) -> Activated:
    values: dict[str, str | bytes] = {
        "sso.issuer": provider.entity_id,
        "sso.sign_in_url": provider.sign_in_url,
        "sso.certificate": provider.certificate_pem,
    }
    return activation.set_values(services, admin, PLUGIN, values)


def shown(services: Services, actor: Actor) -> str:
    """The certificate in the dialog."""
    tabs = activation.open_dialog(services, actor, PLUGIN).form.tabs
    fields = (one for tab in tabs for group in tab.groups for one in group.fields)
    return str(next(one.value for one in fields if one.kind is Kind.SP_CERTIFICATE))


def stored(services: Services, actor: Actor) -> list[ServiceProviderKey]:
    with services.database.reading(actor.organization_id) as session:
        return list(session.scalars(select(ServiceProviderKey)))


def events(services: Services, actor: Actor) -> list[str]:
    with services.database.reading(actor.organization_id) as session:
        return list(session.scalars(select(AuditEntry.event).where(AuditEntry.event.like("%.key_%"))))


def test_the_dialog_shows_a_certificate_before_anything_is_stored_and_it_stays(
    services: Services, admin: Actor, provider: IdentityProvider
) -> None:
    before = shown(services, admin)
    certificates.read(before)
    assert shown(services, admin) == before
    values: dict[str, str | bytes] = {
        "sso.issuer": provider.entity_id,
        "sso.sign_in_url": provider.sign_in_url,
        "sso.certificate": provider.certificate_pem,
    }
    done = activation.set_values(services, admin, PLUGIN, values)
    assert done.site.sp_certificate == before
    assert [one.signs for one in stored(services, admin)] == [True]


def test_each_organization_has_a_key_of_its_own(services: Services, admin: Actor) -> None:
    other = organizations.create_organization(services, "contoso")
    theirs = actor_of(organizations.create_admin(services, other, "lee@contoso.example", "Lee"), other)
    assert shown(services, admin) != shown(services, theirs)


def test_a_plugin_without_a_certificate_of_ours_has_no_key(services: Services, admin: Actor) -> None:
    activation.open_dialog(services, admin, "aws_sso")
    assert stored(services, admin) == []
    assert key_rotation.keys(services, admin, "aws_sso") == ()
    with pytest.raises(NotFound, match="no keys of its own"):
        key_rotation.add_key(services, admin, "aws_sso")


def test_private_keys_are_sealed_each_for_its_own_row(services: Services, admin: Actor) -> None:
    key_rotation.keys(services, admin, PLUGIN)
    key_rotation.add_key(services, admin, PLUGIN)
    first, second = stored(services, admin)
    for row in (first, second):
        assert b"PRIVATE" not in row.private_key
        with pytest.raises(ValueError, match="Could not deserialize"):
            service_keys.load(row.private_key, row.certificate)
    with services.database.writing(admin.organization_id) as session:
        session.get_one(ServiceProviderKey, first.id).private_key = second.private_key
    with pytest.raises(ValueError, match="sealed for another place"):
        keys_of(services, admin.organization_id, first.connection_id)


def test_an_exchange_step_by_step(services: Services, admin: Actor, active: Activated) -> None:
    def prepared() -> tuple[str, ...]:
        own = connections.active_connection(services, active.connection_id).own
        assert own
        published = connections.published(services, active.connection_id).certificates
        assert own.certificates == published
        return tuple(one.fingerprint for one in published)

    (old,) = key_rotation.keys(services, admin, PLUGIN)
    assert prepared() == (old.certificate.fingerprint,)

    new = key_rotation.add_key(services, admin, PLUGIN)
    assert (old.signs, new.signs) == (True, False)
    assert prepared() == (old.certificate.fingerprint, new.certificate.fingerprint)
    assert shown(services, admin) == old.pem

    key_rotation.use_key(services, admin, PLUGIN, new.id)
    assert prepared() == (new.certificate.fingerprint, old.certificate.fingerprint)
    assert shown(services, admin) == new.pem

    key_rotation.remove_key(services, admin, PLUGIN, old.id)
    assert prepared() == (new.certificate.fingerprint,)
    assert events(services, admin) == ["integration.key_added", "integration.key_used", "integration.key_removed"]
    with services.database.reading(admin.organization_id) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.event == "integration.key_used")).one()
        row = session.get_one(Connection, active.connection_id)
    assert entry.details == {"certificate": new.certificate.fingerprint}
    assert (entry.actor, entry.subject, row.changed_by) == (admin.display_name, "Custom SAML 2.0", admin.display_name)


def test_each_step_is_counted(services: Services, admin: Actor) -> None:
    def counted() -> float:
        labels = {"plugin": PLUGIN, "event": "integration.key_added"}
        return metrics.registry.get_sample_value("siq_key_changes_total", labels) or 0

    before = counted()
    key_rotation.add_key(services, admin, PLUGIN)
    with pytest.raises(Conflict):
        key_rotation.add_key(services, admin, PLUGIN)
    assert counted() == before + 1


def test_a_third_key_is_refused_and_so_is_removing_the_one_that_signs(services: Services, admin: Actor) -> None:
    (first,) = key_rotation.keys(services, admin, PLUGIN)
    second = key_rotation.add_key(services, admin, PLUGIN)
    with pytest.raises(Conflict, match="two keys already"):
        key_rotation.add_key(services, admin, PLUGIN)
    with pytest.raises(Conflict, match="Sign with the other one first"):
        key_rotation.remove_key(services, admin, PLUGIN, first.id)
    with pytest.raises(Conflict, match="already"):
        key_rotation.use_key(services, admin, PLUGIN, first.id)
    key_rotation.remove_key(services, admin, PLUGIN, second.id)
    with pytest.raises(NotFound, match="gone"):
        key_rotation.use_key(services, admin, PLUGIN, second.id)
    assert [one.id for one in stored(services, admin)] == [first.id]


def test_only_people_who_manage_integrations_see_or_change_keys(services: Services, admin: Actor) -> None:
    viewer = replace(admin, role=Role.VIEWER)
    acts: tuple[Callable[[], object], ...] = (
        lambda: key_rotation.keys(services, viewer, PLUGIN),
        lambda: key_rotation.add_key(services, viewer, PLUGIN),
        lambda: key_rotation.use_key(services, viewer, PLUGIN, "x"),
        lambda: key_rotation.remove_key(services, viewer, PLUGIN, "x"),
    )
    for act in acts:
        with pytest.raises(Forbidden):
            act()


def test_a_key_of_another_organization_is_not_found(services: Services, admin: Actor) -> None:
    other = organizations.create_organization(services, "contoso")
    theirs = actor_of(organizations.create_admin(services, other, "lee@contoso.example", "Lee"), other)
    (foreign,) = key_rotation.keys(services, theirs, PLUGIN)
    key_rotation.add_key(services, admin, PLUGIN)
    for act in (key_rotation.use_key, key_rotation.remove_key):
        with pytest.raises(NotFound):
            act(services, admin, PLUGIN, foreign.id)
    assert len(stored(services, theirs)) == 1


def test_people_who_look_and_add_at_the_same_moment_make_two_keys_and_not_more(
    services: Services, admin: Actor
) -> None:
    together = threading.Barrier(6)
    failures: list[BaseException] = []

    def act(number: int) -> None:
        try:
            together.wait()
            if number % 2:
                key_rotation.add_key(services, admin, PLUGIN)
            else:
                shown(services, admin)
        except Conflict:
            pass
        except BaseException as error:  # noqa: BLE001  handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted((one.slot, one.signs) for one in stored(services, admin)) == [(1, True), (2, False)]


def test_the_database_lets_one_key_sign(services: Services, admin: Actor) -> None:
    key_rotation.keys(services, admin, PLUGIN)
    second = key_rotation.add_key(services, admin, PLUGIN)
    with pytest.raises(IntegrityError), services.database.writing(admin.organization_id) as session:
        session.get_one(ServiceProviderKey, second.id).signs = True
