"""One integration: its page, the traces of sign-ins, Disable, its guide, its icon and its files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from core.errors import NotFound
from core.flows import activation, files, integration, provisioning
from core.flows.connections import plugin_of
from core.flows.integration import IntegrationView
from core.flows.provisioning import ProvisioningView
from core.store.tables import ConnectionState
from core.web import guards, view
from core.web.pages.integrations import INTEGRATIONS, around, category_path

_PICTURES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".webp": "image/webp"}
# A picture of a plugin that is opened by itself is a document of our origin; it may do nothing there.
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def page(request: Request) -> Response:
    """``GET /settings/integrations/{plugin}?outcome=``."""
    actor = guards.require_actor(request)
    plugin = request.path_params["plugin"]
    services = guards.services_of(request)
    shown = integration.integration(services, actor, plugin, request.query_params.get("outcome", "all"))
    pushed = shown.state is ConnectionState.ACTIVE and plugin_of(services, plugin).form.scim
    provisioned = provisioning.provisioning(services, actor, plugin) if pushed else None
    return _show(request, shown, "integration.j2", fragment="_attempts.j2", provisioned=provisioned)


def attempt(request: Request) -> Response:
    """``GET …/{plugin}/attempts/{attempt}``: the trace, into its row for htmx, as a page otherwise."""
    actor = guards.require_actor(request)
    services = guards.services_of(request)
    plugin = request.path_params["plugin"]
    trace = integration.trace(services, actor, plugin, request.path_params["attempt"])
    tile = activation.open_dialog(services, actor, plugin).tile
    context = {"trace": trace, "tile": tile, "page": f"{INTEGRATIONS}/{plugin}", "days": services.settings.trace_days}
    context |= {} if view.wants_fragment(request) else around(request, actor, tile)
    return view.render(request, "attempt.j2", context, fragment="_trace.j2")


def disable_question(request: Request) -> Response:
    """``GET …/{plugin}/disable``: asks, as a dialog for htmx and as a page otherwise."""
    actor = guards.require_actor(request)
    services = guards.services_of(request)
    shown = integration.integration(services, actor, request.path_params["plugin"])
    return _show(request, shown, "disable.j2", fragment="disable-dialog.j2")


def disable(request: Request, sent: guards.Sent) -> Response:  # noqa: ARG001  nothing but its token is asked
    """``POST …/{plugin}/disable``."""
    actor = guards.require_actor(request)
    plugin = request.path_params["plugin"]
    activation.disable(guards.services_of(request), actor, plugin)
    return view.go(request, f"{INTEGRATIONS}/{plugin}?done=disabled")


def guide(request: Request) -> Response:
    """``GET …/{plugin}/guide``: the plugin's guide.md. HTML in it is shown as text, not taken as HTML."""
    actor = guards.require_actor(request)
    services = guards.services_of(request)
    dialog = activation.open_dialog(services, actor, request.path_params["plugin"])
    path = plugin_of(services, dialog.tile.plugin_id).guide
    if path is None:
        raise NotFound("This integration has no guide.")
    where = f"{INTEGRATIONS}/{dialog.tile.plugin_id}"
    context = {"tile": dialog.tile, "page": where, "guide": _guide(path, path.stat().st_mtime_ns, where)}
    return view.render(request, "guide.j2", context | around(request, actor, dialog.tile))


def guide_picture(request: Request) -> Response:
    """``GET …/{plugin}/guide/{picture}``: a picture of the folder ``guide`` beside the guide."""
    guards.require_actor(request).require_integrations()
    path = plugin_of(guards.services_of(request), request.path_params["plugin"]).guide
    name = request.path_params["picture"]
    if path is None or Path(name).name != name:
        raise NotFound("There is no such picture.")
    return _picture(path.parent / "guide" / name)


def icon(request: Request) -> Response:
    """``GET …/{plugin}/icon``."""
    guards.require_actor(request).require_integrations()
    path = plugin_of(guards.services_of(request), request.path_params["plugin"]).icon
    return _picture(path or Path())


def file(request: Request) -> Response:
    """``GET …/{plugin}/files/{tab.field}``: a file that the plugin declares, filled in for this connection."""
    actor = guards.require_actor(request)
    path = request.path_params
    made = files.make(guards.services_of(request), actor, path["plugin"], path["field"])
    # The name has no character that would have to be escaped (core.forms.downloads).
    headers = {"Content-Disposition": f'attachment; filename="{made.filename}"', "Content-Type": made.media_type}
    return Response(made.data, headers=headers)


def _picture(path: Path) -> Response:
    kind = _PICTURES.get(path.suffix.lower())
    if kind is None or not path.is_file():
        raise NotFound("There is no such picture.")
    headers = {"Content-Security-Policy": _PICTURE_POLICY, "Cache-Control": "private, max-age=3600"}
    return FileResponse(path, media_type=kind, headers=headers)


@lru_cache(maxsize=64)
def _guide(path: Path, _changed: int, where: str) -> Markup:
    """The guide as HTML. Its own title is left out (the page has one), and its pictures (``guide/…``) are found."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(path.read_text(encoding="utf-8"))
    if len(tokens) > 2 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":  # noqa: PLR2004  open, text, close
        tokens = tokens[3:]
    for token in tokens:
        for inline in token.children or ():
            source = str(inline.attrGet("src") or "")
            if inline.type == "image" and source.startswith("guide/"):
                inline.attrSet("src", f"{where}/{source}")
                inline.attrSet("loading", "lazy")
            if inline.type == "link_open" and str(inline.attrGet("href")).startswith("https://"):
                inline.attrSet("rel", "noreferrer")
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704  rendered with html off


_DONE = {
    "active": ("{title} is active", "Next: finish the steps at the provider, then sign in through it once yourself."),
    "saved": ("Your changes are saved", "They hold from the next sign-in on."),
    "draft": ("Setup is saved", "Nothing is active yet. Continue when you have the missing values."),
    "key-added": ("There are two keys now", "Next: give the certificate of the new one to your provider."),
    "key-used": ("SiQ signs with the new key", "Next: remove the old one when your provider encrypts for it no more."),
    "key-removed": ("The key is removed", "Nothing that was encrypted for it can be read any more."),
    "disabled": ("{title} is disabled", "Nobody can sign in through it. Its settings are kept."),
}


def _show(
    request: Request,
    shown: IntegrationView,
    template: str,
    *,
    fragment: str,
    provisioned: ProvisioningView | None = None,
) -> Response:
    tile = shown.dialog.tile
    actor = guards.require_actor(request)
    done = _DONE.get(request.query_params.get("done", ""))
    context = {
        "it": shown,
        "provisioned": provisioned,
        "tile": tile,
        "page": f"{INTEGRATIONS}/{tile.plugin_id}",
        "active": shown.state is ConnectionState.ACTIVE,
        "state": shown.state.value,
        "done": tuple(text.format(title=tile.title) for text in done) if done else None,
        "away": category_path(tile),
    }
    context |= {} if view.wants_fragment(request) else around(request, actor, tile)
    return view.render(request, template, context, fragment=fragment)


_ONE = INTEGRATIONS + "/{plugin}"
routes = [
    Route(_ONE, page, methods=["GET"]),
    Route(_ONE + "/attempts/{attempt}", attempt, methods=["GET"]),
    Route(_ONE + "/disable", disable_question, methods=["GET"]),
    Route(_ONE + "/disable", guards.takes_form(disable), methods=["POST"]),
    Route(_ONE + "/guide", guide, methods=["GET"]),
    Route(_ONE + "/guide/{picture}", guide_picture, methods=["GET"]),
    Route(_ONE + "/icon", icon, methods=["GET"]),
    Route(_ONE + "/files/{field}", file, methods=["GET"]),
]
