"""provisioning"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "scim_groups",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("connection_id", sa.String(length=32), nullable=False),
        sa.Column("display_name_key", KEY, nullable=False),
        sa.Column("external_id", KEY, nullable=True),
        sa.Column("resource", sa.JSON(), nullable=False),
        sa.Column("keys", DOCUMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "external_id", name="scim_groups_external_id"),
    )
    with op.batch_alter_table("scim_groups", schema=None) as batch_op:
        batch_op.create_index("scim_groups_display_name", ["connection_id", "display_name_key"], unique=False)
        batch_op.create_index("scim_groups_page", ["organization_id", "connection_id", "id"], unique=False)

    op.create_table(
        "scim_requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("milliseconds", sa.Float(), nullable=False),
        sa.Column("who", sa.String(length=512), nullable=False),
        sa.Column("resource_id", sa.String(length=32), nullable=False),
        sa.Column("scim_type", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("correlation_id", sa.String(length=16), nullable=False),
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("scim_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scim_requests_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_scim_requests_organization_id"), ["organization_id"], unique=False)
        batch_op.create_index("scim_requests_newest", ["connection_id", "id"], unique=False)

    op.create_table(
        "scim_rules",
        sa.Column("connection_id", sa.String(length=32), nullable=False),
        sa.Column("create_at_sign_in", sa.Boolean(), nullable=False),
        sa.Column("role_rules", sa.JSON(), nullable=False),
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.PrimaryKeyConstraint("connection_id"),
    )
    with op.batch_alter_table("scim_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scim_rules_organization_id"), ["organization_id"], unique=False)

    op.create_table(
        "scim_tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("connection_id", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("ending", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=512), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_address", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "slot", name="scim_tokens_two_at_once"),
        sa.UniqueConstraint("token_hash"),
    )
    with op.batch_alter_table("scim_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scim_tokens_organization_id"), ["organization_id"], unique=False)

    op.create_table(
        "departures",
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("connection_id", sa.String(length=32), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=512), nullable=False),
        sa.Column("delete_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("decided", sa.Boolean(), nullable=False),
        sa.Column("external_id", KEY, nullable=True),
        sa.Column("user_name_key", KEY, nullable=True),
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("user_id"),
    )
    with op.batch_alter_table("departures", schema=None) as batch_op:
        batch_op.create_index("departures_external_id", ["connection_id", "external_id"], unique=False)
        batch_op.create_index("departures_user_name", ["connection_id", "user_name_key"], unique=False)
        batch_op.create_index("departures_of_connection", ["connection_id", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_departures_delete_at"), ["delete_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_departures_organization_id"), ["organization_id"], unique=False)

    op.create_table(
        "scim_users",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("connection_id", sa.String(length=32), nullable=False),
        sa.Column("user_name_key", KEY, nullable=False),
        sa.Column("external_id", KEY, nullable=True),
        sa.Column("resource", sa.JSON(), nullable=False),
        sa.Column("keys", DOCUMENT, nullable=False),
        sa.Column("says_active", sa.Boolean(), nullable=False),
        sa.Column("role_by_rule", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("user_id"),
        sa.UniqueConstraint("connection_id", "external_id", name="scim_users_external_id"),
        sa.UniqueConstraint("connection_id", "user_name_key", name="scim_users_user_name"),
    )
    with op.batch_alter_table("scim_users", schema=None) as batch_op:
        batch_op.create_index("scim_users_page", ["organization_id", "connection_id", "user_id"], unique=False)

    op.create_table(
        "scim_emails",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.String(length=32), nullable=False),
        sa.Column("value_key", KEY, nullable=True),
        sa.Column("type_key", KEY, nullable=True),
        sa.Column("display_key", KEY, nullable=True),
        sa.Column("primary_key", KEY, nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["scim_users.user_id"],
        ),
        sa.PrimaryKeyConstraint("user_id", "position"),
    )
    with op.batch_alter_table("scim_emails", schema=None) as batch_op:
        batch_op.create_index("scim_emails_value", ["connection_id", "value_key"], unique=False)

    op.create_table(
        "scim_members",
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=True),
        sa.Column("subgroup_id", sa.String(length=32), nullable=True),
        sa.Column("display", sa.String(length=512), nullable=True),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["scim_groups.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["subgroup_id"],
            ["scim_groups.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["scim_users.user_id"],
        ),
        sa.PrimaryKeyConstraint("group_id", "member_id"),
    )
    with op.batch_alter_table("scim_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scim_members_member_id"), ["member_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_scim_members_subgroup_id"), ["subgroup_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_scim_members_user_id"), ["user_id"], unique=False)

    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index("users_user_name", ["organization_id", "user_name"], unique=False)
