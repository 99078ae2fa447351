"""Single logout at the moment of something else about the same person, each in a transaction of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from core.flows import offboarding
from core.flows.actors import Actor
from core.flows.offboarding import Cause
from core.flows.services import Services
from core.store.tables import SignInSession, User
from core.testing.identity_provider import IdentityProvider
from tests.core.flows.test_at_once import started
from tests.core.flows.test_sign_out import Everybody, everybody_of


@pytest.fixture
def site(services: Services, admin: Actor, provider: IdentityProvider) -> Everybody:
    return everybody_of(services, admin, provider)


def test_a_person_whom_the_directory_suspends_at_that_moment_is_signed_out_all_the_same(
    site: Everybody, services: Services, admin: Actor
) -> None:
    """Each has what the other needs: the suspension the session's row, the sign-out the connection's."""
    site.signs_in()
    xml = site.request()
    with ThreadPoolExecutor() as pool:
        with services.database.writing(admin.organization_id) as session:
            user = session.scalars(select(User).join(SignInSession, SignInSession.user_id == User.id)).one()
            offboarding._end_access(session, user)
            leaving = started(pool, services, lambda: site.answered(xml))
            offboarding.suspend(services.settings, session, user, Cause("Directory", site.activated.connection_id))
        assert leaving.result().statuses == ["Success"]
    assert site.rows(SignInSession) == []
