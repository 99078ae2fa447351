"""The lists: users and what an Admin or IT does about one of them, audit log."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import NotFound
from core.flows import audit, offboarding, people
from core.flows.actors import Actor
from core.flows.people import PersonView
from core.flows.services import Services
from core.web import guards, questions, view
from core.web.questions import Question

_ACTS: dict[str, Callable[[Services, Actor, str], None]] = {
    "suspend": offboarding.suspend_person,
    "reactivate": offboarding.restore_person,
    "remove": offboarding.remove_person,
}
_DONE = {
    "suspend": ("The person is suspended", "Their sessions have ended, and they cannot sign in."),
    "reactivate": ("The person is active again", "They can sign in. What was open before stays closed."),
    "remove": (
        "The person is removed",
        "Their access has ended. The account is deleted later, unless somebody reactivates it.",
    ),
}


def users(request: Request) -> Response:
    """``GET /users?q=&status=&page=``."""
    actor = guards.require_actor(request)
    asked = request.query_params
    page = people.people(
        guards.services_of(request),
        actor,
        view.asked_query(request),
        asked.get("status", "all"),
        view.number(asked.get("page")) or 1,
    )
    context = {"page": page, "done": _DONE.get(asked.get("done", ""))}
    return view.render(request, "users.j2", context)


def act_question(request: Request) -> Response:
    """``GET /users/{user}/{act}``: asks before suspend, reactivate or remove."""
    actor = guards.require_actor(request)
    services, act = guards.services_of(request), _act(request)
    person = people.person(services, actor, request.path_params["user"])
    return questions.ask(request, _question(act, person, services.settings.deletion_days), {})


def act(request: Request, sent: guards.Sent) -> Response:  # noqa: ARG001  nothing but its token is asked
    """``POST /users/{user}/{act}``."""
    actor = guards.require_actor(request)
    services, wanted = guards.services_of(request), _act(request)
    person = people.person(services, actor, request.path_params["user"])
    _ACTS[wanted](services, actor, person.id)
    return view.go(request, f"/users?done={wanted}")


def _act(request: Request) -> str:
    wanted = str(request.path_params["act"])
    if wanted not in _ACTS:
        raise NotFound("There is no such page.")
    return wanted


def _question(act: str, person: PersonView, deletion_days: int) -> Question:
    verb, busy, text = {
        "suspend": (
            "Suspend",
            "Suspending…",
            "Their sessions end now, and they cannot sign in. Nothing is deleted. You can reactivate them at any time.",
        ),
        "reactivate": (
            "Reactivate",
            "Reactivating…",
            "They can sign in again, and a planned deletion is off. A directory that sends this person may suspend them again.",
        ),
        "remove": (
            "Remove",
            "Removing…",
            f"Their access ends now, and the account is deleted in {deletion_days} days. Until then you can reactivate it.",
        ),
    }[act]
    return Question(
        title=f"{verb} {person.name}?",
        text=text,
        verb=verb,
        busy=busy,
        action=f"/users/{person.id}/{act}",
        back="/users",
        trail=(("/users", "Users"),),
        icon="turn" if act == "reactivate" else "power",
        danger=act != "reactivate",
    )


def audit_log(request: Request) -> Response:
    """``GET /audit?q=&before=``."""
    actor = guards.require_actor(request)
    before = view.number(request.query_params.get("before"))
    page = audit.entries(guards.services_of(request), actor, view.asked_query(request), before)
    return view.render(request, "audit.j2", {"log": page})


routes = [
    Route("/users", users, methods=["GET"]),
    Route("/users/{user}/{act}", act_question, methods=["GET"]),
    Route("/users/{user}/{act}", guards.takes_form(act), methods=["POST"]),
    Route("/audit", audit_log, methods=["GET"]),
]
