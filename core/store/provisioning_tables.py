"""Tables of provisioning: what a directory pushed, by whom it may push, what it asked for, and who has left.

A pushed person is an account like any other (:class:`core.store.tables.User`); ``scim_users`` holds what the directory
says of it. ``resource`` is the SCIM resource as it was sent; ``keys`` is the same in the form in which values are
compared (RFC 7643 2.2: NFC, lower case unless the attribute is caseExact), so that a filter is a comparison in SQL.
The database decides uniqueness; every look-up that clients make often has an index.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.store.database import Owned
from core.store.tables import Key, User

Document = JSON().with_variant(JSONB(), "postgresql")
"""A JSON object that filters look into."""

# People whom an administrator or SAML made are found by user name when the directory pushes them.
Index("users_user_name", User.organization_id, User.user_name_key)


class PushedUser(Owned):
    """A person whom a connection pushed, and owns. ``version`` counts changes and is the ETag. ``says_active``: the
    resource has the attribute ``active``; a directory may take it away, which changes nobody's access.
    """

    __tablename__ = "scim_users"
    __table_args__ = (
        UniqueConstraint("connection_id", "user_name_key", name="scim_users_user_name"),
        UniqueConstraint("connection_id", "external_id", name="scim_users_external_id"),
        Index("scim_users_page", "organization_id", "connection_id", "user_id"),
    )
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    user_name_key: Mapped[str] = mapped_column(Key)
    external_id: Mapped[str | None] = mapped_column(Key)
    resource: Mapped[dict[str, Any]] = mapped_column(JSON)
    keys: Mapped[dict[str, Any]] = mapped_column(Document)
    says_active: Mapped[bool] = mapped_column(default=True)
    role_by_rule: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class PushedEmail(Owned):
    """An e-mail address of a pushed person in comparable form. Position 0 is the primary one, else the first."""

    __tablename__ = "scim_emails"
    __table_args__ = (Index("scim_emails_value", "connection_id", "value_key"),)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("scim_users.user_id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    value_key: Mapped[str | None] = mapped_column(Key)
    type_key: Mapped[str | None] = mapped_column(Key)
    display_key: Mapped[str | None] = mapped_column(Key)
    primary_key: Mapped[str | None] = mapped_column(Key)


class PushedGroup(Owned):
    """A group that a connection pushed, and owns. Its members are in ``scim_members``."""

    __tablename__ = "scim_groups"
    __table_args__ = (
        UniqueConstraint("connection_id", "external_id", name="scim_groups_external_id"),
        Index("scim_groups_page", "organization_id", "connection_id", "id"),
        Index("scim_groups_display_name", "connection_id", "display_name_key"),
    )
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    display_name_key: Mapped[str] = mapped_column(Key)
    external_id: Mapped[str | None] = mapped_column(Key)
    resource: Mapped[dict[str, Any]] = mapped_column(JSON)
    keys: Mapped[dict[str, Any]] = mapped_column(Document)
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class Membership(Owned):
    """A member of a pushed group: a person (``user_id``) or another group (``subgroup_id``) of the same connection. One
    that is neither is kept as the directory sent it, and means nothing here.
    """

    __tablename__ = "scim_members"
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    group_id: Mapped[str] = mapped_column(ForeignKey("scim_groups.id"), primary_key=True)
    member_id: Mapped[str] = mapped_column(String(128), primary_key=True, index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("scim_users.user_id"), index=True)
    subgroup_id: Mapped[str | None] = mapped_column(ForeignKey("scim_groups.id"), index=True)
    display: Mapped[str | None] = mapped_column(String(512))


class ProvisioningToken(Owned):
    """A bearer token of a connection. ``slot`` is 1 or 2 while it is live: the unique key allows two at once."""

    __tablename__ = "scim_tokens"
    __table_args__ = (UniqueConstraint("connection_id", "slot", name="scim_tokens_two_at_once"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    slot: Mapped[int | None] = mapped_column(Integer)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    ending: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(512))
    expires_at: Mapped[datetime]
    replaced: Mapped[bool] = mapped_column(default=False)
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_address: Mapped[str] = mapped_column(String(64), default="")


class ProvisioningRules(Owned):
    """How a connection's people become users: whether a first sign-in makes an account, and which groups give which
    role (``role_rules``: a list of ``[group name, role]``, the first match wins).
    """

    __tablename__ = "scim_rules"
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), primary_key=True)
    create_at_sign_in: Mapped[bool] = mapped_column(default=True)
    role_rules: Mapped[list[list[str]]] = mapped_column(JSON, default=list)


class ProvisioningRequest(Owned):
    """A request that a directory made, for the administrator who asks what happened. Bounded and pruned."""

    __tablename__ = "scim_requests"
    __table_args__ = (Index("scim_requests_newest", "connection_id", "id"),)
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    at: Mapped[datetime] = mapped_column(index=True)
    method: Mapped[str] = mapped_column(String(16))
    path: Mapped[str] = mapped_column(String(1024))
    status: Mapped[int] = mapped_column(Integer)
    milliseconds: Mapped[float] = mapped_column(Float)
    who: Mapped[str] = mapped_column(String(512), default="")
    resource_id: Mapped[str] = mapped_column(String(32), default="")
    scim_type: Mapped[str] = mapped_column(String(32), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    body: Mapped[str] = mapped_column(Text, default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    correlation_id: Mapped[str] = mapped_column(String(16), default="")


class Departure(Owned):
    """A person who may not come in any more. Gone when the account is active again, or deleted.

    ``delete_at`` is when the account is deleted (none: only suspended). ``held``: the brake keeps it until an Admin
    decides; ``decided``: an Admin has. ``external_id`` and ``user_name_key`` find the account again when the directory
    pushes the person anew.
    """

    __tablename__ = "departures"
    __table_args__ = (
        Index("departures_of_connection", "connection_id", "at"),
        Index("departures_external_id", "connection_id", "external_id"),
        Index("departures_user_name", "connection_id", "user_name_key"),
    )
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    connection_id: Mapped[str | None] = mapped_column(ForeignKey("connections.id"))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(512))
    delete_at: Mapped[datetime | None] = mapped_column(index=True)
    held: Mapped[bool] = mapped_column(default=False)
    decided: Mapped[bool] = mapped_column(default=False)
    external_id: Mapped[str | None] = mapped_column(Key)
    user_name_key: Mapped[str | None] = mapped_column(Key)
