"""Makes the corpus anew: ``python -m tests.fuzz.make_corpus``. The key that signs it is gone when it ends."""

from __future__ import annotations

from datetime import timedelta

from core.testing.attacks import FAMILIES, Good
from core.testing.identity_provider import IdentityProvider
from tests.fuzz.gate import ACS_URL, AUDIENCE, CORPUS, FOLDER, ISSUER, NOW, REQUEST

OF_EACH_CLASS = 5
CONTROLS = 24
LONGEST = 16 * 1024
GENUINELY_SIGNED = {"two_signed_assertions", "assertion_in_the_advice_of_a_signed_one"}
"""Their second assertion is one that the provider did sign, about somebody else."""


def main() -> None:
    """Write certificate.pem and corpus/."""
    provider = IdentityProvider.create(ISSUER, valid_from=NOW - timedelta(days=30))
    good = Good(provider, provider.rotate(), ACS_URL, AUDIENCE, NOW, REQUEST)
    (FOLDER / "certificate.pem").write_text(provider.certificate_pem, encoding="ascii")
    CORPUS.mkdir(exist_ok=True)
    for old in CORPUS.iterdir():
        old.unlink()
    for family in FAMILIES:
        kept = 0
        for case in family.cases:
            wanted_here = case.message and case.name not in GENUINELY_SIGNED and case.applies(good)
            made = case.message(good) if case.message and wanted_here else ""
            wanted = CONTROLS if case.control else OF_EACH_CLASS
            if isinstance(made, bytes) and len(made) <= LONGEST and kept < wanted:
                (CORPUS / f"{case.name}.xml").write_bytes(made)
                kept += 1


if __name__ == "__main__":
    main()
