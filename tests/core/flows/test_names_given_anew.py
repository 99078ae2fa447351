"""A directory gives the name of somebody whom it removed to another person."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.flows import organizations, passwords
from core.flows.actors import Actor
from core.flows.audit import Event
from core.flows.services import Services
from core.flows.sessions import current_actor
from core.store.tables import AuditEntry, LinkedIdentity, Organization, User
from tests.core.flows.conftest import Browser
from tests.core.scim.conftest import Directory, directory_of

ADA = "ada@example.test"


@pytest.fixture
def directory(services: Services, admin: Actor, browser: Browser) -> Directory:
    """The directory of the connection that ``browser`` signs in through."""
    assert browser.activated.connection_id
    return directory_of(services, admin)


def left(directory: Directory, organization: Organization, browser: Browser) -> str:
    """An Admin with a password and a link to a provider, whom the directory has removed."""
    organizations.create_admin(
        directory.services, organization, ADA, password_hash=passwords.hash_password("correct horse battery staple")
    )
    user_id = str(directory.push(ADA, externalId="g-1", emails=[{"value": ADA}])["id"])
    browser.deliver(browser.mint(subject=ADA))
    assert directory.send("DELETE", f"/Users/{user_id}").status_code == 204
    return user_id


def test_another_person_gets_the_account_but_neither_role_nor_password_nor_links(
    directory: Directory, organization: Organization, browser: Browser
) -> None:
    user_id = left(directory, organization, browser)
    assert directory.push(ADA, externalId="g-2", emails=[{"value": ADA}])["id"] == user_id
    with directory.services.database.reading(organization.id) as session:
        user = session.get_one(User, user_id)
        assert (user.role.value, user.password_hash) == ("Viewer", "")
        assert session.scalars(select(LinkedIdentity)).all() == []
        changes = session.scalars(
            select(AuditEntry.details).order_by(AuditEntry.id).where(AuditEntry.event == Event.USER_ADOPTED.value)
        ).all()
        assert (changes[-1]["role"], changes[-1]["externalId"]) == ("Admin → Viewer", "g-1 → g-2")
    actor = current_actor(directory.services, browser.deliver(browser.mint(subject=ADA)).session.token)
    assert actor
    assert (actor.user_id, actor.role.value) == (user_id, "Viewer")


@pytest.mark.parametrize("same", [{"externalId": "g-1"}, {}], ids=["with the external id", "without one"])
def test_the_same_person_has_everything_back(
    directory: Directory, organization: Organization, browser: Browser, same: dict[str, str]
) -> None:
    user_id = left(directory, organization, browser)
    assert directory.push(ADA, emails=[{"value": ADA}], **same)["id"] == user_id
    with directory.services.database.reading(organization.id) as session:
        user = session.get_one(User, user_id)
        assert user.role.value == "Admin"
        assert user.password_hash
