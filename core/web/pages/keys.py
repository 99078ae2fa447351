"""Our own keys at one integration: exchanging one step by step, and the certificate as a file for the provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import NotFound
from core.flows import activation, key_rotation
from core.flows.key_rotation import KeyView
from core.web import guards, questions, view
from core.web.pages.integrations import INTEGRATIONS, around
from core.web.questions import Question

_ALL = INTEGRATIONS + "/{plugin}/keys"


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of an exchange, asked by GET and taken by POST at ``path`` below the keys of an integration.

    ``take`` is the flow and ``done`` names the sentence that the integration's page shows afterwards.
    """

    path: str
    title: str
    text: str
    verb: str
    busy: str
    take: Callable[[Request], object]
    done: str
    danger: bool = False

    def ask(self, request: Request) -> Response:
        """The question. Raises ``Forbidden``, and ``NotFound`` for a key that is gone."""
        _keys(request)
        if "key" in request.path_params:
            _key(request)
        actor, plugin_id = guards.require_actor(request), request.path_params["plugin"]
        tile = activation.open_dialog(guards.services_of(request), actor, plugin_id).tile
        back = f"{INTEGRATIONS}/{plugin_id}"
        beside = around(request, actor, tile)
        question = Question(
            self.title,
            self.text,
            self.verb,
            self.busy,
            f"{back}/keys{self.path.format(key=request.path_params.get('key', ''))}",
            back,
            (*beside["trail"], (back, tile.title)),
            icon="key",
            danger=self.danger,
        )
        return questions.ask(request, question, beside)

    def answer(self, request: Request, sent: guards.Sent) -> Response:  # noqa: ARG002  nothing but its token is asked
        """Take the step, then back to the integration."""
        self.take(request)
        return view.go(request, f"{INTEGRATIONS}/{request.path_params['plugin']}?done={self.done}")


def certificate(request: Request) -> Response:
    """``GET …/{plugin}/keys/{key}/certificate``: the certificate as a file (PEM)."""
    key = _key(request)
    short = key.certificate.fingerprint[:11].replace(":", "").lower()
    headers = {"Content-Disposition": f'attachment; filename="siq-{request.path_params["plugin"]}-{short}.pem"'}
    return Response(key.pem, media_type="application/x-pem-file", headers=headers)


def _keys(request: Request) -> tuple[KeyView, ...]:
    """The keys of the integration that is asked for. Raises ``Forbidden``, and ``NotFound`` where it has none."""
    actor, services = guards.require_actor(request), guards.services_of(request)
    found = key_rotation.keys(services, actor, request.path_params["plugin"])
    if not found:
        raise NotFound("This integration has no keys of its own.")
    return found


def _key(request: Request) -> KeyView:
    key = next((one for one in _keys(request) if one.id == request.path_params["key"]), None)
    if key is None:
        raise NotFound("This key is gone.")
    return key


def _add(request: Request) -> object:
    actor = guards.require_actor(request)
    return key_rotation.add_key(guards.services_of(request), actor, request.path_params["plugin"])


def _use(request: Request) -> object:
    actor, path = guards.require_actor(request), request.path_params
    return key_rotation.use_key(guards.services_of(request), actor, path["plugin"], path["key"])


def _remove(request: Request) -> object:
    actor, path = guards.require_actor(request), request.path_params
    return key_rotation.remove_key(guards.services_of(request), actor, path["plugin"], path["key"])


_STEPS = (
    _Step(
        "/add",
        "Add a second key?",
        "SiQ reads what is encrypted for either of them, and goes on to sign with the one it has. Give the new "
        "certificate to your provider next.",
        "Add key",
        "Making a key…",
        _add,
        "key-added",
    ),
    _Step(
        "/{key}/use",
        "Sign with this key from now on?",
        "Your provider must know its certificate by now: a provider that checks requests refuses every sign-in otherwise. "
        "The other key goes on reading until you remove it.",
        "Sign with it",
        "Changing…",
        _use,
        "key-used",
    ),
    _Step(
        "/{key}/remove",
        "Remove this key?",
        "It cannot be brought back. A provider that still encrypts for it signs nobody in until it has the certificate of "
        "the other key.",
        "Remove",
        "Removing…",
        _remove,
        "key-removed",
        danger=True,
    ),
)

routes = [
    *(Route(_ALL + step.path, step.ask, methods=["GET"]) for step in _STEPS),
    *(Route(_ALL + step.path, guards.takes_form(step.answer), methods=["POST"]) for step in _STEPS),
    Route(_ALL + "/{key}/certificate", certificate, methods=["GET"]),
]
