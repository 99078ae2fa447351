"""One served SiQ for each module of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from core.store.tables import Role
from core.testing.identity_provider import IdentityProvider
from tests.website import SIGN_IN_URL, Website, plugins_folder, running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    """SiQ with the built-in plugins, one that shows every widget, and one that is broken."""
    folder = tmp_path_factory.mktemp("siq")
    with running(folder, plugins_folder(folder)) as website:
        yield website


@pytest.fixture
def admin(site: Website) -> Iterator[httpx.Client]:
    """A browser in which the administrator is signed in."""
    with site.signed_in() as browser:
        yield browser


@pytest.fixture
def viewer(site: Website) -> Iterator[httpx.Client]:
    """A browser of somebody who may only look."""
    with site.signed_in(Role.VIEWER) as browser:
        yield browser


@pytest.fixture
def nobody(site: Website) -> Iterator[httpx.Client]:
    """A browser in which nobody is signed in."""
    with site.browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def provider() -> IdentityProvider:
    """The identity provider behind Amazon AWS."""
    return IdentityProvider.create(SIGN_IN_URL)
