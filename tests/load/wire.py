"""HTTP over sockets for a client that breaks off in the middle. Nothing but the standard library: twenty of them start at
once.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any

HOST = "127.0.0.1"
SECONDS = 120  # without a byte of an answer: then something is stuck, and the run fails
CUTS = ("half", "whole", "reset")
"""How a request breaks off: after half of it, after all of it, or after all of it with a reset of the connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request; ``body`` is the JSON in it."""

    status: int
    correlation: str
    body: dict[str, Any]


class Wire:
    """A connection to one of several servers, opened anew when it is lost. A server that is not there is passed over."""

    def __init__(self, ports: list[int], prefix: str, headers: Mapping[str, str]) -> None:
        self.ports = ports
        self.prefix = prefix
        self.headers = headers
        self.at = 0
        self.socket: socket.socket | None = None

    def exchange(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        cut: str = "",
        sent: Callable[[], None] = lambda: None,
    ) -> Answer | None:
        """The answer; none where it never came. ``cut`` is one of ``CUTS``, or ``kill half`` or ``kill whole``, which end
        this process there. ``sent`` is called when the request is out.
        """
        content = b"" if body is None else json.dumps(body).encode()
        everything = self._head(method, path, len(content), {**self.headers, **(headers or {})}) + content
        through = self.socket or self._connect()
        half = len(everything) - len(content) // 2 if content else len(everything) // 2
        try:
            through.sendall(everything[:half] if cut.endswith("half") else everything)
            if cut.startswith("kill"):
                os.kill(os.getpid(), signal.SIGKILL)
            if cut:
                self.close(reset=cut == "reset")
                return None
            sent()
            return self._answer(through, method)
        except TimeoutError:
            raise
        except (OSError, HTTPException):  # the server was killed
            self.close()
            return None

    def _answer(self, through: socket.socket, method: str) -> Answer:
        response = HTTPResponse(through, method=method)
        try:
            response.begin()
            content = response.read()
            if response.will_close:
                self.close()
            return Answer(
                response.status, response.getheader("X-Correlation-ID", ""), json.loads(content) if content else {}
            )
        finally:
            response.close()

    def _head(self, method: str, path: str, length: int, headers: Mapping[str, str]) -> bytes:
        lines = [f"{method} {self.prefix}{path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _connect(self) -> socket.socket:
        while True:
            self.at = (self.at + 1) % len(self.ports)
            try:
                self.socket = socket.create_connection((HOST, self.ports[self.at]), timeout=SECONDS)
            except ConnectionRefusedError:  # it was killed; the next one is there
                continue
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self.socket

    def close(self, *, reset: bool = False) -> None:
        """Let go of the connection; with ``reset``, so that the server is told of an error."""
        if self.socket is not None:
            if reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.close()
        self.socket = None
