"""addresses in a form in which no letter beyond ASCII is one of ASCII"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.comparable import email_key

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BATCH = 5_000


def upgrade() -> None:
    """Two keys that were different stay so: whatever is equal now was equal when it was case-folded."""
    users = sa.table("users", sa.column("id"), sa.column("email"), sa.column("email_key"))
    fill = sa.update(users).where(users.c.id == sa.bindparam("of")).values(email_key=sa.bindparam("key"))
    database, last = op.get_bind(), ""
    while rows := database.execute(
        sa.select(users.c.id, users.c.email).where(users.c.id > last).order_by(users.c.id).limit(BATCH)
    ).all():
        other = [{"of": row.id, "key": email_key(row.email)} for row in rows if not row.email.isascii()]
        if other:
            database.execute(fill, other)
        last = rows[-1].id
