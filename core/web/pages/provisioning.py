"""The Provisioning page of an integration: tokens, the record of requests, who gets an account and which role."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import Forbidden, NotFound
from core.flows import activation, offboarding, provisioning
from core.flows.actors import Actor
from core.flows.provisioning import NewToken, ProvisioningView, RoleRule, RulePreview
from core.flows.scim_tokens import TokenView
from core.flows.tiles import TileView
from core.store.tables import ConnectionState, Role
from core.web import guards, questions, view
from core.web.pages.integrations import INTEGRATIONS, around
from core.web.questions import Question

_DONE = {
    "revoked": ("The token is revoked", "Whatever still uses it gets 401 from now on."),
    "first-sign-in": ("Your choice is saved", "It holds from the next sign-in on."),
    "rules": ("The role rules are saved", "They hold now, and for everything that the directory sends."),
    "released": ("The deletions go ahead", "Each account is deleted on its day."),
    "kept": ("Nobody is deleted", "These people stay suspended until somebody reactivates them."),
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Which page of which integration is asked for, and by whom."""

    actor: Actor
    tile: TileView

    @property
    def page(self) -> str:
        return f"{INTEGRATIONS}/{self.tile.plugin_id}/provisioning"


def page(request: Request) -> Response:
    """``GET /settings/integrations/{plugin}/provisioning?q=&before=``."""
    return _show(request, _place(request))


def new_token(request: Request, sent: guards.Sent) -> Response:
    """``POST …/provisioning``: creates a token, or rotates the one named ``token``. The answer shows it, once."""
    place = _place(request)
    services, plugin = guards.services_of(request), place.tile.plugin_id
    old = sent.text("token")
    made = (
        provisioning.rotate_token(services, place.actor, plugin, old)
        if old
        else provisioning.create_token(services, place.actor, plugin)
    )
    return _show(request, place, made)


def revoke_question(request: Request) -> Response:
    """``GET …/provisioning/tokens/{token}/revoke``: asks."""
    place = _place(request)
    shown = provisioning.provisioning(guards.services_of(request), place.actor, place.tile.plugin_id)
    token = next((one for one in _working(shown) if one.id == request.path_params["token"]), None)
    if token is None:
        raise NotFound("This token has ended.")
    return _ask(
        request,
        place,
        (
            f"Revoke the token …{token.ending}?",
            "Whatever still uses it can send nothing until it has another one. People and groups stay as they are.",
        ),
        ("Revoke", "Revoking…"),
        f"tokens/{token.id}/revoke",
    )


def revoke(request: Request, sent: guards.Sent) -> Response:  # noqa: ARG001  nothing but its token is asked
    """``POST …/provisioning/tokens/{token}/revoke``."""
    place = _place(request)
    services = guards.services_of(request)
    provisioning.revoke_token(services, place.actor, place.tile.plugin_id, request.path_params["token"])
    return _done(request, place, "revoked")


def first_sign_in(request: Request, sent: guards.Sent) -> Response:
    """``POST …/provisioning/first-sign-in``: whether people get an account at their first sign-in."""
    place = _place(request)
    provisioning.set_create_at_sign_in(
        guards.services_of(request), place.actor, place.tile.plugin_id, on=bool(sent.text("on"))
    )
    return _done(request, place, "first-sign-in")


# -- the brake ---------------------------------------------------------------------------------------------------------


def release_question(request: Request) -> Response:
    """``GET …/provisioning/brake/delete``: asks."""
    place = _place(request)
    _admin(place, "Only an Admin can decide about these deletions.")
    shown = provisioning.provisioning(guards.services_of(request), place.actor, place.tile.plugin_id)
    if shown.brake is None:
        raise NotFound("No deletion waits for a decision.")
    days = guards.services_of(request).settings.deletion_days
    many = f"{shown.brake.people:,} {'person' if shown.brake.people == 1 else 'people'}"
    return _ask(
        request,
        place,
        (
            f"Let the deletion of {many} go ahead?",
            f"Each account is deleted {days} days after its person was removed. Until then you can reactivate it.",
        ),
        ("Let it go ahead", "Saving…"),
        "brake/delete",
    )


def release(request: Request, sent: guards.Sent) -> Response:  # noqa: ARG001  nothing but its token is asked
    """``POST …/provisioning/brake/{decision}``: delete or keep."""
    place = _place(request)
    delete_them = request.path_params["decision"] == "delete"
    if not delete_them and request.path_params["decision"] != "keep":
        raise NotFound("There is no such decision.")
    offboarding.release_brake(guards.services_of(request), place.actor, place.tile.plugin_id, delete_them=delete_them)
    return _done(request, place, "released" if delete_them else "kept")


# -- rules: which group gives which role -------------------------------------------------------------------------------


def rules(request: Request) -> Response:
    """``GET …/provisioning/rules``: the rules as rows that can be changed. For an Admin."""
    place = _place(request)
    shown = _for_rules(request, place)
    return _show_rules(request, place, shown, list(shown.rules))


def change_rules(request: Request, sent: guards.Sent) -> Response:
    """``POST …/provisioning/rules``: intent add, remove-N, up-N, preview or save; only what was previewed is saved."""
    place = _place(request)
    shown = _for_rules(request, place)
    services, plugin = guards.services_of(request), place.tile.plugin_id
    rows = _rows(sent)
    intent, _, number = sent.text("intent").partition("-")
    at = view.number(number)
    if intent == "add" and shown.group_names:
        rows.append(RoleRule(shown.group_names[0], Role.VIEWER))
    elif intent == "remove" and at is not None and at < len(rows):
        del rows[at]
    elif intent == "up" and at is not None and 0 < at < len(rows):
        rows[at - 1], rows[at] = rows[at], rows[at - 1]
    elif intent == "save" and sent.text("previewed") == _written(rows):
        provisioning.set_rules(services, place.actor, plugin, rows)
        return _done(request, place, "rules")
    elif intent in ("preview", "save"):
        return _show_rules(request, place, shown, rows, provisioning.preview_rules(services, place.actor, plugin, rows))
    return _show_rules(request, place, shown, rows)


def _rows(sent: guards.Sent) -> list[RoleRule]:
    """The rules of a form, in its order. A row that says something else than a group and a role is left out."""
    names = {role.value: role for role in Role}
    pairs = zip(sent.values.get("group", ()), sent.values.get("role", ()), strict=False)
    return [
        RoleRule(group, names[role])
        for group, role in pairs
        if isinstance(group, str) and group and isinstance(role, str) and role in names
    ]


def _written(rows: list[RoleRule]) -> str:
    """Rules as one text, to see whether they are still those of a preview."""
    return json.dumps([[rule.group, rule.role.value] for rule in rows])


def _for_rules(request: Request, place: _Place) -> ProvisioningView:
    _admin(place, "Only an Admin can say which groups give which role.")
    return provisioning.provisioning(guards.services_of(request), place.actor, place.tile.plugin_id)


def _show_rules(
    request: Request, place: _Place, shown: ProvisioningView, rows: list[RoleRule], preview: RulePreview | None = None
) -> Response:
    context = {
        "it": shown,
        "tile": place.tile,
        "page": place.page,
        "rows": rows,
        "roles": tuple(role.value for role in Role),
        "preview": preview,
        "previewed": _written(rows) if preview else "",
        "changed": rows != list(shown.rules),
    }
    return view.render(request, "provisioning-rules.j2", context | _around(request, place))


# -- what is shown -----------------------------------------------------------------------------------------------------


def _place(request: Request) -> _Place:
    """The integration that is asked for. Raises ``Forbidden``, ``NotFound``, also where it is not active."""
    actor = guards.require_actor(request)
    dialog = activation.open_dialog(guards.services_of(request), actor, request.path_params["plugin"])
    if dialog.state is not ConnectionState.ACTIVE:
        raise NotFound("This integration is not active. Activate it first, then provisioning is here.")
    return _Place(actor, dialog.tile)


def _admin(place: _Place, sentence: str) -> None:
    if place.actor.role is not Role.ADMIN:
        raise Forbidden(sentence)


def _show(request: Request, place: _Place, made: NewToken | None = None) -> Response:
    asked = view.asked_query(request)
    before = view.number(request.query_params.get("before"))
    shown = provisioning.provisioning(guards.services_of(request), place.actor, place.tile.plugin_id, asked, before)
    working = _working(shown)
    context: dict[str, Any] = {
        "it": shown,
        "tile": place.tile,
        "page": place.page,
        "made": made,
        "done": _DONE.get(request.query_params.get("done", "")) if made is None else None,
        "working": working,
        "latest": max((token.ends_at for token in working), default=None),
        "may_add": len(working) < 2,  # noqa: PLR2004  tokens that work at once
        "is_admin": place.actor.role is Role.ADMIN,
        "refused_last": not asked and before is None and bool(shown.requests) and not shown.requests[0].ok,
        "later": before is not None,
        "about": f"{INTEGRATIONS}/{place.tile.plugin_id}",
        "overlap": guards.services_of(request).settings.scim_overlap_hours,
    }
    return view.render(request, "provisioning.j2", context | _around(request, place))


def _working(shown: ProvisioningView) -> list[TokenView]:
    return [token for token in shown.tokens if token.state != "ended"]


def _around(request: Request, place: _Place) -> dict[str, Any]:
    """The catalog's navigation and the trail, which leads over the integration's own page."""
    found = around(request, place.actor, place.tile)
    found["trail"] = [*found["trail"], (f"{INTEGRATIONS}/{place.tile.plugin_id}", place.tile.title)]
    return found


def _ask(request: Request, place: _Place, asked: tuple[str, str], button: tuple[str, str], action: str) -> Response:
    beside = _around(request, place)
    trail = (*beside["trail"], (place.page, "Provisioning"))
    (title, text), (verb, busy) = asked, button
    question = Question(title, text, verb, busy, f"{place.page}/{action}", place.page, trail)
    return questions.ask(request, question, beside)


def _done(request: Request, place: _Place, what: str) -> Response:
    return view.go(request, f"{place.page}?done={what}")


_ONE = INTEGRATIONS + "/{plugin}/provisioning"
routes = [
    Route(_ONE, page, methods=["GET"]),
    Route(_ONE, guards.takes_form(new_token), methods=["POST"]),
    Route(_ONE + "/tokens/{token}/revoke", revoke_question, methods=["GET"]),
    Route(_ONE + "/tokens/{token}/revoke", guards.takes_form(revoke), methods=["POST"]),
    Route(_ONE + "/first-sign-in", guards.takes_form(first_sign_in), methods=["POST"]),
    Route(_ONE + "/brake/delete", release_question, methods=["GET"]),
    Route(_ONE + "/brake/{decision}", guards.takes_form(release), methods=["POST"]),
    Route(_ONE + "/rules", rules, methods=["GET"]),
    Route(_ONE + "/rules", guards.takes_form(change_rules), methods=["POST"]),
]
