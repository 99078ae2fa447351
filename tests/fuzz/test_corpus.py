"""The corpus of the fuzzer, without the fuzzer: every file is answered as it should be, and quickly."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from core.testing.attacks import ALL
from tests.fuzz.gate import CORPUS, MOST_BYTES, SIGNED, check, encrypted
from tests.fuzz.mutation import mutated

FILES = sorted(CORPUS.glob("*.xml"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_file_of_the_corpus_is_answered_as_its_case_says(file: Path) -> None:
    answer = check(file.read_bytes())
    case = ALL[file.stem]
    assert answer in (SIGNED if case.control else case.must.codes)


def test_what_the_corpus_signed_is_read_encrypted_and_mutations_of_it_let_nobody_else_in() -> None:
    signed = (CORPUS / "only_the_assertion_signed.xml").read_bytes()
    assert check(encrypted(signed)) in SIGNED
    assert check(encrypted(signed, "aes128-cbc")) == "SSO-126"
    answers = []
    for seed in range(600):
        made = mutated(signed, MOST_BYTES, seed)
        if made is not None and well_formed(made):
            answers.append(check(encrypted(made)))
        outside = mutated(encrypted(signed), MOST_BYTES, seed)
        if outside is not None:
            answers.append(check(outside))
    assert len(set(answers)) > 5, "the mutations reach too little"


def well_formed(document: bytes) -> bool:
    try:
        etree.fromstring(document)
    except etree.XMLSyntaxError:
        return False
    return True


def test_the_corpus_is_small() -> None:
    assert len(FILES) > 80
    assert sum(file.stat().st_size for file in FILES) < 1_000_000


@pytest.mark.parametrize(
    "inside",
    [
        "<a/>" * 2_800,
        "".join(f'<a ID="_{number}"/>' for number in range(2_800)),
        ("<a " + " ".join(f'a{number}=""' for number in range(120)) + "/>") * 48,
        ("<a " + " ".join(f'xmlns:a{number}="urn:a{number}"' for number in range(27)) + "/>") * 100,
        "".join(f'<a xmlns="urn:{"n" * 70}{number}"/>' for number in range(2_500)),
        ("<a>" * 34 + "</a>" * 34) * 80,
        "<a>" + "x" * 240_000 + "</a>",
        "<a>" + ">" * 240_000 + "</a>",
        "<a>" + "&amp;" * 48_000 + "</a>",
        "<a>" + "&#13;" * 48_000 + "</a>",
        '<a b="' + "&#10;" * 48_000 + '"/>',
        "<a>" + "\u20ac" * 78_000 + "</a>",
        "<a>" + "<![CDATA[>]]>" * 5_000 + "</a>",
    ],
    ids=[
        "elements",
        "IDs",
        "attributes",
        "namespaces",
        "long namespaces",
        "levels",
        "text",
        "brackets",
        "entities",
        "returns",
        "lines",
        "euros",
        "CDATA",
    ],
)
@pytest.mark.parametrize("file", ["plain", "only_the_assertion_signed", "only_the_response_signed"])
def test_the_largest_documents_within_the_bounds_take_at_most_50_ms(file: str, inside: str) -> None:
    text = (CORPUS / f"{file}.xml").read_text(encoding="utf-8")
    extensions = f"<saml2p:Extensions>{inside}</saml2p:Extensions><saml2p:Status>"
    document = text.replace("<saml2p:Status>", extensions).encode()
    assert len(document) <= MOST_BYTES
    etree.fromstring(document)
    check(document)


def test_a_namespace_that_lxml_reads_and_does_not_write_ends_no_run_of_the_fuzzer() -> None:
    strange = b'<a xmlns="https://[a}b/c]/" xmlns:c="//[c}d]" c:e=""><f/><g c:h=""/></a>'
    made = [mutated(strange, MOST_BYTES, seed) for seed in range(200)]
    assert len(set(made)) > 5


def test_mutations_by_the_tree_reach_the_gate_and_let_nobody_else_in() -> None:
    """A short run of what `make fuzz` does for long; half of what is made gets past the parser."""
    corpus = [file.read_bytes() for file in FILES]
    answers = []
    for seed in range(3_000):
        made = mutated(corpus[seed % len(corpus)], MOST_BYTES, seed)
        if made is not None:
            answers.append(check(made))
    assert sum(answer not in {"SSO-101", "SSO-102"} for answer in answers) > len(answers) / 2
