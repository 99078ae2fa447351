"""Settings > Integrations: the entry page, the catalog, and the form of a plugin as dialog and page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.flows import activation, catalog
from core.flows.activation import Activated, Dialog, DialogAgain
from core.flows.actors import Actor
from core.flows.tiles import TileView
from core.plugin_api import Category
from core.store.tables import ConnectionState
from core.web import guards, view
from core.web.filters import query

INTEGRATIONS = "/settings/integrations"


def entry(request: Request) -> Response:
    """``GET /settings/integrations``: what is in use, what needs attention, and the way into the catalog."""
    actor = guards.require_actor(request)
    overview = catalog.overview(guards.services_of(request), actor)
    context = {"overview": overview, "first_category": catalog.slug(Category.PROVISIONING_SSO)}
    return view.render(request, "integrations.j2", context)


def catalog_page(request: Request) -> Response:
    """``GET /settings/integrations/catalog?category=&status=&q=``; a search of htmx gets the tiles alone."""
    actor = guards.require_actor(request)
    asked = request.query_params
    found = catalog.catalog(
        guards.services_of(request),
        actor,
        asked.get("category", ""),
        asked.get("status", "all"),
        view.asked_query(request),
    )
    slug = found.category.slug if found.category else ""
    context = {"catalog": found, "category_slug": slug, "at_catalog": True}
    return view.render(request, "catalog.j2", context, fragment="_results.j2")


def activate_form(request: Request) -> Response:
    """``GET …/{plugin}/activate?tab=``: the form, as a dialog for htmx and as a page otherwise."""
    actor = guards.require_actor(request)
    dialog = activation.open_dialog(guards.services_of(request), actor, request.path_params["plugin"])
    asked = next((tab.id for tab in dialog.form.tabs if tab.id == request.query_params.get("tab")), None)
    return _show(request, actor, _at(dialog, asked), fragment="dialog.j2")


def activate(request: Request, sent: guards.Sent) -> Response:
    """``POST …/{plugin}/activate``: intent activate, draft or fill."""
    actor = guards.require_actor(request)
    intent = sent.text("intent")
    wanted: Literal["activate", "draft", "fill"] = (
        "draft" if intent == "draft" else "fill" if intent == "fill" else "activate"
    )
    try:
        done = activation.submit(guards.services_of(request), actor, request.path_params["plugin"], sent.values, wanted)
    except DialogAgain as again:
        filled = wanted == "fill" and not again.dialog.form.errors
        dialog = _at(
            again.dialog, next((tab.id for tab in again.dialog.form.tabs if tab.metadata), None) if filled else None
        )
        return _show(request, actor, dialog, status=again.status, filled=filled, fragment="_dialog_form.j2")
    return view.go(request, _after(done, wanted))


def _at(dialog: Dialog, tab: str | None) -> Dialog:
    """The dialog, opened at a tab; as it was for none."""
    return replace(dialog, form=replace(dialog.form, selected=tab)) if tab else dialog


def _after(done: Activated, intent: str) -> str:
    said = "draft" if intent == "draft" else "active" if done.is_new else "saved"
    return query(f"{INTEGRATIONS}/{done.plugin_id}", done=said)


def _show(
    request: Request, actor: Actor, dialog: Dialog, *, fragment: str, status: int = 200, filled: bool = False
) -> Response:
    tile = dialog.tile
    active = dialog.state is ConnectionState.ACTIVE
    context: dict[str, Any] = {
        "dialog": dialog,
        "active": active,
        "filled": filled,
        "heading": f"Settings of {tile.title}" if active else f"Activate {tile.title}",
        "page": f"{INTEGRATIONS}/{tile.plugin_id}",
        "foot": "A change holds from the next sign-in on." if active else "You can change all of this later.",
    }
    fragment_wanted = view.wants_fragment(request)
    context |= {} if fragment_wanted else around(request, actor, tile)
    context["away"] = context["page"] if active else category_path(tile)
    return view.render(request, "activate.j2", context, status=status, fragment=fragment)


def around(request: Request, actor: Actor, tile: TileView) -> dict[str, Any]:
    """What the pages of one integration show around it: the catalog's navigation and the trail to here."""
    trail = [("/settings", "Settings"), (INTEGRATIONS, "Integrations"), (category_path(tile), tile.category.value)]
    return {
        "catalog": catalog.catalog(guards.services_of(request), actor),
        "category_slug": catalog.slug(tile.category),
        "at_catalog": False,
        "trail": trail,
    }


def category_path(tile: TileView) -> str:
    """The catalog, opened at the category of a tile."""
    return query(view.CATALOG, category=catalog.slug(tile.category))


routes = [
    Route(INTEGRATIONS, entry, methods=["GET"]),
    Route(view.CATALOG, catalog_page, methods=["GET"]),
    Route(INTEGRATIONS + "/{plugin}/activate", activate_form, methods=["GET"]),
    Route(INTEGRATIONS + "/{plugin}/activate", guards.takes_form(activate), methods=["POST"]),
]
