"""The types of a plugin's fields, and the hints for their form. Plugins import them from :mod:`core.plugin_api`.

A type says what a value *means* to the host, in the JSON schema (key ``siq``), so that one reading of the schema
decides widget, validation, storage, prefill and endpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, SecretStr
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from core import certificates
from core.errors import CertificateRejected


class Kind(StrEnum):
    """What a field means to the host; the value of ``siq`` in its JSON schema."""

    SIGN_IN_URL = "sign_in_url"
    SIGNING_CERTIFICATES = "signing_certificates"
    ISSUER = "issuer"
    TILE_CLICKS = "tile_clicks"
    POST_LOGOUT_URL = "post_logout_url"
    PORTAL_REDIRECT_URL = "portal_redirect_url"
    SECRET = "secret"  # noqa: S105  a word, not a secret
    ACS_URL = "acs_url"
    AUDIENCE = "audience"
    LOGIN_URL = "login_url"
    METADATA_URL = "metadata_url"
    SP_CERTIFICATE = "sp_certificate"
    SINGLE_LOGOUT_URL = "single_logout_url"
    SINGLE_LOGOUT_SERVICE_URL = "single_logout_service_url"
    SCIM_BASE_URL = "scim_base_url"
    SCIM_TOKEN = "scim_token"  # noqa: S105  a word, not a secret
    DOWNLOAD = "download"


class Unsolicited(StrEnum):
    """What to do with a response that answers no request of ours (a click on the provider's tile)."""

    ACCEPT = "accept"
    """Take it, once."""
    BOUNCE = "bounce"
    """Take it as a hint and start our own request at once; immune to replay and login CSRF."""
    REFUSE = "refuse"
    """Refuse it with SSO-118: people start here, or the tile opens our login URL."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """Writes a kind and what follows from it into the JSON schema of a field. ``choices`` are value, label and help of
    an enumeration; what the field's own ``ui`` says goes before them.
    """

    kind: Kind
    format: str = ""
    read_only: bool = False
    choices: tuple[tuple[str, str, str], ...] = ()

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        schema["siq"] = self.kind.value
        if self.format:
            schema["format"] = self.format
        if self.read_only:
            schema["readOnly"] = True
        if self.choices:
            labels, helps = ({row[0]: row[column] for row in self.choices} for column in (1, 2))
            schema["words"] = {"labels": labels, "helps": helps}
        return schema


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a plugin makes; ``core.plugin_api.download`` declares one. The schema's compiler checks it."""

    filename: str
    render: Callable[..., str]

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The field's meaning. The renderer is no part of a JSON schema."""
        return {**handler(core_schema), "siq": Kind.DOWNLOAD.value, "format": "download"}


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def web_address(value: str) -> str:
    """An absolute https URL of at most 2,048 characters; http is taken for this machine only (RFC 3986).

    Spaces around it are dropped. A user name in it, a fragment-only or relative reference, a control character and
    every other scheme are refused.
    """
    text = value.strip()
    if len(text) > 2048:  # noqa: PLR2004  the length that browsers and providers agree on
        raise PydanticCustomError("url_too_long", "Enter an address of at most 2,048 characters")
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in text) or "\\" in text:  # noqa: PLR2004
        raise PydanticCustomError("url_characters", "Enter the address without spaces or line breaks")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise PydanticCustomError("url_parsing", "Enter a complete address") from None
    if parts.scheme == "http" and host in _LOOPBACK:
        return text
    if parts.scheme != "https":
        raise PydanticCustomError("url_scheme", "Enter the address with https:// at the start")
    if not host or parts.username is not None:
        raise PydanticCustomError("url_parsing", "Enter a complete address, without a user name in it")
    return text


class ValueRejected(ValueError):
    """Raised by a validator of a plugin's own model; its text is the sentence shown beside the field.

    Every other exception of a validator is answered with a general sentence, because its text is not written for
    administrators.
    """


def email_address(value: str) -> str:
    """One e-mail address, as far as it can be told without sending to it (RFC 5321: at most 254 characters)."""
    text = value.strip()
    name, _, domain = text.rpartition("@")
    usable = name and "." in domain and not domain.startswith(".") and not domain.endswith(".")
    if not usable or len(text) > 254 or any(character.isspace() or character in "<>,;" for character in text):  # noqa: PLR2004
        raise PydanticCustomError("email", "Enter an e-mail address like name@example.com")
    return text


def is_email_address(text: str) -> bool:
    r"""Whether a text is one e-mail address; a user name such as ``ada`` or ``CORP\ada`` is none."""
    try:
        email_address(text)
    except PydanticCustomError:
        return False
    return True


def entity_id(value: str) -> str:
    """An entity ID: a URI of at most 1,024 characters, compared to the letter (SAML Core 8.3.6)."""
    text = value.strip()
    if not text or len(text) > 1024 or any(character.isspace() for character in text):  # noqa: PLR2004
        raise PydanticCustomError("entity_id", "Enter the entity ID without spaces, at most 1,024 characters")
    return text


def _strip(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _certificates(value: str) -> str:
    try:
        return certificates.to_pem(certificates.read(value))
    except CertificateRejected as refused:
        raise PydanticCustomError("certificate", "{sentence}", {"sentence": refused.public}) from None


SignInUrl = Annotated[str, AfterValidator(web_address), _Meaning(Kind.SIGN_IN_URL, "uri")]
"""Where the provider takes our AuthnRequest (HTTP-Redirect binding). With ``SigningCertificates`` it gives a SAML endpoint."""
Issuer = Annotated[str, AfterValidator(entity_id), _Meaning(Kind.ISSUER)]
"""The provider's entity ID, for providers where it differs from the sign-in URL; metadata fills it too."""
TileClicks = Annotated[
    Unsolicited,
    _Meaning(
        Kind.TILE_CLICKS,
        choices=(
            ("accept", "Sign them in", "One click is enough."),
            ("bounce", "Start a new sign-in here", "One click as well, and a copied response is worth nothing."),
            ("refuse", "Refuse", "People start at SiQ. A tile that opens the login URL still works."),
        ),
    ),
]
"""What a click on the provider's tile does, chosen per connection; for ``SamlTrust.unsolicited``. Labels and helps are
built in.
"""
SigningCertificates = Annotated[
    str, BeforeValidator(_strip), AfterValidator(_certificates), _Meaning(Kind.SIGNING_CERTIFICATES, "x509-pem")
]
"""One or two certificates of the provider; the value is normalized PEM text, newest last."""
WebAddress = Annotated[str, AfterValidator(web_address), Field(json_schema_extra={"format": "uri"})]
"""An https URL that means nothing in particular to the host."""
Email = Annotated[str, AfterValidator(email_address), Field(json_schema_extra={"format": "email"})]
"""An e-mail address."""
PostLogoutUrl = Annotated[str, AfterValidator(web_address), _Meaning(Kind.POST_LOGOUT_URL, "uri")]
"""Where a person goes after signing out."""
PortalRedirectUrl = Annotated[str, AfterValidator(web_address), _Meaning(Kind.PORTAL_REDIRECT_URL, "uri")]
"""Where anonymous visitors of the organization's SiQ Portal are sent to sign in."""
Secret = Annotated[SecretStr, _Meaning(Kind.SECRET, "password")]
"""A value that is stored encrypted and never sent back to a browser."""
AcsUrl = Annotated[str, _Meaning(Kind.ACS_URL, "uri", read_only=True)]
"""The connection's assertion consumer service; filled in by the host."""
Audience = Annotated[str, _Meaning(Kind.AUDIENCE, read_only=True)]
"""The connection's entity ID; filled in by the host."""
LoginUrl = Annotated[str, _Meaning(Kind.LOGIN_URL, "uri", read_only=True)]
"""Starts a sign-in here; filled in by the host."""
MetadataUrl = Annotated[str, _Meaning(Kind.METADATA_URL, "uri", read_only=True)]
"""The connection's SAML metadata; filled in by the host."""
ServiceProviderCertificate = Annotated[str, _Meaning(Kind.SP_CERTIFICATE, read_only=True)]
"""The certificate of our own key, as PEM text; filled in by the host. With it a connection has keys: it can sign requests
and read encrypted assertions, and both certificates of a change are in its metadata."""
SingleLogoutUrl = Annotated[str, AfterValidator(web_address), _Meaning(Kind.SINGLE_LOGOUT_URL, "uri")]
"""Where the provider takes part in single logout (HTTP-Redirect binding); for ``SamlTrust.single_logout_url``. It is optional:
without it, signing out ends the session at SiQ alone. Metadata fills it."""
SingleLogoutServiceUrl = Annotated[str, _Meaning(Kind.SINGLE_LOGOUT_SERVICE_URL, "uri", read_only=True)]
"""Where the provider sends its messages of single logout; filled in by the host. It goes with ``SingleLogoutUrl`` and with
``ServiceProviderCertificate``, since every such message is signed."""
ScimBaseUrl = Annotated[str, _Meaning(Kind.SCIM_BASE_URL, "uri", read_only=True)]
"""The connection's SCIM endpoint (RFC 7644); filled in by the host. Without it a connection has none."""
ScimToken = Annotated[str, _Meaning(Kind.SCIM_TOKEN, read_only=True)]
"""Where the dialog says how the bearer token is made; the value itself never reaches a plugin."""


def ui(
    *,
    group: str = "",
    labels: dict[str, str] | None = None,
    helps: dict[str, str] | None = None,
    width: str = "",
    show_if: dict[str, str | bool | int] | None = None,
    messages: dict[str, str] | None = None,
    schemes: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Hints for the form of one field, for ``Field(json_schema_extra=ui(...))``.

    ``group`` is the key of a :class:`Group` of the tab. ``labels`` and ``helps`` name the values of an enumeration.
    ``width`` may be ``half``. ``show_if`` names a field above this one and the value that it must have.
    ``messages`` replaces the sentence of a pydantic error type (``missing``, ``url_scheme``, …) for this field.
    ``schemes`` are the URL schemes that a field of format ``uri`` takes instead of https alone.
    """
    hints = {
        "group": group,
        "labels": labels,
        "helps": helps,
        "width": width,
        "show_if": show_if,
        "messages": messages,
        "schemes": list(schemes),
    }
    return {"ui": {name: hint for name, hint in hints.items() if hint}}


@dataclass(frozen=True, slots=True)
class Group:
    """A titled group of fields. Numbered groups are steps of one task; ``key`` is what ``ui(group=...)`` names."""

    key: str
    title: str
    help: str = ""
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A callout on a tab: what is the case, and what follows from it."""

    title: str
    text: str


def tab(*groups: Group, note: Note | None = None) -> ConfigDict:
    """The ``model_config`` of a tab's model: its groups in order, and a note that stands above them."""
    hints: dict[str, Any] = {"groups": [asdict(group) for group in groups]}
    if note:
        hints["note"] = asdict(note)
    return ConfigDict(json_schema_extra={"ui": hints}, frozen=True)
