"""The people's side: signing in, the access portal with its tiles, and the SAML endpoints."""

from __future__ import annotations

import base64
import re
import zlib
from urllib.parse import urlencode

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.testing.identity_provider import AuthnRequest, parse_authn_request
from core.testing.practice.mint import mint
from core.testing.practice.pages import (
    SESSION_COOKIE,
    application_of,
    form_of,
    go,
    origin_of,
    person_of,
    practice_of,
    problem,
    render,
    text_of,
)
from core.testing.practice.state import NAME_ID_FORMATS, PEOPLE, Application, Pending, Person

_THEN = re.compile(r"/start(/open/[\w=-]+)?|/saml/continue/[\w-]+")
"""Where a sign-in may lead: pages of ours, and only these."""

_MOST_REQUEST_BYTES = 64 * 1024


async def assertion(request: Request) -> Response:
    """The sign-in URL (SAML Bindings 3.4 and 3.5), with the checks that AWS makes."""
    application = application_of(request)
    if request.method == "POST":
        return await by_redirect(request, application)
    try:
        asked = parse_authn_request(request.url.query)
    except ValueError as error:
        return problem(request, 400, "Bad input", f"{error}.")
    refusal = refuse(request, application, asked)
    if refusal:
        return refusal
    pending = Pending(application.id, asked.id, asked.relay_state or None)
    return go(f"/saml/continue/{practice_of(request).wait(pending)}")


async def by_redirect(request: Request, application: Application) -> Response:
    """A request by HTTP-POST, sent on by GET: the portal's cookie is absent from a form of another site."""
    form = await request.form(max_fields=10, max_files=0, max_part_size=_MOST_REQUEST_BYTES)
    try:
        document = base64.b64decode(text_of(form, "SAMLRequest"), validate=True)
    except ValueError:
        return problem(request, 400, "Bad input", "The form holds no readable SAMLRequest.")
    deflate = zlib.compressobj(wbits=-15)
    fields = {"SAMLRequest": base64.b64encode(deflate.compress(document) + deflate.flush()).decode()}
    if "RelayState" in form:
        fields["RelayState"] = text_of(form, "RelayState")
    return go(f"{application.sign_in_url}?{urlencode(fields)}")


def refuse(request: Request, application: Application, asked: AuthnRequest) -> Response | None:
    """The page that AWS shows for a request that does not fit the application; none for one that does."""
    if not application.ready or asked.issuer != application.audience or asked.acs_url != application.acs_url:
        facts = [
            ("Application SAML audience here", application.audience),
            ("Issuer of the request", asked.issuer),
            ("Application ACS URL here", application.acs_url),
            ("AssertionConsumerServiceURL of the request", asked.acs_url),
        ]
        line = "The request does not fit the application. Paste both values again. (AWS itself shows no details.)"
        return problem(request, 400, "Bad input", line, facts=facts, links=[(application.page, "Open the application")])
    configured = NAME_ID_FORMATS[application.subject.format]
    if asked.name_id_format not in ("", configured):
        facts = [("Format of Subject here", configured), ("Format in the NameIDPolicy", asked.name_id_format)]
        return no_access(request, application, "The request asks for another NameID format.", facts)
    return None


def no_access(
    request: Request, application: Application, line: str, facts: list[tuple[str, str]] | None = None
) -> Response:
    """The page for a person or a request that may not use the application."""
    links = [(f"{application.page}/users", "Assign users"), ("/start", "Access portal")]
    aside = "(AWS itself gives no reason.)"
    return problem(request, 403, "No access", line, aside, facts=facts or (), links=links)


async def go_on(request: Request) -> Response:
    """Answer a request that waits, once its person has signed in."""
    practice = practice_of(request)
    waiting = practice.pending.get(request.path_params["key"])
    application = practice.applications.get(waiting.application) if waiting else None
    if waiting is None or application is None:
        return problem(
            request, 400, "Bad input", "This sign-in is not waiting any more. Start again at the application."
        )
    person = person_of(request)
    if person is None:
        return sign_in_page(request, request.url.path, application)
    if person.user_name not in application.assigned:
        return no_access(request, application, f"{person.name} is not assigned to {application.name}.")
    practice.pending.pop(request.path_params["key"])
    minted = mint(application, person, in_response_to=waiting.request_id)
    return send(request, application, minted.form_value, waiting.relay_state)


def send(
    request: Request, application: Application, form_value: str, relay_state: str | None, expected: str = ""
) -> Response:
    """The page whose form takes a response to the application."""
    return render(
        request,
        "send.j2",
        form_action=origin_of(application.acs_url),
        application=application,
        acs_url=application.acs_url,
        form_value=form_value,
        relay_state=relay_state,
        expected=expected,
    )


def sign_in_page(
    request: Request, then: str, application: Application | None = None, *, user_name: str = "", error: str = ""
) -> Response:
    """User name and password, and the practice people to choose from. ``then`` is where it leads.

    The policy's form-action holds for redirects that follow the form too, and a tile may lead to a start URL.
    """
    return render(
        request,
        "sign_in.j2",
        status=422 if error else 200,
        form_action=origin_of(application.start_url) if application and application.start_url else "",
        then=then,
        application=application,
        people=PEOPLE.values(),
        values={"username": user_name},
        errors={"username": error} if error else {},
    )


async def sign_in(request: Request) -> Response:
    """Open a session at the portal, for anybody of the practice directory and with any password."""
    form = await form_of(request)
    then = text_of(form, "then")
    then = then if _THEN.fullmatch(then) else "/start"
    user_name = text_of(form, "person") or text_of(form, "username")
    person = PEOPLE.get(user_name)
    if person is None:
        return sign_in_page(request, then, user_name=user_name, error="Nobody here has this user name.")
    if not text_of(form, "person") and not text_of(form, "password"):
        return sign_in_page(request, then, user_name=user_name, error="Enter a password; any will do.")
    response = go(then)
    response.set_cookie(SESSION_COOKIE, practice_of(request).sign_in(person), httponly=True, samesite="lax")
    return response


async def portal(request: Request) -> Response:
    """The access portal: a tile for each application of the person."""
    person = person_of(request)
    if person is None:
        return sign_in_page(request, "/start")
    tiles = [
        one for one in practice_of(request).applications.values() if one.ready and person.user_name in one.assigned
    ]
    return render(request, "portal.j2", person=person, tiles=tiles)


async def open_tile(request: Request) -> Response:
    """A click on a tile: the application's start URL where it has one, else a response that nobody asked for."""
    application = application_of(request)
    person = person_of(request)
    if person is None:
        return sign_in_page(request, request.url.path, application)
    if not application.ready or person.user_name not in application.assigned:
        return no_access(request, application, f"{person.name} is not assigned to {application.name}.")
    if application.start_url:
        return go(application.start_url)
    minted = mint(application, person)
    if request.query_params.get("show") == "xml":
        return render(request, "xml.j2", application=application, xml=readable(minted.xml))
    application.last = minted
    return send(request, application, minted.form_value, application.relay_state or None)


def readable(xml: bytes) -> str:
    """The document with line breaks and indentation."""
    root = etree.fromstring(xml, etree.XMLParser(remove_blank_text=True, resolve_entities=False))
    return etree.tostring(root, pretty_print=True, encoding="unicode")


async def sign_out(request: Request) -> Response:
    """End the session at the portal. Sessions at applications live on, as at AWS."""
    await form_of(request)
    practice_of(request).sessions.pop(request.cookies.get(SESSION_COOKIE, ""), None)
    response = go("/start")
    response.delete_cookie(SESSION_COOKIE)
    return response


async def logout(request: Request) -> Response:
    """The sign-out URL. AWS is not known to answer a LogoutRequest, so neither is this."""
    person: Person | None = person_of(request)
    session = f"{person.name} is still signed in at the access portal." if person else "Nobody is signed in here."
    return problem(request, 200, "Signed out of the application", session, links=[("/start", "Access portal")])


async def metadata(request: Request) -> Response:
    """IAM Identity Center SAML metadata file, with the active certificate."""
    application = application_of(request)
    configured = NAME_ID_FORMATS[application.subject.format] if application.ready else ""
    headers = {}
    if "download" in request.query_params:
        headers["Content-Disposition"] = f'attachment; filename="{application.instance}_metadata.xml"'
    document = application.active_key.provider.metadata(name_id_format=configured)
    return Response(document, media_type="application/samlmetadata+xml", headers=headers)


ROUTES = [
    Route("/saml/assertion/{id}", assertion, methods=["GET", "POST"]),
    Route("/saml/continue/{key}", go_on),
    Route("/saml/logout/{id}", logout, methods=["GET", "POST"]),
    Route("/saml/metadata/{id}", metadata),
    Route("/signin", sign_in, methods=["POST"]),
    Route("/start", portal),
    Route("/start/open/{id}", open_tile),
    Route("/start/signout", sign_out, methods=["POST"]),
]
