from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.forms import Form, Values
from core.plugin_api import Site
from core.plugin_host import PluginHost
from core.testing.identity_provider import IdentityProvider

PLUGINS_FOR_TESTS = Path(__file__).parents[2] / "plugins_for_tests"
NOW = datetime(2026, 11, 24, 9, 41, tzinfo=UTC)
SITE = Site(
    acs_url="https://siq.example/sso/c-1/acs",
    audience="https://siq.example/sso/c-1",
    login_url="https://siq.example/sso/c-1/login",
    metadata_url="https://siq.example/sso/c-1/metadata",
    scim_base_url="https://siq.example/scim/v2/c-1",
)
SIGN_IN_URL = "https://portal.sso.eu-west-1.amazonaws.com/saml/assertion/MTEx"


@pytest.fixture(scope="session")
def host() -> PluginHost:
    return PluginHost.load(PLUGINS_FOR_TESTS)


@pytest.fixture(scope="session")
def everything(host: PluginHost) -> Form:
    return host.plugins["every_widget"].form


@pytest.fixture(scope="session")
def aws(host: PluginHost) -> Form:
    return host.plugins["aws_sso"].form


@pytest.fixture(scope="session")
def provider() -> IdentityProvider:
    return IdentityProvider.create(SIGN_IN_URL, valid_from=NOW - timedelta(days=30))


@pytest.fixture(scope="session")
def expired() -> IdentityProvider:
    return IdentityProvider.create(SIGN_IN_URL, valid_from=NOW - timedelta(days=60), valid_for=timedelta(days=30))


@pytest.fixture
def good() -> Values:
    """The least that the plugin with every widget accepts."""
    return {"everything": {"webhook": "https://example.com/hook", "api_key": "k-1", "name": "ada"}}
