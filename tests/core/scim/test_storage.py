"""Our storage follows the contract of scim2-server, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scim2_models import ScimProvider
from scim2_server.testing import ScimStorageContract

from core.scim import resources
from core.scim.storage import Storage
from tests.core.scim.conftest import Directory


class TestStorage(ScimStorageContract):
    @pytest.fixture
    def provider(self) -> ScimProvider:
        return resources.provider()

    @pytest.fixture
    def storage(self, directory: Directory) -> Iterator[Storage]:
        with directory.services.database.writing(directory.organization_id) as session:
            yield directory.storage(session)
