"""A browser of one person over plain HTTP: it keeps cookies, follows nothing, and sends what it is told, well-formed or not."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit

FORM = "application/x-www-form-urlencoded"
_CODE = re.compile(r"\bSSO-\d{3}\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``code`` is that of a refusal, or empty; ``person`` says whether somebody is signed in in this
    browser now, by what the server says when it is asked. ``ended`` says that a session which was open is not any more.
    ``seconds`` is how long the answer took.
    """

    status: int
    location: str
    text: str
    seconds: float
    person: bool = False
    ended: bool = False

    @property
    def code(self) -> str:
        """The code of a refusal."""
        found = _CODE.search(self.text)
        return found[0] if found else ""


class Browser:
    """One browser. ``origin`` is where it connects to, whatever the addresses say."""

    def __init__(self, origin: str, cookies: Mapping[str, str] | None = None) -> None:
        """``cookies`` are those of another browser, for whoever stole them."""
        parts = urlsplit(origin)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self.cookies: dict[str, str] = dict(cookies or {})

    def __enter__(self) -> Self:
        """Use it for a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._connection.close()

    def send(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, look: bool = True
    ) -> Answer:
        """Send one request. With ``look`` the server is asked afterwards whether somebody is signed in."""
        answer = self._send(method, url, body, headers or {})
        if not look:
            return answer
        me = self._send("GET", "/api/v1/me", b"", {})
        return Answer(answer.status, answer.location, answer.text, answer.seconds, person=me.status == 200)  # noqa: PLR2004  OK

    def get(self, url: str) -> Answer:
        """Open an address."""
        return self.send("GET", url, look=False)

    def post(self, url: str, fields: Mapping[str, str] | Sequence[tuple[str, str]]) -> Answer:
        """Send a form."""
        return self.send("POST", url, urlencode(fields).encode(), {"Content-Type": FORM})

    def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if not self.cookies:
            del sent["Cookie"]
        started = time.perf_counter()
        for attempt in (1, 2):
            try:
                self._connection.request(method, path, body or None, sent)
                response = self._connection.getresponse()
                text = response.read().decode("utf-8", "replace")
                break
            except (HTTPException, ConnectionError):  # the server closed a connection that it had kept
                self._connection.close()
                if attempt == 2 or method != "GET":  # noqa: PLR2004  the second and last one
                    raise
        seconds = time.perf_counter() - started
        self._keep(response.headers.get_all("Set-Cookie") or [])
        return Answer(response.status, response.headers.get("Location", ""), text, seconds)

    def _keep(self, cookies: list[str]) -> None:
        for cookie in cookies:
            pair, *attributes = (part.strip() for part in cookie.split(";"))
            name, _, value = pair.partition("=")
            if any(each.lower() == "max-age=0" for each in attributes):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
