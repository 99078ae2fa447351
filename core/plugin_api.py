"""Everything that a plugin imports.

A plugin is one module with the four hooks of :mod:`core.hookspecs`, marked with :data:`hookimpl`. It declares a pydantic
model with the field types below; the host makes the tile, the dialog, the validation, the encrypted storage and the
SAML and SCIM endpoints from that declaration. ``plugins/aws_sso/plugin.py`` is the example, explained line by line in
``docs/write-a-plugin.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

import pluggy

from core import attribute_names, refusals
from core.errors import ConfigRejected, SignInRefused
from core.field_types import (
    AcsUrl,
    Audience,
    Download,
    Email,
    Group,
    Issuer,
    Kind,
    LoginUrl,
    MetadataUrl,
    Note,
    PortalRedirectUrl,
    PostLogoutUrl,
    ScimBaseUrl,
    ScimToken,
    Secret,
    ServiceProviderCertificate,
    SigningCertificates,
    SignInUrl,
    SingleLogoutServiceUrl,
    SingleLogoutUrl,
    TileClicks,
    Unsolicited,
    ValueRejected,
    WebAddress,
    is_email_address,
    tab,
    ui,
)
from core.refusals import EMAIL_MISSING, PERSON_REFUSED, Refusal

hookimpl = pluggy.HookimplMarker("siq")
"""Marks a function of a plugin as the implementation of the hook of its name."""

__all__ = [
    "EMAIL_MISSING",
    "PERSON_REFUSED",
    "AcsUrl",
    "Activation",
    "Audience",
    "Category",
    "ConfigRejected",
    "Download",
    "Email",
    "Group",
    "Identity",
    "Issuer",
    "Kind",
    "LoginUrl",
    "MetadataUrl",
    "NameId",
    "Note",
    "PortalRedirectUrl",
    "PostLogoutUrl",
    "Refusal",
    "RequestBinding",
    "SamlTrust",
    "ScimBaseUrl",
    "ScimToken",
    "Secret",
    "ServiceProviderCertificate",
    "SetupStep",
    "SignInRefused",
    "SignInUrl",
    "SigningCertificates",
    "SingleLogoutServiceUrl",
    "SingleLogoutUrl",
    "Site",
    "Tile",
    "TileClicks",
    "Unsolicited",
    "ValueRejected",
    "VerifiedAssertion",
    "WebAddress",
    "attribute_names",
    "download",
    "hookimpl",
    "is_email_address",
    "refusals",
    "tab",
    "ui",
]


class Category(StrEnum):
    """Where a tile stands in the catalog."""

    PROVISIONING_SSO = "Provisioning & SSO"
    MESSAGING = "Messaging"
    TICKETING = "Ticketing"
    MONITORING = "Monitoring"
    STORAGE = "Storage and backup"
    DEVELOPER = "Developer tools"


@dataclass(frozen=True, slots=True)
class Tile:
    """A plugin's place in the catalog, and its words.

    ``summary`` is one sentence. ``search`` are words by which people look for it and that its texts do not hold.
    ``documentation`` is an https URL of the provider's own guide, or empty; the guide beside the plugin
    (``guide.md``) is linked without being named. ``fixes`` are sentences for the administrator, at most 400 characters
    each, in place of the usual ones of these refusals (``siq.refusals.AUDIENCE_MISMATCH``): what to change in words that
    the provider's own pages use. ``{provider}`` in one stands for ``title``.
    """

    title: str
    maker: str
    category: Category
    summary: str
    search: tuple[str, ...] = ()
    documentation: str = ""
    fixes: Mapping[Refusal, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Site:
    """The values that this host gives the provider for one connection. All are absolute URLs but ``audience``,
    which is the relying party's entity ID (a URL too), and ``sp_certificate``, which is the certificate of the key that we
    sign with as PEM text, empty where the schema declares no ``ServiceProviderCertificate``. ``single_logout_url`` takes
    the provider's messages of single logout.
    """

    acs_url: str
    audience: str
    login_url: str
    metadata_url: str
    scim_base_url: str
    sp_certificate: str = ""
    single_logout_url: str = ""


def download(filename: str, render: Callable[[Site], str]) -> Download:
    """A file that a tab offers, filled in for one connection: ``Annotated[str, siq.download("setup.yaml", render)]`` is the type
    of its field. The dialog shows label, help and a link; beside a ``ScimBaseUrl`` the page *Provisioning* shows them too.

    ``filename`` has letters, digits, dots, hyphens and underscores, and one of the endings ``.csv``, ``.json``, ``.ps1``,
    ``.sh``, ``.tf``, ``.txt``, ``.xml``, ``.yaml`` and ``.yml``. ``render`` is pure: it takes the :class:`Site` and answers the
    text, at most 4 MiB as UTF-8. It is called for each download, before activation too, so it knows no configuration and no
    token. One that raises fails that download and nothing else. In a configuration the field's value is ``filename``.
    """
    return Download(filename, render)


class RequestBinding(StrEnum):
    """How our AuthnRequest reaches the provider (SAML Bindings 3.4, 3.5)."""

    REDIRECT = "redirect"
    """In the query of the sign-in URL."""
    POST = "post"
    """In a form that the browser sends there; for providers that take no other way."""


@dataclass(frozen=True, slots=True)
class SamlTrust:
    """Whom a connection believes.

    ``issuer`` is the provider's entity ID, compared to the letter. ``sign_in_url`` takes the AuthnRequest by the
    ``request_binding``; with ``sign_requests`` it is signed with our key, for which the schema has to declare a
    ``ServiceProviderCertificate``. With that, encrypted assertions are read, too: by AES-GCM, and with ``allow_cbc`` by
    AES-CBC in a signed Response. With a ``single_logout_url`` (for HTTP-Redirect) signing out at one side signs out at
    the other, for which the schema has to declare ``SingleLogoutUrl`` and ``SingleLogoutServiceUrl``. ``certificates`` is
    PEM text of one or two certificates; their keys are pinned, the rest of them is not used (SAML Metadata 2.4.1.1 leaves
    it to the relying party).
    """

    issuer: str
    sign_in_url: str
    certificates: str
    unsolicited: Unsolicited = Unsolicited.ACCEPT
    sign_requests: bool = False
    request_binding: RequestBinding = RequestBinding.REDIRECT
    allow_cbc: bool = False
    single_logout_url: str = ""


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One thing that is left to do at the provider after activation: a heading and one or two sentences."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Activation:
    """What a configuration means: the SAML trust (none for a plugin without sign-in), and what the administrator still has to
    do at the provider. Whether a directory may push people is not said here: it may where the schema has a ``ScimBaseUrl``.
    """

    saml: SamlTrust | None = None
    steps: tuple[SetupStep, ...] = ()


@dataclass(frozen=True, slots=True)
class NameId:
    """The subject of an assertion (SAML Core 2.2.3). ``format`` is a URN, or empty where the provider sent none."""

    value: str
    format: str = ""
    name_qualifier: str = ""
    sp_name_qualifier: str = ""


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """An assertion that passed every check. Every value comes from bytes that a pinned certificate signed.

    ``attributes`` maps a name to its values in document order, stripped text each; one without a value maps to an empty tuple.
    ``not_on_or_after`` is the end of the bearer confirmation and ``session_not_on_or_after`` the provider's limit for
    the session (aware UTC; none where the provider set none). ``in_response_to`` is the ID of our request, or none
    for an unsolicited response. SAML Core 2.3.3, 2.4.1.2, 2.7.2.
    """

    id: str
    issuer: str
    name_id: NameId
    in_response_to: str | None
    not_on_or_after: datetime
    authn_instant: datetime
    session_index: str | None = None
    session_not_on_or_after: datetime | None = None
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def first(self, *names: str) -> str | None:
        """The first value that is not empty of the first of these attributes that has one."""
        for name in names:
            for value in self.attributes.get(name, ()):
                if value:
                    return value
        return None

    def all(self, *names: str) -> tuple[str, ...]:
        """Every value that is not empty of these attributes, in order."""
        return tuple(value for name in names for value in self.attributes.get(name, ()) if value)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in, in the host's words.

    ``subject`` never changes for a person at this provider: the account is found by it, so a new e-mail address or
    user name at the provider reaches the same person. ``user_name`` and ``email`` are as the provider writes them.
    """

    subject: str
    user_name: str
    email: str
    given_name: str = ""
    family_name: str = ""
    display_name: str = ""
    groups: tuple[str, ...] = ()
