from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from core.errors import NotFound
from core.flows import integration
from core.flows.activation import Activated
from core.testing.identity_provider import IdentityProvider
from tests.website import Website, post, running, text_of

AWS = "/settings/integrations/aws_sso"
HTMX = {"HX-Request": "true"}
WRONG_AUDIENCE = "https://elsewhere.example/<b>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    with running(tmp_path_factory.mktemp("siq")) as website:
        yield website


@pytest.fixture(scope="module")
def aws(site: Website, provider: IdentityProvider) -> Activated:
    """Amazon AWS with one sign-in that worked and one that did not."""
    activated = site.activate(provider)
    assert site.sso(activated, provider).status_code == 303
    assert site.sso(activated, provider, audience=WRONG_AUDIENCE).status_code == 400
    return activated


def attempts(page: httpx.Response) -> list[str]:
    return [part.partition('"')[0] for part in page.text.split(f'hx-get="{AWS}/attempts/')[1:]]


def test_the_page_says_how_the_integration_is_doing(aws: Activated, admin: httpx.Client) -> None:
    page = admin.get(AWS)
    words = text_of(page)
    for value in (aws.site.acs_url, aws.site.audience, aws.site.login_url, aws.site.metadata_url):
        assert value in words
    for fact in ("Active since", "Certificate", "Last sign-in", "Sign-ins, last 14 days", "and 1 failed", "SHA-256"):
        assert fact in words
    assert len(attempts(page)) == 2


@pytest.mark.usefixtures("aws")
def test_the_list_can_be_narrowed_to_what_failed(admin: httpx.Client) -> None:
    part = admin.get(f"{AWS}?outcome=failed", headers=HTMX)
    assert len(attempts(part)) == 1
    assert "<!doctype" not in part.text


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_trace_names_the_cause_and_the_fix_and_is_audited(admin: httpx.Client, headers: dict[str, str]) -> None:
    failed = attempts(admin.get(f"{AWS}?outcome=failed"))[0]
    trace = admin.get(f"{AWS}/attempts/{failed}", headers=headers)
    words = text_of(trace)
    assert "How to fix it" in words
    assert "choose Actions, Edit configuration. Set Application SAML audience to the expected value." in words
    assert "SSO-104" in words
    assert "Failed: Audience" in words
    assert re.search("Not checked .*Match a person, Start a session", words)
    assert WRONG_AUDIENCE.replace("<b>", "") in words.replace(" ", "")
    assert "<b>" not in trace.text
    assert "Response XML" in words
    assert ("<!doctype html>" in trace.text) == (not headers)
    assert "integration.trace_viewed" in text_of(admin.get("/audit"))


def test_a_refusal_of_which_the_plugin_says_nothing_keeps_the_usual_sentence(
    site: Website, aws: Activated, provider: IdentityProvider, admin: httpx.Client
) -> None:
    answer = site.sso(aws, provider, session=timedelta(minutes=-10))
    words = text_of(admin.get(f"{AWS}/attempts/{answer.headers['x-correlation-id']}"))
    assert "SSO-120" in words
    assert "The session at Amazon AWS had already ended when the response arrived. Sign in there again." in words


def test_a_trace_says_of_no_check_that_it_passed_before_it_was_reached(
    site: Website, aws: Activated, provider: IdentityProvider, admin: httpx.Client
) -> None:
    form = {"SAMLResponse": provider.response(aws.site.acs_url, aws.site.audience, attributes={}).form_value}
    with site.browser() as browser:
        _, again = (browser.post(aws.site.acs_url, data=form) for _ in range(2))
    words = text_of(admin.get(f"{AWS}/attempts/{again.headers['x-correlation-id']}"))
    assert "SSO-121" in words
    assert re.search("Failed: Used once .*Not checked Match a person, Start a session", words)


def test_a_trace_that_is_gone_says_for_how_many_days_they_are_kept_here(site: Website) -> None:
    brief = replace(site.services, settings=site.services.settings.model_copy(update={"trace_days": 7}))
    with pytest.raises(NotFound, match="Traces are kept for 7 days"):
        integration.trace(brief, site.actor, "aws_sso", "0123456789AB")


def test_the_audit_log_leads_from_a_correlation_id_to_its_trace(
    site: Website, aws: Activated, provider: IdentityProvider, admin: httpx.Client
) -> None:
    attempt = site.sso(aws, provider, audience=WRONG_AUDIENCE).headers["x-correlation-id"]
    found = admin.get(f"/audit?q={attempt}")
    assert "Sign-in failed" in text_of(found)
    assert f'href="{AWS}/attempts/{attempt}"' in found.text
    assert "AWS SSO sign-in URL: empty → https://" in text_of(admin.get("/audit?q=integration.activated"))
    assert "/attempts/" not in admin.get("/audit?q=organization.created").text  # no sign-in, so no trace


@pytest.mark.usefixtures("aws")
def test_a_trace_of_nobody_is_a_404(admin: httpx.Client) -> None:
    assert admin.get(f"{AWS}/attempts/0123456789AB").status_code == 404


def test_a_refused_sign_in_shows_code_sentence_and_correlation_id_and_no_value(
    site: Website, aws: Activated, provider: IdentityProvider
) -> None:
    answer = site.sso(aws, provider, audience="https://secret.example")
    words = text_of(answer)
    assert answer.status_code == 400
    assert "You are not signed in" in words
    assert "SSO-104 audience_mismatch" in words
    assert answer.headers["x-correlation-id"] in words
    assert "it@northwind.example" in words
    assert "secret.example" not in answer.text
    assert "set-cookie" not in answer.headers or "siq_session" not in answer.headers["set-cookie"]
    with site.signed_in() as admin:  # and the administrator's link in it leads to the trace
        assert admin.get(f"{AWS}/attempts/{answer.headers['x-correlation-id']}").status_code == 200


def test_an_unknown_connection_is_a_404(nobody: httpx.Client) -> None:
    assert nobody.get("/sso/c-none/login").status_code == 404
    assert nobody.get("/sso/c-none/metadata").status_code == 404


def test_disabling_asks_first_and_keeps_everything(tmp_path: Path, provider: IdentityProvider) -> None:
    with running(tmp_path) as site, site.signed_in() as admin:
        aws = site.activate(provider)
        question = admin.get(f"{AWS}/disable")
        assert "Disable Amazon AWS?" in text_of(question)
        assert "What a directory sends is refused as well" in text_of(question)
        assert admin.get(f"{AWS}/disable", headers=HTMX).text.lstrip().startswith('<dialog id="disable"')
        answer = post(admin, f"{AWS}/disable")
        assert answer.headers["location"] == f"{AWS}?done=disabled"
        page = text_of(admin.get(answer.headers["location"]))
        assert "Amazon AWS is disabled" in page
        assert "Activate again" in page
        refused = admin.get(f"/sso/{aws.connection_id}/login")
        assert refused.status_code == 403
        assert "SSO-502" in text_of(refused)
        assert "Other ways to sign in" in text_of(refused)
        assert "What a directory sends is refused." in text_of(admin.get(AWS))
        again = post(admin, f"{AWS}/disable")
        assert again.status_code == 409
        assert "not active" in text_of(again)


def test_the_icon_of_a_plugin_can_do_nothing(admin: httpx.Client) -> None:
    icon = admin.get(f"{AWS}/icon")
    assert icon.headers["content-type"] == "image/svg+xml"
    assert icon.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


GUIDE = """# Title of its own

Open the *console*. <script>alert(1)</script> <img src=x onerror=alert(1)>

![The page](guide/page.png) [AWS](https://docs.aws.amazon.com) [bad](javascript:alert(1))

| a | b |
|---|---|
| 1 | 2 |
"""


def test_html_in_a_guide_stays_text_and_pictures_are_found_beside_it(tmp_path: Path) -> None:
    plugin = tmp_path / "plugins" / "guided"
    plugin.mkdir(parents=True)
    source = Path(__file__).parents[2] / "plugins_for_tests" / "every_widget" / "plugin.py"
    (plugin / "plugin.py").write_text(source.read_text())
    (plugin / "guide.md").write_text(GUIDE)
    (plugin / "guide").mkdir()
    (plugin / "guide" / "page.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with running(tmp_path, tmp_path / "plugins") as site, site.signed_in() as admin:
        guide = admin.get("/settings/integrations/guided/guide")
        assert guide.status_code == 200
        assert "Title of its own" not in guide.text
        assert "&lt;script&gt;" in guide.text
        assert "<img src=x" not in guide.text
        assert 'href="javascript:' not in guide.text
        assert '<img src="/settings/integrations/guided/guide/page.png" alt="The page"' in guide.text
        assert "<td>2</td>" in guide.text
        picture = admin.get("/settings/integrations/guided/guide/page.png")
        assert picture.headers["content-type"] == "image/png"
        for name in (
            "plugin.py",
            "guide.md",
            "..%2fplugin.py",
            "..%2f..%2fguided%2fguide%2fpage.png",
            "none.png",
            "%2e%2e%2f%2e%2e%2fsecret.key",
        ):
            assert admin.get(f"/settings/integrations/guided/guide/{name}").status_code == 404
