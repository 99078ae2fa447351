"""The requests of SCIM over a storage: scim2-server, with the answers that our clients need.

A PATCH answers 200 with the resource (scim2-server: 204). Members of a group are changed without reading the others, and
written into the answer without a model for each: a group of 10,000 is usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from scim2_models import (
    Context,
    InvalidPathException,
    InvalidSyntaxException,
    NotFoundException,
    PatchOp,
    PatchOperation,
    PayloadTooLargeException,
    Resource,
    ResourceType,
    ResponseParameters,
    SCIMException,
)
from scim2_server.conditions import Conditions
from scim2_server.handler import ScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService

from core.scim import dialects, members
from core.scim.filters import storable
from core.scim.resources import GROUP, PATCHING, USER, attributes, model_named, provider
from core.scim.rows import version, without_members
from core.scim.storage import Storage

MOST_OPERATIONS = 100  # of one PATCH; those that add and remove members are not counted
MOST_ON_MEMBERS = 10  # of one PATCH that changes members in another way, for which all of them are read
MOST_VALUES = 5_000  # of all operations of one PATCH, beside members


class Service(ScimService):
    """The protocol. ``secret`` seals cursors; every process has the same."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(provider(), secret=secret)

    def read_patch(self, resource_type: ResourceType, body: bytes, content_type: str | None) -> PatchOp[Any]:
        """See :class:`ScimService`; an attribute that we do not have is refused."""
        with PATCHING:
            return super().read_patch(resource_type, body, content_type)

    def apply_patch(
        self, current: Resource[Any], patch_op: PatchOp[Any], conditions: Conditions
    ) -> Resource[Any] | None:
        """See :class:`ScimService`; an attribute that we do not have is refused."""
        for operation in patch_op.operations or ():
            named = [str(operation.path or ""), *(operation.value if isinstance(operation.value, dict) else ())]
            if any("schemas[" in name.lower() for name in named):  # scim2-models looks for sub-attributes of a text
                raise InvalidPathException(path="schemas", detail="The values of schemas have no attributes")
        with PATCHING:
            return super().apply_patch(current, patch_op, conditions)

    def apply_replacement(
        self, current: Resource[Any], replacement: Resource[Any], conditions: Conditions
    ) -> Resource[Any] | None:
        """See :class:`ScimService`. A PUT that does not mention ``active`` gives nobody access back."""
        if getattr(replacement, "active", True) is None:
            replacement.__dict__["active"] = current.__dict__.get("active")
        return super().apply_replacement(current, replacement, conditions)

    def patch_response(
        self, base_url: str, resource: Resource[Any], response_parameters: ResponseParameters[Any]
    ) -> ScimResponse:
        """200 with the resource (RFC 7644 3.5.2), which every client takes."""
        return self.replacement_response(base_url, resource, response_parameters)

    def bulk_failure(self, outcome: dict[str, Any], exception: Exception) -> dict[str, Any]:
        """See :class:`ScimService`. What is no fault of the operation fails the request, which is tried again."""
        if not isinstance(exception, SCIMException):
            raise exception
        return super().bulk_failure(outcome, exception)

    def publish(self, base_url: str, resource: Resource[Any]) -> Resource[Any]:
        """See :class:`ScimService`. Members are shared, not copied: their references are URLs already."""
        if "members" not in resource.__dict__:
            return super().publish(base_url, resource)
        bare = resource.model_copy()
        bare.__dict__["members"] = None
        published = super().publish(base_url, bare)
        published.__dict__["members"] = resource.__dict__["members"]
        return published

    @staticmethod
    def resource_response(
        resource: Resource[Any],
        scim_ctx: Context,
        response_parameters: ResponseParameters[Any] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> ScimResponse:
        """See :class:`ScimService`. Where all of the members are wanted, they are written as they are."""
        asked = response_parameters and (response_parameters.attributes or response_parameters.excluded_attributes)
        entries = resource.__dict__.get("members")
        if asked or not entries:
            return ScimService.resource_response(resource, scim_ctx, response_parameters, status)
        bare = resource.model_copy()
        bare.__dict__["members"] = None
        response = ScimService.resource_response(bare, scim_ctx, response_parameters, status)
        assert response.body is not None
        response.body["members"] = [_member(entry) for entry in entries]
        return response


def _check_cost(operations: list[PatchOperation[Any]], most: int, most_values: int | None) -> None:
    """Each operation validates the whole resource: a request of thousands would take minutes."""
    if len(operations) > most:
        raise PayloadTooLargeException(detail=f"A PATCH may have at most {most} operations of this kind")
    if most_values is not None and sum(_size(each.value) for each in operations) > most_values:
        raise PayloadTooLargeException(detail=f"A PATCH may have at most {most_values} values")


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_size(each) for each in value.values())
    return sum(_size(each) for each in value) if isinstance(value, list) else 1


def _member(entry: Any) -> dict[str, Any]:
    if isinstance(entry, dict):
        return entry
    member = attributes(model_named(GROUP))["members"].model
    assert member
    values = entry.__dict__
    return {each.name: values[field] for field, each in attributes(member).items() if values.get(field) is not None}


class Handler(ScimHandler):
    """The operations of one request."""

    def __init__(self, service: Service, storage: Storage) -> None:
        super().__init__(service, storage)
        self.ours = storage
        self.asked: Mapping[str, str] = {}

    def answer(self, request: ScimRequest) -> ScimResponse:
        """The response to a request, an error too: a SCIM body with status and scimType (RFC 7644 3.12).

        Raises whatever is not the client's mistake.
        """
        try:
            self.asked = request.query
            return self.handle(self._checked(request))
        except SCIMException as refused:
            return self.service.error_response(refused)

    def _checked(self, request: ScimRequest) -> ScimRequest:
        if not storable(request.path):
            raise NotFoundException(detail="There is no such resource")
        dialects.check(dict(request.query))
        if not request.body:
            return request
        payload = dialects.read(request.body)
        if payload is None:
            if request.method in ("POST", "PUT", "PATCH"):
                raise InvalidSyntaxException(detail="The body is not JSON")
            return request
        dialects.check(payload)
        return replace(request, body=to_json(dialects.in_standard_form(payload)))

    def patch_resource(
        self, resource_type: ResourceType, resource_id: str, patch_op: PatchOp[Any], conditions: Conditions
    ) -> Resource[Any]:
        """See :class:`ScimHandler`; a change of members, or of none, does not read the group's other members."""
        parts = members.parts_of(patch_op) if resource_type.name == GROUP else None
        if parts is None:
            most = MOST_OPERATIONS if resource_type.name == USER else MOST_ON_MEMBERS
            _check_cost(patch_op.operations or [], most, MOST_VALUES if resource_type.name == USER else None)
            return super().patch_resource(resource_type, resource_id, patch_op, conditions)
        change, rest = parts
        _check_cost(rest, MOST_OPERATIONS, MOST_VALUES)
        group = self.ours.group_row(resource_id)
        conditions.check(version(group), "PATCH")
        others = patch_op.model_copy(update={"operations": rest})
        changed = self.service.apply_patch(without_members(group), others, conditions) if rest else None
        self.ours.change_group(group, change, changed)
        wanted = self.service.read_response_parameters(resource_type, self.asked)
        return self.ours.get(resource_type, resource_id, response_parameters=wanted)
