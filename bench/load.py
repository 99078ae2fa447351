"""Open-loop load over HTTP/1.1: requests leave when they are planned, whatever became of those before them.

A closed loop, which sends the next request when the last one is answered, slows down with the server and so hides how long
people wait (coordinated omission). Here a request's time runs from its planned moment to its last byte, so that waiting
for anything counts: for a connection, for the server's queue, for this generator itself. Connections are kept alive; one
is added whenever all are busy. The generator does little (bytes made beforehand, a state machine for the answer): on a
machine that the server shares, what it needs is missing there.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

HOST = "127.0.0.1"
MOST_CONNECTIONS = 400
"""To one port. What finds none free then waits for the next that is."""
PATIENCE = 30.0
"""Seconds after the last planned moment; what has no answer then is missing."""

Good = Callable[[bytes], bool]
"""Whether the head of an answer (status line and headers) is the one that belongs to the request."""


class Unexpected(Exception):
    """An answer that is not the expected one. The numbers of a run with one mean nothing."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests to be sent in turn, evenly spread, ``rate`` a second; ``good`` judges each answer."""

    requests: Sequence[bytes]
    rate: float
    good: Good


@dataclass(slots=True)
class Measured:
    """Seconds from the planned moment to the answer, in the order of the planned moments; None where none came."""

    planned: int
    waits: list[float | None] = field(default_factory=list)

    @property
    def answered(self) -> list[float]:
        return [wait for wait in self.waits if wait is not None]

    def percentile(self, part: float) -> float:
        """Seconds within which this part of all requests was answered; those without an answer took for ever."""
        ordered = sorted(float("inf") if wait is None else wait for wait in self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]

    def keeps_up(self, most: float) -> bool:
        """Whether nothing is piling up: all are answered, and the last fifth waited at most so long (the median of it)."""
        return None not in self.waits and statistics.median(self.answered[-max(1, len(self.waits) // 5) :]) <= most


def run(ports: Sequence[int], seconds: float, *streams: Stream) -> list[Measured]:
    """Send each stream for so long, to the ports in turn."""
    gc.collect()
    gc.disable()  # a pause of ours would look like one of the server
    try:
        return uvloop.run(_run(ports, seconds, streams))
    finally:
        gc.enable()


async def _run(ports: Sequence[int], seconds: float, streams: Sequence[Stream]) -> list[Measured]:
    pools = [_Pool(port) for port in ports]
    start = time.monotonic() + 0.05  # uvloop's own clock counts milliseconds
    try:
        return await asyncio.gather(*(_send(pools, start, seconds, stream) for stream in streams))
    finally:
        for pool in pools:
            pool.close()


async def _send(pools: Sequence[_Pool], start: float, seconds: float, stream: Stream) -> Measured:
    planned = round(seconds * stream.rate)
    measured = Measured(planned, [None] * planned)
    tasks = []

    async def one(number: int, due: float) -> None:
        head = await pools[number % len(pools)].ask(stream.requests[number % len(stream.requests)])
        measured.waits[number] = time.monotonic() - due
        if not stream.good(head):
            raise Unexpected(head.decode("latin-1", "replace"))

    for number in range(planned):
        due = start + number / stream.rate
        if (delay := due - time.monotonic()) > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(one(number, due)))
    done, pending = await asyncio.wait(tasks, timeout=PATIENCE)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()
    return measured


class _Pool:
    """Connections to one port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []
        self._all: list[_Connection] = []
        self._free = asyncio.Semaphore(MOST_CONNECTIONS)

    async def ask(self, request: bytes) -> bytes:
        """The head of the answer, once all of it is here."""
        async with self._free:
            while self._idle and self._idle[-1].closed:
                self._idle.pop()
            try:
                connection = self._idle.pop() if self._idle else await self._connect()
                head = await connection.ask(request)
            except ConnectionError:  # the server closed an idle one just then; what it did take it takes no second time
                connection = await self._connect()
                head = await connection.ask(request)
            self._idle.append(connection)
            return head

    async def _connect(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, HOST, self._port)
        self._all.append(connection)
        return connection

    def close(self) -> None:
        for connection in self._all:
            connection.close()


class _Connection(asyncio.Protocol):
    """One connection with at most one request on the way."""

    def __init__(self) -> None:
        self.closed = False
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    async def ask(self, request: bytes) -> bytes:
        assert self._transport
        self._received = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, body = self._received.partition(b"\r\n\r\n")
        if complete and self._answer and not self._answer.done() and len(body) >= _length(head):
            self._answer.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed before the answer"))

    def close(self) -> None:
        if self._transport:
            self._transport.close()


def _length(head: bytes) -> int:
    """Content-Length; every answer of ours has one."""
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0])
