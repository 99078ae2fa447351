"""What the storage needs of the product: accounts, and what happens to people. Flows implement it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from core.scim.resources import LONGEST_EMAIL, Document
from core.store.tables import User


@dataclass(frozen=True, slots=True)
class Person:
    """A pushed resource as an account sees it. ``active`` is none where the directory does not say."""

    user_name: str
    external_id: str | None
    email: str
    given_name: str
    family_name: str
    display_name: str
    active: bool | None


class Accounts(Protocol):
    """The accounts of one connection, in the session and transaction of the request."""

    def take(self, person: Person) -> User:
        """The account of a person who is pushed for the first time: one that is here and fits, or a new one.

        Raises ``UniquenessException`` where the account that fits is not this connection's to take.
        """

    def refresh(self, user: User, person: Person) -> None:
        """Take over what the directory says of a person now."""

    def remove(self, user: User, external_id: str | None) -> None:
        """The directory deleted the person: access ends now, the account is deleted later."""

    def regroup(self, user_ids: Collection[str]) -> None:
        """The groups of these people have changed."""


def person_of(document: Document, *, active: bool | None) -> Person:
    """The person that a resource describes."""
    name = document.get("name") or {}
    user_name = document["userName"]
    given_name, family_name = name.get("givenName", ""), name.get("familyName", "")
    full_name = name.get("formatted") or " ".join(part for part in (given_name, family_name) if part)
    return Person(
        user_name=user_name,
        external_id=document.get("externalId") or None,
        email=_address(document),
        given_name=given_name[:512],
        family_name=family_name[:512],
        display_name=(document.get("displayName") or full_name or user_name)[:512],
        active=active,
    )


def _address(document: Document) -> str:
    """The address of the account: the primary one, else that for work, else the first, else a user name that is one."""
    emails: list[dict[str, Any]] = [email for email in document.get("emails", ()) if email.get("value")]
    emails.sort(key=lambda email: (not email.get("primary"), str(email.get("type", "")).lower() != "work"))
    address = str(emails[0]["value"]).strip() if emails else ""
    if address or "@" not in document["userName"] or len(document["userName"]) > LONGEST_EMAIL:
        return address
    return str(document["userName"])
