"""Our own keys at one integration: exchanging one step by step, and the certificate as a file for the provider."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import NotFound
from core.flows import activation, key_rotation
from core.flows.key_rotation import KeyView
from core.web import guards, questions, view
from core.web.pages.integrations import INTEGRATIONS, around
from core.web.questions import Question


def add_question(request: Request) -> Response:
    """``GET …/{plugin}/keys/add``: asks."""
    return _ask(
        request,
        "add",
        "Add a second key?",
        "SiQ reads what is encrypted for either of them, and goes on to sign with the one it has. Give the new "
        "certificate to your provider next.",
        ("Add key", "Making a key…"),
        danger=False,
    )


def add(request: Request, sent: guards.Sent) -> Response:  # noqa: ARG001  nothing but its token is asked
    """``POST …/{plugin}/keys/add``."""
    key_rotation.add_key(guards.services_of(request), guards.require_actor(request), request.path_params["plugin"])
    return _done(request, "key-added")


def use_question(request: Request) -> Response:
    """``GET …/{plugin}/keys/{key}/use``: asks."""
    key = _key(request)
    return _ask(
        request,
        f"{key.id}/use",
        "Sign with this key from now on?",
        "Your provider must know its certificate by now: a provider that checks requests refuses every sign-in otherwise. "
        "The other key goes on reading until you remove it.",
        ("Sign with it", "Changing…"),
        danger=False,
    )


def use(request: Request, sent: guards.Sent) -> Response:  # noqa: ARG001  nothing but its token is asked
    """``POST …/{plugin}/keys/{key}/use``."""
    actor, path = guards.require_actor(request), request.path_params
    key_rotation.use_key(guards.services_of(request), actor, path["plugin"], path["key"])
    return _done(request, "key-used")


def remove_question(request: Request) -> Response:
    """``GET …/{plugin}/keys/{key}/remove``: asks."""
    key = _key(request)
    return _ask(
        request,
        f"{key.id}/remove",
        "Remove this key?",
        "It cannot be brought back. A provider that still encrypts for it signs nobody in until it has the certificate of "
        "the other key.",
        ("Remove", "Removing…"),
        danger=True,
    )


def remove(request: Request, sent: guards.Sent) -> Response:  # noqa: ARG001  nothing but its token is asked
    """``POST …/{plugin}/keys/{key}/remove``."""
    actor, path = guards.require_actor(request), request.path_params
    key_rotation.remove_key(guards.services_of(request), actor, path["plugin"], path["key"])
    return _done(request, "key-removed")


def certificate(request: Request) -> Response:
    """``GET …/{plugin}/keys/{key}/certificate``: the certificate as a file (PEM)."""
    key = _key(request)
    short = key.certificate.fingerprint[:11].replace(":", "").lower()
    headers = {"Content-Disposition": f'attachment; filename="siq-{request.path_params["plugin"]}-{short}.pem"'}
    return Response(key.pem, media_type="application/x-pem-file", headers=headers)


def _key(request: Request) -> KeyView:
    """The key that is asked for. Raises ``Forbidden`` or ``NotFound``."""
    actor, services = guards.require_actor(request), guards.services_of(request)
    found = key_rotation.keys(services, actor, request.path_params["plugin"])
    key = next((one for one in found if one.id == request.path_params["key"]), None)
    if key is None:
        raise NotFound("This key is gone.")
    return key


def _ask(request: Request, action: str, title: str, text: str, button: tuple[str, str], *, danger: bool) -> Response:
    actor = guards.require_actor(request)
    tile = activation.open_dialog(guards.services_of(request), actor, request.path_params["plugin"]).tile
    back = f"{INTEGRATIONS}/{tile.plugin_id}"
    beside = around(request, actor, tile)
    trail = (*beside["trail"], (back, tile.title))
    question = Question(title, text, *button, f"{back}/keys/{action}", back, trail, icon="key", danger=danger)
    return questions.ask(request, question, beside)


def _done(request: Request, what: str) -> Response:
    return view.go(request, f"{INTEGRATIONS}/{request.path_params['plugin']}?done={what}")


_ALL = INTEGRATIONS + "/{plugin}/keys"
routes = [
    Route(_ALL + "/add", add_question, methods=["GET"]),
    Route(_ALL + "/add", guards.takes_form(add), methods=["POST"]),
    Route(_ALL + "/{key}/use", use_question, methods=["GET"]),
    Route(_ALL + "/{key}/use", guards.takes_form(use), methods=["POST"]),
    Route(_ALL + "/{key}/remove", remove_question, methods=["GET"]),
    Route(_ALL + "/{key}/remove", guards.takes_form(remove), methods=["POST"]),
    Route(_ALL + "/{key}/certificate", certificate, methods=["GET"]),
]
"""Add before the rest: ``add`` is no key's id, which is hexadecimal."""
