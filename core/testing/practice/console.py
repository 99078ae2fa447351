"""The administrator's side: applications, their metadata, attribute mappings, certificates and assigned people."""

from __future__ import annotations

import re
from dataclasses import replace

from lxml import etree
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.testing.identity_provider import METADATA
from core.testing.practice.mint import with_sha1_certificate
from core.testing.practice.pages import application_of, form_of, go, practice_of, render, text_of, texts_of
from core.testing.practice.state import (
    ATTRIBUTE_FORMATS,
    KNOWN_VALUES,
    NAME_ID_FORMATS,
    PEOPLE,
    SESSION_HOURS,
    USUAL_ATTRIBUTES,
    Application,
    AttributeMapping,
    SigningKey,
)

DONE = {
    "saved": "The configuration has been saved.",
    "mapped": "The attribute mappings have been saved.",
    "assigned": "The assigned people have been saved.",
    "generated": "A new certificate was generated. It is inactive until you activate it.",
    "activated": "The certificate is active: it signs from now on.",
    "deleted": "The certificate was deleted.",
}
"""What a page says after a redirect; the URL names the key, so no text of a URL is ever shown."""

_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[^\s\"'<>;,#]*)?")
"""An absolute http or https URL that may stand in a policy header; no fragment."""

_POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


async def start(request: Request) -> Response:
    """What this is, and where to go."""
    return render(request, "start.j2", people=PEOPLE.values())


async def applications(request: Request) -> Response:
    """The list."""
    return render(request, "applications.j2", applications=list(practice_of(request).applications.values()))


async def add(request: Request) -> Response:
    """Select application type."""
    if request.method == "GET":
        return render(request, "add.j2")
    form = await form_of(request)
    if (text_of(form, "preference"), text_of(form, "type")) != ("own", "saml"):
        errors = {"type": "The practice instrument sets up SAML 2.0 applications of your own, and nothing else."}
        return render(request, "add.j2", status=422, errors=errors)
    return go(f"{practice_of(request).add_application().page}/configure")


async def configure(request: Request) -> Response:
    """Configure application: our metadata, and the values of the other side."""
    application = application_of(request)
    names = ("name", "description", "start_url", "relay_state", "acs_url", "audience")
    errors: dict[str, str] = {}
    if request.method == "GET":
        values = {name: getattr(application, name) for name in names}
        values |= {"session_hours": str(application.session_hours), "source": "manual"}
    else:
        form = await form_of(request)
        values = {name: text_of(form, name) for name in (*names, "session_hours", "source")}
        if values["source"] == "file":
            errors |= await read_metadata(form, values)
        await form.close()
        errors |= check_configuration(values)
        if not errors:
            for name in names:
                setattr(application, name, values[name])
            application.session_hours = int(values["session_hours"])
            return go(f"{application.page}?done=saved")
    return render(
        request,
        "configure.j2",
        status=422 if errors else 200,
        application=application,
        values=values,
        errors=errors,
        session_choices=SESSION_HOURS,
    )


def check_configuration(values: dict[str, str]) -> dict[str, str]:
    """Sentences by field, without their full stops."""
    errors = {}
    if not values["name"]:
        errors["name"] = "Enter a display name"
    if not _URL.fullmatch(values["acs_url"]):
        errors["acs_url"] = "Enter the Application ACS URL, with http:// or https:// at the start"
    if not values["audience"]:
        errors["audience"] = "Enter the Application SAML audience"
    if values["start_url"] and not _URL.fullmatch(values["start_url"]):
        errors["start_url"] = "Enter the Application start URL with http:// or https:// at the start, or leave it empty"
    if values["session_hours"] not in map(str, SESSION_HOURS):
        errors["session_hours"] = "Choose a session duration"
    return errors


async def read_metadata(form: FormData, values: dict[str, str]) -> dict[str, str]:
    """Fill in ACS URL and audience from the uploaded metadata of the application; answers sentences by field."""
    upload = form.get("metadata_file")
    document = await upload.read() if isinstance(upload, UploadFile) else b""
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except (etree.XMLSyntaxError, ValueError):
        return {"metadata_file": "Choose the metadata file of the application"}
    for service in root.iter(f"{{{METADATA}}}AssertionConsumerService"):
        if service.get("Binding") == _POST_BINDING:
            values |= {"acs_url": service.get("Location", ""), "audience": root.get("entityID", "")}
            return {}
    return {"metadata_file": "This file names no AssertionConsumerService with the HTTP-POST binding"}


async def application(request: Request) -> Response:
    """One application, with its Actions."""
    shown = application_of(request)
    return render(
        request,
        "application.j2",
        application=shown,
        assigned=[person for name, person in PEOPLE.items() if name in shown.assigned],
        done=DONE.get(request.query_params.get("done", ""), ""),
    )


async def remove(request: Request) -> Response:
    """Actions > Remove."""
    await form_of(request)
    practice_of(request).applications.pop(application_of(request).id)
    return go("/console/applications")


async def attributes(request: Request) -> Response:
    """Actions > Edit attribute mappings."""
    application = application_of(request)
    subject, rows = application.subject, list(application.attributes)
    errors: dict[str, str] = {}
    intent = "show"
    if request.method == "POST":
        form = await form_of(request)
        intent = text_of(form, "intent")
        subject, rows = read_mappings(form)
    if intent == "common":
        rows += [usual for usual in USUAL_ATTRIBUTES if usual.name not in {row.name for row in rows}]
    elif intent == "add":
        rows.append(AttributeMapping("", ""))
    elif intent == "save":
        problems = [row.problem for row in (subject, *rows) if row.problem]
        if not subject.value:
            problems.append("Map the Subject to a value; without one nobody can sign in")
        if not problems:
            application.subject, application.attributes = subject, tuple(row for row in rows if row.name)
            return go(f"{application.page}?done=mapped")
        errors = {"mappings": problems[0]}
    return render(
        request,
        "attributes.j2",
        status=422 if errors else 200,
        application=application,
        subject=subject,
        mappings=rows or [AttributeMapping("", "")],
        errors=errors,
        subject_formats=NAME_ID_FORMATS,
        attribute_formats=ATTRIBUTE_FORMATS,
        known_values=KNOWN_VALUES,
    )


def read_mappings(form: FormData) -> tuple[AttributeMapping, list[AttributeMapping]]:
    """The Subject row, and the other rows that are not wholly empty. Raises 400 for a format that is not offered."""
    rows = zip(texts_of(form, "name"), texts_of(form, "value"), texts_of(form, "format"), strict=False)
    mappings = [AttributeMapping(name, value, format_) for name, value, format_ in rows if name or value]
    subject = AttributeMapping("Subject", text_of(form, "subject_value"), text_of(form, "subject_format"))
    if subject.format not in NAME_ID_FORMATS or any(row.format not in ATTRIBUTE_FORMATS for row in mappings):
        raise HTTPException(400)
    return subject, mappings


async def certificates(request: Request) -> Response:
    """Actions > Manage certificate, and Generate new certificate."""
    application = application_of(request)
    if request.method == "POST":
        form = await form_of(request)
        algorithm, bits = text_of(form, "algorithm"), text_of(form, "bits")
        if algorithm not in ("SHA-256", "SHA-1") or bits not in ("2048", "1024"):
            raise HTTPException(400)
        key = application.generate_key(algorithm, int(bits))
        if algorithm == "SHA-1":
            application.keys[-1] = replace(key, provider=with_sha1_certificate(key.provider))
        return go(f"{application.page}/certificates?done=generated")
    done = DONE.get(request.query_params.get("done", ""), "")
    return render(request, "certificates.j2", application=application, done=done)


def key_of(request: Request) -> tuple[Application, SigningKey]:
    """The certificate that the URL names; raises 404."""
    application = application_of(request)
    for key in application.keys:
        if key.id == request.path_params["key"]:
            return application, key
    raise HTTPException(404)


async def download_certificate(request: Request) -> Response:
    """One certificate as a PEM file."""
    application, key = key_of(request)
    headers = {"Content-Disposition": f'attachment; filename="{application.instance}_{key.id}.pem"'}
    return Response(key.pem, media_type="application/x-pem-file", headers=headers)


async def activate_certificate(request: Request) -> Response:
    """Let a certificate sign from now on."""
    await form_of(request)
    application, key = key_of(request)
    application.activate_key(key)
    return go(f"{application.page}/certificates?done=activated")


async def delete_certificate(request: Request) -> Response:
    """Forget a certificate that does not sign."""
    await form_of(request)
    application, key = key_of(request)
    if key is application.active_key:
        errors = {"key": "The active certificate cannot be deleted. Activate another one first."}
        return render(request, "certificates.j2", status=409, application=application, errors=errors)
    application.delete_key(key)
    return go(f"{application.page}/certificates?done=deleted")


async def users(request: Request) -> Response:
    """Actions > Assign users."""
    application = application_of(request)
    if request.method == "POST":
        form = await form_of(request)
        chosen = set(PEOPLE) if text_of(form, "everybody") else set(texts_of(form, "user")) & set(PEOPLE)
        application.assigned = chosen
        return go(f"{application.page}?done=assigned")
    return render(request, "users.j2", application=application, people=PEOPLE.values())


_ONE = "/console/applications/{id}"

ROUTES = [
    Route("/", start),
    Route("/console/applications", applications),
    Route("/console/applications/add", add, methods=["GET", "POST"]),
    Route(_ONE, application),
    Route(f"{_ONE}/configure", configure, methods=["GET", "POST"]),
    Route(f"{_ONE}/remove", remove, methods=["POST"]),
    Route(f"{_ONE}/attributes", attributes, methods=["GET", "POST"]),
    Route(f"{_ONE}/users", users, methods=["GET", "POST"]),
    Route(f"{_ONE}/certificates", certificates, methods=["GET", "POST"]),
    Route(f"{_ONE}/certificates/{{key}}.pem", download_certificate),
    Route(f"{_ONE}/certificates/{{key}}/activate", activate_certificate, methods=["POST"]),
    Route(f"{_ONE}/certificates/{{key}}/delete", delete_certificate, methods=["POST"]),
]
