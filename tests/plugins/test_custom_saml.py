from __future__ import annotations

import pytest
from pydantic import BaseModel

from core.errors import SignInRefused
from core.forms import Values
from core.plugin_api import RequestBinding, Unsolicited
from core.plugin_host import PluginHost
from core.refusals import EMAIL_MISSING, PERSON_REFUSED
from tests.plugins.conftest import SITE, TRANSIENT, Assertions

SIGN_IN_URL = "https://idp.example/sso"
ISSUER = "https://idp.example/metadata"


@pytest.fixture
def values(pem: str) -> Values:
    return {"sso": {"issuer": ISSUER, "sign_in_url": SIGN_IN_URL, "certificate": pem}}


def configured(host: PluginHost, values: Values) -> BaseModel:
    return host.plugins["custom_saml"].form.load(values, SITE)


def test_the_issuer_stands_beside_the_sign_in_url(host: PluginHost, values: Values) -> None:
    activation = host.activate("custom_saml", configured(host, values), SITE)
    assert activation.saml
    assert (activation.saml.issuer, activation.saml.sign_in_url) == (ISSUER, SIGN_IN_URL)
    assert activation.saml.unsolicited is Unsolicited.BOUNCE


def test_what_happens_to_a_sign_in_that_starts_at_the_provider_can_be_chosen(host: PluginHost, values: Values) -> None:
    values["sso"]["unsolicited"] = "refuse"
    activation = host.activate("custom_saml", configured(host, values), SITE)
    assert activation.saml
    assert activation.saml.unsolicited is Unsolicited.REFUSE


def test_requests_are_signed_and_posted_only_where_somebody_says_so(host: PluginHost, values: Values) -> None:
    usual = host.activate("custom_saml", configured(host, values), SITE).saml
    assert usual
    assert (usual.sign_requests, usual.request_binding, usual.allow_cbc) == (False, RequestBinding.REDIRECT, False)
    values["sso"] |= {"sign_requests": True, "request_binding": "post", "allow_cbc": True}
    chosen = host.activate("custom_saml", configured(host, values), SITE).saml
    assert chosen
    assert (chosen.sign_requests, chosen.request_binding, chosen.allow_cbc) == (True, RequestBinding.POST, True)


def test_single_logout_is_off_until_somebody_enters_where(host: PluginHost, values: Values) -> None:
    usual = host.activate("custom_saml", configured(host, values), SITE).saml
    assert usual
    assert usual.single_logout_url == ""
    values["sso"]["single_logout_url"] = "https://idp.example/slo"
    chosen = host.activate("custom_saml", configured(host, values), SITE).saml
    assert chosen
    assert chosen.single_logout_url == "https://idp.example/slo"


def test_what_is_left_to_do_at_the_provider_is_said(host: PluginHost, values: Values) -> None:
    usual = host.activate("custom_saml", configured(host, values), SITE).steps
    assert SITE.metadata_url in usual[0].text
    values["sso"]["single_logout_url"] = "https://idp.example/slo"
    more = host.activate("custom_saml", configured(host, values), SITE).steps
    assert [step.title for step in more if step not in usual] == ["Let it sign sign-outs"]


def test_common_attribute_names_are_known_without_any_setting(
    host: PluginHost, values: Values, assertion: Assertions
) -> None:
    attributes = {
        "urn:oid:0.9.2342.19200300.100.1.3": ("ada@northwind.example",),
        "sn": ("Lovelace",),
        "givenName": ("Ada",),
        "cn": ("Ada Lovelace",),
        "memberOf": ("staff",),
    }
    identity = host.handle_acs("custom_saml", configured(host, values), assertion("ada", attributes))
    assert (identity.subject, identity.email) == ("ada", "ada@northwind.example")
    assert (identity.given_name, identity.family_name, identity.display_name) == ("Ada", "Lovelace", "Ada Lovelace")
    assert identity.groups == ("staff",)


def test_other_attribute_names_can_be_entered(host: PluginHost, values: Values, assertion: Assertions) -> None:
    values["sso"] |= {"email": ["work", "contact"], "subject": "number"}
    attributes = {"contact": ("ada@northwind.example",), "number": ("7",), "email": ("other@example.com",)}
    identity = host.handle_acs("custom_saml", configured(host, values), assertion("x", attributes, TRANSIENT))
    assert (identity.subject, identity.email) == ("7", "ada@northwind.example")


def test_a_transient_name_id_needs_an_attribute_that_names_the_person(
    host: PluginHost, values: Values, assertion: Assertions
) -> None:
    with pytest.raises(SignInRefused) as refused:
        host.handle_acs("custom_saml", configured(host, values), assertion("ada@example.com", {}, TRANSIENT))
    assert refused.value.refusal is PERSON_REFUSED
    assert "name an attribute under Person" in refused.value.detail


def test_a_person_without_the_attribute_that_names_them_is_refused(
    host: PluginHost, values: Values, assertion: Assertions
) -> None:
    values["sso"]["subject"] = "number"
    with pytest.raises(SignInRefused, match="The attribute number, which names the person, is not there"):
        host.handle_acs("custom_saml", configured(host, values), assertion("ada@example.com"))


def test_a_person_without_an_email_is_refused(host: PluginHost, values: Values, assertion: Assertions) -> None:
    values["sso"]["email"] = ["work"]
    with pytest.raises(SignInRefused) as refused:
        host.handle_acs("custom_saml", configured(host, values), assertion("ada"))
    assert refused.value.refusal is EMAIL_MISSING
    assert refused.value.detail == "None of these holds an e-mail address: work, NameID."
