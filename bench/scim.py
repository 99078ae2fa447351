"""How long SCIM requests take, and whether that depends on the number of users.

``python -m bench.scim [--postgresql URL] [--quiet FILE] [users …]``: our endpoint (token, transaction, answer and the record
of the request included) on SQLite and PostgreSQL beside two in memory, which are the protocol alone: the reference of
scim2-server, and SCIMMY for Node.js. All answer the same requests, from the text of a body to the text of an answer; there is
no network. Ends with status 1 where something that has to be flat is not: see ``FLAT``.
"""

from __future__ import annotations

import argparse
import fcntl
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from bench.scim_candidates import Candidate, Request, identifier, in_memory, ours, scimmy, user

MOST_IN_MEMORY = 10_000  # both look at each user to answer some of the requests: with 100,000, minutes for each
ROUNDS = 200
FEW = 10  # of what takes long
DEEP = 10_000  # users before the page by cursor
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

FLAT = (
    "get by id",
    "filter userName eq",
    "filter externalId eq",
    "filter emails.value eq",
    "next page of 100, by cursor",
)
BOUND = 2.0  # times as long with the most users as with the fewest

Results = dict[str, dict[int, dict[str, float | None]]]
"""Milliseconds by candidate, number of users and operation; none where the candidate cannot do it."""


def main() -> int:
    """Print a table for each number of users, and what depends on it; answers the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", nargs="*", type=int, default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--postgresql", help="URL of an empty database")
    parser.add_argument("--quiet", type=Path, help="a file to lock while something is measured, not while it is filled")
    arguments = parser.parse_args()
    print("median milliseconds of a request\n")
    results: Results = {}
    with tempfile.TemporaryDirectory() as folder:  # one, for the key of the databases is in it
        for number in arguments.users:
            for made in candidates(number, Path(folder), arguments.postgresql):
                with made as candidate, alone(arguments.quiet):
                    results.setdefault(candidate.name, {})[number] = measured(candidate, number)
            table(number, {name: by_number[number] for name, by_number in results.items() if number in by_number})
    return growth(results)


def candidates(number: int, folder: Path, postgresql: str | None) -> Iterator[AbstractContextManager[Candidate]]:
    """Each one filled with users when its turn comes."""
    yield ours("SQLite", f"sqlite:///{folder}/{number}.db", folder, number)
    if postgresql:
        yield ours("PostgreSQL", postgresql, folder, number)
    if number <= MOST_IN_MEMORY:
        yield in_memory(number)
        yield scimmy(number)


@contextmanager
def alone(file: Path | None) -> Iterator[None]:
    """Nobody else who locks the file is at work."""
    if file is None:
        yield
        return
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def table(number: int, results: dict[str, dict[str, float | None]]) -> None:
    """One line an operation."""
    print(f"| {number:,} users | " + " | ".join(results) + " |")
    print("|---|" + "---:|" * len(results))
    for operation in next(iter(results.values())):
        cells = (each[operation] for each in results.values())
        print(f"| {operation} | " + " | ".join("cannot" if cell is None else f"{cell:,.2f}" for cell in cells) + " |")
    print(flush=True)


def growth(results: Results) -> int:
    """How much longer each operation takes with the most users than with the fewest; 1 where it may not."""
    kept = {name: by_number for name, by_number in results.items() if len(by_number) > 1}
    if not kept:
        return 0
    ratios: dict[str, dict[str, float | None]] = {}
    for name, by_number in kept.items():
        few, many = by_number[min(by_number)], by_number[max(by_number)]
        title = f"{name}, {max(by_number):,} against {min(by_number):,}"
        ratios[title] = {
            operation: after / before if (before := few[operation]) and (after := many[operation]) else None
            for operation in few
        }
    print("| times as long | " + " | ".join(ratios) + " |")
    print("|---|" + "---:|" * len(ratios))
    for operation in next(iter(ratios.values())):
        cells = " | ".join("" if (cell := each[operation]) is None else f"{cell:,.2f}" for each in ratios.values())
        print(f"| {operation} | {cells} |")
    missed = [
        f"{operation} on {title}: {ratio:.2f} times"
        for title, by_operation in ratios.items()
        if title.startswith(("SQLite", "PostgreSQL"))
        for operation in FLAT
        if (ratio := by_operation[operation]) is not None and ratio > BOUND
    ]
    print("\n" + "\n".join(f"Not reached: {each}, at most {BOUND:.0f}" for each in missed))
    return 1 if missed else 0


def measured(candidate: Candidate, number: int) -> dict[str, float | None]:
    """The median of each operation."""
    group = f"/Groups/{identifier(number)}"
    everywhere = [turn * 7_919 % number for turn in range(ROUNDS)]
    few = everywhere[:FEW]
    add = patch({"op": "add", "path": "members", "value": [{"value": "u-1"}]})
    remove = patch({"op": "remove", "path": 'members[value eq "u-1"]'})
    without = {"excludedAttributes": "members"}
    middle = {"count": "100", "startIndex": str(number // 2)}

    def titled(each: int) -> Request:
        return (
            "PATCH",
            f"/Users/{identifier(each)}",
            {},
            patch({"op": "replace", "path": "title", "value": f"T {each}"}),
        )

    many = few if candidate.name.endswith("in memory") else everywhere
    medians = candidate.medians
    return {
        "get by id": medians(("GET", f"/Users/{identifier(each)}", {}, None) for each in everywhere),
        "filter userName eq": medians(filtered("userName", f"user-{each}@example.test") for each in many),
        "filter externalId eq": medians(filtered("externalId", f"external-{each}") for each in many),
        "filter emails.value eq": medians(filtered("emails.value", f"user-{each}@example.test") for each in many),
        "create": medians(("POST", "/Users", {}, user(10_000_000 + turn)) for turn in range(ROUNDS)),
        "PATCH a user": medians(titled(each) for each in everywhere),
        "PATCH one member of the big group, all of it in the answer": medians(
            ("PATCH", group, {}, add if turn % 2 == 0 else remove) for turn in range(2 * FEW)
        ),
        # SCIMMY changes what the answer shows and writes that: the other members would be lost.
        "PATCH one member of the big group, excludedAttributes=members": medians(
            ("PATCH", group, without, add if turn % 2 == 0 else remove) for turn in range(2 * FEW)
        )
        if candidate.send
        else None,
        "first page of 100": medians(("GET", "/Users", {"count": "100"}, None) for _ in range(FEW)),
        "page of 100 in the middle, by index": medians(("GET", "/Users", middle, None) for _ in range(FEW)),
        "next page of 100, by cursor": medians(deep_pages(candidate, number)) if candidate.send else None,
    }


def deep_pages(candidate: Candidate, number: int) -> Iterable[Request]:
    """Pages by cursor, far from the first one where there are that many."""
    assert candidate.send
    cursor = ""
    for _ in range(min(number // 2, DEEP) // 100):
        cursor = candidate.send("GET", "/Users", {"cursor": cursor, "count": "100"}, None)[1]["nextCursor"]
    for _ in range(2 * FEW):
        yield "GET", "/Users", {"count": "100", "cursor": cursor}, None


def filtered(attribute: str, value: str) -> Request:
    """A look-up."""
    return "GET", "/Users", {"filter": f'{attribute} eq "{value}"'}, None


def patch(operation: dict[str, Any]) -> dict[str, Any]:
    """The body of a PATCH with one operation."""
    return {"schemas": [PATCH], "Operations": [operation]}


if __name__ == "__main__":
    sys.exit(main())
