"""How many sign-ins a second the endpoint takes, and how long people wait: ``make bench-acs``.

    python -m bench.acs [--postgresql URL of an empty database] [--processes 1 2] [--seconds 4]

`siq serve` with SQLite or PostgreSQL, in one process or two, under an open loop (bench/load.py). Each request is what a
click on the tile in AWS sends: a POST of a fresh signed response that answers no request of ours, which a connection to AWS
takes as it comes from the catalog (``tile_clicks`` is ACCEPT). Each answer has to be a session: 303 with the session's
cookie. The people have accounts already. Meanwhile a few others ask for the sign-in page.

Beside it, one after the other on the same database: the same program with python3-saml in the place of core.saml, and the
same program without its thread pool. Two processes stand behind no proxy: the generator asks them in turn.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import quote_plus, urlsplit

from sqlalchemy import delete, text

from bench import load
from bench.candidates import tile_click
from bench.load import HOST, Measured, Stream
from core.flows import activation, organizations
from core.flows import services as starting
from core.flows.actors import actor_of
from core.flows.services import Services
from core.settings import Settings
from core.store.tables import Attempt, AuditEntry, SignInSession, UsedAssertion
from core.testing.identity_provider import IdentityProvider

PUBLIC_URL = "https://siq.example.test"
PROVIDER = "https://portal.sso.us-east-1.amazonaws.com/saml/assertion/MTExMTIyMjIzMzMzX2lucy0wMTIzNDU2Nzg5YWJjZGVm"
PEOPLE = 200
RESPONSES = 3_000
LOWEST = 30.0
"""Sign-ins a second at which the climb begins."""
STEP = 1.4
FINEST = 1.12
"""The climb ends where the lowest rate that was not kept up is so many times the highest that was."""
WARM_UP = 5.0
"""Seconds in which each person signs in for the first time."""
LATE = 0.25
"""Seconds; a rate is kept up while the median of a run's last fifth stays below: no queue grows."""
OTHERS = 20.0
"""Requests for the sign-in page a second."""
PEER = "python3-saml in its place"
SERVE = {
    PEER: ("-m", "bench.acs_server"),
    "this project": ("-m", "core.cli", "serve", "--port"),
    "this project, no thread pool": ("-m", "bench.acs_server"),
}
PARTS = {PEER: "python3-saml", "this project, no thread pool": "event-loop"}


@dataclass(frozen=True, slots=True)
class Site:
    """A prepared database with one connection, and as many fresh responses for it as a climb needs."""

    services: Services
    folder: Path
    environment: Mapping[str, str]
    posts: Sequence[bytes]

    @property
    def database(self) -> str:
        """Its kind, for people."""
        return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[self.services.database.engine.dialect.name]

    def forget(self) -> None:
        """Let every response be fresh again, and every candidate find the same."""
        with self.services.database.engine.connect().execution_options(siq_writes=True) as database, database.begin():
            for table in (UsedAssertion, SignInSession, Attempt, AuditEntry):
                database.execute(delete(table))


@dataclass(frozen=True, slots=True)
class Result:
    """Sign-ins at a rate, others' requests meanwhile, and the servers' processor time for a sign-in, in seconds."""

    rate: float
    sign_ins: Measured
    others: Measured
    processor: float


def post(acs_url: str, form_value: str) -> bytes:
    """What the browser sends."""
    url = urlsplit(acs_url)
    body = f"SAMLResponse={quote_plus(form_value)}&RelayState=".encode()
    head = (
        f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Origin: https://us-east-1.signin.aws\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


PAGE = f"GET /signin HTTP/1.1\r\nHost: {urlsplit(PUBLIC_URL).netloc}\r\n\r\n".encode()


def is_session(head: bytes) -> bool:
    return head.startswith(b"HTTP/1.1 303 ") and b"\r\nset-cookie: __Host-siq_session=" in head


def is_page(head: bytes) -> bool:
    return head.startswith(b"HTTP/1.1 200 ")


@contextmanager
def site(database_url: str, folder: Path) -> Iterator[Site]:
    """An organization that signs in with AWS, and its people's clicks."""
    services = starting.start(Settings(database_url=database_url, data_dir=folder, public_url=PUBLIC_URL))
    try:
        organization = organizations.create_organization(services, "bench")
        admin = actor_of(organizations.create_admin(services, organization, "a@b.example"), organization)
        provider = IdentityProvider.create(PROVIDER)
        values: dict[str, str | bytes] = {
            "sso.sign_in_url": provider.sign_in_url,
            "sso.certificate": provider.certificate_pem,
        }
        there = activation.set_values(services, admin, "aws_sso", values).site
        posts = [
            post(there.acs_url, tile_click(provider, there, number % PEOPLE).form_value) for number in range(RESPONSES)
        ]
        environment = {
            **os.environ,
            "SIQ_DATABASE_URL": database_url,
            "SIQ_DATA_DIR": str(folder),
            "SIQ_PUBLIC_URL": PUBLIC_URL,
        }
        yield Site(services, folder, environment, posts)
    finally:
        if services.database.engine.dialect.name == "postgresql":
            with services.database.engine.begin() as database:
                database.execute(text("TRUNCATE organizations, key_check CASCADE"))
        services.database.close()


@contextmanager
def served(candidate: str, there: Site, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """One process of a candidate, until it answers and to the end of the block."""
    part = [PARTS[candidate]] if candidate in PARTS else []
    command = [sys.executable, *SERVE[candidate], str(port), *part]
    log = there.folder / f"{port}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=dict(there.environment), stderr=file)  # noqa: S603  our own programs
    try:
        for _ in range(300):
            with suppress(OSError):
                load.run([port], 0.1, Stream([PAGE], 10, is_page))
                break
            time.sleep(0.1)
            assert process.poll() is None, "it ended"
        yield process
    except BaseException:
        print(f"{candidate}, the end of its log:\n{log.read_text()[-4000:]}", file=sys.stderr)
        raise
    finally:
        process.terminate()
        process.wait()


class Candidate:
    """A running candidate, and the clicks that nobody has used yet."""

    def __init__(self, there: Site, servers: Sequence[subprocess.Popen[bytes]], ports: Sequence[int]) -> None:
        self._site = there
        self._servers = servers
        self._ports = ports
        self.begin()

    def begin(self) -> None:
        """From the first response again."""
        self._site.forget()
        self._posts = iter(self._site.posts)

    def run(self, rate: float, seconds: float) -> Result:
        """Sign-ins at this rate beside others' requests."""
        count = round(rate * seconds)
        posts = list(islice(self._posts, count))
        if len(posts) < count:
            self.begin()
            posts = list(islice(self._posts, count))
        before = self._processor()
        sign_ins, others = load.run(
            self._ports, seconds, Stream(posts, rate, is_session), Stream([PAGE], OTHERS, is_page)
        )
        return Result(rate, sign_ins, others, (self._processor() - before) / count)

    def climb(self, seconds: float) -> Result:
        """What was measured at the highest rate that was kept up. One that was not gets a second try: on a machine that
        others use a step may have met them.
        """
        kept = self.run(LOWEST, seconds)
        too_many = float("inf")
        while not kept.sign_ins.keeps_up(LATE):
            too_many = kept.rate
            kept = self.run(too_many / STEP, seconds)
        while too_many / kept.rate > FINEST:
            rate = min(kept.rate * STEP, (kept.rate + too_many) / 2)
            tries = (self.run(rate, seconds) for _ in range(2))
            found = next((one for one in tries if one.sign_ins.keeps_up(LATE)), None)
            if found:
                kept = found
            else:
                too_many = rate
        return kept

    def _processor(self) -> float:
        """Seconds of processor time of the servers so far (proc(5))."""
        used = [Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split() for server in self._servers]
        return sum(int(fields[11]) + int(fields[12]) for fields in used) / os.sysconf("SC_CLK_TCK")


def compare(there: Site, processes: int, seconds: float) -> None:
    """Print the tables of one database and one number of processes."""
    with ExitStack() as running:
        candidates = {}
        for name in SERVE:
            ports = [free_port() for _ in range(processes)]
            servers = [running.enter_context(served(name, there, port)) for port in ports]
            candidates[name] = Candidate(there, servers, ports)
            candidates[name].run(PEOPLE / WARM_UP, WARM_UP)
        print(f"\n{there.database}, {processes} process{'es' if processes > 1 else ''}\n")
        print("| candidate | sign-ins a second | times python3-saml | p50, p99 then, ms | sign-in page p99 then, ms |")
        print("|---|---:|---:|---:|---:|")
        most = {}
        for name, candidate in candidates.items():
            candidate.begin()
            found = most[name] = candidate.climb(seconds)
            print(
                f"| {name} | {found.rate:.0f} | {found.rate / most[PEER].rate:.2f} "
                f"| {ms(found.sign_ins, 0.5)}, {ms(found.sign_ins, 0.99)} | {ms(found.others, 0.99)} |",
                flush=True,
            )
        rate = most[PEER].rate / 2
        print(f"\nAt {rate:.0f} sign-ins a second, half of what python3-saml takes:\n")
        print("| candidate | p50, ms | p99, ms | p99, times python3-saml | sign-in page p99, ms | processor, ms |")
        print("|---|---:|---:|---:|---:|---:|")
        compared: Result | None = None
        for name, candidate in candidates.items():
            candidate.begin()
            found = candidate.run(rate, 3 * seconds)
            compared = compared or found
            times = found.sign_ins.percentile(0.99) / compared.sign_ins.percentile(0.99)
            print(
                f"| {name} | {ms(found.sign_ins, 0.5)} | {ms(found.sign_ins, 0.99)} | {times:.2f} "
                f"| {ms(found.others, 0.99)} | {found.processor * 1000:.1f} |",
                flush=True,
            )


def ms(measured: Measured, part: float) -> str:
    return f"{measured.percentile(part) * 1000:.1f}"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])


def main() -> None:
    """Print the tables of each database and number of processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgresql", help="URL of an empty database; without it, SQLite")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a step")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # no server outlives this program
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.postgresql or f"sqlite:///{folder}/siq.db"
        with site(url, Path(folder)) as there:
            for processes in arguments.processes:
                compare(there, processes, arguments.seconds)


if __name__ == "__main__":
    main()
