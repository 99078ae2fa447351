"""The cases themselves: that each is an attack, and is refused for its own reason and for no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from lxml import etree

from core import refusals
from core.errors import SignInRefused
from core.plugin_api import VerifiedAssertion
from core.saml import service_keys
from core.saml.pinned_keys import Keys
from core.saml.response import Decryption, Expected, read
from core.saml.service_keys import ServiceKeys
from core.testing.attacks import ALL, Case, Good, attacks, controls
from core.testing.attacks.cases import ELSEWHERE, VICTIM, always
from core.testing.attacks.page import page
from core.testing.identity_provider import IdentityProvider
from tests.core.saml.given import ACS_URL, AUDIENCE, EXPECTED, ISSUER, NOW, REQUEST, keys, provider

GOOD = Good(provider(), provider(number=2), ACS_URL, AUDIENCE, NOW, REQUEST)
NEW, OLD = (service_keys.create("siq.example.test", "c-1", NOW) for _ in range(2))
OWN = ServiceKeys(NEW, OLD)
WITH_KEYS = replace(GOOD, own=tuple(x509.load_der_x509_certificate(key.certificate.der) for key in OWN.all))
WITH_CBC = replace(WITH_KEYS, allow_cbc=True)
TAKES_CLICKS = replace(EXPECTED, unsolicited_allowed=True)
"""What lets most through: a sign-in waits in the browser, and clicks are taken, too."""
MESSAGES = [case for case in attacks() if case.message]


def outcome(case: Case, expected: Expected = TAKES_CLICKS, pinned: Keys | None = None, **changes: Any) -> str:
    """The code with which the engine refuses, or ``accepted``."""
    try:
        taken(case, expected, pinned, **changes)
    except SignInRefused as refused:
        return refused.refusal.code
    return "accepted"


def taken(
    case: Case, expected: Expected = TAKES_CLICKS, pinned: Keys | None = None, **changes: Any
) -> VerifiedAssertion:
    return read(case.form_value(replace(GOOD, **changes)), pinned or keys(), expected, NOW)


def answer(case: Case, good: Good) -> VerifiedAssertion:
    """What a connection with the keys of ``good`` takes."""
    decryption = Decryption(OWN, good.allow_cbc) if good.own else None
    return read(case.form_value(good), keys(), TAKES_CLICKS, NOW, decryption)


def code(case: Case, good: Good) -> str:
    """The code with which it refuses."""
    try:
        answer(case, good)
    except SignInRefused as refused:
        return refused.refusal.code
    return "accepted"


@pytest.mark.parametrize("case", MESSAGES, ids=[case.name for case in MESSAGES])
def test_an_attack_is_refused_for_its_own_reason(case: Case) -> None:
    assert outcome(case) in case.must.codes
    wanted = set(case.must.codes) - {refusals.ENCRYPTION_UNEXPECTED.code}
    for good in (WITH_KEYS, WITH_CBC):
        if case.applies(good):
            assert code(case, good) in wanted, "with keys it has to be refused for a better reason"


@pytest.mark.parametrize("case", [case for case in controls() if case.message], ids=lambda case: case.name)
def test_a_control_says_who_signed_in(case: Case) -> None:
    assertion = answer(case, WITH_CBC)
    assert assertion.name_id.value == GOOD.subject
    assert assertion.in_response_to == REQUEST


@pytest.mark.parametrize(
    "case", [case for case in controls() if case.message and case.applies is not always], ids=lambda case: case.name
)
def test_an_encrypted_control_is_refused_where_there_are_no_keys(case: Case) -> None:
    assert not case.applies(GOOD)
    assert code(case, GOOD) == refusals.ENCRYPTION_UNEXPECTED.code


def test_every_attack_is_another_document_than_every_other_case() -> None:
    """Two cases that are the same but for IDs and signatures would be one case with two names."""
    seen: dict[bytes, str] = {}
    for case in MESSAGES:
        made = case.form_value(GOOD).encode()
        assert made not in seen, (case.name, seen[made])
        seen[made] = case.name


def test_the_good_response_that_attacks_start_from_is_accepted() -> None:
    assert outcome(ALL["plain"]) == "accepted"
    for sign in (("assertion",), ("response",)):
        value = GOOD.response(sign=sign).form_value
        assert read(value, keys(), TAKES_CLICKS, NOW).name_id.value == GOOD.subject


# Without the one thing that is wrong, an attack would be let in: it is refused for nothing else.


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("audience_of_another_service", replace(TAKES_CLICKS, audience="https://elsewhere.example.test")),
        ("audience_that_begins_like_ours", replace(TAKES_CLICKS, audience=f"{AUDIENCE}.evil.test")),
        ("audience_in_capitals", replace(TAKES_CLICKS, audience=AUDIENCE.upper())),
        ("issuer_of_another_provider", replace(TAKES_CLICKS, issuer="https://elsewhere.example.test")),
        ("issuer_with_a_slash", replace(TAKES_CLICKS, issuer=f"{ISSUER}/")),
        ("issuer_that_names_us", replace(TAKES_CLICKS, issuer=AUDIENCE)),
        ("request_that_nobody_made", replace(TAKES_CLICKS, request_id="_never-asked")),
        ("empty_in_response_to", replace(TAKES_CLICKS, request_id="")),
        ("conditions_over_for_61_seconds", replace(TAKES_CLICKS, skew=timedelta(seconds=62))),
        ("conditions_over_for_60_seconds", replace(TAKES_CLICKS, skew=timedelta(seconds=61))),
        ("conditions_that_begin_in_90_seconds", replace(TAKES_CLICKS, skew=timedelta(seconds=90))),
        ("confirmation_over_for_61_seconds", replace(TAKES_CLICKS, skew=timedelta(seconds=62))),
        ("confirmation_that_begins_in_90_seconds", replace(TAKES_CLICKS, skew=timedelta(seconds=90))),
        ("session_that_is_over", replace(TAKES_CLICKS, skew=timedelta(minutes=11))),
        ("made_two_hours_ago", replace(TAKES_CLICKS, skew=timedelta(hours=3))),
        ("made_in_two_hours", replace(TAKES_CLICKS, skew=timedelta(hours=3))),
        ("window_that_ends_before_it_begins", replace(TAKES_CLICKS, skew=timedelta(hours=1))),
    ],
)
def test_an_attack_is_refused_for_nothing_but_what_was_expected(name: str, expected: Expected) -> None:
    assert outcome(ALL[name]) != "accepted"
    assert outcome(ALL[name], expected) == "accepted"


@pytest.mark.parametrize("name", ["recipient_of_another_service", "destination_of_another_service"])
def test_an_attack_on_the_address_is_refused_for_nothing_but_the_address(name: str) -> None:
    """At the address that it names, with the other one made right too, it would be good."""
    assert outcome(ALL[name]) != "accepted"
    assert outcome(ALL[name], replace(TAKES_CLICKS, acs_url=ELSEWHERE), acs_url=ELSEWHERE) == "accepted"


@pytest.mark.parametrize(
    "name",
    [
        "unknown_key",
        "unknown_key_without_key_info",
        "unknown_key_that_shows_the_pinned_certificate",
        "chain_that_begins_with_the_pinned_certificate",
        "key_value_of_the_stranger",
        "der_encoded_key_value",
        "key_name",
        "retrieval_method_elsewhere",
        "key_info_reference_to_a_file",
        "two_key_infos_in_one",
        "certificate_that_is_none",
        "certificate_with_the_serial_of_the_pinned_one",
        "certificate_made_by_the_provider",
        "second_signed_info_of_another_namespace",
        "genuine_signature_in_the_key_info",
        "as_much_as_the_bounds_allow",
    ],
)
def test_what_a_stranger_signed_is_refused_for_nothing_but_the_key(name: str) -> None:
    """Were the stranger's certificate pinned, it would be good, whatever KeyInfo says."""
    assert outcome(ALL[name]) == refusals.SIGNATURE_INVALID.code
    assert outcome(ALL[name], pinned=keys(provider(number=2))) == "accepted"


@pytest.mark.parametrize(
    "name", ["assertion_of_a_stranger_in_a_genuine_response", "genuine_assertion_in_the_response_of_a_stranger"]
)
def test_two_signers_are_refused_even_where_both_are_pinned(name: str) -> None:
    """Each certificate of a connection has to have made every signature; a rotation does not mix two in one response."""
    assert outcome(ALL[name], pinned=keys(provider(), provider(number=2))) == refusals.SIGNATURE_INVALID.code


WRAPPINGS = [case for case in MESSAGES if case.family.title == "Signature wrapping"]


@pytest.mark.parametrize("case", WRAPPINGS, ids=[case.name for case in WRAPPINGS])
def test_a_wrapped_response_is_well_formed_and_names_the_victim(case: Case) -> None:
    assert case.message
    made = case.message(GOOD)
    assert isinstance(made, bytes)
    assert VICTIM in "".join(str(text) for text in etree.fromstring(made).itertext())


def test_a_stranger_has_the_names_of_the_provider_and_another_key() -> None:
    known, stranger = GOOD.provider, GOOD.stranger
    assert isinstance(stranger, IdentityProvider)
    assert stranger.entity_id == known.entity_id
    assert stranger.certificate.subject == known.certificate.subject
    assert stranger.certificate_base64 != known.certificate_base64


def test_a_name_is_used_once() -> None:
    assert len({case.name for case in ALL.values()}) == len(ALL)
    assert all(bool(case.message) != bool(case.play) for case in ALL.values())


def test_the_committed_page_is_what_the_cases_say() -> None:
    committed = Path(__file__).parents[4] / "docs" / "attacks.md"
    assert committed.read_text(encoding="utf-8") == page(), "run: make docs"
