"""What this service serves (schemas, resource types, capabilities), and how a resource is kept in a row.

A row holds a resource twice: the *document*, as it was sent, and its *keys*, every value as text in the form in which
values are compared (RFC 7643 2.2 and 2.4), so that a filter is a comparison in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from inspect import isclass
from typing import Any, cast

from pydantic import Base64Bytes
from scim2_models import (
    AuthenticationScheme,
    BaseModel,
    Bulk,
    CaseExact,
    ChangePassword,
    ETag,
    External,
    Filter,
    InvalidValueException,
    Pagination,
    Patch,
    Reference,
    Resource,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
)
from scim2_server.utils import load_default_resource_types, load_default_schemas

from core.store.comparable import comparable

USER = "User"
GROUP = "Group"

MOST_RESULTS = 1_000  # resources of one page
DEFAULT_RESULTS = 100
MOST_OPERATIONS = 1_000  # of one Bulk request
MOST_BYTES = 1024 * 1024  # of one request body
CURSOR_SECONDS = 3_600
LONGEST_NAME = 512  # characters of what is indexed
LONGEST_EMAIL = 320
LONGEST_VALUE = 8_192  # characters of every other value
MOST_ENTRIES = 1_000  # of all attributes with several values of one user

_INDEXED = frozenset({"userName", "externalId", "displayName"})

Document = dict[str, Any]

READING = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
"""What clients may do beside the standard: attributes that we do not have are left out of what they send."""

PATCHING = READING.model_copy(update={"unknown": ScimPolicy.Unknown.forbid})
"""The same for PATCH, except that an operation on an attribute that we do not have is refused, not silently dropped."""


@cache
def provider() -> ScimProvider:
    """The description of the service: Users with the enterprise extension, Groups, and what it can do."""
    schemas = load_default_schemas()
    user = schemas["urn:ietf:params:scim:schemas:core:2.0:User"]
    # SiQ has no passwords from a directory, so it does not say that it takes one.
    user.attributes = [each for each in user.attributes or [] if each.name != "password"]
    return ScimProvider.from_discovery(
        schemas.values(), load_default_resource_types().values(), config=_config(), policy=READING
    )


def _config() -> ServiceProviderConfig:
    return ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=True, max_operations=MOST_OPERATIONS, max_payload_size=MOST_BYTES),
        filter=Filter(supported=True, max_results=MOST_RESULTS),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=True),
        etag=ETag(supported=True),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="Bearer token",
                description="The token of the connection, made on its Provisioning tab (RFC 6750).",
                spec_uri=Reference[External]("https://datatracker.ietf.org/doc/html/rfc6750"),
                primary=True,
            )
        ],
        pagination=Pagination(
            cursor=True,
            index=True,
            default_pagination_method=Pagination.DefaultPaginationMethod.index,
            default_page_size=DEFAULT_RESULTS,
            max_page_size=MOST_RESULTS,
            cursor_timeout=CURSOR_SECONDS,
        ),
    )


@cache
def model_named(name: str) -> type[Resource[Any]]:
    """The model of ``User`` or ``Group``, with its extensions."""
    return cast("type[Resource[Any]]", provider().model_for(name))


# -- attributes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a model: its SCIM name, its Python name, and how its values are compared."""

    name: str
    field: str
    exact: bool
    many: bool
    model: type[BaseModel] | None
    """The model of its sub-attributes, where it is complex or an extension."""


@cache
def attributes(model: type[BaseModel]) -> Mapping[str, Attribute]:
    """The attributes of a model by Python name."""
    return {field: _attribute(model, field) for field in model.model_fields}


def _attribute(model: type[BaseModel], field: str) -> Attribute:
    root = model.get_field_root_type(field)
    return Attribute(
        name=model.model_fields[field].serialization_alias or field,
        field=field,
        exact=root is Base64Bytes or model.get_field_annotation(field, CaseExact) == CaseExact.true,
        many=model.get_field_multiplicity(field),
        model=root if isclass(root) and issubclass(root, BaseModel) else None,
    )


@cache
def _by_name(model: type[BaseModel]) -> Mapping[str, Attribute]:
    return {attribute.name: attribute for attribute in attributes(model).values()}


# -- documents and keys ----------------------------------------------------------------------------------------------


def document_of(resource: Resource[Any], *left_out: str) -> Document:
    """The JSON of a resource as it is kept. ``left_out`` are attributes that are kept elsewhere.

    Schemas that we do not have are left out like their attributes, and so is an empty ``externalId``. Raises
    ``InvalidValueException`` for a value that is too long to be kept, too many of them, or an empty name.
    """
    document: Document = resource.model_dump(mode="json")
    for name in ("id", "meta", *left_out):
        document.pop(name, None)
    document["schemas"] = [each for each in document.get("schemas", ()) if each in _urns()]
    if not document.get("externalId"):
        document.pop("externalId", None)
    name = "userName" if "userName" in _by_name(type(resource)) else "displayName"
    if not str(document.get(name) or "").strip():
        raise InvalidValueException(detail=f"{name} may not be empty")
    if sum(len(value) for value in document.values() if isinstance(value, list)) > MOST_ENTRIES:
        raise InvalidValueException(detail=f"A resource may have at most {MOST_ENTRIES} values beside members")
    _check_length("", document)
    return document


@cache
def _urns() -> frozenset[str]:
    return frozenset(str(schema.id) for schema in provider().schemas)


def keys_of(model: type[BaseModel], document: Mapping[str, Any]) -> Document:
    """A document in comparable form: every value a text (true and false too), the primary entry of a list first."""
    known = _by_name(model)
    return {name: _key(known[name], value) for name, value in document.items() if name in known}


def _key(attribute: Attribute, value: Any) -> Any:
    if isinstance(value, list):
        entries = sorted(value, key=lambda entry: not (isinstance(entry, dict) and entry.get("primary")))
        return [_key(attribute, entry) for entry in entries]
    if isinstance(value, dict) and attribute.model:
        return keys_of(attribute.model, value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return comparable(str(value), exact=attribute.exact)


def _check_length(name: str, value: Any, within: str = "") -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_length(key, item, name)
    elif isinstance(value, list):
        for item in value:
            _check_length(name, item, within)
    elif isinstance(value, str):
        longest = LONGEST_NAME if name in _INDEXED else LONGEST_VALUE
        if within == "emails":
            longest = LONGEST_EMAIL
        if len(value) > longest:
            raise InvalidValueException(detail=f"{name} may have at most {longest} characters")
