"""The practice identity provider: it behaves as AWS does, and says on every page that it is not AWS."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import lxml.html
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from starlette.applications import Starlette

from core.testing.identity_provider import ASSERTION, METADATA, PROTOCOL
from core.testing.practice import create_practice
from core.testing.practice.pages import STRIPE
from core.testing.practice.state import PEOPLE, Application, AttributeMapping, Practice
from core.testing.practice.variants import BY_NAME, REFUSED
from tests.serving import serving

ACS = "http://localhost:8000/sso/one/acs"
AUDIENCE = "http://localhost:8000/sso/one"
PRIYA = "priya.raman@northwind.example"


@pytest.fixture(scope="module")
def app() -> Iterator[Starlette]:
    made: list[Starlette] = []

    def create(origin: str) -> Starlette:
        made.append(create_practice(origin))
        return made[0]

    with serving(create):
        yield made[0]


@pytest.fixture
def practice(app: Starlette) -> Practice:
    fresh = Practice(app.state.practice.origin)
    app.state.practice = fresh
    return fresh


@pytest.fixture
def client(practice: Practice) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=practice.origin, trust_env=False) as made:
        yield made


@pytest.fixture
def application(practice: Practice) -> Application:
    made = practice.add_application()
    made.name, made.acs_url, made.audience, made.assigned = "SiQ", ACS, AUDIENCE, {PRIYA}
    return made


def authn_request(*, issuer: str = AUDIENCE, acs_url: str = ACS, name_id_format: str = "") -> bytes:
    policy = f'<samlp:NameIDPolicy Format="{name_id_format}"/>' if name_id_format else ""
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID="_asked" Version="2.0" '
        f'IssueInstant="2030-01-01T00:00:00Z" AssertionConsumerServiceURL="{acs_url}">'
        f"<saml:Issuer>{issuer}</saml:Issuer>{policy}</samlp:AuthnRequest>"
    ).encode()


def redirect_url(application: Application, request: bytes | None = None, **fields: str) -> str:
    deflate = zlib.compressobj(wbits=-15)
    deflated = deflate.compress(request or authn_request()) + deflate.flush()
    query = urlencode({"SAMLRequest": base64.b64encode(deflated).decode(), **fields})
    return f"{application.sign_in_url}?{query}"


def sign_in(client: httpx.Client, user_name: str = PRIYA) -> None:
    assert client.post("/signin", data={"person": user_name}).status_code == 303


def sent(page: str) -> tuple[str, dict[str, str]]:
    """Where the form of a page sends a response to, and its fields."""
    document: Any = lxml.html.fromstring(page)
    form = next(form for form in document.forms if "SAMLResponse" in form.fields)
    return form.action or "", {name: value or "" for name, value in form.fields.items()}


def received(fields: dict[str, str]) -> etree._Element:
    return etree.fromstring(base64.b64decode(fields["SAMLResponse"]))


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


def test_the_console_sets_up_an_application_as_aws_does(client: httpx.Client, practice: Practice) -> None:
    answer = client.post("/console/applications/add", data={"preference": "own", "type": "saml"})
    page = client.get(answer.headers["Location"])
    (made,) = practice.applications.values()
    for label in (
        "IAM Identity Center sign-in URL",
        "IAM Identity Center sign-out URL",
        "IAM Identity Center SAML issuer URL",
        "IAM Identity Center Certificate",
        "Application start URL",
        "Relay state",
        "Session duration",
        "Application ACS URL",
        "Application SAML audience",
    ):
        assert label in page.text
    assert made.sign_in_url == made.entity_id
    assert base64.urlsafe_b64decode(made.id).decode() == f"111122223333_{made.instance}"
    assert re.fullmatch(r"ins-[0-9a-f]{16}", made.instance)
    assert not made.ready

    values = {"name": "SiQ", "session_hours": "4", "source": "manual", "acs_url": f" {ACS} ", "audience": AUDIENCE}
    assert client.post(f"{made.page}/configure", data=values).status_code == 303
    assert (made.name, made.acs_url, made.audience, made.session_hours) == ("SiQ", ACS, AUDIENCE, 4)
    assert "Nobody is assigned yet" in client.get(f"{made.page}?done=saved").text


def test_a_wrong_configuration_keeps_what_was_typed(client: httpx.Client, application: Application) -> None:
    values = {"name": "New", "session_hours": "1", "source": "manual", "acs_url": "siq.example/acs", "audience": "x"}
    answer = client.post(f"{application.page}/configure", data=values)
    assert answer.status_code == 422
    assert "siq.example/acs" in answer.text
    assert "Enter the Application ACS URL" in answer.text
    assert application.acs_url == ACS


@pytest.mark.parametrize(
    "url", ["http://a.test/x;script-src *", "http://a.test/ x", "http://a.test/#x", "javascript:x"]
)
def test_a_url_that_would_change_the_policy_header_is_refused(
    client: httpx.Client, application: Application, url: str
) -> None:
    values = {"name": "New", "session_hours": "1", "source": "manual", "acs_url": url, "audience": "x"}
    assert client.post(f"{application.page}/configure", data=values).status_code == 422


def test_the_application_metadata_can_be_uploaded(client: httpx.Client, application: Application) -> None:
    metadata = (
        f'<md:EntityDescriptor xmlns:md="{METADATA}" entityID="urn:siq"><md:SPSSODescriptor>'
        '<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        'Location="http://localhost:9000/acs" index="0"/></md:SPSSODescriptor></md:EntityDescriptor>'
    )
    values = {"name": "SiQ", "session_hours": "1", "source": "file"}
    files = {"metadata_file": ("sp.xml", metadata.encode(), "text/xml")}
    assert client.post(f"{application.page}/configure", data=values, files=files).status_code == 303
    assert (application.acs_url, application.audience) == ("http://localhost:9000/acs", "urn:siq")

    files = {"metadata_file": ("sp.xml", b"not xml", "text/xml")}
    answer = client.post(f"{application.page}/configure", data=values, files=files)
    assert answer.status_code == 422
    assert "Choose the metadata file" in answer.text


def test_metadata_is_shaped_as_at_aws(client: httpx.Client, practice: Practice) -> None:
    fresh = practice.add_application()
    root = etree.fromstring(client.get(f"/saml/metadata/{fresh.id}").content)
    assert root.get("entityID") == fresh.sign_in_url
    (name_id_format,) = root.iter(f"{{{METADATA}}}NameIDFormat")
    assert not name_id_format.text
    assert [one.get("Location") for one in root.iter(f"{{{METADATA}}}SingleSignOnService")] == [fresh.sign_in_url] * 2


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


def test_mapped_attributes_arrive_and_the_subject_is_no_attribute(
    client: httpx.Client, application: Application
) -> None:
    application.attributes = (
        AttributeMapping("email", "${user:email}", "basic"),
        AttributeMapping("groups", "${user:groups}", "uri"),
        AttributeMapping("greeting", "Hello ${user:givenName}"),
    )
    sign_in(client)
    root = received(sent(client.get(f"/start/open/{application.id}").text)[1])
    found = {
        one.get("Name"): (one.get("NameFormat", "").rpartition(":")[2], [value.text for value in one])
        for one in root.iter(f"{{{ASSERTION}}}Attribute")
    }
    assert found == {
        "email": ("basic", [PRIYA]),
        "groups": ("uri", list(PEOPLE[PRIYA].groups)),
        "greeting": ("unspecified", ["Hello Priya"]),
    }


def test_only_the_subject_mapped_makes_the_empty_statement_of_aws(
    client: httpx.Client, application: Application
) -> None:
    sign_in(client)
    root = received(sent(client.get(f"/start/open/{application.id}").text)[1])
    (statement,) = root.iter(f"{{{ASSERTION}}}AttributeStatement")
    assert len(statement) == 0


def test_attribute_mappings_are_edited(client: httpx.Client, application: Application) -> None:
    url = f"{application.page}/attributes"
    base = {"subject_value": "${user:preferredUsername}", "subject_format": "unspecified"}
    assert "givenName" in client.post(url, data={**base, "intent": "common"}).text
    row = {"name": ["mail", ""], "value": ["${user:email}", ""], "format": ["basic", "basic"]}
    assert client.post(url, data={**base, **row, "intent": "save"}).status_code == 303
    assert application.subject.value == "${user:preferredUsername}"
    assert application.attributes == (AttributeMapping("mail", "${user:email}", "basic"),)

    wrong = {"name": ["mail"], "value": ["${user:shoeSize}"], "format": ["basic"]}
    answer = client.post(url, data={**base, **wrong, "intent": "save"})
    assert answer.status_code == 422
    assert "shoeSize" in answer.text


def test_a_certificate_is_rotated(client: httpx.Client, application: Application) -> None:
    url = f"{application.page}/certificates"
    client.post(url, data={"algorithm": "SHA-256", "bits": "2048"})
    old, new = application.keys
    assert application.active_key is old
    client.post(f"{url}/{new.id}/activate")
    assert application.active_key is new
    assert new.pem == client.get(f"{url}/{new.id}.pem").text
    assert client.post(f"{url}/{new.id}/delete").status_code == 409
    client.post(f"{url}/{old.id}/delete")
    assert application.keys == [new]
    assert application.active_key is new


def test_a_weak_certificate_is_weak_throughout(client: httpx.Client, application: Application) -> None:
    client.post(f"{application.page}/certificates", data={"algorithm": "SHA-1", "bits": "1024"})
    weak = application.keys[-1]
    certificate = x509.load_pem_x509_certificate(weak.pem.encode())
    assert certificate.signature_algorithm_oid.dotted_string == "1.2.840.113549.1.1.5"
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 1024
    application.activate_key(weak)
    sign_in(client)
    _, fields = sent(client.get(f"/start/open/{application.id}").text)
    assert b"xmldsig#rsa-sha1" in base64.b64decode(fields["SAMLResponse"])


def test_people_are_assigned(client: httpx.Client, application: Application) -> None:
    client.post(f"{application.page}/users", data={"user": ["oskar", "stranger"]})
    assert application.assigned == {"oskar"}
    client.post(f"{application.page}/users", data={"everybody": "1"})
    assert application.assigned == set(PEOPLE)


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
