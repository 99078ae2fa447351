"""The HTTP server, set up in one way for the product, the demo and the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from core.flows import housekeeping
from core.flows.services import Services
from core.saml import redirect

log = structlog.get_logger()

_PRUNE_EVERY = 600.0  # seconds


def server(app: Starlette, host: str, port: int, trusted_proxies: str = "") -> uvicorn.Server:
    """A server of ``app``. Only the proxies named here are believed when they say whose request it is."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=trusted_proxies or None,
        )
    )


def background(services: Services) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """A lifespan for an application: prepares what the first sign-in would wait for, and deletes what has expired, at
    the start and every ten minutes.
    """

    async def prepare_then_prune() -> None:
        await run_in_threadpool(redirect.binding)
        while True:
            try:
                await run_in_threadpool(housekeeping.prune, services)
            except Exception:
                log.exception("pruning failed")
            await asyncio.sleep(_PRUNE_EVERY)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(prepare_then_prune())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return lifespan
