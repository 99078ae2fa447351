"""What a directory does, one operation at a time, chosen by chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from tests.load.client import BULK, PATCH, Client, Facts, seen, sendable

CONTESTED = 40  # user names that every client tries to make


def operate(client: Client) -> None:
    """One operation: mostly one request."""
    names = list(_OPERATIONS)
    (chosen,) = client.random.choices(names, [_OPERATIONS[each] for each in names])
    chosen(client)


# -- people ------------------------------------------------------------------------------------------------------------


def create_user(client: Client) -> None:
    _post_user(client, client.new_user(client.next_name()))


def bring_back(client: Client) -> None:
    """A person who was deleted is pushed anew."""
    if gone := client.users(gone=True):
        _post_user(client, client.new_user(client.random.choice(gone)))


def replace(client: Client) -> None:
    """PUT with other values; one that does not mention ``active`` leaves it as it was."""
    if not (names := client.users()):
        return
    name = client.random.choice(names)
    key = f"U:{name}"
    address = client.random.choice((name, f"{client.fresh()}.{name}"))
    after = client.changed(key, title=client.fresh(), emails=[{"value": address, "type": "work", "primary": True}])
    silent = ("active",) if client.random.random() < 0.3 else ()
    match = {"If-Match": f'W/"{client.facts[key]["version"]}"'} if client.random.random() < 0.5 else {}
    path = f"/Users/{after['id']}"
    if answer := client.ask("PUT", path, sendable(after, *silent), effects={key: after}, headers=match):
        client.agree(key, answer.body)


def patch(client: Client) -> None:
    if not (names := client.users()):
        return
    key = f"U:{client.random.choice(names)}"
    values = {"title": client.fresh(), "displayName": client.fresh(), "name.familyName": client.fresh()}
    chosen = {path: values[path] for path in client.some(list(values), 3)}
    changes: dict[str, Any] = {path: value for path, value in chosen.items() if "." not in path}
    if "name.familyName" in chosen:
        changes["name"] = {**client.facts[key]["name"], "familyName": chosen["name.familyName"]}
    _patch_user(client, key, [{"op": "replace", "path": path, "value": chosen[path]} for path in chosen], changes)


def switch(client: Client) -> None:
    """Deactivate a person, or give access back."""
    if not (names := client.users()):
        return
    key = f"U:{client.random.choice(names)}"
    active = not client.facts[key]["active"]
    value = client.random.choice((active, str(active)))  # Microsoft Entra sends texts
    _patch_user(client, key, [{"op": "Replace", "path": "active", "value": value}], {"active": active})


def delete(client: Client) -> None:
    if names := client.users():
        name = client.random.choice(names)
        client.ask("DELETE", f"/Users/{client.facts[f'U:{name}']['id']}", effects=_gone(client, name), accept=(204,))


def contest(client: Client) -> None:
    """Make a user whom every other client tries to make, too: one of them is answered 201."""
    name = f"contested-{client.random.randrange(CONTESTED)}@load.example"
    fact = client.new_user(name)
    answer = client.ask(
        "POST", "/Users", sendable(fact), effects={f"C:{name}": client.plan.name}, accept=(201, 409), whole=True
    )
    if answer and answer.status == 201 and {**seen(answer.body), "id": None} != fact:
        client.wrong(f"{name} should be {fact} and is {answer.body}")


def _post_user(client: Client, fact: dict[str, Any]) -> None:
    name = fact["userName"]
    client.make("/Users", f"U:{name}", sendable(fact), {f"U:{name}": fact}, f'userName eq "{name}"')


def _patch_user(client: Client, key: str, operations: list[dict[str, Any]], changes: dict[str, Any]) -> None:
    after = client.changed(key, **changes)
    body = {"schemas": [PATCH], "Operations": operations}
    if answer := client.ask("PATCH", f"/Users/{after['id']}", body, effects={key: after}):
        client.agree(key, answer.body)


def _gone(client: Client, name: str) -> Facts:
    """The effects of deleting a person: who was a member is none any more, and the groups have another version."""
    groups = client.groups_of(name)
    effects: Facts = {f"U:{name}": None, **{f"M:{group}|{name}": False for group in groups}}
    for group in groups:
        if f"G:{group}" in client.facts:
            effects[f"G:{group}"] = client.changed(f"G:{group}")
    return effects


# -- groups ------------------------------------------------------------------------------------------------------------


def create_group(client: Client) -> None:
    client.made += 1
    group = f"g{client.made}.{client.plan.name}"
    users = client.some(users, 5) if (users := client.users()) else []
    fact = {"id": None, "externalId": group, "displayName": f"Group {client.fresh()}", "version": 1}
    body = {**sendable(fact), "members": _members(client, users)}
    effects: Facts = {f"G:{group}": fact, **{f"M:{group}|{name}": True for name in users}}
    client.make("/Groups", f"G:{group}", body, effects, f'externalId eq "{group}"')


def change_members(client: Client) -> None:
    """Add some to an own group, or remove some, in each form that clients send."""
    if not (groups := client.groups()):
        return
    group = client.random.choice(groups)
    inside = client.members(group)
    outside = [name for name in client.users() if name not in inside]
    if outside and client.random.random() < 0.6:
        names = client.some(outside, 4)
        operations = [{"op": "add", "path": "members", "value": _members(client, names)}]
    elif inside:
        names = client.some(inside, 4)
        operations = _removals(client, names)
    else:
        return
    after = client.changed(f"G:{group}")
    effects = {f"G:{group}": after, **{f"M:{group}|{name}": operations[0]["op"] == "add" for name in names}}
    body = {"schemas": [PATCH], "Operations": operations}
    if answer := client.ask("PATCH", f"/Groups/{after['id']}", body, effects=effects):
        client.agree(f"G:{group}", answer.body)
        client.members_agree(group, answer.body)


def replace_group(client: Client) -> None:
    """PUT with another name and other members."""
    if not (groups := client.groups()):
        return
    group = client.random.choice(groups)
    names = client.some(users, 5) if (users := client.users()) else []
    after = client.changed(f"G:{group}", displayName=f"Group {client.fresh()}")
    before = {f"M:{group}|{name}": False for name in client.members(group)}
    effects = {f"G:{group}": after, **before, **{f"M:{group}|{name}": True for name in names}}
    body = {**sendable(after), "members": _members(client, names)}
    if answer := client.ask("PUT", f"/Groups/{after['id']}", body, effects=effects):
        client.agree(f"G:{group}", answer.body)
        client.members_agree(group, answer.body)


def delete_group(client: Client) -> None:
    if groups := client.groups():
        group = client.random.choice(groups)
        effects: Facts = {f"G:{group}": None, **{f"M:{group}|{name}": False for name in client.members(group)}}
        client.ask("DELETE", f"/Groups/{client.facts[f'G:{group}']['id']}", effects=effects, accept=(204,))


def join_or_leave(client: Client) -> None:
    """Change one membership in a group that every client changes."""
    if not (chosen := _shared(client)):
        return
    group, user, member_id = chosen
    key = f"M:{group}|{user}"
    adds = not client.facts.get(key)
    one = [{"value": member_id}]
    by_filter = {"op": "remove", "path": f'members[value eq "{member_id}"]'}
    removal = client.random.choice((by_filter, {"op": "Remove", "path": "members", "value": one}))
    body = {"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": one} if adds else removal]}
    query = client.random.choice(("", "?excludedAttributes=members"))
    client.ask("PATCH", f"/Groups/{client.plan.shared_groups[group]}{query}", body, effects={key: adds})


def rewrite_shared(client: Client) -> None:
    """Read a shared group and write it back with one membership changed, if it is as it was read: what others do
    between the two is not undone.
    """
    if not (chosen := _shared(client)):
        return
    group, user, member_id = chosen
    key, path = f"M:{group}|{user}", f"/Groups/{client.plan.shared_groups[group]}"
    if not (read := client.ask("GET", path)):
        return
    members = {member["value"] for member in read.body.get("members", ())}
    if (member_id in members) is not bool(client.facts.get(key)):
        client.wrong(f"{key} is {client.facts.get(key)}, and the group has {sorted(members)}")
    fact = seen(read.body)
    body = {**sendable(fact), "members": [{"value": each} for each in sorted(members ^ {member_id})]}
    match = {"If-Match": read.body["meta"]["version"]}
    effects = {key: member_id not in members}
    client.ask("PUT", path, body, effects=effects, accept=(200, 412), headers=match)


def _shared(client: Client) -> tuple[str, str, str] | None:
    """A shared group, and somebody whose membership in it only this client changes, with the id."""
    group = client.random.choice(list(client.plan.shared_groups))
    people = [*client.plan.shared_users, *client.users()]
    known = [name for name in people if f"M:{group}|{name}" not in client.forgotten]
    if not known:
        return None
    name = client.random.choice(known)
    return group, name, client.ids[name]


def _members(client: Client, names: list[str]) -> list[dict[str, str]]:
    return [{"value": client.ids[name]} for name in names]


def _removals(client: Client, names: list[str]) -> list[dict[str, Any]]:
    members = _members(client, names)
    if client.random.random() < 0.5:
        return [{"op": "remove", "path": "members", "value": [{"$ref": None, **member} for member in members]}]
    return [{"op": "remove", "path": f'members[value eq "{member["value"]}"]'} for member in members]


# -- Bulk, reading, and what is refused --------------------------------------------------------------------------------


def bulk(client: Client) -> None:
    """Two new people, their group, and a change of somebody else, in one request."""
    facts = [client.new_user(client.next_name()) for _ in range(2)]
    group = f"b{client.made}.{client.plan.name}"
    made: Facts = {f"U:{fact['userName']}": fact for fact in facts}
    operations: list[dict[str, Any]] = [
        {"method": "POST", "path": "/Users", "bulkId": fact["userName"], "data": sendable(fact)} for fact in facts
    ]
    made[f"G:{group}"] = {"id": None, "externalId": group, "displayName": f"Bulk {group}", "version": 1}
    members = [{"value": f"bulkId:{fact['userName']}"} for fact in facts]
    data = {**sendable(made[f"G:{group}"]), "members": members}
    operations.append({"method": "POST", "path": "/Groups", "bulkId": group, "data": data})
    effects: Facts = {**made, **{f"M:{group}|{fact['userName']}": True for fact in facts}}
    if names := client.users():
        key = f"U:{client.random.choice(names)}"
        effects[key] = client.changed(key, title=client.fresh())
        change = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": client.fresh()}]}
        operations.append({"method": "PATCH", "path": f"/Users/{effects[key]['id']}", "data": change})
    body = {"schemas": [BULK], "failOnErrors": 1, "Operations": operations}
    answer = client.ask("POST", "/Bulk", body, effects=effects)
    if answer is None:
        return
    done = answer.body["Operations"]
    if [each["status"] for each in done] != ["201", "201", "201", "200"][: len(operations)]:
        client.wrong(f"a Bulk request was answered {answer.body}")
        return
    ids = [each["location"].rpartition("/")[2] for each in done]
    client.know({key: {**fact, "id": each} for (key, fact), each in zip(made.items(), ids, strict=False)})


def read(client: Client) -> None:
    """What was answered is read."""
    if not (names := client.users()):
        return
    key = f"U:{client.random.choice(names)}"
    by = client.random.choice(("id", "userName", "externalId"))
    fact = client.facts[key]
    query = urlencode({"filter": f'{by} eq "{fact[by]}"'})
    path = f"/Users/{fact['id']}" if by == "id" else f"/Users?{query}"
    if answer := client.ask("GET", path):
        found = [answer.body] if by == "id" else answer.body.get("Resources", [])
        if len(found) != 1:
            client.wrong(f"{key} is found {len(found)} times")
        else:
            client.agree(key, found[0])


def be_refused(client: Client) -> None:
    """A user name that is taken, a version that has passed, somebody who is gone: refused, and nothing changes."""
    if not (names := client.users()):
        return
    fact = client.facts[f"U:{client.random.choice(names)}"]
    path, title = f"/Users/{fact['id']}", {**fact, "title": "may not be"}
    if client.random.random() < 0.5:
        client.ask("POST", "/Users", sendable(title), accept=(409,))
    else:
        client.ask("PUT", path, sendable(title), accept=(412,), headers={"If-Match": f'W/"{fact["version"] - 1}"'})


_OPERATIONS: dict[Callable[[Client], None], int] = {
    create_user: 16,
    bring_back: 5,
    replace: 12,
    patch: 12,
    switch: 10,
    delete: 7,
    contest: 2,
    create_group: 4,
    change_members: 8,
    replace_group: 3,
    delete_group: 2,
    join_or_leave: 8,
    rewrite_shared: 2,
    bulk: 4,
    read: 8,
    be_refused: 2,
}
