"""Runs libFuzzer on the gate, in .venv-fuzz: ``make fuzz``. Arguments are those of libFuzzer.

What it finds on its way is kept in var/fuzz; an input that fails is written there as crash-… or slow-….
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped]  # only in .venv-fuzz

with atheris.instrument_imports(include=["core.saml"]):
    from tests.fuzz.gate import CORPUS, FOLDER, MOST_BYTES, check

from tests.fuzz.mutation import mutated

FOUND = Path("var/fuzz")


def check_input(data: bytes) -> None:
    """What libFuzzer calls."""
    check(data)


def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
    """Every second input is changed by its tree, the others by bytes."""
    by_tree = mutated(data, most_bytes, seed) if seed % 2 else None
    return bytes(atheris.Mutate(data, most_bytes)) if by_tree is None else by_tree


def main() -> None:
    """Fuzz. New inputs go to the first folder that libFuzzer is told of."""
    (FOUND / "corpus").mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_len={MOST_BYTES}",
        f"-dict={FOLDER / 'saml.dict'}",
        f"-artifact_prefix={FOUND}/",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    atheris.Setup(
        [sys.argv[0], *options, *sys.argv[1:], str(FOUND / "corpus"), str(CORPUS)], check_input, custom_mutator=mutate
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
