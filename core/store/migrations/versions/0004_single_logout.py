"""single logout: whose a session is at the provider, and requests of ours that wait"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("subject_hash", sa.String(length=64), server_default="", nullable=False))
        batch_op.add_column(sa.Column("session_index", sa.Text(), server_default="", nullable=False))
        batch_op.create_index("sessions_of_subject", ["connection_id", "subject_hash"], unique=False)
    op.create_table(
        "logout_requests",
        sa.Column("relay_state_hash", sa.String(length=64), nullable=False),
        sa.Column("connection_id", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organization_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"]),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
        sa.PrimaryKeyConstraint("relay_state_hash"),
    )
    with op.batch_alter_table("logout_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_logout_requests_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_logout_requests_organization_id"), ["organization_id"], unique=False)
