"""What is costly to make of a connection's configuration, made once for each revision and kept with a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from core.plugin_api import Activation, SamlTrust, Site
from core.saml.encryption import Decryption
from core.saml.pinned_keys import Keys
from core.saml.service_keys import ServiceKeys

MOST: Final = 10_000
"""Connections. One costs some 7 KB, one with a key of ours up to 10 KB more (bench/README.md)."""


@dataclass(frozen=True, slots=True)
class PreparedConnection:
    """An active connection, ready for sign-in. ``keys`` are there whenever ``activation.saml`` is; ``own``
    are our own, there where the plugin's schema declares a certificate of ours.
    """

    id: str
    organization_id: str
    plugin_id: str
    title: str
    site: Site
    config: BaseModel
    activation: Activation
    keys: Keys | None
    own: ServiceKeys | None = None

    @property
    def trust(self) -> tuple[SamlTrust, Keys]:
        """Whom it believes; there for every connection that signs people in."""
        assert self.activation.saml
        assert self.keys
        return self.activation.saml, self.keys

    @property
    def decryption(self) -> Decryption | None:
        """How it reads what is encrypted; none without keys of our own."""
        return Decryption(self.own, self.trust[0].allow_cbc) if self.own else None


class PreparedConnections:
    """A bounded cache by connection id, each in one revision; the least recently used goes first. Safe between threads."""

    def __init__(self, most: int = MOST) -> None:
        """``most`` is the number of connections that are kept."""
        self._most = most
        self._kept: OrderedDict[str, tuple[int, PreparedConnection]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, connection_id: str, revision: int) -> PreparedConnection | None:
        """What was kept of the connection, if it is of this revision."""
        with self._lock:
            kept, prepared = self._kept.get(connection_id, (None, None))
            if kept != revision:
                return None
            self._kept.move_to_end(connection_id)
            return prepared

    def keep(self, revision: int, prepared: PreparedConnection) -> None:
        """Keep a connection of this revision, in the place of another."""
        with self._lock:
            self._kept[prepared.id] = (revision, prepared)
            self._kept.move_to_end(prepared.id)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
