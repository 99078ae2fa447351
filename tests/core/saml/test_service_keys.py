from __future__ import annotations

from datetime import timedelta

from cryptography import x509

from core import certificates
from core.saml import service_keys
from core.saml.service_keys import ServiceKeys
from tests.core.saml.given import NOW


def test_a_key_is_one_that_we_would_pin_ourselves() -> None:
    key = service_keys.create("siq.example.test", "c-1", NOW)
    (read,) = certificates.read(certificates.to_pem([key.certificate]))
    assert read == key.certificate
    assert read.key == "RSA 2048"
    assert read.subject == "CN=siq.example.test, OU=c-1, O=SiQ"
    certificates.check_dates([read], NOW)
    certificates.check_dates([read], NOW + timedelta(days=9 * 365))


def test_the_certificate_is_that_of_the_key() -> None:
    key = service_keys.create("siq.example.test", "c-1", NOW)
    in_certificate = x509.load_der_x509_certificate(key.certificate.der).public_key()
    assert in_certificate == key.private.public_key()


def test_a_name_that_is_too_long_for_a_certificate_is_cut() -> None:
    key = service_keys.create(f"{'a' * 200}.example.test", "c-1", NOW)
    assert key.certificate.subject.startswith(f"CN={'a' * 64}, ")


def test_a_stored_key_is_the_same_key() -> None:
    key = service_keys.create("siq.example.test", "c-1", NOW)
    again = service_keys.load(key.der, certificates.to_pem([key.certificate]))
    assert again.der == key.der
    assert again.certificate == key.certificate


def test_a_key_that_is_printed_shows_no_secret() -> None:
    key = service_keys.create("siq.example.test", "c-1", NOW)
    assert repr(ServiceKeys(key)) == f"ServiceKeys(signing=ServiceKey({key.certificate.fingerprint}), other=None)"
    assert key.private.private_numbers().d not in (0, 1)
    assert str(key.private.private_numbers().d) not in repr(key)


def test_the_one_that_signs_comes_first() -> None:
    first, second = (service_keys.create("siq.example.test", "c-1", NOW) for _ in range(2))
    assert ServiceKeys(second, first).certificates == (second.certificate, first.certificate)
    assert ServiceKeys(first).all == (first,)
