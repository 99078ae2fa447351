"""The accounts of people whom a directory pushes: found, made, kept up to date, and given their role by its groups.

A connection touches only what it owns. An account that SAML or an administrator made becomes its own by an explicit
match, in this order: ``externalId``, ``userName``, e-mail address; and the audit log says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from scim2_models import InvalidValueException, UniquenessException
from sqlalchemy import ColumnElement, case, delete, exists, or_, select
from sqlalchemy.orm import Session

from core import clock
from core.flows import audit, offboarding
from core.flows.offboarding import Cause
from core.scim import members
from core.scim.accounts import Person
from core.scim.resources import LONGEST_EMAIL
from core.settings import Settings
from core.store.comparable import comparable, email_key
from core.store.provisioning_tables import Departure, Membership, ProvisioningRules, PushedGroup, PushedUser
from core.store.tables import LinkedIdentity, Role, User
from core.store.tokens import new_id

_NO_ADDRESS = "no-address:"  # begins the key of an account without an address; no address begins so


# A person who was pushed is known by what the directory says now. The name under which they once signed in is free for
# somebody else.
_NOT_PUSHED = ~exists().where(PushedUser.user_id == User.id)


@dataclass(frozen=True, slots=True)
class RoleRule:
    """People in the group of this name (upper and lower case are the same) have this role."""

    group: str
    role: Role


@dataclass(frozen=True, slots=True)
class DirectoryAccounts:
    """The accounts of one connection, in the transaction of a request. See :class:`core.scim.accounts.Accounts`."""

    settings: Settings
    session: Session
    organization_id: str
    connection_id: str
    title: str

    def take(self, person: Person) -> User:
        """See :class:`core.scim.accounts.Accounts`."""
        user = self._locked_match(person)
        if user is None:
            user = self._new(person)
        elif self.session.get(PushedUser, user.id) is not None:
            raise UniquenessException(detail="Another resource has this userName, externalId or e-mail address")
        elif user.source_connection_id not in (None, self.connection_id):
            raise UniquenessException(detail="This user belongs to another integration")
        else:
            self._adopt(user, person)
        return user

    def refresh(self, user: User, person: Person) -> None:
        """See :class:`core.scim.accounts.Accounts`."""
        self._take_over(user, person)
        self._set_active(user, person.active)

    def remove(self, user: User, external_id: str | None) -> None:
        """See :class:`core.scim.accounts.Accounts`."""
        offboarding.remove(self.settings, self.session, user, self._cause, external_id)

    def regroup(self, user_ids: Collection[str]) -> None:
        """See :class:`core.scim.accounts.Accounts`."""
        rules = role_rules(self.session, self.connection_id, lock=True)
        if rules:
            _lock(self.session, user_ids)
            apply_rules(self.session, self.connection_id, rules, user_ids, by=self.title)

    @property
    def _cause(self) -> Cause:
        return Cause(self.title, self.connection_id)

    def _locked_match(self, person: Person) -> User | None:
        """The account of a person, which nobody else changes now. One that housekeeping was just deleting is waited for,
        and then is none.
        """
        while (user := self._match(person)) is not None:
            query = select(User).where(User.id == user.id).with_for_update().execution_options(populate_existing=True)
            if self.session.scalar(query) is not None:
                return user
        return None

    def _match(self, person: Person) -> User | None:
        """The account of a person: by externalId, by userName, by address. The first one that finds one."""
        return (
            (self._by_external_id(person.external_id) if person.external_id else None)
            or self._by_user_name(person.user_name)
            or (self._by_address(person.email) if person.email else None)
        )

    def _by_external_id(self, external_id: str) -> User | None:
        return self._departed(Departure.external_id == comparable(external_id, exact=True)) or self._by_subject(
            external_id
        )

    def _departed(self, fits: ColumnElement[bool]) -> User | None:
        """Somebody whom this directory removed and whose account is not deleted yet."""
        query = select(User).join(Departure, Departure.user_id == User.id)
        return self.session.scalars(query.where(Departure.connection_id == self.connection_id, fits).limit(1)).first()

    def _by_subject(self, subject: str) -> User | None:
        return self.session.scalar(
            select(User)
            .join(LinkedIdentity, LinkedIdentity.user_id == User.id)
            .where(LinkedIdentity.connection_id == self.connection_id, LinkedIdentity.subject == subject, _NOT_PUSHED)
        )

    def _by_user_name(self, user_name: str) -> User | None:
        key = comparable(user_name, exact=False)
        ours = or_(User.source_connection_id == self.connection_id, User.source_connection_id.is_(None))
        same = (
            select(User)
            .where(User.user_name_key == key, ours, _NOT_PUSHED)
            .order_by(case((User.user_name == user_name, 0), else_=1), User.created_at)
            .limit(1)
        )
        return (
            self._departed(Departure.user_name_key == key)
            or self._by_subject(user_name)
            or self.session.scalars(same).first()
        )

    def _by_address(self, address: str) -> User | None:
        return self.session.scalar(select(User).where(User.email_key == email_key(address)))

    def _new(self, person: Person) -> User:
        user = User(
            id=new_id(),
            organization_id=self.organization_id,
            role=Role.VIEWER,
            active=True,
            source_connection_id=self.connection_id,
            created_at=clock.now(),
        )
        self._take_over(user, person)
        self.session.add(user)
        self.session.flush()
        self._record(audit.Event.USER_PUSHED, user)
        self._set_active(user, person.active)
        return user

    def _adopt(self, user: User, person: Person) -> None:
        before = {"user name": user.user_name, "e-mail": user.email, "role": user.role.value}
        gone = not user.active
        departure = self.session.get(Departure, user.id)
        if departure is not None and _is_another(departure, person):
            before["externalId"] = f"{departure.external_id} → {person.external_id}"
            before["role"] = f"{user.role.value} → {Role.VIEWER.value}"
            self._let_go(user)
        user.source_connection_id = self.connection_id
        self._take_over(user, person)
        self.session.flush()
        self._record(audit.Event.USER_ADOPTED, user, before)
        active = person.active
        if gone and active is None:  # it takes back what it did itself, not what an administrator did
            active = departure is not None and departure.connection_id == self.connection_id
        if gone and not active:
            offboarding.keep(self.session, user)
        else:
            self._set_active(user, active is not False)

    def _let_go(self, user: User) -> None:
        """Leave an account no right that was the former person's: neither role nor password, nor a way in by a provider."""
        user.role, user.password_hash = Role.VIEWER, ""
        self.session.execute(delete(LinkedIdentity).where(LinkedIdentity.user_id == user.id))

    def _take_over(self, user: User, person: Person) -> None:
        user.user_name = person.user_name
        user.given_name, user.family_name = person.given_name, person.family_name
        user.display_name = person.display_name
        user.email = person.email
        user.email_key = email_key(person.email) if person.email else _NO_ADDRESS + user.id
        if len(user.email_key) > LONGEST_EMAIL:  # in lower case some letters are two
            raise InvalidValueException(detail=f"An address may have at most {LONGEST_EMAIL} characters")

    def _set_active(self, user: User, active: bool | None) -> None:  # noqa: FBT001  a value of the resource, not a switch
        if active is False and user.active:
            offboarding.suspend(self.settings, self.session, user, self._cause)
        elif active and not user.active:
            offboarding.restore(self.session, user, self._cause)

    def _record(self, event: audit.Event, user: User, details: dict[str, str] | None = None) -> None:
        audit.record(
            self.session,
            event,
            organization_id=self.organization_id,
            actor=self.title,
            subject=user.email or user.user_name,
            details=details,
        )


def _is_another(departure: Departure, person: Person) -> bool:
    """Whether the directory gives the name, or the address, of somebody whom it removed to another person, who says so by
    another ``externalId``. They get the account, since an address has only one.
    """
    before, now = departure.external_id, person.external_id
    return bool(before and now) and before != comparable(now or "", exact=True)


# -- groups to roles ---------------------------------------------------------------------------------------------------


def role_rules(session: Session, connection_id: str, *, lock: bool = False) -> tuple[RoleRule, ...]:
    """The rules of a connection, in order. ``lock``: they stay so until the caller's transaction ends."""
    query = select(ProvisioningRules).where(ProvisioningRules.connection_id == connection_id)
    if lock:
        query = query.with_for_update(read=True).execution_options(populate_existing=True)
    rules = session.scalar(query)
    return tuple(RoleRule(group, Role(role)) for group, role in rules.role_rules) if rules else ()


def _lock(session: Session, user_ids: Collection[str]) -> None:
    """Two requests that change the groups of one person take turns from here on: the second one sees what the first did,
    and gives the role that follows from both. (In one order, so that they do not wait for each other.)
    """
    for batch in members.batches(sorted(user_ids)):
        people = select(PushedUser.user_id).where(PushedUser.user_id.in_(batch)).order_by(PushedUser.user_id)
        session.execute(people.with_for_update())


def group_key(rule: RoleRule) -> str:
    """The group's name in the form in which it is compared."""
    return comparable(rule.group.strip(), exact=False)


def wanted_roles(
    session: Session, connection_id: str, rules: Iterable[RoleRule], user_ids: Collection[str] | None = None
) -> dict[str, Role]:
    """The role of each person for whom a rule speaks: that of the first rule one of whose groups they are in.
    ``user_ids`` none: of everybody.
    """
    wanted: dict[str, Role] = {}
    for rule in rules:
        within = (
            select(Membership.user_id)
            .join(PushedGroup, PushedGroup.id == Membership.group_id)
            .where(
                PushedGroup.connection_id == connection_id,
                PushedGroup.display_name_key == group_key(rule),
                Membership.user_id.is_not(None),
            )
        )
        for batch in [None] if user_ids is None else members.batches(user_ids):
            query = within if batch is None else within.where(Membership.user_id.in_(batch))
            for user_id in session.scalars(query):
                wanted.setdefault(str(user_id), rule.role)
    return wanted


def apply_rules(
    session: Session,
    connection_id: str,
    rules: Iterable[RoleRule],
    user_ids: Collection[str] | None = None,
    *,
    by: str,
) -> int:
    """Give people the role that the rules say; answers how many changed.

    Who is in none of the groups loses a role that a rule gave, and keeps one that was given by hand. An Admin who was
    made one by hand stays one: no rule can lock the administrators out.
    """
    wanted = wanted_roles(session, connection_id, rules, user_ids)
    query = (
        select(PushedUser, User)
        .join(User, User.id == PushedUser.user_id)
        .where(PushedUser.connection_id == connection_id)
    )
    changed = 0
    if user_ids is None:
        ruled = session.scalars(
            select(PushedUser.user_id).where(PushedUser.connection_id == connection_id, PushedUser.role_by_rule)
        )
        user_ids = {*wanted, *ruled}
    for batch in members.batches(user_ids):
        people = query.where(PushedUser.user_id.in_(batch)).execution_options(populate_existing=True)
        for pushed, user in session.execute(people):
            changed += _give(session, pushed, user, wanted.get(user.id), by)
    session.flush()
    return changed


def _give(session: Session, pushed: PushedUser, user: User, role: Role | None, by: str) -> bool:
    by_hand = user.role is not Role.VIEWER and not pushed.role_by_rule
    if (role is None and not pushed.role_by_rule) or (by_hand and user.role is Role.ADMIN):
        return False
    pushed.role_by_rule = role is not None
    before, user.role = user.role, role or Role.VIEWER
    if before is user.role:
        return False
    audit.record(
        session,
        audit.Event.ROLE_CHANGED,
        organization_id=user.organization_id,
        actor=by,
        subject=user.email or user.user_name,
        details={"role": f"{before.value} → {user.role.value}"},
    )
    return True
