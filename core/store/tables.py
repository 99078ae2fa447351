"""Every table. Ids are random text; times are aware UTC; hashes are SHA-256 in hex."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.orm import Mapped, mapped_column, validates

from core.store.comparable import comparable
from core.store.database import Base, Owned

Key = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared and sorted by code point on every database."""


class Role(enum.StrEnum):
    """What a person may do. Admin and IT manage integrations; the others do not see them."""

    ADMIN = "Admin"
    POWER_ADMIN = "Power Admin"
    LOCATION_ADMIN = "Location Admin"
    DEPARTMENT_ADMIN = "Department Admin"
    SPACE_CAPTAIN = "Space Captain"
    IT = "IT"
    BOOKING_MANAGER = "Booking Manager"
    VIEWER = "Viewer"


class ConnectionState(enum.StrEnum):
    """``draft``: never activated. ``active``: people sign in. ``disabled``: everything is kept, nobody signs in."""

    DRAFT = "draft"
    ACTIVE = "active"
    DISABLED = "disabled"


class Outcome(enum.StrEnum):
    """How an attempt ended. A message of single logout is kept only where it failed."""

    SIGNED_IN = "signed_in"
    FAILED = "failed"


def _words(kind: type[enum.StrEnum]) -> SqlEnum:
    """An enumeration stored as its words, so that the database can be read by people and a member can be added."""
    return SqlEnum(
        kind, native_enum=False, length=32, values_callable=lambda members: [member.value for member in members]
    )


class Organization(Base):
    """A company that subscribes to SiQ."""

    __tablename__ = "organizations"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    contact_email: Mapped[str] = mapped_column(String(320), default="")
    created_at: Mapped[datetime]


class User(Owned):
    """A person's account in one organization. ``email_key`` is the address as it is compared, unique in the
    organization; ``user_name_key`` is the user name as it is compared, and follows ``user_name``.
    """

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("organization_id", "email_key"), Index("users_email_key", "email_key"))
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(320))
    email_key: Mapped[str] = mapped_column(String(320))
    user_name: Mapped[str] = mapped_column(String(512))
    user_name_key: Mapped[str] = mapped_column(Key)
    given_name: Mapped[str] = mapped_column(String(512), default="")
    family_name: Mapped[str] = mapped_column(String(512), default="")
    display_name: Mapped[str] = mapped_column(String(512), default="")
    role: Mapped[Role] = mapped_column(_words(Role), default=Role.VIEWER)
    active: Mapped[bool] = mapped_column(default=True)
    source_connection_id: Mapped[str | None] = mapped_column(ForeignKey("connections.id"))
    password_hash: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    last_sign_in_at: Mapped[datetime | None]

    @validates("user_name")
    def _compared(self, _name: str, user_name: str) -> str:
        self.user_name_key = comparable(user_name, exact=False)
        return user_name


class Connection(Owned):
    """One plugin in one organization. ``draft`` and ``active`` are sealed JSON of a configuration's values."""

    __tablename__ = "connections"
    __table_args__ = (UniqueConstraint("organization_id", "plugin_id"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    plugin_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[ConnectionState] = mapped_column(_words(ConnectionState), default=ConnectionState.DRAFT)
    draft: Mapped[bytes | None] = mapped_column(LargeBinary)
    active: Mapped[bytes | None] = mapped_column(LargeBinary)
    revision: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(512), default="")
    activated_at: Mapped[datetime | None]


class ServiceProviderKey(Owned):
    """A key of ours at a connection, its private half sealed. It may be older than the connection's row: the dialog shows
    the certificate before anything is stored. The database decides that there are two at most and that one signs.
    """

    __tablename__ = "sp_keys"
    __table_args__ = (
        UniqueConstraint("connection_id", "slot", name="sp_keys_slot"),
        Index(
            "sp_keys_signing",
            "connection_id",
            unique=True,
            sqlite_where=text("signs"),
            postgresql_where=text("signs"),
        ),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    connection_id: Mapped[str] = mapped_column(String(32))
    slot: Mapped[int] = mapped_column(Integer)
    signs: Mapped[bool]
    certificate: Mapped[str] = mapped_column(Text)
    private_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(512), default="")


class LinkedIdentity(Owned):
    """A subject of a provider that is a user here. The provider's subject never changes, so the link never does."""

    __tablename__ = "linked_identities"
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), primary_key=True)
    subject: Mapped[str] = mapped_column(String(512), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]


class PendingRequest(Owned):
    """A request of ours that waits for its response. Both hashes are of secrets that only the browser has."""

    __abstract__ = True
    relay_state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    request_id: Mapped[str] = mapped_column(String(64))
    browser_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LoginRequest(PendingRequest):
    """An AuthnRequest. It stays when its response has come, so that a second one is a replay."""

    __tablename__ = "login_requests"
    next_path: Mapped[str] = mapped_column(String(2048))
    consumed_at: Mapped[datetime | None]


class LogoutRequest(PendingRequest):
    """A LogoutRequest of ours. It is gone once its response has come."""

    __tablename__ = "logout_requests"


class UsedAssertion(Owned):
    """An assertion that has opened a session, or a LogoutRequest that has ended some. The primary key decides which of two
    replays wins: the first.
    """

    __tablename__ = "used_assertions"
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), primary_key=True)
    assertion_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SignInSession(Owned):
    """A signed-in browser. ``expires_at`` is absolute; the idle limit counts from ``last_seen_at``.

    ``subject`` is the NameID of the sign-in as JSON (value, Format, NameQualifier, SPNameQualifier), kept with SessionIndex
    where the connection takes part in single logout; ``subject_hash`` is what it is found by.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index("sessions_of_subject", "connection_id", "subject_hash"),)
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    connection_id: Mapped[str | None] = mapped_column(ForeignKey("connections.id"))
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    subject: Mapped[str] = mapped_column(Text, default="", server_default="")
    subject_hash: Mapped[str] = mapped_column(String(64), default="", server_default="")
    session_index: Mapped[str] = mapped_column(Text, default="", server_default="")


class Attempt(Owned):
    """One try to sign in through a connection, or a message of single logout that was refused there. ``trace`` is sealed
    JSON: attributes and redacted XML.
    """

    __tablename__ = "attempts"
    __table_args__ = (Index("attempts_of_connection", "connection_id", "at"),)
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    at: Mapped[datetime]
    outcome: Mapped[Outcome] = mapped_column(_words(Outcome))
    code: Mapped[str] = mapped_column(String(16), default="")
    detail: Mapped[str] = mapped_column(Text, default="")
    expected: Mapped[str] = mapped_column(Text, default="")
    received: Mapped[str] = mapped_column(Text, default="")
    who: Mapped[str] = mapped_column(String(512), default="")
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    started_here: Mapped[bool]
    address: Mapped[str] = mapped_column(String(64), default="")
    browser: Mapped[str] = mapped_column(String(300), default="")
    trace: Mapped[bytes] = mapped_column(LargeBinary)


class AuditEntry(Owned):
    """Who did what. Rows are added and never changed."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("audit_log_newest", "organization_id", "id"),)
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(512))
    subject: Mapped[str] = mapped_column(String(512), default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    correlation_id: Mapped[str] = mapped_column(String(16))


class OneTimeLink(Owned):
    """A link that signs one person in, once."""

    __tablename__ = "one_time_links"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class PasswordFailure(Base):
    """A password that was tried and wrong, counted by account and by address. Belongs to no organization: an
    account that does not exist is throttled like one that does.
    """

    __tablename__ = "password_failures"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    key_hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    __table_args__ = (Index("password_failures_key", "key_hash", "at"),)


class KeyCheck(Base):
    """A known text under the first secret key that this database met: a start with other keys is refused."""

    __tablename__ = "key_check"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
