"""Our storage follows the contract of scim2-server, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scim2_models import NotFoundException, ResourceType, ScimProvider, SearchRequest
from scim2_server.testing import ScimStorageContract
from scim2_server.utils import parametrize

from core import clock
from core.scim import resources
from core.scim.storage import Storage
from core.store.tables import Connection
from core.store.tokens import new_id
from tests.core.scim.conftest import Directory


class TestStorage(ScimStorageContract):
    @pytest.fixture
    def provider(self) -> ScimProvider:
        return resources.provider()

    @pytest.fixture
    def storage(self, directory: Directory) -> Iterator[Storage]:
        with directory.services.database.writing(directory.organization_id) as session:
            yield directory.storage(session)


@pytest.fixture
def neighbour(directory: Directory) -> Directory:
    """Another connection of the same organization."""
    other, now = "c-" + new_id(), clock.now()
    with directory.services.database.writing(directory.organization_id) as session:
        session.add(
            Connection(
                id=other,
                organization_id=directory.organization_id,
                plugin_id="another",
                created_at=now,
                changed_at=now,
            )
        )
    return Directory(**{**vars(directory), "connection_id": other})


def test_a_connection_neither_sees_nor_touches_what_another_one_of_the_organization_owns(
    directory: Directory, neighbour: Directory
) -> None:
    user = directory.push("ada@example.test", externalId="g-1")["id"]
    group = directory.group("Everyone", user)["id"]
    types: dict[str, ResourceType] = {str(each.name): each for each in resources.provider().resource_types}
    with neighbour.services.database.writing(neighbour.organization_id) as session:
        storage = neighbour.storage(session)
        for kind, resource_id in (("User", user), ("Group", group)):
            for touch in (storage.get, storage.delete):
                with pytest.raises(NotFoundException):
                    touch(types[kind], resource_id)
            request = parametrize(SearchRequest, resources.model_named(kind))
            assert storage.search([types[kind]], request(start_index=1)).total == 0
        own = resources.model_named("Group").model_validate({"displayName": "Own", "members": [{"value": user}]})
        (member,) = storage.create(types["Group"], own)["members"]
        assert member.type is None
    assert [each["display"] for each in directory.get(f"/Users/{user}")["groups"]] == ["Everyone"]
