"""The storage of scim2-server over our tables: one connection's users and groups, in one session of its organization.

Every write is one savepoint. The database decides uniqueness: where another process was faster, the write is tried once
more, sees what the other did, and joins it or answers 409.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, TypeVarTuple

from scim2_models import (
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    SearchRequest,
    UniquenessException,
)
from scim2_server.storage import ScimStorage, SearchPage
from sqlalchemy import ColumnElement, DateTime, Select, Text, cast, delete, func, literal, null, select, union_all
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import clock
from core.scim import members, rows
from core.scim.accounts import Accounts, person_of
from core.scim.columns import Columns
from core.scim.filters import condition
from core.scim.members import Change
from core.scim.pages import Order, Position, offset, sort_value
from core.scim.resources import GROUP, USER, document_of, keys_of, model_named
from core.store.provisioning_tables import Membership, PushedEmail, PushedGroup, PushedUser
from core.store.tables import User
from core.store.tokens import new_id

_ID = re.compile(r"[0-9a-f]{24}")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Query = Select[*tuple[Any, ...]]


class Storage(ScimStorage):
    """See the module. ``base_url`` begins the references in answers; ``for_update`` locks what is read."""

    supports_cursors = True

    def __init__(
        self,
        session: Session,
        accounts: Accounts,
        *,
        organization_id: str,
        connection_id: str,
        base_url: str = "",
        for_update: bool = True,
    ) -> None:
        self.session = session
        self.accounts = accounts
        self.organization_id = organization_id
        self.connection_id = connection_id
        self.base_url = base_url
        self.for_update = for_update
        self.dialect = session.get_bind().dialect.name
        self.removed = ""  # the name of what was deleted last, which no answer says

    # -- reading -----------------------------------------------------------------------------------------------------

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """See :class:`ScimStorage`."""
        if resource_type.name == USER:
            return rows.users(self.session, [self._user_row(resource_id)], self.base_url, response_parameters)[0]
        some = response_parameters and (response_parameters.attributes or response_parameters.excluded_attributes)
        plain = response_parameters is not None and not some  # nobody but the answer reads it
        group = self.group_row(resource_id)
        return rows.groups(self.session, [group], self.base_url, response_parameters, plain=plain)[0]

    def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        """See :class:`ScimStorage`. Filter, order and page are SQL."""
        kinds = [str(resource_type.name) for resource_type in resource_types]
        queries = [self._matching(kind, search_request) for kind in kinds]
        query, order = self._ordered(queries, search_request)
        if search_request.cursor is not None:
            return self._cursor_page(query, order, search_request, position)
        start, count = offset(search_request), search_request.count
        found = [] if count == 0 else self.session.execute(order.sorted(query).offset(start).limit(count)).all()
        whole = start == 0 and count != 0 and (count is None or len(found) < count)
        return SearchPage(len(found) if whole else self._total(query), self._loaded(found, search_request))

    # -- writing -----------------------------------------------------------------------------------------------------

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """See :class:`ScimStorage`."""
        make = self._create_user if resource_type.name == USER else self._create_group
        return self._reload(resource_type, self._decided_by_the_database(lambda: make(resource)))

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """See :class:`ScimStorage`."""
        change = self._update_user if resource_type.name == USER else self._update_group
        resource_id = str(resource.id)
        self._decided_by_the_database(lambda: change(resource_id, resource, expected_version))
        return self._reload(resource_type, resource_id)

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """See :class:`ScimStorage`."""
        leave = self._remove_user if resource_type.name == USER else self._remove_group
        self._decided_by_the_database(lambda: leave(resource_id, expected_version))

    def change_group(self, group: PushedGroup, change: Change, resource: Resource[Any] | None) -> None:
        """Add and remove members of a group without reading the others, and take over its other attributes from a
        ``resource`` (none: they stay).
        """

        def apply() -> None:
            renamed = self._take_over(group, resource) if resource is not None else set()
            changed = members.apply(self.session, self.connection_id, group, change)
            if changed and resource is None:
                rows.changed(group)
            self.session.flush()
            if renamed or changed:
                self.accounts.regroup(renamed | changed)

        self._decided_by_the_database(apply)

    # -- rows --------------------------------------------------------------------------------------------------------

    def group_row(self, resource_id: str) -> PushedGroup:
        """The row of a group. Raises ``NotFoundException``."""
        owned = (PushedGroup.id == resource_id, PushedGroup.connection_id == self.connection_id)
        query = self._locked(select(PushedGroup).where(*owned), PushedGroup)
        row = self.session.scalar(query) if _ID.fullmatch(resource_id) else None
        if row is None:
            raise _not_found(GROUP, resource_id)
        return row

    def _user_row(self, resource_id: str) -> tuple[PushedUser, bool]:
        owned = (PushedUser.user_id == resource_id, PushedUser.connection_id == self.connection_id)
        query = select(PushedUser, User.active).join(User, User.id == PushedUser.user_id).where(*owned)
        locked = self._locked(query, PushedUser)
        row = self.session.execute(locked).one_or_none() if _ID.fullmatch(resource_id) else None
        if row is None:
            raise _not_found(USER, resource_id)
        return row[0], row[1]

    def _locked(self, query: Select[*Ts], entity: type[PushedUser | PushedGroup]) -> Select[*Ts]:
        if not self.for_update:
            return query
        return query.with_for_update(of=entity).execution_options(populate_existing=True)

    def _create_user(self, resource: Resource[Any]) -> str:
        model = model_named(USER)
        document = document_of(resource, "active", "groups")
        keys = keys_of(model, document)
        active = getattr(resource, "active", None)
        user = self.accounts.take(person_of(document, active=active))
        now = clock.now()
        row = PushedUser(
            user_id=user.id,
            organization_id=self.organization_id,
            connection_id=self.connection_id,
            user_name_key=keys["userName"],
            external_id=keys.get("externalId"),
            resource=document,
            keys=keys,
            created_at=now,
            changed_at=now,
            version=1,
            says_active=True,
        )
        self.session.add(row)
        self.session.flush()
        self._put_emails(row)
        return user.id

    def _update_user(self, resource_id: str, resource: Resource[Any], expected_version: str | None) -> None:
        row, _ = self._user_row(resource_id)
        _check_version(row, expected_version)
        document = document_of(resource, "active", "groups")
        keys = keys_of(model_named(USER), document)
        new_emails = keys.get("emails") != row.keys.get("emails")
        row.user_name_key, row.external_id = keys["userName"], keys.get("externalId")
        row.resource, row.keys = document, keys
        row.says_active = getattr(resource, "active", None) is not None
        rows.changed(row)
        self.session.flush()
        if new_emails:
            self.session.execute(delete(PushedEmail).where(PushedEmail.user_id == row.user_id))
            self._put_emails(row)
        user = self.session.get_one(User, resource_id)
        self.accounts.refresh(user, person_of(document, active=getattr(resource, "active", None)))
        self.session.flush()

    def _remove_user(self, resource_id: str, expected_version: str | None) -> None:
        row, _ = self._user_row(resource_id)
        _check_version(row, expected_version)
        external_id, self.removed = row.external_id, row.resource["userName"]
        members.leave(self.session, Membership.user_id == resource_id)
        self.session.execute(delete(PushedEmail).where(PushedEmail.user_id == resource_id))
        self.session.delete(row)
        self.session.flush()
        self.accounts.remove(self.session.get_one(User, resource_id), external_id)
        self.session.flush()

    def _put_emails(self, row: PushedUser) -> None:
        self.session.add_all(
            PushedEmail(
                user_id=row.user_id,
                position=position,
                organization_id=self.organization_id,
                connection_id=self.connection_id,
                value_key=email.get("value"),
                type_key=email.get("type"),
                display_key=email.get("display"),
                primary_key=email.get("primary"),
            )
            for position, email in enumerate(row.keys.get("emails", ()))
        )
        self.session.flush()

    def _create_group(self, resource: Resource[Any]) -> str:
        document = document_of(resource, "members")
        keys = keys_of(model_named(GROUP), document)
        now = clock.now()
        row = PushedGroup(
            id=new_id(),
            organization_id=self.organization_id,
            connection_id=self.connection_id,
            display_name_key=keys["displayName"],
            external_id=keys.get("externalId"),
            resource=document,
            keys=keys,
            created_at=now,
            changed_at=now,
            version=1,
        )
        self.session.add(row)
        self.session.flush()
        wanted = members.wanted(resource)
        self.accounts.regroup(members.apply(self.session, self.connection_id, row, Change(add=wanted)))
        return row.id

    def _update_group(self, resource_id: str, resource: Resource[Any], expected_version: str | None) -> None:
        row = self.group_row(resource_id)
        _check_version(row, expected_version)
        before, wanted = self._take_over(row, resource), members.wanted(resource)
        changed = members.apply(self.session, self.connection_id, row, Change(add=wanted, only=True))
        self.accounts.regroup(before | changed)

    def _take_over(self, row: PushedGroup, resource: Resource[Any]) -> set[str]:
        """What a group is beside its members; answers whose group has another name now."""
        document = document_of(resource, "members")
        keys = keys_of(model_named(GROUP), document)
        renamed = keys["displayName"] != row.display_name_key
        row.display_name_key, row.external_id = keys["displayName"], keys.get("externalId")
        row.resource, row.keys = document, keys
        rows.changed(row)
        self.session.flush()
        return members.people(self.session, row.id) if renamed else set()

    def _remove_group(self, resource_id: str, expected_version: str | None) -> None:
        row = self.group_row(resource_id)
        _check_version(row, expected_version)
        people, self.removed = members.people(self.session, resource_id), row.resource["displayName"]
        members.leave(self.session, Membership.subgroup_id == resource_id)
        self.session.execute(delete(Membership).where(Membership.group_id == resource_id))
        self.session.delete(row)
        self.session.flush()
        self.accounts.regroup(people)

    def _reload(self, resource_type: ResourceType, resource_id: str) -> Resource[Any]:
        self.session.flush()
        return self.get(resource_type, resource_id)

    def _decided_by_the_database(self, write: Callable[[], T]) -> T:
        for last in (False, True):
            try:
                with self.session.begin_nested():
                    return write()
            except IntegrityError:
                if last:
                    raise UniquenessException(
                        detail="Another resource has this userName, externalId or e-mail address"
                    ) from None
        raise AssertionError("unreachable")  # the loop returns or raises

    # -- queries -----------------------------------------------------------------------------------------------------

    def _matching(self, kind: str, request: SearchRequest[Any]) -> tuple[Query, Columns, ColumnElement[Any] | None]:
        columns, model = Columns(kind, self.dialect, self.connection_id, self.base_url), model_named(kind)
        value = sort_value(request, model, columns)
        query: Query = select(literal(kind).label("kind"), columns.id.label("id")).where(columns.owned)
        if request.filter is not None:
            query = query.where(condition(request.filter, model, columns))
        return query, columns, value

    def _ordered(
        self,
        queries: Sequence[tuple[Query, Columns, ColumnElement[Any] | None]],
        request: SearchRequest[Any],
    ) -> tuple[Query, Order]:
        ascending = request.sort_by is None or request.sort_order != SearchRequest.SortOrder.descending
        if len(queries) == 1:
            ((query, columns, value),) = queries
            always_there = value is None or any(value is columns.text(path) for path in columns.never_null)
            query = query.add_columns((value if value is not None else null()).label("value"))
            return query, Order(value, columns.id, always_there, ascending)
        moments = any(value is not None and isinstance(value.type, DateTime) for _, _, value in queries)
        kind_of_value = DateTime(timezone=True) if moments else Text()
        found = union_all(
            *(
                query.add_columns((value if value is not None else cast(null(), kind_of_value)).label("value"))
                for query, _, value in queries
            )
        ).subquery()
        return select(found.c.kind, found.c.id, found.c.value), Order(
            found.c.value if request.sort_by else None, found.c.id, False, ascending
        )

    def _total(self, query: Query) -> int:
        return self.session.scalar(select(func.count()).select_from(query.subquery())) or 0

    def _cursor_page(self, query: Query, order: Order, request: SearchRequest[Any], position: Any) -> SearchPage:
        here = Position.read(position) if position is not None else Position(True, None, "")
        total = self._total(query) if position is None else None
        if request.count == 0:
            return SearchPage(total, [])
        page = order.sorted(query, forward=here.forward)
        if position is not None:
            page = page.where(order.beyond(here))
        limit = None if request.count is None else request.count + 1
        found = list(self.session.execute(page.limit(limit)).all())
        more = request.count is not None and len(found) > request.count
        found = found[: request.count]
        if not here.forward:
            found.reverse()
        if not found:
            return SearchPage(total, [])
        first, last = Position(False, found[0].value, found[0].id), Position(True, found[-1].value, found[-1].id)
        is_more_after = more if here.forward else self._any(query, order, last)
        is_more_before = (position is not None and self._any(query, order, first)) if here.forward else more
        return SearchPage(
            total,
            self._loaded(found, request),
            next=last.as_json() if is_more_after else None,
            previous=first.as_json() if is_more_before else None,
        )

    def _any(self, query: Query, order: Order, position: Position) -> bool:
        beyond = query.where(order.beyond(position))
        return self.session.execute(beyond.limit(1)).first() is not None

    def _loaded(self, found: Sequence[Any], request: SearchRequest[Any]) -> list[Resource[Any]]:
        """The resources of found rows, in their order."""
        user_ids = [row.id for row in found if row.kind == USER]
        group_ids = [row.id for row in found if row.kind == GROUP]
        resources: list[Resource[Any]] = []
        if user_ids:
            query = select(PushedUser, User.active).join(User, User.id == PushedUser.user_id)
            # The connection is named so that the index of pages is of use: SQLite reads every row of it otherwise.
            owned = PushedUser.connection_id == self.connection_id
            people = self.session.execute(query.where(owned, PushedUser.user_id.in_(user_ids)))
            resources += rows.users(self.session, [(row, active) for row, active in people], self.base_url, request)
        if group_ids:
            groups = self.session.scalars(
                select(PushedGroup).where(
                    PushedGroup.connection_id == self.connection_id, PushedGroup.id.in_(group_ids)
                )
            ).all()
            resources += rows.groups(self.session, groups, self.base_url, request)
        loaded = {str(resource.id): resource for resource in resources}
        return [loaded[row.id] for row in found]


def _not_found(kind: str, resource_id: str) -> NotFoundException:
    return NotFoundException(detail=f"There is no {kind} {resource_id[:64]!r}")


def _check_version(row: PushedUser | PushedGroup, expected: str | None) -> None:
    if expected is not None and rows.version(row) != expected:
        raise PreconditionFailedException
