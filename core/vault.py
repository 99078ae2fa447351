"""Secrets at rest and keys for signatures, all derived from the operator's secret keys."""

from __future__ import annotations

import base64
import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import SettingsInvalid
from core.settings import Settings


class Vault:
    """Encrypts with the first key, decrypts with any. Fernet (AES-128-CBC with HMAC-SHA-256) under HKDF-SHA-256 keys."""

    def __init__(self, keys: list[str]) -> None:
        """``keys`` are secrets of at least 32 characters, newest first."""
        self._keys = keys
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(key, "storage"))) for key in keys])

    def __repr__(self) -> str:
        return f"Vault({len(self._keys)} keys)"

    def seal(self, data: bytes, context: str) -> bytes:
        """``data`` encrypted for the place ``context`` (a table, column and row), where alone it can be opened."""
        return self._fernet.encrypt(context.encode() + b"\0" + data)

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed for ``context``. Raises ``ValueError`` where no key fits or the place is another."""
        try:
            place, _, data = self._fernet.decrypt(sealed).partition(b"\0")
        except InvalidToken:
            raise ValueError("no secret key opens this value") from None
        if place != context.encode():
            raise ValueError("this value was sealed for another place")
        return data

    def signing_keys(self, purpose: str) -> list[bytes]:
        """Keys of 32 bytes for signatures with one purpose, oldest first (the order of itsdangerous)."""
        return [_derive(key, f"signing {purpose}") for key in reversed(self._keys)]


def open_vault(settings: Settings) -> Vault:
    """The vault of the settings. Makes the key file in the data folder where no key is set."""
    keys = [key.strip() for key in settings.secret_keys.get_secret_value().split(",") if key.strip()]
    return Vault(keys or [_key_file(settings.data_dir / "secret.key")])


def _key_file(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make_key_file(path)
    key = path.read_text().strip()
    if len(key) < 32:  # noqa: PLR2004  the same bound as for SIQ_SECRET_KEYS
        raise SettingsInvalid(f"{path} holds no secret key; restore it from a backup.")
    return key


def _make_key_file(path: Path) -> None:
    """Make the file, unless another process that starts at this moment has made it: it gets its name when it is whole."""
    with NamedTemporaryFile("w", dir=path.parent) as made:  # which only the owner reads
        made.write(secrets.token_hex(32) + "\n")
        made.flush()
        os.fsync(made.fileno())
        with suppress(FileExistsError):
            os.link(made.name, path)


def _derive(key: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"siq {purpose}".encode()).derive(key.encode())
