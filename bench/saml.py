"""How long one SAML response takes: this project and six others, on the same bytes in the same run.

    make bench

The responses have the shape of AWS IAM Identity Center: RSA-2048, SHA-256, 8 attributes. Each candidate first has to show
that it accepts the good response and refuses four bad ones, so that nobody is fast by looking at nothing. Then the
candidates take turns, so that a busy moment of the machine meets all of them. Medians, in microseconds.
"""

from __future__ import annotations

import base64
import gc
import importlib.metadata
import logging
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bench import candidates
from bench.candidates import ATTRIBUTES, Given, Node, Timed
from core import clock
from core.saml import service_keys
from core.testing.identity_provider import IdentityProvider

ISSUER = "https://portal.sso.us-east-1.amazonaws.com/saml/assertion/MTExMTIyMjIzMzMzX2lucy0wMTIzNDU2Nzg5YWJjZGVm"
AUDIENCE = "https://siq.example.test/sso/inst-1/metadata"
ACS_URL = "https://siq.example.test/sso/inst-1/acs"
REQUEST = "_req-0001"
SUBJECT = "ada@example.test"

ROUNDS = 40
TIMES = {"floor": 50, "this project": 50, "python3-saml": 10, "pysaml2 (xmlsec1)": 1}
"""How often a candidate runs in a round; those for Node.js ten times."""
WARM_UP = 300
"""Runs of a candidate for Node.js before the first round: its compiler needs them. pysaml2 gets as many as in a round."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What is signed, and whether the Assertion is then encrypted. ``least`` is how many times as fast as others this
    project has to be there, ``most_floors`` how many times as long as the floor it may take.
    """

    name: str
    sign: tuple[str, ...]
    least: Mapping[str, float]
    most_floors: float
    encrypted: bool = False


VARIANTS = (
    Variant(
        "Assertion signed", ("assertion",), {"python3-saml": 8.0, "node-saml": 16.0, "pysaml2 (xmlsec1)": 80.0}, 3.0
    ),
    Variant(
        "Response and Assertion signed",
        ("response", "assertion"),
        {"python3-saml": 5.9, "pysaml2 (xmlsec1)": 75.0},
        6.0,
    ),
    Variant(
        "Assertion signed, then encrypted (RSA-OAEP, AES-256-GCM)",
        ("assertion",),
        {"python3-saml": 15.0, "node-saml": 8.0, "pysaml2 (xmlsec1)": 65.0},
        2.2,
        encrypted=True,
    ),
)


def given_for(variant: Variant) -> Given:
    provider = IdentityProvider.create(ISSUER)
    now = clock.now()
    own = service_keys.create("siq.example.test", "inst-1", now) if variant.encrypted else None
    return Given(provider, AUDIENCE, ACS_URL, REQUEST, SUBJECT, variant.sign, now, own)


class Unread(Exception):
    """A candidate does not accept the good response."""


def check(name: str, run: Timed, given: Given) -> None:
    """See that a candidate accepts what it has to and refuses the rest. Raises Unread where it does not even accept."""
    good = given.response(attributes=ATTRIBUTES)
    try:
        run(good, 1)
    except Exception as refused:
        raise Unread(f"{name} ({refused})") from refused
    bad = {
        "altered": given.altered(b"value of email", b"value of grace", attributes=ATTRIBUTES),
        "signed by another key": given.response(attributes=ATTRIBUTES, provider=given.provider.rotate()),
        "for another audience": given.response(attributes=ATTRIBUTES, audience="https://other.example.test"),
        "expired": given.response(attributes=ATTRIBUTES, now=given.now - timedelta(hours=1)),
    }
    for what, response in bad.items():
        try:
            run(response, 1)
        except Exception:  # noqa: BLE001, S112  each has its own way to say no
            continue
        raise AssertionError(f"{name} accepts a response that is {what}")


def readers_only(runs: dict[str, Timed], given: Given) -> list[str]:
    """Check everybody, and take out who cannot read what is encrypted; names those. All else everybody can read."""
    unread = []
    for name in list(runs):
        try:
            check(name, runs[name], given)
        except Unread as reason:
            if not given.own or name == "this project":
                raise
            unread.append(str(reason))
            del runs[name]
    return unread


def measure(runs: Mapping[str, Timed], response: str, rounds: int) -> dict[str, float]:
    """Median microseconds of one run."""
    for name, run in runs.items():
        run(response, WARM_UP if name in candidates.NODE_LIBRARIES else TIMES[name])
    gc.collect()
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            samples[name].append(run(response, TIMES.get(name, 10)) * 1e6)
    return {name: statistics.median(values) for name, values in samples.items()}


def compare(variant: Variant, node: Node, rounds: int) -> list[str]:
    """Print the table of one variant, and answer what was missed."""
    given = given_for(variant)
    runs = {name: candidates.timed(make(given), SUBJECT) for name, make in candidates.PYTHON.items()}
    runs |= node.prepare(given)
    unread = readers_only(runs, given)
    response = given.response(attributes=ATTRIBUTES)
    everything = {"floor": candidates.timed(candidates.floor(given, response), SUBJECT), **runs}
    result = measure(everything, response, rounds)
    ours = result["this project"]
    print(f"\n{variant.name}, {len(base64.b64decode(response)):,} bytes; medians of {rounds} rounds\n")
    print("| candidate | microseconds | times as long as this project |\n|---|---:|---:|")
    for name, value in result.items():
        print(f"| {name} | {value:,.0f} | {value / ours:.1f} |")
    for each in unread:
        print(f"\nDoes not read it: {each}")
    print(f"\nThis project takes {ours / result['floor']:.1f} times as long as the floor.", flush=True)
    missed = [
        f"{variant.name}: {least:g} times as fast as {name}"
        for name, least in variant.least.items()
        if name not in result or result[name] / ours < least
    ]
    if ours / result["floor"] > variant.most_floors:
        missed.append(f"{variant.name}: at most {variant.most_floors:g} times the floor")
    return missed


def versions() -> str:
    names = ("python3-saml", "pysaml2", "lxml", "xmlsec", "pybergshamra", "cryptography")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607  as found
    found = {name: importlib.metadata.version(name) for name in names} | candidates.node_versions()
    return ", ".join(
        [f"Python {platform.python_version()}", f"Node.js {node.strip().removeprefix('v')}"]
        + [f"{name} {version}" for name, version in found.items()]
    )


def main(rounds: int = ROUNDS) -> int:
    """Print a table for each variant."""
    logging.disable(logging.CRITICAL)
    print(versions())
    node = Node()
    try:
        missed = [each for variant in VARIANTS for each in compare(variant, node, rounds)]
    finally:
        node.close()
    for each in missed:
        print(f"Not reached: {each}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
