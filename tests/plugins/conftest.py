from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest

from core.plugin_api import NameId, Site, VerifiedAssertion
from core.plugin_host import PluginHost
from core.testing.identity_provider import IdentityProvider

SIGN_IN_URL = "https://portal.sso.eu-west-1.amazonaws.com/saml/assertion/MTEx"
SITE = Site(
    acs_url="https://siq.example/sso/c-1/acs",
    audience="https://siq.example/sso/c-1",
    login_url="https://siq.example/sso/c-1/login",
    metadata_url="https://siq.example/sso/c-1/metadata",
    scim_base_url="https://siq.example/scim/v2/c-1",
    sp_certificate="-----BEGIN CERTIFICATE-----",
)
EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"

Assertions = Callable[..., VerifiedAssertion]


@pytest.fixture(scope="session")
def host() -> PluginHost:
    return PluginHost.load()


@pytest.fixture(scope="session")
def pem() -> str:
    return IdentityProvider.create(SIGN_IN_URL).certificate_pem


@pytest.fixture
def assertion() -> Assertions:
    def make(
        subject: str, attributes: Mapping[str, tuple[str, ...]] | None = None, name_id_format: str = ""
    ) -> VerifiedAssertion:
        return VerifiedAssertion(
            id="_a",
            issuer=SIGN_IN_URL,
            name_id=NameId(subject, name_id_format),
            in_response_to=None,
            not_on_or_after=datetime(2030, 1, 1, tzinfo=UTC),
            authn_instant=datetime(2030, 1, 1, tzinfo=UTC),
            attributes=attributes or {},
        )

    return make
