"""Brings SiQ to what AWS says now: one user, one group, one membership, or everything.

Nothing is remembered between two runs: SiQ itself is the state, so whatever was lost, repeated or reordered is found by
comparing. For one user or group SiQ is read first, AWS second, and the change is made on the condition that SiQ's
version is still the one read (If-Match): who is slower than another sender reads both again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any

from .identity_store import Attributes, IdentityStore
from .scim import Changed, Conflict, OutOfTime, Refused, Resource, Scim, Stopped

PARALLEL = 4  # requests to SiQ at a time
TRIES = 4  # of one resource, when others change it or hold its name
DEPTH = 5  # people who have to give up a name before this one can have it
BATCH = 500  # members in one PATCH
CHUNK = 32  # groups between two looks at the clock
ONE_BY_ONE = 10  # members looked up singly; for more the listing is read
SMALL = 10  # removals that are never suspicious
SHARE = 0.2  # of what SiQ has: more than that gone at once is taken for a mistake


@dataclass(frozen=True)
class Kind:
    """Users or groups: the endpoint, the schema, and the attributes that are unique in SiQ, first its name."""

    path: str
    schema: str
    unique: tuple[str, ...]
    attributes: tuple[str, ...]


USERS = Kind(
    "Users",
    "urn:ietf:params:scim:schemas:core:2.0:User",
    ("userName", "emails.value"),
    ("externalId", "userName", "active", "name", "displayName", "title", "emails", "meta"),
)
GROUPS = Kind(
    "Groups", "urn:ietf:params:scim:schemas:core:2.0:Group", ("displayName",), ("externalId", "displayName", "meta")
)


@dataclass
class Report:
    """What was done, for the log: numbers and ids, no names."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)
    braked: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def count(self, kind: Kind, what: str, number: int = 1) -> None:
        """Add to users_created and the like."""
        with self._lock:
            self.counts[f"{kind.path.lower()}_{what}"] += number

    def brake(self, kind: str, number: int) -> None:
        """So many removals were held back."""
        with self._lock:
            self.braked[kind] = self.braked.get(kind, 0) + number

    def fail(self, kind: Kind, identifier: str, why: Refused) -> None:
        """SiQ refused it."""
        self.count(kind, "failed")
        with self._lock:
            self.failures.append({"kind": kind.path, "id": identifier, "why": str(why)})

    def summary(self) -> dict[str, Any]:
        """One JSON object; at most 20 failures are told, all are counted."""
        outcome = "braked" if self.braked else "failed" if self.failures else "complete"
        told = {"failures": self.failures[:20]} if self.failures else {}
        held = {"braked": self.braked} if self.braked else {}
        return {"outcome": outcome, **dict(sorted(self.counts.items())), **held, **told}


class Sender:
    """Pushes from one Identity Store to one connection of SiQ.

    ``allow_removals`` lifts the brake up to that number of removals.
    """

    def __init__(
        self, store: IdentityStore, scim: Scim, *, allow_removals: int | None = None, parallel: int = PARALLEL
    ) -> None:
        self._store = store
        self._scim = scim
        self._allowed = allow_removals
        self._parallel = parallel
        self._ids: dict[str, str] = {}  # id in AWS: id in SiQ
        self._pushed: set[str] = set()  # the ids in SiQ of users that came from AWS
        self.report = Report()

    def push_user(self, user_id: str) -> None:
        """Bring this user up to date; one that AWS no longer has is deleted, one that is not active is never created."""
        self._guard(USERS, user_id, lambda: self._push(USERS, user_id))

    def push_group(self, group_id: str, *, members: bool) -> None:
        """Bring this group up to date, with its members if asked for or new; one that AWS no longer has is deleted."""

        def push() -> None:
            if self._push(GROUPS, group_id) == "created" or members:
                self._push_members(group_id, look_up=True)

        self._guard(GROUPS, group_id, push)

    def push_membership(self, group_id: str, user_id: str) -> None:
        """Bring up to date whether this user is in this group, and both of them where SiQ lacks them."""
        self._guard(GROUPS, group_id, lambda: self._push_membership(group_id, user_id))

    def full_pass(self, after: str = "") -> str | None:
        """Compare everything and push the difference.

        Memberships are compared in the order of group ids, those ``after`` that one. When time runs out, answers the
        group id after which to go on, or "" to begin again; otherwise None. Raises Stopped.
        """
        try:
            self._pass_over(USERS, self._store.users)
            groups = self._pass_over(GROUPS, self._store.groups)
            for chunk in _chunks(sorted(group for group in groups if group > after), CHUNK):
                self._each(chunk, lambda group: self._guard(GROUPS, group, lambda: self._push_members(group)))
                after = chunk[-1]
        except OutOfTime:
            return after
        return None

    def _pass_over(self, kind: Kind, read: Callable[[], dict[str, Attributes]]) -> dict[str, Attributes]:
        """Compare all of a kind; answers those in AWS."""
        listing = self._scim.listing(kind.path, kind.attributes)
        theirs = {found["externalId"]: found for found in listing if found.get("externalId")}
        ours = read()
        self.report.count(kind, "in_aws", len(ours))
        self.report.count(kind, "in_siq", len(theirs))
        for found in theirs.values():
            self._remember(kind, found)
        removals = [external for external, found in theirs.items() if _is_removed(found, ours.get(external))]
        if self._is_suspicious(removals, theirs):
            self.report.brake(kind.path.lower(), len(removals))
        else:
            self._each(removals, lambda external: self._guard(kind, external, partial(self._push, kind, external)))
        again: list[str] = []
        rest = sorted(ours.keys() - set(removals))
        self._each(rest, lambda external: self._settle_or_note(kind, theirs.get(external), ours[external], again))
        for external in again:  # one at a time: they stand in each other's way
            self._guard(kind, external, partial(self._push, kind, external))
        return ours

    def _settle_or_note(self, kind: Kind, found: Resource | None, wanted: Attributes, again: list[str]) -> None:
        def settle() -> None:
            try:
                self._settle(kind, found, wanted)
            except (Conflict, Changed):
                again.append(wanted["externalId"])

        self._guard(kind, wanted["externalId"], settle)

    def _push(self, kind: Kind, external: str, chain: tuple[str, ...] = ()) -> str:
        """Bring one up to date; answers what was done. ``chain`` are those who wait for this one to give up a name."""
        read = self._store.user if kind is USERS else self._store.group
        for attempt in range(TRIES):
            found = next(iter(self._scim.find(kind.path, "externalId", external)), None)
            wanted = read(external)
            try:
                return self._settle(kind, found, wanted)
            except Changed:
                if attempt == TRIES - 1:
                    raise
            except Conflict:
                if attempt == TRIES - 1 or len(chain) >= DEPTH or wanted is None:
                    raise
                self._make_room(kind, wanted, (*chain, external))
        raise AssertionError  # the last attempt returns or raises

    def _settle(self, kind: Kind, found: Resource | None, wanted: Attributes | None) -> str:
        done = "unchanged"
        if wanted is None:
            if found is not None:
                self._scim.delete(kind.path, found["id"])
                done = "deleted"
        elif found is None:
            if wanted.get("active", True):
                created = self._scim.create(kind.path, {"schemas": [kind.schema], **_nested(wanted)})
                self._remember(kind, {**created, "externalId": wanted["externalId"]})
                done = "created"
        else:
            self._remember(kind, found)
            if operations := _difference(found, wanted):
                self._scim.patch(kind.path, found["id"], operations, _version(found))
                leaves = {"op": "replace", "path": "active", "value": False} in operations
                done = "deactivated" if leaves else "updated"
        self.report.count(kind, done)
        return done

    def _remember(self, kind: Kind, found: Resource) -> None:
        self._ids[found["externalId"]] = found["id"]
        if kind is USERS:
            self._pushed.add(found["id"])

    def _make_room(self, kind: Kind, wanted: Attributes, chain: tuple[str, ...]) -> None:
        """Somebody else in SiQ has the name or address that AWS gives to this one."""
        for attribute in kind.unique:
            for holder in self._holders(kind, attribute, wanted):
                other = holder.get("externalId") or ""
                if other == wanted["externalId"]:
                    continue
                if not other and attribute == kind.unique[0]:  # nobody pushed it before, and it has the same name
                    operation = {"op": "replace", "path": "externalId", "value": wanted["externalId"]}
                    self._scim.patch(kind.path, holder["id"], [operation])
                elif other in chain and attribute == kind.unique[0]:  # they swapped names: it waits under its id
                    self._scim.patch(kind.path, holder["id"], [{"op": "replace", "path": attribute, "value": other}])
                elif other and other not in chain:
                    self._push(kind, other, chain)

    def _holders(self, kind: Kind, attribute: str, wanted: Attributes) -> Iterable[Resource]:
        values = [mail["value"] for mail in wanted["emails"]] if attribute == "emails.value" else [wanted[attribute]]
        return [holder for value in values if value for holder in self._scim.find(kind.path, attribute, value)]

    def _push_membership(self, group_id: str, user_id: str) -> None:
        if not self._store.chosen(group_id):
            return
        if user_id not in self._ids:
            self._push(USERS, user_id)
        group = next(iter(self._scim.find(GROUPS.path, "externalId", group_id)), None)
        if group is None:
            if self._push(GROUPS, group_id) == "created":
                self._push_members(group_id, look_up=True)
        elif user_id in self._ids:
            inside = self._store.is_member(user_id, frozenset({group_id}))
            self._change_members(group["id"], [self._ids[user_id]], None, add=inside)

    def _push_members(self, group_id: str, *, look_up: bool = False) -> None:
        """Bring all members of a group up to date. ``look_up`` finds in SiQ those users that were not listed before.

        Members of the group in SiQ who did not come from AWS are left alone.
        """
        for attempt in range(TRIES):
            if group_id not in self._ids:
                return  # it could not be created, which was reported
            group = self._scim.get(GROUPS.path, self._ids[group_id])
            members = self._store.members(group_id)
            if members is None:
                return  # it is gone meanwhile
            theirs = {member["value"] for member in group.get("members") or ()}
            if look_up:
                self._look_up(members, theirs)
            ours = {self._ids[user] for user in members if user in self._ids}
            removed = (theirs - ours) & self._pushed
            if not members and len(removed) > max(SMALL, self._allowed or 0):
                self.report.brake("memberships", len(removed))
                return
            try:
                version = self._change_members(group["id"], sorted(removed), _version(group), add=False)
                self._change_members(group["id"], sorted(ours - theirs), version, add=True)
            except Changed:
                if attempt == TRIES - 1:
                    raise
            else:
                return

    def _change_members(self, group: str, users: Sequence[str], version: str | None, *, add: bool) -> str | None:
        """Add or remove members, the first batch on condition of the version; answers the version for what follows."""
        for some in _chunks(users, BATCH):
            operations: list[Resource]
            if add:
                operations = [{"op": "add", "path": "members", "value": [{"value": user} for user in some]}]
            else:
                operations = [{"op": "remove", "path": f'members[value eq "{user}"]'} for user in some]
            try:
                self._scim.patch(GROUPS.path, group, operations, version)
            except Refused as refused:
                if add or len(some) > 1 or refused.scim_type != "noTarget":  # it was no member
                    raise
            version = None
            self.report.count(GROUPS, "members_added" if add else "members_removed", len(some))
        return version

    def _look_up(self, members: frozenset[str], theirs: set[str]) -> None:
        """Learn who in SiQ is who in AWS, of both lists of a group's members; push those whom SiQ lacks."""
        unknown = [user for user in members if user not in self._ids]
        if max(len(unknown), len(theirs - self._pushed)) > ONE_BY_ONE:
            self._remember_all(self._scim.listing(USERS.path, ("externalId",)))
        for user in unknown:
            if user not in self._ids:
                self.push_user(user)
        if len(theirs - self._pushed) <= ONE_BY_ONE:
            self._remember_all(self._scim.get(USERS.path, scim_id) for scim_id in sorted(theirs - self._pushed))

    def _remember_all(self, users: Iterable[Resource]) -> None:
        for found in users:
            if found.get("externalId"):
                self._remember(USERS, found)

    def _is_suspicious(self, removals: Sequence[str], theirs: dict[str, Resource]) -> bool:
        """Whether so much would go at once that it is rather a mistake."""
        if self._allowed is not None:
            return len(removals) > self._allowed
        active = {external for external, found in theirs.items() if found.get("active", True)}
        everybody = len(active) > 1 and active <= set(removals)
        return everybody or len(removals) > max(SMALL, len(theirs) * SHARE)

    def _guard(self, kind: Kind, external: str, push: Callable[[], object]) -> None:
        try:
            push()
        except Refused as refused:
            self.report.fail(kind, external, refused)

    def _each(self, items: Sequence[str], do: Callable[[str], object]) -> None:
        """Do it for each, some at a time; the first that must stop stops all."""
        with ThreadPoolExecutor(self._parallel) as pool:
            try:
                for _ in pool.map(do, items):
                    pass
            except Stopped:
                pool.shutdown(cancel_futures=True)
                raise


def _is_removed(found: Resource, wanted: Attributes | None) -> bool:
    """Whether what SiQ has is to be deleted, or deactivated."""
    return wanted is None or (found.get("active", True) and not wanted.get("active", True))


def _version(found: Resource) -> str | None:
    version: str | None = (found.get("meta") or {}).get("version")
    return version


def _chunks(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _nested(attributes: Attributes) -> Resource:
    """Attributes by path as the resource they describe."""
    resource: Resource = {}
    for path, value in attributes.items():
        parent, _, name = path.rpartition(".")
        if value not in (None, "", []):
            (resource.setdefault(parent, {}) if parent else resource)[name] = value
    return resource


def _difference(found: Resource, wanted: Attributes) -> list[Resource]:
    """The PATCH operations (RFC 7644 3.5.2) that make one of the other; none when they are the same."""
    operations: list[Resource] = []
    for path, value in wanted.items():
        parent, _, name = path.rpartition(".")
        holder = (found.get(parent) or {}) if parent else found
        if _comparable(path, holder.get(name)) == _comparable(path, value):
            continue
        if value in (None, "", []):
            operations.append({"op": "remove", "path": path})
        else:
            operations.append({"op": "replace", "path": path, "value": value})
    return operations


def _comparable(path: str, value: Any) -> Any:
    """What counts as the same: names and addresses in any case (RFC 7643 4.1.1), absent and empty, active unless said."""
    if path == "active":
        return value is not False
    if path == "emails":
        return {mail.get("value", "").casefold() for mail in value or ()}
    text = str(value or "").strip()
    return text.casefold() if path == "userName" else text
