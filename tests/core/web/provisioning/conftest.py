from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.flows.activation import Activated
from core.testing.identity_provider import IdentityProvider
from tests.website import Website, running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Website]:
    with running(tmp_path) as website:
        yield website


@pytest.fixture
def aws(site: Website, provider: IdentityProvider) -> Activated:
    return site.activate(provider)
