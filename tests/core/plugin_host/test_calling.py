"""One plugin is called at a time; what it answers is checked; what it raises harms nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from core.errors import ConfigRejected, PluginMisbehaved, SignInRefused
from core.plugin_api import NameId, Site, VerifiedAssertion
from core.plugin_host import PluginHost
from core.refusals import EMAIL_MISSING
from core.testing.identity_provider import IdentityProvider
from tests.broken_plugins import write
from tests.core.forms.conftest import SITE

PLUGIN = """
from pydantic import BaseModel, Field
import core.plugin_api as siq
from core.refusals import Refusal

class Sso(BaseModel):
    url: siq.SignInUrl = Field(title="URL")
    certificate: siq.SigningCertificates = Field(title="Certificate")
    acs: siq.AcsUrl = Field(title="ACS")

class Config(BaseModel):
    sso: Sso = Field(title="SSO")

@siq.hookimpl
def describe_tile():
    return siq.Tile("{name}", "Somebody", siq.Category.DEVELOPER, "For tests.")

@siq.hookimpl
def config_schema():
    return Config

def good(**changes):
    return siq.Identity(**{{"subject": "{name}", "user_name": "ada", "email": "ada@example.com", **changes}})

def trust(config, **changes):
    values = {{"issuer": "i", "sign_in_url": config.sso.url, "certificates": config.sso.certificate, **changes}}
    return siq.Activation(saml=siq.SamlTrust(**values))

@siq.hookimpl
def activate(config, site):
    {activate}

@siq.hookimpl
def handle_acs(config, assertion):
    {handle_acs}
"""
POLICY = """
import core.plugin_api as siq

@siq.hookimpl(wrapper=True)
def handle_acs(config, assertion):
    {text}
"""
ASSERTION = VerifiedAssertion(
    id="_a",
    issuer="i",
    name_id=NameId("ada"),
    in_response_to=None,
    not_on_or_after=datetime(2030, 1, 1, tzinfo=UTC),
    authn_instant=datetime(2030, 1, 1, tzinfo=UTC),
)
Calls = Callable[..., tuple[PluginHost, BaseModel]]


@pytest.fixture(scope="session")
def pem() -> str:
    return IdentityProvider.create("https://idp.example").certificate_pem


@pytest.fixture
def calls(tmp_path: Path, pem: str) -> Calls:
    def make(
        handle_acs: str = "return good()", activate: str = "return trust(config)", **policies: str
    ) -> tuple[PluginHost, BaseModel]:
        for name in ("one", "two"):
            write(tmp_path, name, PLUGIN.format(name=name, activate=activate, handle_acs=handle_acs))
        for name, text in policies.items():
            write(tmp_path, name, POLICY.format(text=text))
        host = PluginHost.load(tmp_path)
        assert not host.quarantined
        values = {"sso": {"url": "https://idp.example/sso", "certificate": pem}}
        return host, host.plugins["one"].form.load(values, SITE)

    return make


def test_only_the_plugin_of_the_connection_is_called(calls: Calls) -> None:
    host, config = calls()
    assert host.handle_acs("one", config, ASSERTION).subject == "one"
    assert host.handle_acs("two", config, ASSERTION).subject == "two"
    activation = host.activate("one", config, SITE)
    assert activation.saml
    assert activation.saml.issuer == "i"


def test_wrappers_of_other_plugins_run_around_it_in_a_stable_order(calls: Calls) -> None:
    text = "from dataclasses import replace; one = yield; return replace(one, groups=(*one.groups, '{}'))"
    host, config = calls(z_policy=text.format("z"), a_policy=text.format("a"))
    assert host.handle_acs("one", config, ASSERTION).groups == ("a", "z")
    assert {row.id: row.wrappers for row in host.report()}["one"] == ("z_policy", "a_policy")


def test_a_wrapper_may_refuse_before_the_plugin_is_asked(calls: Calls) -> None:
    refuse = "raise siq.SignInRefused(siq.PERSON_REFUSED, 'outside office hours'); yield"
    host, config = calls(handle_acs="raise RuntimeError('asked')", policy=refuse)
    with pytest.raises(SignInRefused) as refused:
        host.handle_acs("one", config, ASSERTION)
    assert refused.value.detail == "outside office hours"


def test_a_wrapper_does_not_run_around_activation(calls: Calls) -> None:
    host, config = calls(policy="raise RuntimeError; yield")
    host.activate("one", config, SITE)


def test_a_refusal_of_the_host_passes_with_its_details_cut(calls: Calls) -> None:
    host, config = calls("raise siq.SignInRefused(siq.EMAIL_MISSING, 'd' * 5000, expected='e', received='r' * 5000)")
    with pytest.raises(SignInRefused) as refused:
        host.handle_acs("one", config, ASSERTION)
    assert refused.value.refusal is EMAIL_MISSING
    assert (len(refused.value.detail), refused.value.expected, len(refused.value.received)) == (2000, "e", 2000)


@pytest.mark.parametrize(
    "made",
    [
        "Refusal('SSO-999', 'mine', 'Mine', 'You, ada@example.com, may not', '')",
        "Refusal('SSO-201', 'person_refused', 'Match a person', 'You, ada@example.com, may not', '')",
    ],
)
def test_a_refusal_of_the_plugins_own_making_is_not_shown_to_anybody(calls: Calls, made: str) -> None:
    host, config = calls(f"raise siq.SignInRefused({made})")
    with pytest.raises(PluginMisbehaved, match=r"a code that is not one of core\.refusals"):
        host.handle_acs("one", config, ASSERTION)


def test_a_sign_in_is_not_refused_with_a_code_of_sign_outs(calls: Calls) -> None:
    host, config = calls("raise siq.SignInRefused(siq.refusals.LOGOUT_EXPIRED)")
    with pytest.raises(PluginMisbehaved, match="it refused with SSO-405, which is about sign-outs"):
        host.handle_acs("one", config, ASSERTION)


@pytest.mark.parametrize(
    ("handle_acs", "words"),
    [
        ("return None", "it answered nothing; it must be Identity"),
        ("return {'subject': 'ada'}", "it answered a dict; it must be Identity"),
        ("return good(subject='')", "subject is empty"),
        ("return good(subject=7)", "subject is a int; it must be a str"),
        ("return good(subject='s' * 513)", "subject has 513 characters; at most 512 are kept"),
        ("return good(email='a' * 309 + '@example.com')", "email has 321 characters; at most 320 are kept"),
        ("return good(email='İ' * 155 + '@example.com')", "email has 322 characters; at most 320 are kept"),
        ("return good(email='ada')", "email is no e-mail address"),
        ("return good(user_name='  ')", "user_name is empty"),
        ("return good(display_name=None)", "display_name is nothing; it must be a str"),
        ("return good(given_name='a\\x00')", "given_name holds a character that cannot be stored"),
        ("return good(groups=['a'])", "groups is a list; it must be a tuple of str"),
        ("return good(groups=(7,))", "groups is a int; it must be a str"),
        ("return good(groups=('g',) * 1001)", "groups has 1001 entries; at most 1000 are kept"),
        ("return good(groups=('g' * 513,))", "groups has 513 characters"),
        ("raise KeyError('ada@example.com')", "it raised KeyError in plugin.py, line 3"),
        ("raise SystemExit(1)", "it raised SystemExit in plugin.py"),
        ("raise KeyboardInterrupt", "it raised KeyboardInterrupt in plugin.py"),
        ("return handle_acs(config, assertion)", "it raised RecursionError in plugin.py"),
        ("raise siq.ConfigRejected('sso.url', 'no')", "it raised ConfigRejected"),
    ],
)
def test_a_wrong_answer_or_a_crash_fails_this_call_alone(calls: Calls, handle_acs: str, words: str) -> None:
    host, config = calls(handle_acs)
    with pytest.raises(PluginMisbehaved) as misbehaved:
        host.handle_acs("one", config, ASSERTION)
    assert misbehaved.value.public.startswith("handle_acs of one: ")
    assert words in misbehaved.value.public
    assert "ada@example.com" not in misbehaved.value.public
    assert misbehaved.value.source.endswith("one/plugin.py")
    host.activate("one", config, SITE)


@pytest.mark.parametrize(
    "text", ["raise ValueError; yield", "return {'x': (yield)}", "yield; yield", "return (yield) and None"]
)
def test_a_broken_wrapper_fails_closed_and_is_named(calls: Calls, text: str) -> None:
    host, config = calls(policy=text)
    with pytest.raises(PluginMisbehaved, match=r"handle_acs of one \(wrapped by policy\): "):
        host.handle_acs("one", config, ASSERTION)


def test_a_rejected_configuration_names_its_field(calls: Calls) -> None:
    host, config = calls(activate="raise siq.ConfigRejected('sso.url', 'This is the portal URL')")
    with pytest.raises(ConfigRejected) as rejected:
        host.activate("one", config, SITE)
    assert (rejected.value.field, rejected.value.public) == ("sso.url", "This is the portal URL")


@pytest.mark.parametrize(
    ("activate", "words"),
    [
        (
            "raise siq.ConfigRejected('sso.colour', 'no')",
            "it rejected 'sso.colour', which is no field that can be changed",
        ),
        ("raise siq.ConfigRejected('sso.acs', 'no')", "it rejected 'sso.acs', which is no field that can be changed"),
        ("raise siq.ConfigRejected('sso.url', '')", "sentence is empty"),
        ("raise siq.SignInRefused(siq.PERSON_REFUSED)", "it raised SignInRefused"),
        ("return None", "it answered nothing; it must be Activation"),
        ("return siq.Activation(saml={})", "saml is a dict; it must be SamlTrust"),
        ("return trust(config, issuer='')", "issuer is empty"),
        ("return trust(config, sign_in_url='http://idp.example')", "sign-in URL is no https address"),
        ("return trust(config, certificates='none')", "its certificates cannot be used: This is not a certificate"),
        ("return trust(config, unsolicited='accept')", "unsolicited is a str; it must be Unsolicited"),
        ("return trust(config, sign_requests='yes')", "sign_requests is a str; it must be bool"),
        (
            "return trust(config, sign_requests=True)",
            "it signs requests, but the schema has no ServiceProviderCertificate",
        ),
        ("return trust(config, single_logout_url=1)", "single logout URL is a int; it must be a str"),
        ("return trust(config, single_logout_url='http://idp.example')", "single logout URL is no https address"),
        (
            "return trust(config, single_logout_url='https://idp.example/slo')",
            "it gives a single logout URL, but the schema has no SingleLogoutUrl and SingleLogoutServiceUrl",
        ),
        ("return trust(config, allow_cbc=1)", "allow_cbc is a int; it must be bool"),
        ("return trust(config, request_binding='post')", "request_binding is a str; it must be RequestBinding"),
        ("return siq.Activation(steps=['a'])", "steps is a list; it must be tuple"),
        ("return siq.Activation(steps=('a',))", "steps is a str; it must be SetupStep"),
        ("return siq.Activation(steps=(siq.SetupStep('', 'x'),))", "step title is empty"),
        ("return siq.Activation(steps=(siq.SetupStep('t', 'x'),) * 21)", "it gives more than 20 steps"),
    ],
)
def test_an_activation_is_checked(calls: Calls, activate: str, words: str) -> None:
    host, config = calls(activate=activate)
    with pytest.raises(PluginMisbehaved) as misbehaved:
        host.activate("one", config, SITE)
    assert words in misbehaved.value.public


def test_a_plugin_without_sign_in_gives_no_trust(tmp_path: Path) -> None:
    text = PLUGIN.format(
        name="n",
        activate="return siq.Activation(saml=siq.SamlTrust('i', 'https://a.example', 'c'))",
        handle_acs="return good()",
    )
    fields = text[text.index("    url:") : text.index("class Config")]
    write(tmp_path, "plain", text.replace(fields, '    word: str = Field("", title="Word")\n\n'))
    host = PluginHost.load(tmp_path)
    config = host.plugins["plain"].form.load({}, SITE)
    with pytest.raises(PluginMisbehaved, match="it gives a SAML trust, but the schema has no SignInUrl"):
        host.activate("plain", config, Site("a", "b", "c", "d", "e"))
