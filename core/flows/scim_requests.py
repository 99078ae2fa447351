"""The record of what directories asked for, so that an administrator can find out what happened to a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pydantic_core import from_json
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from core import clock, correlation
from core.flows.scim_tokens import Opened
from core.flows.services import Services
from core.store.provisioning_tables import ProvisioningRequest, PushedGroup
from core.store.tables import User

PAGE = 50
MOST = 10_000  # requests kept of one connection

_LONGEST_BODY = 4_000  # characters
_SECRET = re.compile(r"password|secret|token|x509", re.IGNORECASE)
_SUCCESS = 400  # statuses below it
_ID = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came: ``path`` is below the connection's base URL; ``body`` is none where it was too large."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: ``body`` is JSON, or empty. ``about`` names whom a DELETE was about, who is gone now."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    about: str = ""


@dataclass(frozen=True, slots=True)
class RequestView:
    """One request in the list. ``who`` is the person or group; ``reason`` says why it was refused."""

    id: int
    at: datetime
    method: str
    path: str
    status: int
    ok: bool
    milliseconds: float
    who: str
    resource_id: str
    scim_type: str
    reason: str
    body: str
    address: str
    correlation_id: str


def record(session: Session, opened: Opened, call: Call, answer: Answer, milliseconds: float) -> None:
    """Keep a request, in the caller's transaction. Secrets are left out of the body, and it is cut."""
    sent, answered = _json(call.body or b""), _json(answer.body)
    asked = {name: "…" if _SECRET.search(f"{name} {value}") else value for name, value in call.query.items()}
    query = f"?{urlencode(asked)}" if asked else ""
    failed = answer.status >= _SUCCESS
    resource_id = _resource_id(call.path, _object(answered))
    named = _named(_object(answered), _object(sent)) or answer.about or _known(session, opened, resource_id)
    session.add(
        ProvisioningRequest(
            organization_id=opened.organization_id,
            connection_id=opened.connection_id,
            at=clock.now(),
            method=call.method[:16],
            path=_text(call.path + query)[:1024],
            status=answer.status,
            milliseconds=round(milliseconds, 1),
            who=_text(named or asked.get("filter", ""))[:512],
            resource_id=resource_id,
            scim_type=str(_object(answered).get("scimType", ""))[:32] if failed else "",
            reason=_text(str(_object(answered).get("detail", "")))[:2_000] if failed else "",
            body=_text(_readable(sent, call.body or b"")),
            address=call.address[:64],
            correlation_id=correlation.current(),
        )
    )


def requests(session: Session, connection: str, query: str = "", before: int | None = None) -> list[RequestView]:
    """The latest requests of a connection, newest first, one more than ``PAGE``. ``query`` is a part of a person's or
    group's name, id or path; ``before`` an id.
    """
    found = select(ProvisioningRequest).where(ProvisioningRequest.connection_id == connection)
    if query:
        columns = (ProvisioningRequest.who, ProvisioningRequest.resource_id, ProvisioningRequest.path)
        found = found.where(or_(*(column.icontains(query, autoescape=True) for column in columns)))
    if before is not None:
        found = found.where(ProvisioningRequest.id < before)
    rows = session.scalars(found.order_by(ProvisioningRequest.id.desc()).limit(PAGE + 1))
    return [_view(row) for row in rows]


def last_success(session: Session, connection: str) -> datetime | None:
    """When the directory last asked for something and got it."""
    return session.scalars(
        select(ProvisioningRequest.at)
        .where(ProvisioningRequest.connection_id == connection, ProvisioningRequest.status < _SUCCESS)
        .order_by(ProvisioningRequest.id.desc())
        .limit(1)
    ).first()


def prune(services: Services) -> int:
    """Keep the latest ``MOST`` requests of each connection; answers how many were deleted."""
    total = 0
    with services.database.looking_up() as session:
        connections = session.scalars(select(ProvisioningRequest.connection_id).distinct()).all()
    for connection in connections:
        with services.database.unscoped() as session:
            of_connection = ProvisioningRequest.connection_id == connection
            newest = select(ProvisioningRequest.id).where(of_connection).order_by(ProvisioningRequest.id.desc())
            last = session.scalar(newest.offset(MOST).limit(1))
            if last is not None:
                old = delete(ProvisioningRequest).where(of_connection, ProvisioningRequest.id <= last)
                total += len(session.scalars(old.returning(ProvisioningRequest.id)).all())
    return total


def _view(row: ProvisioningRequest) -> RequestView:
    return RequestView(
        id=row.id,
        at=row.at,
        method=row.method,
        path=row.path,
        status=row.status,
        ok=row.status < _SUCCESS,
        milliseconds=row.milliseconds,
        who=row.who,
        resource_id=row.resource_id,
        scim_type=row.scim_type,
        reason=row.reason,
        body=row.body,
        address=row.address,
        correlation_id=row.correlation_id,
    )


def _named(answered: Mapping[str, Any], sent: Mapping[str, Any]) -> str:
    for document in (answered, sent):
        for name in ("userName", "displayName"):
            if isinstance(document.get(name), str):
                return str(document[name])
    return ""


def _known(session: Session, opened: Opened, resource_id: str) -> str:
    """The name of a resource of this connection, also of a person who was removed and is not deleted yet."""
    if not resource_id:
        return ""
    user = session.get(User, resource_id)
    if user is not None:
        return user.user_name if user.source_connection_id == opened.connection_id else ""
    group = session.get(PushedGroup, resource_id)
    return str(group.resource["displayName"]) if group and group.connection_id == opened.connection_id else ""


def _resource_id(path: str, answered: Mapping[str, Any]) -> str:
    last = path.rstrip("/").rpartition("/")[2]
    found = str(answered.get("id", "")) or last
    return found if _ID.fullmatch(found) else ""


def _json(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        return None


def _object(document: Any) -> Mapping[str, Any]:
    return document if isinstance(document, dict) else {}


def _readable(document: Any, body: bytes) -> str:
    if document is None:  # no JSON: where a secret begins and ends is not known
        text = body[:200].decode("utf-8", "replace")
        return "…" if _SECRET.search(text) else text
    text = json.dumps(_redacted(document), ensure_ascii=False, indent=1)
    return text if len(text) <= _LONGEST_BODY else text[:_LONGEST_BODY] + "…"


def _redacted(value: Any, name: str = "") -> Any:
    if _SECRET.search(name):
        return "…"
    if isinstance(value, dict):
        path = next((str(item) for key, item in value.items() if key.lower() == "path"), "")
        return {key: _redacted(item, path if key.lower() == "value" and path else key) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, name) for item in value[:20]] + (["…"] if len(value) > 20 else [])  # noqa: PLR2004  of a long list the first are enough
    return value


def _text(text: str) -> str:
    """What every database can hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
