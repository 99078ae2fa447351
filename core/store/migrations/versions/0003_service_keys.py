"""our own keys at connections"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sp_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("connection_id", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("signs", sa.Boolean(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=512), nullable=False),
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "slot", name="sp_keys_slot"),
    )
    with op.batch_alter_table("sp_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sp_keys_organization_id"), ["organization_id"], unique=False)
        batch_op.create_index(
            "sp_keys_signing",
            ["connection_id"],
            unique=True,
            sqlite_where=sa.text("signs"),
            postgresql_where=sa.text("signs"),
        )
