"""What the practice identity provider remembers: people, applications, keys and sessions. All of it in memory."""

from __future__ import annotations

import base64
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from uuid import NAMESPACE_URL, uuid5

from core.testing.identity_provider import IdentityProvider, Minted

Kept = TypeVar("Kept")

OWNER_ACCOUNT = "111122223333"
"""The account number that AWS uses in its own examples."""

SESSION_HOURS = (1, 2, 4, 8, 12)
"""Hours that may be chosen as session duration; AWS offers 15 minutes to 90 days."""

MOST_REMEMBERED = 1000
"""Sessions and pending requests that are kept; the oldest make room."""

NAME_ID_FORMATS: Mapping[str, str] = {
    "unspecified": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
    "emailAddress": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "persistent": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "transient": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
}
"""The console's names of the Subject formats (SAML Core 8.3)."""

ATTRIBUTE_FORMATS: Mapping[str, str] = {
    "unspecified": "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified",
    "basic": "urn:oasis:names:tc:SAML:2.0:attrname-format:basic",
    "uri": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
}
"""The console's names of the attribute name formats (SAML Core 8.2)."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the practice directory. ``groups`` are group ids (UUIDs), as AWS sends them."""

    user_name: str
    email: str
    given_name: str
    family_name: str
    groups: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name that people read."""
        return f"{self.given_name} {self.family_name}"

    @property
    def subject(self) -> str:
        """The directory's id of the person, a UUID."""
        return str(uuid5(NAMESPACE_URL, f"practice:{self.user_name}"))

    def value(self, attribute: str) -> tuple[str, ...]:
        """The values of one attribute of the directory, by the name that stands in ``${user:…}``."""
        one = {
            "subject": self.subject,
            "email": self.email,
            "givenName": self.given_name,
            "familyName": self.family_name,
            "name": self.name,
            "preferredUsername": self.user_name,
            "AD_GUID": self.subject,
        }
        return self.groups if attribute == "groups" else (one[attribute],)


def _group(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"practice-group:{name}"))


PEOPLE: Mapping[str, Person] = {
    person.user_name: person
    for person in (
        Person(
            "priya.raman@northwind.example",
            "priya.raman@northwind.example",
            "Priya",
            "Raman",
            (_group("Engineering"), _group("Berlin")),
        ),
        Person("tom.becker@northwind.example", "tom.becker@northwind.example", "Tom", "Becker", (_group("Sales"),)),
        Person("oskar", "oskar.nyberg@northwind.example", "Oskar", "Nyberg"),
        Person("zoe.oconnor@northwind.example", "zoe.oconnor@northwind.example", "Zoé", "O'Connor & <Søn>"),
        Person("lena.fischer@northwind.example", "lena.fischer@northwind.example", "Lena", "Fischer"),
    )
}
"""The practice directory by user name. One user name is no e-mail address, and one name needs escaping everywhere."""

KNOWN_VALUES = tuple(
    f"${{user:{name}}}"
    for name in ("subject", "email", "givenName", "familyName", "name", "preferredUsername", "AD_GUID", "groups")
)
"""What a mapping may refer to (AWS user guide, attribute mappings for customer managed applications)."""

_REFERENCE = re.compile(r"\$\{user:(\w+)\}")


@dataclass(frozen=True, slots=True)
class AttributeMapping:
    """One row of the attribute mappings: ``value`` is text with ``${user:…}`` in it, ``format`` the console's name."""

    name: str
    value: str
    format: str = "unspecified"

    @property
    def problem(self) -> str:
        """Why the row cannot be used, as a sentence without its full stop; empty when it can."""
        unknown = [name for name in _REFERENCE.findall(self.value) if f"${{user:{name}}}" not in KNOWN_VALUES]
        return f"{self.name} maps to ${{user:{unknown[0]}}}, which is no attribute of the directory" if unknown else ""

    def of(self, person: Person) -> tuple[str, ...]:
        """The values for one person: every value of a lone reference, else the text with its references filled in."""
        alone = _REFERENCE.fullmatch(self.value.strip())
        if alone:
            return person.value(alone[1])
        return (_REFERENCE.sub(lambda found: " ".join(person.value(found[1])), self.value),)


USUAL_ATTRIBUTES = (
    AttributeMapping("email", "${user:email}"),
    AttributeMapping("givenName", "${user:givenName}"),
    AttributeMapping("familyName", "${user:familyName}"),
    AttributeMapping("groups", "${user:groups}"),
)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A certificate of one application, with its key. ``algorithm`` is ``SHA-256`` or ``SHA-1``, as in the console."""

    id: str
    provider: IdentityProvider
    algorithm: str = "SHA-256"
    bits: int = 2048

    @property
    def pem(self) -> str:
        """The certificate as PEM text."""
        return self.provider.certificate_pem


@dataclass(slots=True, eq=False)
class Application:
    """A customer managed SAML 2.0 application. The keys are never empty, and the active one signs."""

    instance: str
    origin: str
    keys: list[SigningKey] = field(default_factory=list)
    active: int = 0
    name: str = "Custom SAML 2.0 application"
    description: str = ""
    start_url: str = ""
    relay_state: str = ""
    session_hours: int = 1
    acs_url: str = ""
    audience: str = ""
    subject: AttributeMapping = field(
        default_factory=lambda: AttributeMapping("Subject", "${user:email}", "emailAddress")
    )
    attributes: tuple[AttributeMapping, ...] = ()
    assigned: set[str] = field(default_factory=set)
    last: Minted | None = None
    """The response that was sent last and that nobody spoiled, for the replay of the bench."""

    @property
    def id(self) -> str:
        """The opaque part of the application's URLs: base64 of account and instance, as at AWS."""
        return base64.urlsafe_b64encode(f"{OWNER_ACCOUNT}_{self.instance}".encode()).decode()

    @property
    def page(self) -> str:
        """Where the console shows it."""
        return f"/console/applications/{self.id}"

    @property
    def sign_in_url(self) -> str:
        """IAM Identity Center sign-in URL; at AWS it is the issuer too."""
        return f"{self.origin}/saml/assertion/{self.id}"

    @property
    def entity_id(self) -> str:
        """IAM Identity Center SAML issuer URL."""
        return self.sign_in_url

    @property
    def sign_out_url(self) -> str:
        """IAM Identity Center sign-out URL."""
        return f"{self.origin}/saml/logout/{self.id}"

    @property
    def metadata_url(self) -> str:
        """IAM Identity Center SAML metadata file."""
        return f"{self.origin}/saml/metadata/{self.id}"

    @property
    def active_key(self) -> SigningKey:
        """The key that signs."""
        return self.keys[self.active]

    @property
    def ready(self) -> bool:
        """Whether the two values of the other side are known."""
        return bool(self.acs_url and self.audience)

    @property
    def session(self) -> timedelta:
        """Session duration."""
        return timedelta(hours=self.session_hours)

    def generate_key(self, algorithm: str = "SHA-256", bits: int = 2048) -> SigningKey:
        """Add an inactive certificate."""
        provider = IdentityProvider.create(self.entity_id, self.sign_in_url, key=f"rsa-{bits}")
        key = SigningKey(secrets.token_hex(4), provider, algorithm, bits)
        self.keys.append(key)
        return key

    def activate_key(self, key: SigningKey) -> None:
        """Let this key sign from now on."""
        self.active = self.keys.index(key)

    def delete_key(self, key: SigningKey) -> None:
        """Forget an inactive certificate."""
        active = self.active_key
        self.keys.remove(key)
        self.active = self.keys.index(active)


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for the person to sign in. ``relay_state`` is none where the request carried none."""

    application: str
    request_id: str
    relay_state: str | None


@dataclass(slots=True, eq=False)
class Practice:
    """The whole state of one practice identity provider. ``origin`` is where it is served, without a final slash."""

    origin: str
    applications: dict[str, Application] = field(default_factory=dict)
    sessions: OrderedDict[str, Person] = field(default_factory=OrderedDict)
    pending: OrderedDict[str, Pending] = field(default_factory=OrderedDict)

    def add_application(self) -> Application:
        """A new application with its first certificate, not configured yet."""
        application = Application(instance=f"ins-{secrets.token_hex(8)}", origin=self.origin)
        application.generate_key()
        self.applications[application.id] = application
        return application

    def sign_in(self, person: Person) -> str:
        """Open a session at the portal; answers its token."""
        return _remember(self.sessions, person)

    def wait(self, pending: Pending) -> str:
        """Keep a request until its person has signed in; answers its key."""
        return _remember(self.pending, pending)


def _remember(kept: OrderedDict[str, Kept], value: Kept) -> str:
    token = secrets.token_urlsafe(24)
    kept[token] = value
    while len(kept) > MOST_REMEMBERED:
        kept.popitem(last=False)
    return token
