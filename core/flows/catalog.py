"""The catalog of integrations, as one organization sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from core.flows.actors import Actor
from core.flows.services import Services
from core.flows.tiles import TileView, broken_tile, tile
from core.plugin_api import Category
from core.store.tables import Connection

Status = Literal["all", "in-use", "available"]


@dataclass(frozen=True, slots=True)
class CategoryView:
    """A category with the number of its integrations."""

    name: str
    slug: str
    count: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalog page: tiles that match, and counts for its filters (of the category, before status and search)."""

    in_use: tuple[TileView, ...]
    available: tuple[TileView, ...]
    categories: tuple[CategoryView, ...]
    category: CategoryView | None
    status: Status
    query: str
    counts: dict[Status, int]
    total: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The Integrations page: what is in use, and what needs attention."""

    active: tuple[TileView, ...]
    attention: tuple[TileView, ...]
    total: int


def catalog(services: Services, actor: Actor, category: str = "", status: str = "all", query: str = "") -> Catalog:
    """The tiles of a category (all for an empty or unknown one) that match ``status`` and every word of ``query``.

    Raises ``Forbidden`` unless the actor manages integrations.
    """
    tiles = all_tiles(services, actor)
    categories = tuple(
        CategoryView(one.value, slug(one), sum(view.category is one for view in tiles)) for one in Category
    )
    chosen = next((one for one in categories if one.slug == category), None)
    within = [view for view in tiles if chosen is None or view.category.value == chosen.name]
    counts: dict[Status, int] = {
        "all": len(within),
        "in-use": sum(view.in_use for view in within),
        "available": sum(not view.in_use for view in within),
    }
    wanted: Status = next((one for one in counts if one == status), "all")
    words = query.lower().split()
    found = [view for view in within if all(word in view.search_text for word in words)]
    return Catalog(
        in_use=tuple(view for view in found if view.in_use and wanted != "available"),
        available=tuple(view for view in found if not view.in_use and wanted != "in-use"),
        categories=categories,
        category=chosen,
        status=wanted,
        query=query,
        counts=counts,
        total=len(tiles),
    )


def overview(services: Services, actor: Actor) -> Overview:
    """What the Integrations page says. Raises ``Forbidden`` unless the actor manages integrations."""
    tiles = all_tiles(services, actor)
    return Overview(
        active=tuple(view for view in tiles if view.in_use and view.state != "draft"),
        attention=tuple(view for view in tiles if _needs_attention(view)),
        total=len(tiles),
    )


def all_tiles(services: Services, actor: Actor) -> list[TileView]:
    """Every plugin's tile, those with a problem first, then by title."""
    actor.require_integrations()
    with services.database.reading(actor.organization_id) as session:
        connections = {row.plugin_id: row for row in session.scalars(select(Connection))}
        tiles = [
            tile(services, plugin, connections.get(plugin.id), session) for plugin in services.plugins.plugins.values()
        ]
        tiles += [broken_tile(plugin, connections.get(plugin.id)) for plugin in services.plugins.quarantined.values()]
    order = {"error": 0, "attention": 1, "draft": 2, "active": 3, "off": 4}
    return sorted(tiles, key=lambda view: (order[view.state], view.title.lower()))


def slug(category: Category) -> str:
    """A category's name in addresses."""
    return re.sub(r"[^a-z]+", "-", category.value.lower()).strip("-")


def _needs_attention(view: TileView) -> bool:
    return view.state == "attention" or (view.state == "error" and view.in_use)
