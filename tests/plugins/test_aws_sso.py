from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from core.errors import ConfigRejected, SignInRefused
from core.forms import Values
from core.plugin_api import Identity, Kind, Unsolicited
from core.plugin_host import PluginHost
from core.refusals import (
    EMAIL_MISSING,
    PERSON_REFUSED,
    RESPONSE_SHAPE,
    SIGNATURE_MISSING,
    SIGNATURE_WEAK,
    Refusal,
)
from tests.plugins.conftest import EMAIL_FORMAT, SIGN_IN_URL, SITE, TRANSIENT, Assertions

CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"


@pytest.fixture
def values(pem: str) -> Values:
    return {"sso": {"sign_in_url": SIGN_IN_URL, "certificate": pem}}


@pytest.fixture
def config(host: PluginHost, values: Values) -> BaseModel:
    return host.plugins["aws_sso"].form.load(values, SITE)


def test_the_dialog_has_exactly_the_labels_of_amazon_aws(host: PluginHost) -> None:
    provisioning, sso = host.plugins["aws_sso"].form.tabs
    assert (provisioning.title, sso.title) == ("Provisioning", "SSO")
    assert {(field.label, field.nullable) for field in sso.fields} == {
        ("AWS SSO sign-in URL", False),
        ("X.509 Certificate", False),
        ("Application ACS URL", False),
        ("Application SAML Audience", False),
        ("Amazon AWS Portal URL", True),
        ("SSO Redirect URL (SiQ Portal)", True),
        ("When people click the tile in AWS", False),
    }
    assert [field.label for field in provisioning.fields] == ["SCIM base URL", "CloudFormation template"]


def test_the_provisioning_tab_says_that_users_must_be_pushed_from_aws(host: PluginHost) -> None:
    note = host.plugins["aws_sso"].form.tabs[0].note
    assert note
    assert note.title == "Users cannot be pulled from Amazon AWS"
    assert "must be pushed from Amazon AWS" in note.text


def test_its_connections_have_saml_and_scim_endpoints(host: PluginHost) -> None:
    form = host.plugins["aws_sso"].form
    assert form.saml
    assert form.scim
    assert {Kind.POST_LOGOUT_URL, Kind.PORTAL_REDIRECT_URL} <= form.kinds


def test_the_issuer_is_the_sign_in_url(host: PluginHost, config: BaseModel, pem: str) -> None:
    activation = host.activate("aws_sso", config, SITE)
    assert activation.saml
    assert (activation.saml.issuer, activation.saml.sign_in_url) == (SIGN_IN_URL, SIGN_IN_URL)
    assert activation.saml.certificates.strip() == pem.strip()
    assert activation.saml.unsolicited is Unsolicited.ACCEPT
    assert activation.steps[-1].title == "Let the tile start here (optional)"
    assert SITE.login_url in activation.steps[-1].text


@pytest.mark.parametrize("chosen", Unsolicited)
def test_what_a_tile_click_does_can_be_chosen_and_the_steps_fit_it(
    host: PluginHost, values: Values, chosen: Unsolicited
) -> None:
    values["sso"]["tile_clicks"] = chosen.value
    activation = host.activate("aws_sso", host.plugins["aws_sso"].form.load(values, SITE), SITE)
    assert activation.saml
    assert activation.saml.unsolicited is chosen
    start = activation.steps[-1]
    assert SITE.login_url in start.text
    assert ("optional" in start.title) == (chosen is not Unsolicited.REFUSE)


@pytest.mark.parametrize(
    ("page", "words"),
    [("logout", "This is the sign-out URL."), ("metadata", "This is the address of the metadata file.")],
)
def test_the_address_of_another_page_of_aws_is_refused_beside_its_field(
    host: PluginHost, values: Values, page: str, words: str
) -> None:
    values["sso"]["sign_in_url"] = SIGN_IN_URL.replace("/assertion/", f"/{page}/")
    config = host.plugins["aws_sso"].form.load(values, SITE)
    with pytest.raises(ConfigRejected) as rejected:
        host.activate("aws_sso", config, SITE)
    assert rejected.value.field == "sso.sign_in_url"
    assert rejected.value.public.startswith(words)


def test_a_sign_in_url_on_any_host_is_taken(host: PluginHost, values: Values) -> None:
    values["sso"]["sign_in_url"] = "https://start.home.awsapps.cn/saml/assertion/MTEx"
    host.activate("aws_sso", host.plugins["aws_sso"].form.load(values, SITE), SITE)


def test_a_person_with_every_attribute(host: PluginHost, config: BaseModel, assertion: Assertions) -> None:
    attributes = {
        "email": ("ada@northwind.example",),
        "givenName": ("Ada",),
        "familyName": ("Lovelace",),
        "displayName": ("Ada L.",),
        "groups": ("g-1", "g-2"),
    }
    assert host.handle_acs("aws_sso", config, assertion("u-1", attributes)) == Identity(
        subject="u-1",
        user_name="u-1",
        email="ada@northwind.example",
        given_name="Ada",
        family_name="Lovelace",
        display_name="Ada L.",
        groups=("g-1", "g-2"),
    )


def test_with_only_the_subject_mapped_to_an_address_that_address_is_the_email(
    host: PluginHost, config: BaseModel, assertion: Assertions
) -> None:
    identity = host.handle_acs("aws_sso", config, assertion("ada@example.test", {}, EMAIL_FORMAT))
    assert (identity.subject, identity.email) == ("ada@example.test", "ada@example.test")


@pytest.mark.parametrize(
    "name", ["email", "mail", "emailAddress", "urn:oid:0.9.2342.19200300.100.1.3", f"{CLAIM}emailaddress"]
)
def test_the_email_is_found_under_its_common_names(
    host: PluginHost, config: BaseModel, assertion: Assertions, name: str
) -> None:
    identity = host.handle_acs("aws_sso", config, assertion("ada", {name: ("ada@northwind.example",)}))
    assert (identity.subject, identity.user_name, identity.email) == ("ada", "ada", "ada@northwind.example")


@pytest.mark.parametrize(
    ("given", "family"),
    [
        ("firstName", "lastName"),
        ("given_name", "family_name"),
        ("urn:oid:2.5.4.42", "urn:oid:2.5.4.4"),
        (f"{CLAIM}givenname", f"{CLAIM}surname"),
    ],
)
def test_names_are_found_under_their_common_names(
    host: PluginHost, config: BaseModel, assertion: Assertions, given: str, family: str
) -> None:
    identity = host.handle_acs("aws_sso", config, assertion("ada@example.test", {given: ("Ada",), family: ("L",)}))
    assert (identity.given_name, identity.family_name) == ("Ada", "L")


@pytest.mark.parametrize("attributes", [{}, {"email": ()}, {"email": ("ada",)}, {"mail": ("",)}])
def test_without_an_email_the_person_is_refused_and_the_mapping_to_add_is_named(
    host: PluginHost, config: BaseModel, assertion: Assertions, attributes: dict[str, tuple[str, ...]]
) -> None:
    with pytest.raises(SignInRefused) as refused:
        host.handle_acs("aws_sso", config, assertion("ada", attributes))
    assert refused.value.refusal is EMAIL_MISSING
    assert "map email to ${user:email}" in refused.value.detail


def test_a_transient_subject_is_refused_because_it_is_nobody_the_next_time(
    host: PluginHost, config: BaseModel, assertion: Assertions
) -> None:
    with pytest.raises(SignInRefused) as refused:
        host.handle_acs("aws_sso", config, assertion("ada@example.test", {}, TRANSIENT))
    assert refused.value.refusal is PERSON_REFUSED
    assert "choose persistent" in refused.value.detail


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (SIGNATURE_WEAK, "Manage certificate"),
        (SIGNATURE_MISSING, "IAM Identity Center signs every assertion"),
        (RESPONSE_SHAPE, "IAM Identity Center sends one assertion"),
        (PERSON_REFUSED, "Set the Format of Subject to persistent"),
        (EMAIL_MISSING, "Map email to ${user:email}"),
    ],
)
def test_what_to_change_is_said_by_the_labels_of_the_console(host: PluginHost, refusal: Refusal, words: str) -> None:
    assert words in host.plugins["aws_sso"].tile.fixes[refusal]


def test_the_plugin_has_fewer_than_120_lines() -> None:
    assert len((Path(__file__).parents[2] / "plugins/aws_sso/plugin.py").read_text().splitlines()) < 120
