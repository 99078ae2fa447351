"""What nobody expects in a message is on record all the same, on each database."""

from __future__ import annotations

import base64
import time

import pytest

from core.errors import SignInRefused
from core.flows import attempts, sign_in, sign_out
from core.flows.actors import Actor
from core.flows.attempts import Delivery, Observed, Visitor
from core.flows.audit import Event
from core.flows.connections import active_connection
from core.flows.refused import SignInFailed, on_record
from core.flows.services import Services
from core.flows.sign_out import LogoutDelivery
from core.refusals import LOGOUT_REPLAYED, LOGOUT_SIGNATURE, PERSON_REFUSED, PLUGIN_FAILED
from core.store.tables import Attempt, AuditEntry
from core.testing import logout as theirs
from core.testing.identity_provider import IdentityProvider
from tests.core.flows.test_sign_out import Everybody, everybody_of

LONG = f"{'a' * 900}@example.test"  # SAML allows 1,024 characters, an account has 512


@pytest.fixture
def site(services: Services, admin: Actor, provider: IdentityProvider) -> Everybody:
    return everybody_of(services, admin, provider)


def last(site: Everybody) -> tuple[Attempt, AuditEntry]:
    entries = sorted(site.rows(AuditEntry), key=lambda entry: entry.id)
    return site.rows(Attempt)[0], entries[-1]


def test_an_algorithm_with_nul_in_its_name_is_refused_with_its_code(site: Everybody) -> None:
    query = f"{theirs.query('SAMLRequest', site.request())}&SigAlg=rsa%00&Signature=YQ"
    with pytest.raises(SignInFailed) as failed:
        sign_out.receive(site.services, site.activated.connection_id, LogoutDelivery(query=query))
    assert failed.value.refusal is LOGOUT_SIGNATURE
    attempt, _ = last(site)
    assert (attempt.code, attempt.received) == (LOGOUT_SIGNATURE.code, "rsa\N{REPLACEMENT CHARACTER}")


def test_half_a_surrogate_pair_in_a_refusal_is_on_record_as_a_question_mark(site: Everybody) -> None:
    observed = Observed(
        active_connection(site.services, site.activated.connection_id), Delivery("", "", None, Visitor())
    )
    nonsense = SignInRefused(PERSON_REFUSED, received="a\ud800")
    on_record(site.services, observed, nonsense, Event.SIGN_IN_FAILED)
    attempt, _ = last(site)
    assert (attempt.code, attempt.received) == (PERSON_REFUSED.code, "a?")


def test_a_sign_in_with_a_longer_name_than_any_account_has_is_refused_with_its_code(site: Everybody) -> None:
    ours = site.activated.site
    minted = site.provider.response(ours.acs_url, ours.audience, subject=LONG, attributes={"email": ["a@example.test"]})
    delivery = Delivery(minted.form_value, "", None, Visitor())
    with pytest.raises(SignInFailed) as failed:
        sign_in.finish(site.services, site.activated.connection_id, delivery)
    assert failed.value.refusal is PLUGIN_FAILED
    attempt, entry = last(site)
    assert (attempt.who, entry.actor) == (LONG[:512], LONG[:512])


def test_a_replayed_sign_out_of_somebody_with_a_long_name_is_answered(site: Everybody) -> None:
    xml = site.request(LONG)
    assert site.answered(xml).statuses == ["Success"]
    assert site.answered(xml).statuses == ["Requester"]
    attempt, entry = last(site)
    assert (attempt.code, entry.actor) == (LOGOUT_REPLAYED.code, LONG[:512])


def test_a_message_of_nothing_but_openings_takes_no_time_to_be_shortened() -> None:
    """Anybody can send one, and no other thread works meanwhile: it took 0.16 seconds, and takes a hundredth of that."""
    openings = base64.b64encode(b"<SignatureValue" * 4_000).decode()

    def seconds() -> float:
        began = time.process_time()
        assert attempts.readable(openings)
        return time.process_time() - began

    assert min(seconds() for _ in range(3)) < 0.02
