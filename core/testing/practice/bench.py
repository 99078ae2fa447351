"""Send a bad response: every variant that a service provider has to take or to refuse, one tile each."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.testing.practice.pages import form_of, practice_of, problem, render, text_of
from core.testing.practice.portal import send
from core.testing.practice.state import PEOPLE
from core.testing.practice.variants import ACCEPTED, BY_NAME, REFUSED, NothingToReplay, Variant

NOTHING_TO_REPLAY = "Click the application's tile in the access portal first; that response is then sent a second time."


@dataclass(frozen=True, slots=True)
class Group:
    """Variants that end alike."""

    title: str
    variants: tuple[Variant, ...]


GROUPS = (Group("Must be refused", REFUSED), Group("Must sign the person in", ACCEPTED))


async def bench(request: Request) -> Response:
    """The tiles, and the sending of one."""
    practice = practice_of(request)
    applications = [application for application in practice.applications.values() if application.ready]
    if request.method == "GET":
        people = PEOPLE.values()
        return render(request, "bench.j2", applications=applications, people=people, groups=GROUPS)
    form = await form_of(request)
    application = practice.applications.get(text_of(form, "application"))
    person = PEOPLE.get(text_of(form, "person"))
    variant = BY_NAME.get(text_of(form, "variant"))
    if application is None or not application.ready or person is None or variant is None:
        raise HTTPException(400)
    try:
        made = variant.make(application, person)
    except NothingToReplay:
        return problem(request, 409, "Nothing to replay", NOTHING_TO_REPLAY, links=[("/start", "Access portal")])
    return send(request, application, made.form_value, made.relay_state, variant.expected)


ROUTES = [Route("/bench", bench, methods=["GET", "POST"])]
