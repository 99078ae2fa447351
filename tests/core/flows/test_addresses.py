"""An address that only looks like another one after case folding is somebody else's."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from core import clock
from core.flows import organizations
from core.flows.services import Services
from core.flows.sessions import current_actor
from core.store import schema
from core.store.database import Database
from core.store.tables import Organization, User
from tests.core.flows.conftest import Browser


@pytest.mark.parametrize(
    ("taken", "somebody"),
    [
        ("boss.strasse@example.test", "boss.straße@example.test"),
        ("finn@example.test", "ﬁnn@example.test"),
        ("kim@example.test", "\N{KELVIN SIGN}im@example.test"),
        ("boss@example.test", "bo\N{LATIN SMALL LETTER LONG S}s@example.test"),
    ],
)
def test_an_address_with_a_letter_that_case_folds_to_another_is_not_that_account(
    services: Services, organization: Organization, browser: Browser, taken: str, somebody: str
) -> None:
    organizations.create_admin(services, organization, taken)
    signed_in = browser.deliver(browser.mint(subject=somebody))
    actor = current_actor(services, signed_in.session.token)
    assert actor
    assert (actor.email, actor.role.value) == (somebody, "Viewer")


def test_an_address_beyond_ascii_is_the_same_in_other_capitals(
    services: Services, organization: Organization, browser: Browser
) -> None:
    user = organizations.create_admin(services, organization, "Jörg.Weiß@example.test")
    signed_in = browser.deliver(browser.mint(subject="JÖRG.WEI\N{LATIN CAPITAL LETTER SHARP S}@example.test"))
    actor = current_actor(services, signed_in.session.token)
    assert actor
    assert actor.user_id == user.id


def test_addresses_of_an_older_database_are_found_in_the_new_form(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    schema.upgrade(database, "0005")
    people = {"ascii": "Ada@example.test", "sharp": "Weiß@example.test", "nobody": ""}
    with database.engine.connect().execution_options(siq_writes=True) as connection, connection.begin():
        connection.execute(
            text(
                "INSERT INTO organizations (id, slug, name, contact_email, created_at) VALUES ('o', 'o', 'O', '', :now)"
            ),
            {"now": clock.now()},
        )
        for name, address in people.items():
            connection.execute(
                text(
                    "INSERT INTO users (id, organization_id, email, email_key, user_name, user_name_key, given_name,"
                    " family_name, display_name, role, active, password_hash, created_at)"
                    " VALUES (:id, 'o', :email, :key, '', '', '', '', '', 'Viewer', true, '', :now)"
                ),
                {"id": name, "email": address, "key": address.casefold() or "no-address:nobody", "now": clock.now()},
            )
    schema.upgrade(database)
    with database.unscoped() as session:
        keys = {user.id: user.email_key for user in session.scalars(select(User))}
    assert keys == {"ascii": "ada@example.test", "sharp": "weiß@example.test", "nobody": "no-address:nobody"}
    database.close()
