"""user names in the form in which they are compared"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.comparable import comparable

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BATCH = 5_000


def upgrade() -> None:
    op.add_column("users", sa.Column("user_name_key", KEY, server_default="", nullable=False))
    users = sa.table("users", sa.column("id"), sa.column("user_name"), sa.column("user_name_key"))
    fill = sa.update(users).where(users.c.id == sa.bindparam("of")).values(user_name_key=sa.bindparam("key"))
    database, last = op.get_bind(), ""
    while rows := database.execute(
        sa.select(users.c.id, users.c.user_name).where(users.c.id > last).order_by(users.c.id).limit(BATCH)
    ).all():
        database.execute(fill, [{"of": row.id, "key": comparable(row.user_name, exact=False)} for row in rows])
        last = rows[-1].id
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index("users_user_name")
        batch_op.create_index("users_user_name", ["organization_id", "user_name_key"], unique=False)
