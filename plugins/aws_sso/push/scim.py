"""What is said to SiQ: SCIM 2.0 (RFC 7644) over kept-alive connections, with bounded patience."""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Lock, local
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode, urlsplit

Resource = dict[str, Any]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
RETRIED = frozenset({429, 500, 502, 503, 504})
ATTEMPTS = 8  # of one request; with the waits below they span half a minute, longer than a restart of SiQ
FIRST_WAIT = 0.25  # seconds; doubles with each attempt
TIMEOUT = 30.0  # seconds without a byte from SiQ
LONGEST_WAIT = 900.0  # seconds; who is asked to come back later than that stops instead
PAGE = 200  # resources asked for in one listing request; SiQ may answer with fewer


class Clock(Protocol):
    """What is used of the module ``time``."""

    def time(self) -> float:
        """Seconds since 1970."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


class PushError(Exception):
    """Something could not be pushed.

    PushError
      Refused         SiQ does not take this one; the others go on
        Missing       it is not there (404)
        Conflict      somebody else has that name or address (409)
        Changed       somebody else was faster (412)
      Stopped         nothing can be pushed for now
        OutOfTime     the time of this invocation is over
    """


class Refused(PushError):
    """SiQ does not take this one request; says its status and reason."""

    def __init__(self, status: int, scim_type: str, detail: str) -> None:
        super().__init__(f"SiQ answered {status} {scim_type}: {detail}"[:300])
        self.status = status
        self.scim_type = scim_type


class Missing(Refused):
    """It is not there (404)."""


class Conflict(Refused):
    """Somebody else has that name or address (409)."""


class Changed(Refused):
    """It is no longer what was read before (412)."""


class Stopped(PushError):
    """Nothing can be pushed for now: the token is refused, SiQ or AWS does not answer."""


class OutOfTime(Stopped):
    """The time of this invocation is over; the next one goes on."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    retry_after: str
    body: bytes


REFUSALS: Mapping[int, type[Refused]] = {404: Missing, 409: Conflict, 412: Changed}


class Scim:
    """SiQ's SCIM endpoint. Usable from several threads; each keeps one connection.

    ``base_url`` is https, or http on this machine. ``deadline`` is a moment of ``clock.monotonic()``: no request and
    no wait goes past it. All methods raise Stopped or OutOfTime, and Refused where SiQ does not take the request.
    """

    def __init__(self, base_url: str, token: str, *, deadline: float = float("inf"), clock: Clock = time) -> None:
        url = urlsplit(base_url)
        if url.hostname is None or not (url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)):
            raise Stopped("The SCIM base URL must start with https://, or the token would travel in the clear")
        if not token:
            raise Stopped("There is no SCIM token")
        self._host, self._port, self._path = url.hostname, url.port, url.path.rstrip("/")
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._token = token
        self._deadline = deadline
        self._clock = clock
        self._not_before = 0.0
        self._lock = Lock()
        self._mine = local()
        self._connections: list[HTTPConnection] = []
        self.requests = 0
        self.retries = 0

    def close(self) -> None:
        """Close every thread's connection."""
        for connection in self._connections:
            connection.close()

    def find(self, kind: str, attribute: str, value: str) -> list[Resource]:
        """Those of ``kind`` ("Users", "Groups") whose attribute is that value, without members."""
        return [
            found
            for found in self._page(kind, filter=f"{attribute} eq {json.dumps(value)}", excludedAttributes="members")[0]
            if attribute != "externalId" or found.get("externalId") == value  # a filter that was not applied
        ]

    def listing(self, kind: str, attributes: Sequence[str]) -> Iterator[Resource]:
        """All of ``kind``. Paged by index, so what changes meanwhile may be missing or come twice."""
        start = 1
        while True:
            page, total = self._page(kind, attributes=",".join(attributes), startIndex=start, count=PAGE)
            yield from page
            start += len(page)
            if not page or start > total:
                return

    def get(self, kind: str, scim_id: str) -> Resource:
        """One, with its members."""
        return self._send("GET", f"/{kind}/{quote(scim_id, safe='')}")

    def create(self, kind: str, resource: Resource) -> Resource:
        """A new one, as SiQ stored it."""
        return self._send("POST", f"/{kind}", resource)

    def patch(self, kind: str, scim_id: str, operations: Sequence[Resource], version: str | None = None) -> None:
        """Change one, if its version is still that; a version of None changes it in any case."""
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(operations)}
        # What comes back would have all members of a large group in it.
        self._send("PATCH", f"/{kind}/{quote(scim_id, safe='')}?excludedAttributes=members", body, version)

    def delete(self, kind: str, scim_id: str) -> None:
        """Delete one; it may be gone already."""
        try:
            self._send("DELETE", f"/{kind}/{quote(scim_id, safe='')}")
        except Missing:
            return

    def _page(self, kind: str, **query: str | int) -> tuple[list[Resource], int]:
        try:
            answer = self._send("GET", f"/{kind}?{urlencode(query)}")
        except Missing:
            raise Stopped(f"There is no {self._path}/{kind} at {self._host}: is this the SCIM base URL?") from None
        return answer.get("Resources", []), answer.get("totalResults", 0)

    def _send(self, method: str, path: str, body: Resource | None = None, version: str | None = None) -> Resource:
        headers = {
            "Accept": "application/scim+json",
            "Authorization": f"Bearer {self._token}",
            "User-Agent": "siq-push",
        }
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/scim+json"
        if version:
            headers["If-Match"] = version
        reason = retry_after = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._put_off(attempt, retry_after)
            try:
                answer = self._exchange(method, path, data, headers)
            except (
                OSError,
                HTTPException,
            ) as problem:  # nobody knows whether it arrived: every request may be repeated
                self._drop()
                reason, retry_after = f"{type(problem).__name__}: {problem}", ""
                continue
            if answer.status not in RETRIED:
                return self._read(answer)
            reason, retry_after = f"status {answer.status}", answer.retry_after
        raise Stopped(f"SiQ did not serve {method} in {ATTEMPTS} attempts: {reason}"[:300])

    def _exchange(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        self._wait_until(self._not_before)
        if not hasattr(self._mine, "connection"):
            self._mine.connection = (
                HTTPConnection(self._host, self._port, timeout=TIMEOUT)
                if self._tls is None
                else HTTPSConnection(self._host, self._port, timeout=TIMEOUT, context=self._tls)
            )
            with self._lock:
                self._connections.append(self._mine.connection)
        with self._lock:
            self.requests += 1
        connection: HTTPConnection = self._mine.connection
        connection.request(method, self._path + path, data, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.getheader("Retry-After") or "", response.read())

    def _drop(self) -> None:
        connection: HTTPConnection | None = getattr(self._mine, "connection", None)
        if connection is not None:
            connection.close()  # the next request opens it again

    def _read(self, answer: Answer) -> Resource:
        if answer.status in {401, 403}:
            raise Stopped(f"SiQ refuses the token ({answer.status}): is it the current one of this connection?")
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            raise Stopped(f"{self._host} redirects elsewhere ({answer.status}): is this the SCIM base URL?")
        if answer.status == HTTPStatus.NO_CONTENT:
            return {}
        try:
            body: Any = json.loads(answer.body)
        except ValueError:
            body = None
        if answer.status < HTTPStatus.BAD_REQUEST:
            if not isinstance(body, dict) or "schemas" not in body:
                raise Stopped(f"{self._host} answered without a SCIM resource: is this the SCIM base URL?")
            return body
        error: Resource = body if isinstance(body, dict) else {}
        refusal = REFUSALS.get(answer.status, Refused)
        raise refusal(answer.status, str(error.get("scimType", "")), str(error.get("detail", "no reason given")))

    def _put_off(self, attempt: int, retry_after: str) -> None:
        with self._lock:
            self.retries += 1
        wait = self._seconds(retry_after)
        if wait is None:
            # Half of it by chance, so that the threads do not come back together.
            wait = FIRST_WAIT * 2**attempt * random.uniform(0.5, 1)  # noqa: S311  no secret is made of it
            self._wait_until(self._clock.monotonic() + wait)
            return
        if wait > LONGEST_WAIT:
            raise Stopped(f"SiQ asks to come back in {wait:.0f} seconds")
        with self._lock:  # SiQ asked for a pause, and all threads keep it
            self._not_before = max(self._not_before, self._clock.monotonic() + wait)

    def _seconds(self, retry_after: str) -> float | None:
        """A Retry-After header in seconds from now (RFC 9110 10.2.3); None without a usable one."""
        if retry_after.isdecimal():
            return float(retry_after)
        try:
            return max(0.0, parsedate_to_datetime(retry_after).timestamp() - self._clock.time())
        except ValueError:
            return None

    def _wait_until(self, moment: float) -> None:
        if max(moment, self._clock.monotonic()) >= self._deadline:
            raise OutOfTime("The time of this invocation is over")
        if (wait := moment - self._clock.monotonic()) > 0:
            self._clock.sleep(wait)
