"""Brings a database to the newest schema, and checks that our keys fit it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from core.errors import SettingsInvalid
from core.store.database import Database
from core.store.tables import KeyCheck
from core.vault import Vault

_LOCK = 7_140_117  # any number, the same in every process
_PLACE = "key_check"


def upgrade(database: Database, to: str = "head") -> None:
    """Run every migration that this database has not seen, up to the newest or to one. Processes that start together take
    turns.

    Raises ``SettingsInvalid`` where the database cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["configure_logger"] = False
    try:
        with database.engine.connect().execution_options(siq_writes=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # another's migration may take long
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except OperationalError as error:
        raise SettingsInvalid(f"SIQ_DATABASE_URL: the database cannot be reached ({_first_line(error)}).") from None


def check_keys(database: Database, vault: Vault) -> None:
    """Raise ``SettingsInvalid`` where this database was written under other secret keys than ours."""
    with database.unscoped() as session:
        check = session.get(KeyCheck, 1)
        if check is None:
            session.add(KeyCheck(id=1, sealed=vault.seal(b"siq", _PLACE)))
            return
        try:
            vault.open(check.sealed, _PLACE)
        except ValueError:
            raise SettingsInvalid(
                "SIQ_SECRET_KEYS: this database was written under another key. Add the former key after the new one."
            ) from None


def _first_line(error: OperationalError) -> str:
    return str(error.orig).strip().splitlines()[0]
