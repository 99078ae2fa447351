"""Provisioning: a directory's requests, and what an administrator sees and decides about them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import structlog
from pydantic_core import to_json
from scim2_models import Error, PayloadTooLargeException, UnauthorizedException
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core.errors import Conflict, Forbidden
from core.field_types import Kind
from core.flows import audit, files, metrics, offboarding, pushed_people, scim_requests
from core.flows.actors import Actor
from core.flows.connections import plugin_of, site_of
from core.flows.files import OfferedFile
from core.flows.offboarding import Brake
from core.flows.pushed_people import DirectoryAccounts, RoleRule
from core.flows.scim_requests import Answer, Call, RequestView
from core.flows.scim_tokens import (
    NewToken,
    Opened,
    TokenRefused,
    TokenView,
    TooManyTokens,
    create_token,
    open_connection,
    revoke_token,
    rotate_token,
    scim_connection,
    tokens,
)
from core.flows.services import Services
from core.scim.resources import MOST_BYTES
from core.scim.service import Handler, Service
from core.scim.storage import Storage
from core.store.provisioning_tables import ProvisioningRules, PushedGroup, PushedUser
from core.store.tables import Connection, Role, User

__all__ = [
    "NewToken",
    "ProvisioningView",
    "RoleRule",
    "RulePreview",
    "create_token",
    "preview_rules",
    "provisioning",
    "revoke_token",
    "rotate_token",
    "serve",
    "set_create_at_sign_in",
    "set_rules",
]

log = structlog.get_logger()

_MOST_RULES = 100
_MOST_GROUP_NAMES = 500
_SAMPLE = 10
_TRIES = 3  # of a transaction that the database ended because two waited for each other
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


# -- a directory's request ---------------------------------------------------------------------------------------------


def serve(services: Services, connection: str, call: Call) -> Answer:
    """Answer a SCIM request (RFC 7644) with its bearer token. Never raises for what a client sends. Where the database cannot
    be reached, 503 asks to send it again: whether it was done before the connection was lost is not known then.
    """
    started = time.perf_counter()
    try:
        answer, plugin_id = _served(services, connection, call, started)
    except OperationalError as away:
        log.error("the database did not answer", error=str(away.orig), connection=connection)  # noqa: TRY400  a trace says no more
        answer, plugin_id = _busy(), ""
    metrics.count_scim(plugin_id, call.method, answer.status, time.perf_counter() - started)
    return answer


def _served(services: Services, connection: str, call: Call, started: float) -> tuple[Answer, str]:
    """The answer, and the plugin whose connection the token opened (empty: none)."""
    service = _service(services.vault.signing_keys("scim cursors")[-1])
    try:
        opened = open_connection(services, connection, _bearer(call), call.address)
    except TooManyTokens as refused:
        error = Error(status=429, detail=refused.public).model_dump()
        return Answer(429, {**_json_type(), "Retry-After": str(refused.retry_after)}, to_json(error)), ""
    except TokenRefused as refused:
        return _answer(service.error_response(UnauthorizedException(detail=refused.public))), ""
    if call.body is None:
        too_large = PayloadTooLargeException(detail=f"A request may have at most {MOST_BYTES} bytes")
        answer = _answer(service.error_response(too_large))
    elif answered := _answered(services, service, opened, call, started):
        return answered, opened.plugin_id
    else:
        answer = _busy()
    with services.database.writing(opened.organization_id) as session:
        scim_requests.record(session, opened, call, answer, _since(started))
    return answer, opened.plugin_id


def _busy() -> Answer:
    busy = Error(status=503, detail="The database is busy. Try again.").model_dump()
    return Answer(503, {**_json_type(), "Retry-After": "5"}, to_json(busy))


def _answered(services: Services, service: Service, opened: Opened, call: Call, started: float) -> Answer | None:
    """The answer, recorded; none where the database was busy every time."""
    for again in range(_TRIES):
        try:
            if call.method in _WRITES and not call.path.rstrip("/").endswith(".search"):
                with services.database.writing(opened.organization_id) as session:
                    if again or call.path.strip("/").lower() == "bulk":
                        _wait_for_turn(session, opened)
                    answer = _handled(services, service, opened, call, session)
                    scim_requests.record(session, opened, call, answer, _since(started))
                return answer
            with services.database.reading(opened.organization_id) as session:
                answer = _handled(services, service, opened, call, session, for_update=False)
            with services.database.writing(opened.organization_id) as session:
                scim_requests.record(session, opened, call, answer, _since(started))
        except OperationalError as busy:
            log.warning("the database was busy", error=str(busy.orig), connection=opened.connection_id)
        else:
            return answer
    return None


def _wait_for_turn(session: Session, opened: Opened) -> None:
    """Requests that lock many resources of a connection come one after the other: two would wait for each other."""
    own = select(Connection.id).where(Connection.id == opened.connection_id)
    session.execute(own.with_for_update(key_share=True))  # rows that refer to the connection may still be written


def _handled(
    services: Services, service: Service, opened: Opened, call: Call, session: Session, *, for_update: bool = True
) -> Answer:
    base_url = site_of(services.settings, opened.connection_id).scim_base_url
    accounts = DirectoryAccounts(services.settings, session, opened.organization_id, opened.connection_id, opened.title)
    storage = Storage(
        session,
        accounts,
        organization_id=opened.organization_id,
        connection_id=opened.connection_id,
        base_url=base_url,
        for_update=for_update,
    )
    request = ScimRequest(
        method=call.method,
        base_url=base_url,
        path=call.path,
        query=call.query,
        headers=call.headers,
        body=call.body or b"",
    )
    answer = _answer(Handler(service, storage).answer(request))
    return replace(answer, about=storage.removed) if call.method == "DELETE" else answer


@lru_cache(maxsize=4)
def _service(secret: bytes) -> Service:
    return Service(secret)


def _answer(response: ScimResponse) -> Answer:
    body = to_json(response.body) if response.body is not None else b""
    return Answer(int(response.status), response.headers, body)


def _json_type() -> dict[str, str]:
    return {"Content-Type": "application/scim+json"}


def _bearer(call: Call) -> str:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


# -- what an administrator sees ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProvisioningView:
    """A connection's provisioning. ``waiting``: no directory has been served yet. ``last_sync`` is when one was last (none
    too where the log of requests holds refused ones only).

    ``files`` are those that the plugin offers for the directory's side. ``create_at_sign_in``: a person whom the directory
    did not push gets an account at the first sign-in. ``group_names`` are those that rules can name (the first 500).
    ``older`` is ``before`` for the next page of requests.
    """

    plugin_id: str
    title: str
    base_url: str
    files: tuple[OfferedFile, ...]
    tokens: tuple[TokenView, ...]
    people: int
    groups: int
    last_sync: datetime | None
    waiting: bool
    create_at_sign_in: bool
    rules: tuple[RoleRule, ...]
    group_names: tuple[str, ...]
    brake: Brake | None
    requests: tuple[RequestView, ...]
    query: str
    older: int | None


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """What one rule would do: whether there is such a group, and how many people get their role by it."""

    rule: RoleRule
    group_exists: bool
    people: int


@dataclass(frozen=True, slots=True)
class RulePreview:
    """What rules would do with the groups of now. ``changes`` are (person, role now, role then), the first ten."""

    effects: tuple[RuleEffect, ...]
    people: int
    changes: tuple[tuple[str, str, str], ...]


def provisioning(
    services: Services, actor: Actor, plugin_id: str, query: str = "", before: int | None = None
) -> ProvisioningView:
    """What the Provisioning tab and the integration's page show. ``query`` finds requests by person, group, id or path.

    Raises ``Forbidden``, and ``NotFound`` where the plugin takes no directory or was never set up here.
    """
    connection = scim_connection(services, actor, plugin_id)
    with services.database.reading(actor.organization_id) as session:
        found = scim_requests.requests(session, connection, query, before)
        last = scim_requests.last_success(session, connection)
        rules = session.get(ProvisioningRules, connection)
        people, groups = (_count(session, entity, connection) for entity in (PushedUser, PushedGroup))
        names = session.scalars(
            select(PushedGroup.resource["displayName"].as_string())
            .where(PushedGroup.connection_id == connection)
            .order_by(PushedGroup.display_name_key)
            .limit(_MOST_GROUP_NAMES)
        ).all()
        return ProvisioningView(
            plugin_id=plugin_id,
            title=plugin_of(services, plugin_id).tile.title,
            base_url=site_of(services.settings, connection).scim_base_url,
            files=files.offered_beside(plugin_of(services, plugin_id).form, Kind.SCIM_BASE_URL),
            tokens=tokens(session, connection),
            people=people,
            groups=groups,
            last_sync=last,
            waiting=last is None and not people and not groups,
            create_at_sign_in=rules.create_at_sign_in if rules else True,
            rules=pushed_people.role_rules(session, connection),
            group_names=tuple(str(name) for name in names),
            brake=offboarding.brake(session, connection),
            requests=tuple(found[: scim_requests.PAGE]),
            query=query,
            older=found[scim_requests.PAGE - 1].id if len(found) > scim_requests.PAGE else None,
        )


def set_create_at_sign_in(services: Services, actor: Actor, plugin_id: str, *, on: bool) -> None:
    """Whether a person whom the directory did not push gets an account at the first sign-in."""
    connection = scim_connection(services, actor, plugin_id)
    with services.database.writing(actor.organization_id) as session:
        _rules(session, actor, connection).create_at_sign_in = on
        _audit_rules(services, session, actor, plugin_id, {"accounts at first sign-in": "on" if on else "off"})


def preview_rules(services: Services, actor: Actor, plugin_id: str, rules: Sequence[RoleRule]) -> RulePreview:
    """What rules would do, without doing it. For an Admin; raises ``Forbidden`` for everybody else."""
    connection = _for_rules(services, actor, plugin_id)
    with services.database.writing(actor.organization_id) as session:
        effects = []
        for place, rule in enumerate(rules):
            earlier = pushed_people.wanted_roles(session, connection, rules[:place])
            group = pushed_people.group_key(rule)
            mine = pushed_people.wanted_roles(session, connection, [rule]).keys() - earlier.keys()
            exists = session.scalars(
                select(PushedGroup.id)
                .where(PushedGroup.connection_id == connection, PushedGroup.display_name_key == group)
                .limit(1)
            ).first()
            effects.append(RuleEffect(rule, exists is not None, len(mine)))
        before = _roles(session, connection)
        pushed_people.apply_rules(session, connection, rules, by=actor.display_name)
        after = _roles(session, connection)
        session.rollback()
    nobody = ("", Role.VIEWER)
    changed = [
        (name or before.get(user_id, nobody)[0], before.get(user_id, nobody)[1].value, role.value)
        for user_id in {**before, **after}
        for name, role in [after.get(user_id, nobody)]
        if role is not before.get(user_id, nobody)[1]
    ]
    return RulePreview(
        tuple(effects), len(changed), tuple(sorted(changed, key=lambda one: one[0].casefold())[:_SAMPLE])
    )


def set_rules(services: Services, actor: Actor, plugin_id: str, rules: Iterable[RoleRule]) -> int:
    """Put rules into force, for everybody at once; answers how many people have another role now. For an Admin.

    Raises ``Forbidden`` for everybody else, and ``Conflict`` for more than a hundred.
    """
    connection = _for_rules(services, actor, plugin_id)
    kept = list(rules)
    if len(kept) > _MOST_RULES:
        raise Conflict(f"There may be at most {_MOST_RULES} rules. Nothing was saved.")
    with services.database.writing(actor.organization_id) as session:
        _rules(session, actor, connection).role_rules = [[rule.group, rule.role.value] for rule in kept]
        words = "; ".join(f"{rule.group} → {rule.role.value}" for rule in kept) or "none"
        _audit_rules(services, session, actor, plugin_id, {"group rules": words[:2_000]})
        session.flush()
        return pushed_people.apply_rules(session, connection, kept, by=actor.display_name)


def _for_rules(services: Services, actor: Actor, plugin_id: str) -> str:
    if actor.role is not Role.ADMIN:
        raise Forbidden("Only an Admin can say which groups give which role.")
    return scim_connection(services, actor, plugin_id)


def _rules(session: Session, actor: Actor, connection: str) -> ProvisioningRules:
    rules = session.get(ProvisioningRules, connection)
    if rules is None:
        rules = ProvisioningRules(
            connection_id=connection, organization_id=actor.organization_id, create_at_sign_in=True, role_rules=[]
        )
        session.add(rules)
    return rules


def _roles(session: Session, connection: str) -> dict[str, tuple[str, Role]]:
    found = session.execute(
        select(User.id, User.display_name, User.role)
        .join(PushedUser, PushedUser.user_id == User.id)
        .where(PushedUser.connection_id == connection, (PushedUser.role_by_rule) | (User.role != Role.VIEWER))
    )
    return {row.id: (row.display_name, row.role) for row in found}


def _count(session: Session, entity: type[PushedUser | PushedGroup], connection: str) -> int:
    return session.scalar(select(func.count()).select_from(entity).where(entity.connection_id == connection)) or 0


def _audit_rules(services: Services, session: Session, actor: Actor, plugin_id: str, details: dict[str, str]) -> None:
    audit.record(
        session,
        audit.Event.RULES_CHANGED,
        organization_id=actor.organization_id,
        actor=actor.display_name,
        subject=plugin_of(services, plugin_id).tile.title,
        details=details,
    )
