from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import select

from core import clock
from core.errors import Conflict, NotFound
from core.flows import organizations, passwords
from core.flows.actors import Actor
from core.flows.passwords import PasswordRefused, Throttled
from core.flows.services import Services
from core.flows.sessions import current_actor
from core.store.tables import AuditEntry, Organization, PasswordFailure, User
from tests.conftest import PRODUCTION_HASHER

EMAIL, PASSWORD, ADDRESS = "maya.okafor@northwind.example", "correct horse battery", "203.0.113.24"


@pytest.fixture(autouse=True)
def with_password(services: Services, organization: Organization) -> None:
    """Northwind has an Admin with a password."""
    organizations.create_admin(services, organization, EMAIL, "Maya Okafor", passwords.hash_password(PASSWORD))


@pytest.mark.parametrize("email", [EMAIL, EMAIL.upper(), f"  {EMAIL} "])
def test_an_administrator_signs_in_with_the_password(services: Services, email: str) -> None:
    actor = current_actor(services, passwords.sign_in(services, email, PASSWORD, ADDRESS).token)
    assert actor
    assert (actor.email, actor.role.value, actor.connection_id) == (EMAIL, "Admin", None)


def test_a_wrong_password_and_an_unknown_person_are_told_the_same(services: Services) -> None:
    sentences = set()
    for email, password in ((EMAIL, "wrong"), ("nobody@northwind.example", PASSWORD), (EMAIL, ""), ("", "")):
        with pytest.raises(PasswordRefused) as refused:
            passwords.sign_in(services, email, password, ADDRESS)
        sentences.add(refused.value.public)
    assert len(sentences) == 1


def test_a_wrong_password_is_in_the_audit_log(services: Services, organization: Organization) -> None:
    with pytest.raises(PasswordRefused):
        passwords.sign_in(services, EMAIL, "wrong", ADDRESS)
    with services.database.reading(organization.id) as session:
        assert "password.failed" in session.scalars(select(AuditEntry.event)).all()


@pytest.mark.parametrize("email", [EMAIL, "nobody@northwind.example"])
def test_guessing_is_throttled_by_account_whether_it_exists_or_not(services: Services, email: str) -> None:
    for turn in range(10):
        with pytest.raises(PasswordRefused):
            passwords.sign_in(services, email, "wrong", f"203.0.113.{turn}")
    with pytest.raises(Throttled):
        passwords.sign_in(services, email, PASSWORD, "198.51.100.1")


def test_guessing_of_many_accounts_is_throttled_by_address(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.flows.passwords._MOST_PER_ADDRESS", 5)
    for turn in range(5):
        with pytest.raises(PasswordRefused):
            passwords.sign_in(services, f"{turn}@northwind.example", "wrong", ADDRESS)
    with pytest.raises(Throttled):
        passwords.sign_in(services, EMAIL, PASSWORD, ADDRESS)


def test_many_guesses_at_once_do_not_slip_past_the_limit(services: Services) -> None:
    def guess(_turn: int) -> str:
        try:
            passwords.sign_in(services, EMAIL, "wrong", ADDRESS)
        except PasswordRefused:
            return "looked at"
        except Throttled:
            return "throttled"
        return "signed in"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(guess, range(24)))
    assert results.count("looked at") <= 10
    assert set(results) == {"looked at", "throttled"}


def test_after_a_quarter_of_an_hour_the_right_password_works_again(services: Services) -> None:
    for _ in range(10):
        with pytest.raises(PasswordRefused):
            passwords.sign_in(services, EMAIL, "wrong", ADDRESS)
    with clock.moved_by(timedelta(minutes=16)):
        assert passwords.sign_in(services, EMAIL, PASSWORD, ADDRESS).token


def test_the_right_password_takes_the_count_back(services: Services) -> None:
    for _ in range(9):
        with pytest.raises(PasswordRefused):
            passwords.sign_in(services, EMAIL, "wrong", ADDRESS)
    passwords.sign_in(services, EMAIL, PASSWORD, ADDRESS)
    with services.database.looking_up() as session:
        keys = session.scalars(select(PasswordFailure.key_hash)).all()
    assert len(set(keys)) == 1  # the address keeps its own


def test_a_suspended_administrator_cannot_sign_in(services: Services, organization: Organization) -> None:
    with services.database.writing(organization.id) as session:
        session.scalars(select(User)).one().active = False
    with pytest.raises(PasswordRefused):
        passwords.sign_in(services, EMAIL, PASSWORD, ADDRESS)


@pytest.mark.parametrize("password", ["short", "a" * 129])
def test_a_password_of_a_bad_length_is_refused_with_the_lengths(password: str) -> None:
    with pytest.raises(Conflict, match="12 to 128"):
        passwords.hash_password(password)


def test_the_hash_is_argon2id_at_its_recommended_cost() -> None:
    assert extract_parameters(PRODUCTION_HASHER.hash(PASSWORD)) == RFC_9106_LOW_MEMORY
    assert passwords.hash_password(PASSWORD).startswith("$argon2id$")


def test_a_one_time_link_signs_in_once(services: Services, admin: Actor) -> None:
    token = passwords.create_link(services, admin.organization_id, admin.user_id).rpartition("/")[2]
    assert passwords.link_is_valid(services, token)
    actor = current_actor(services, passwords.redeem_link(services, token).token)
    assert actor == admin
    assert not passwords.link_is_valid(services, token)
    with pytest.raises(NotFound):
        passwords.redeem_link(services, token)


def test_a_one_time_link_redeemed_by_many_at_once_signs_in_one(services: Services, admin: Actor) -> None:
    token = passwords.create_link(services, admin.organization_id, admin.user_id).rpartition("/")[2]

    def redeem(_turn: int) -> bool:
        try:
            return bool(passwords.redeem_link(services, token))
        except NotFound:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(redeem, range(8))) == 1


def test_a_one_time_link_expires_after_half_an_hour(services: Services, admin: Actor) -> None:
    token = passwords.create_link(services, admin.organization_id, admin.user_id).rpartition("/")[2]
    with clock.moved_by(timedelta(minutes=31)):
        assert not passwords.link_is_valid(services, token)
        with pytest.raises(NotFound):
            passwords.redeem_link(services, token)


def test_a_guessed_link_is_not_found(services: Services) -> None:
    assert not passwords.link_is_valid(services, "guess")
    with pytest.raises(NotFound):
        passwords.redeem_link(services, "guess")
