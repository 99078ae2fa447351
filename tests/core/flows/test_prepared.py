from __future__ import annotations

from pydantic import BaseModel

from core.flows.prepared import MOST, PreparedConnection, PreparedConnections
from core.plugin_api import Activation, Site


class Empty(BaseModel):
    pass


SITE = Site("https://siq.example/acs", "https://siq.example", "", "", "")


def prepared(connection_id: str) -> PreparedConnection:
    return PreparedConnection(connection_id, "o-1", "aws_sso", "Amazon AWS", SITE, Empty(), Activation(), None)


def test_ten_thousand_connections_are_kept_and_no_more() -> None:
    assert MOST == 10_000
    cache, kept = PreparedConnections(), [prepared(f"c-{number}") for number in range(MOST + 1)]
    for each in kept[:MOST]:
        cache.keep(1, each)
    assert all(cache.get(each.id, 1) is each for each in kept[:MOST])

    assert cache.get("c-0", 1) is kept[0]  # used last, so it stays
    cache.keep(1, kept[MOST])

    assert cache.get("c-1", 1) is None
    assert all(cache.get(each.id, 1) is each for each in (kept[0], *kept[2:]))


def test_a_new_revision_takes_the_place_of_the_old_one_and_of_no_other_connection() -> None:
    cache = PreparedConnections(most=2)
    other, old, new = prepared("c-other"), prepared("c-1"), prepared("c-1")
    cache.keep(1, other)
    for revision in range(2, 10):
        cache.keep(revision, old)
    cache.keep(10, new)

    assert cache.get("c-1", 9) is None
    assert cache.get("c-1", 10) is new
    assert cache.get("c-other", 1) is other
