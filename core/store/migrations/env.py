"""Alembic's environment: one connection, handed in by ``core.store.schema``."""

from __future__ import annotations

from alembic import context

from core.store import provisioning_tables, tables  # noqa: F401  registers the tables
from core.store.database import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
