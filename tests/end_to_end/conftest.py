"""A running product, running providers, a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.chromium import ARGUMENTS
from tests.end_to_end.product import Product, product
from tests.peers.peers import Peer, samlp, simplesamlphp


@pytest.fixture(scope="session")
def siq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """SiQ on localhost, once for each worker."""
    with product(tmp_path_factory.mktemp("siq")) as running:
        yield running


@pytest.fixture
def client(siq: Product) -> Iterator[httpx.Client]:
    """A browser of one person, over plain HTTP."""
    with siq.client() as made:
        yield made


@pytest.fixture(scope="module", params=[simplesamlphp, samlp], ids=["simplesamlphp", "samlp"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """Each of the two providers that nobody here wrote."""
    with request.param(tmp_path_factory.mktemp("peer")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window. Playwright runs an event loop in this thread, so it ends with the module."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: run `apt-get install chromium`")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window of a new browser profile. A violation of a policy header, or an error of a script, fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(10_000)
    wrong: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "content-security-policy" in message.text.lower():
            wrong.append(message.text)

    context.on("console", on_console)
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    yield context.new_page()
    context.close()
    assert not wrong
