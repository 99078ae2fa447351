"""New, empty databases of each kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from core.store.tokens import new_id

POSTGRESQL = "SIQ_TEST_POSTGRESQL_URL"


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a new database: a file in ``folder``, or one of the PostgreSQL server that tests may use."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'siq.db'}"
        return
    server = os.environ.get(POSTGRESQL)
    if not server:
        pytest.skip(f"install with: apt-get install postgresql; set {POSTGRESQL}")
    url = make_url(server).set(drivername="postgresql+psycopg")
    name = f"siq_test_{new_id()}"
    administration = create_engine(url, isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield url.set(database=name).render_as_string(hide_password=False)
    with administration.connect() as connection:
        drop_database(lambda statement: connection.execute(text(statement)), name)
    administration.dispose()


def drop_database(run: Callable[[str], object], name: str) -> None:
    """End what is connected to a database, and drop it. ``WITH (FORCE)`` would end the server's own vacuuming, too, which
    only a superuser may; without it the server waits for that.
    """
    run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND usename = current_user")  # noqa: S608  a name of ours
    run(f"DROP DATABASE {name}")
