"""Random tokens that only their bearer has, and the hashes that we keep of them."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def new_id() -> str:
    """A row's id: 96 random bits as 24 hexadecimal digits."""
    return secrets.token_hex(12)


def hashed(token: str) -> str:
    """SHA-256 in hex. Plain hashing is enough: a token of 256 random bits cannot be guessed from its hash."""
    return hashlib.sha256(token.encode()).hexdigest()
