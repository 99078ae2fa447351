"""Serves an ASGI application on a free port of the loopback address, by the same server as in production."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"


@contextmanager
def serving(create: Callable[[str], ASGIApp]) -> Iterator[str]:
    """Serve what ``create`` makes for an origin, for the length of the block; gives the origin."""
    with socket.create_server((HOST, 0)) as listening:  # it queues connections from now on: nobody needs to wait
        origin = f"http://{HOST}:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(create(origin), log_config=None, access_log=False, lifespan="off"))
        thread = Thread(target=server.run, args=([listening],), name=f"serving {origin}")
        thread.start()
        try:
            yield origin
        finally:
            server.should_exit = True
            thread.join()
