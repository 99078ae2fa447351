"""The practice identity provider: it behaves as AWS does, and says on every page that it is not AWS."""

from __future__ import annotations

import base64

import httpx
import lxml.html
import pytest
from lxml import etree
from starlette.applications import Starlette

from core.testing.identity_provider import ASSERTION
from core.testing.practice.pages import STRIPE
from core.testing.practice.state import Application, Practice
from core.testing.practice.variants import BY_NAME, REFUSED
from tests.core.testing.practice.visitor import (
    ACS,
    AUDIENCE,
    PRIYA,
    authn_request,
    received,
    redirect_url,
    sent,
    sign_in,
)


def test_every_page_says_what_it_is(client: httpx.Client, application: Application) -> None:
    sign_in(client)
    pages = ["", "/configure", "/attributes", "/certificates", "/users"]
    urls = ["/", "/console/applications", "/console/applications/add", "/start", "/bench", "/no-such-page"]
    urls += [application.page + page for page in pages]
    urls += [
        f"/start/open/{application.id}",
        f"/start/open/{application.id}?show=xml",
        f"/saml/logout/{application.id}",
    ]
    for url in urls:
        assert client.get(url).text.count(STRIPE) >= 1, url


def test_no_page_allows_foreign_scripts_frames_or_forms(client: httpx.Client, application: Application) -> None:
    for url in ("/", "/console/applications/add", f"{application.page}/configure", "/start"):
        policy = client.get(url).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "form-action 'self' ;" in policy
        assert "frame-ancestors 'none'" in policy


def test_a_host_that_is_not_its_own_is_refused(client: httpx.Client) -> None:
    assert client.get("/", headers={"Host": "rebound.example.test"}).status_code == 400


def test_a_form_on_another_site_changes_nothing(
    client: httpx.Client, practice: Practice, application: Application
) -> None:
    answer = client.post(f"{application.page}/remove", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert application.id in practice.applications


def test_an_error_shows_no_stack_trace(client: httpx.Client, app: Starlette) -> None:
    app.state.practice.applications = None
    answer = client.get("/console/applications")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert STRIPE in answer.text


def test_a_request_signs_the_chosen_person_in(client: httpx.Client, application: Application) -> None:
    waiting = client.get(redirect_url(application, RelayState="opaque"))
    page = client.get(waiting.headers["Location"])
    assert "Username" in page.text
    then = lxml.html.fromstring(page.text).xpath("string(//input[@name='then']/@value)")
    answer = client.post("/signin", data={"then": then, "username": PRIYA, "password": "anything"})
    assert answer.headers["Location"] == then
    page = client.get(then)
    assert "form-action 'self' http://localhost:8000;" in page.headers["Content-Security-Policy"]
    action, fields = sent(page.text)
    assert action == ACS
    assert fields["RelayState"] == "opaque"
    root = received(fields)
    assert root.get("InResponseTo") == "_asked"
    assert root.findtext(f".//{{{ASSERTION}}}NameID") == PRIYA
    assert root.findtext(f".//{{{ASSERTION}}}Audience") == AUDIENCE
    assert len(root.findall(".//{http://www.w3.org/2000/09/xmldsig#}Signature")) == 2

    assert client.get(then).status_code == 400, "a request is answered once"


def test_a_request_by_post_is_answered_too(client: httpx.Client, application: Application) -> None:
    sign_in(client)
    fields = {"SAMLRequest": base64.b64encode(authn_request()).decode(), "RelayState": "opaque"}
    page = client.post(application.sign_in_url, data=fields, follow_redirects=True)
    assert sent(page.text)[1]["RelayState"] == "opaque"


def test_a_request_with_another_audience_is_bad_input(client: httpx.Client, application: Application) -> None:
    answer = client.get(redirect_url(application, authn_request(issuer="urn:other")))
    assert answer.status_code == 400
    assert "Bad input" in answer.text


def test_a_request_with_another_acs_url_is_bad_input(client: httpx.Client, application: Application) -> None:
    answer = client.get(redirect_url(application, authn_request(acs_url="http://localhost:8000/sso/two/acs")))
    assert answer.status_code == 400
    assert "Bad input" in answer.text


@pytest.mark.parametrize("query", ["", "?SAMLRequest=%25%25", "?SAMLRequest=AAAA"])
def test_a_request_that_cannot_be_read_is_bad_input(client: httpx.Client, application: Application, query: str) -> None:
    answer = client.get(application.sign_in_url + query)
    assert answer.status_code == 400
    assert "Bad input" in answer.text


def test_a_request_for_another_name_id_format_has_no_access(client: httpx.Client, application: Application) -> None:
    wanted = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    answer = client.get(redirect_url(application, authn_request(name_id_format=wanted)))
    assert answer.status_code == 403
    assert "No access" in answer.text


def test_a_request_for_the_configured_name_id_format_is_taken(client: httpx.Client, application: Application) -> None:
    wanted = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
    assert client.get(redirect_url(application, authn_request(name_id_format=wanted))).status_code == 303


def test_a_person_who_is_not_assigned_has_no_access(client: httpx.Client, application: Application) -> None:
    sign_in(client, "oskar")
    answer = client.get(redirect_url(application), follow_redirects=True)
    assert answer.status_code == 403
    assert "No access" in answer.text
    assert "No application is assigned to you" in client.get("/start").text


def test_a_sign_in_leads_only_to_its_own_pages(client: httpx.Client) -> None:
    answer = client.post("/signin", data={"person": PRIYA, "then": "//elsewhere.example.test"})
    assert answer.headers["Location"] == "/start"


def test_an_unknown_user_name_is_asked_for_again(client: httpx.Client) -> None:
    answer = client.post("/signin", data={"username": "nobody", "password": "x"})
    assert answer.status_code == 422
    assert "Nobody here has this user name" in answer.text


def test_a_tile_sends_a_response_that_nobody_asked_for(client: httpx.Client, application: Application) -> None:
    sign_in(client)
    application.relay_state = "/users"
    assert "SiQ" in client.get("/start").text
    _, fields = sent(client.get(f"/start/open/{application.id}").text)
    root = received(fields)
    assert fields["RelayState"] == "/users"
    assert root.get("InResponseTo") is None
    assert "InResponseTo" not in etree.tostring(root, encoding="unicode")


def test_a_tile_with_a_start_url_opens_that_url(client: httpx.Client, application: Application) -> None:
    sign_in(client)
    application.start_url = "http://localhost:8000/sso/one/login"
    assert client.get(f"/start/open/{application.id}").headers["Location"] == application.start_url


def test_a_tile_shows_its_xml_instead(client: httpx.Client, application: Application) -> None:
    sign_in(client)
    page = client.get(f"/start/open/{application.id}?show=xml")
    assert "saml2p:Response" in page.text
    assert application.last is None, "what was only shown was not sent"


def test_leaving_the_application_keeps_the_portal_session(client: httpx.Client, application: Application) -> None:
    sign_in(client)
    client.get(f"/saml/logout/{application.id}")
    assert "SiQ" in client.get("/start").text
    client.post("/start/signout")
    assert "Username" in client.get("/start").text


def test_the_catalog_is_not_on_offer(client: httpx.Client, practice: Practice) -> None:
    answer = client.post("/console/applications/add", data={"preference": "catalog", "type": "saml"})
    assert answer.status_code == 422
    assert not practice.applications


def test_the_bench_offers_a_tile_for_every_variant(client: httpx.Client, application: Application) -> None:
    assert application.ready
    page = lxml.html.fromstring(client.get("/bench").text)
    assert page.xpath("//button[@name='variant']/@value") == [
        *[variant.name for variant in REFUSED],
        *[name for name in BY_NAME if BY_NAME[name].refusal is None],
    ]


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "replay"])
def test_the_bench_sends_the_variant(client: httpx.Client, application: Application, name: str) -> None:
    answer = client.post("/bench", data={"application": application.id, "person": PRIYA, "variant": name})
    assert answer.status_code == 200
    assert sent(answer.text)[0] == ACS
    assert "What must happen" in answer.text


def test_the_bench_replays_the_last_tile_click(client: httpx.Client, application: Application) -> None:
    fields = {"application": application.id, "person": PRIYA, "variant": "replay"}
    assert client.post("/bench", data=fields).status_code == 409
    sign_in(client)
    first = sent(client.get(f"/start/open/{application.id}").text)[1]["SAMLResponse"]
    assert sent(client.post("/bench", data=fields).text)[1]["SAMLResponse"] == first
