"""What 10,000 connections cost: the memory of all of them prepared, and the time of a sign-in beside that with ten.

    python -m bench.connections [--connections 10000]

Each connection is an organization's own AWS, with a certificate of its own, activated; a few keys repeat, which costs no less:
every connection reads its own. Two databases, with 10 and with as many as asked for; all connections of both are prepared,
so that what is kept of them counts. Then people who have accounts sign in, in turn here and there, through connections
spread over all. Each sign-in is the whole of core.flows.sign_in.finish with SQLite, its transaction included.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from bench.candidates import tile_click
from core import clock, correlation
from core.flows import services as starting
from core.flows import sign_in
from core.flows.attempts import Delivery, Visitor
from core.flows.connections import active_connection, connection_id, seal, site_of
from core.flows.services import Services
from core.forms import Values
from core.saml import metadata
from core.settings import Settings
from core.store.tables import Connection, ConnectionState, Organization
from core.testing.identity_provider import IdentityProvider, self_signed

PLUGIN = "aws_sso"
FEW = 10
KEYS = 20
BATCH = 1_000
SAMPLE = 500
"""Sign-ins in each database."""
MOST_MEGABYTES = 200.0
MOST_TIMES = 1.1
"""Times as long as with ten connections that a sign-in may take: what two runs differ by anyway."""


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A database with connections, and the provider behind each."""

    services: Services
    connections: Sequence[str]
    providers: Sequence[IdentityProvider]

    def delivery(self, number: int) -> Delivery:
        """A fresh click on the tile by the person of this connection."""
        there = site_of(self.services.settings, self.connections[number])
        return Delivery(
            tile_click(self.providers[number], there, number).form_value, "", None, Visitor("127.0.0.1", "bench")
        )


def filled(folder: Path, number: int, keys: Sequence[IdentityProvider]) -> Filled:
    """As many organizations with an active connection to AWS."""
    services = starting.start(
        Settings(database_url=f"sqlite:///{folder}/{number}.db", data_dir=folder, public_url="https://siq.example.test")
    )
    providers = [provider(keys[each % len(keys)], each) for each in range(number)]
    organizations = [f"o-{each:05}" for each in range(number)]
    connections = [connection_id(organization, PLUGIN) for organization in organizations]
    now = clock.now()
    with services.database.engine.connect().execution_options(siq_writes=True) as database, database.begin():
        for start in range(0, number, BATCH):
            part = range(start, min(start + BATCH, number))
            database.execute(
                insert(Organization),
                [
                    {
                        "id": organizations[each],
                        "slug": organizations[each],
                        "name": f"Company {each}",
                        "created_at": now,
                    }
                    for each in part
                ],
            )
            database.execute(
                insert(Connection),
                [
                    {
                        "id": connections[each],
                        "organization_id": organizations[each],
                        "plugin_id": PLUGIN,
                        "state": ConnectionState.ACTIVE,
                        "active": seal(services.vault, connections[each], values_of(services, providers[each])),
                        "created_at": now,
                        "changed_at": now,
                    }
                    for each in part
                ],
            )
    return Filled(services, connections, providers)


def provider(with_key: IdentityProvider, number: int) -> IdentityProvider:
    """An AWS with a certificate and an address of its own."""
    url = f"https://portal.sso.us-east-1.amazonaws.com/saml/assertion/MTExMTIyMjIzMzMzX2lucy0wMTIzNDU2Nzg5{number:08}"
    certificate = self_signed(with_key.key, clock.now() - timedelta(days=1), timedelta(days=5 * 365))
    return replace(with_key, entity_id=url, sign_in_url=url, certificate=certificate)


def values_of(services: Services, of: IdentityProvider) -> Values:
    """What the dialog stores of this provider."""
    posted = {"sso.sign_in_url": [of.sign_in_url], "sso.certificate": [of.certificate_pem]}
    return services.plugins.plugins[PLUGIN].form.read(posted, {}, metadata.identity_provider)


def prepare_all(there: Filled) -> tuple[float, float]:
    """Prepare every connection: megabytes that this process grew by, and seconds for one."""
    gc.collect()
    before, start = megabytes(), time.perf_counter()
    for connection in there.connections:
        active_connection(there.services, connection)
    taken = (time.perf_counter() - start) / len(there.connections)
    gc.collect()
    return megabytes() - before, taken


def megabytes() -> float:
    """The resident memory of this process (proc(5))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def signed_in(there: Filled, number: int) -> float:
    """Seconds of one sign-in through this connection."""
    delivery = there.delivery(number)
    correlation.begin()
    start = time.perf_counter()
    assert isinstance(sign_in.finish(there.services, there.connections[number], delivery), sign_in.SignedIn)
    return time.perf_counter() - start


def sign_ins(few: Filled, many: Filled) -> dict[Filled, list[float]]:
    """Seconds of sign-ins, in turn here and there, spread over all connections of each."""
    step = len(many.connections) / SAMPLE
    numbers = {few: [each % FEW for each in range(SAMPLE)], many: [int(each * step) for each in range(SAMPLE)]}
    for there, through in numbers.items():
        for number in dict.fromkeys(through):
            signed_in(there, number)  # the account is made
    taken: dict[Filled, list[float]] = {few: [], many: []}
    for each in range(SAMPLE):
        for there in (few, many) if each % 2 else (many, few):
            taken[there].append(signed_in(there, numbers[there][each]))
    return taken


def main() -> int:
    """Print what was measured; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    number = parser.parse_args().connections
    keys = [IdentityProvider.create("of no one") for _ in range(KEYS)]
    with tempfile.TemporaryDirectory() as folder:
        few, many = filled(Path(folder), FEW, keys), filled(Path(folder), number, keys)
        prepare_all(few)
        grown, taken = prepare_all(many)
        kept = sum(1 for each in many.connections if many.services.prepared.get(each, 1))
        print(
            f"{kept:,} of {number:,} connections prepared: {grown:.0f} MB, {grown * 1000 / number:.1f} KB each,",
            end=" ",
        )
        print(f"{taken * 1000:.2f} ms to prepare one")
        measured = sign_ins(few, many)
        medians = {there: statistics.median(values) * 1000 for there, values in measured.items()}
        times = medians[many] / medians[few]
        print(f"A sign-in: {medians[few]:.2f} ms with {FEW}, {medians[many]:.2f} ms with {number:,}: {times:.2f} times")
        for there in (few, many):
            there.services.database.close()
    missed = kept < number or grown > MOST_MEGABYTES or times > MOST_TIMES
    print("Missed" if missed else "Reached", f"at most {MOST_MEGABYTES:g} MB, all kept, {MOST_TIMES:g} times the time")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
