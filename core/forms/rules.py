"""Rules that a whole schema keeps: names, kinds and conditions of its fields."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pydantic import BaseModel

from core.field_types import Kind
from core.forms.fields import Field, Tab, Widget, every

SITE_KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.ACS_URL: "acs_url",
        Kind.AUDIENCE: "audience",
        Kind.LOGIN_URL: "login_url",
        Kind.METADATA_URL: "metadata_url",
        Kind.SCIM_BASE_URL: "scim_base_url",
        Kind.SP_CERTIFICATE: "sp_certificate",
        Kind.SINGLE_LOGOUT_SERVICE_URL: "single_logout_url",
    }
)
"""The kinds that the host fills, and the attribute of ``Site`` that each comes from."""
SAML_KINDS = frozenset({Kind.SIGN_IN_URL, Kind.SIGNING_CERTIFICATES, Kind.ACS_URL})
"""What a SAML endpoint needs."""

SINGLE_LOGOUT_KINDS = frozenset({Kind.SINGLE_LOGOUT_URL, Kind.SINGLE_LOGOUT_SERVICE_URL, Kind.SP_CERTIFICATE})
"""What single logout needs beside a SAML endpoint: both addresses, and a key of ours to sign with."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class UnusableSchemaError(Exception):
    """The schema cannot be rendered or stored; the text names the field and the reason."""


def refuse_repeated(what: str, values: Iterable[str]) -> None:
    """Raise UnusableSchemaError for a value that stands twice, whatever its case. ``what`` begins the sentence."""
    repeated = [value for value, count in Counter(value.casefold() for value in values).items() if count > 1]
    if repeated:
        raise UnusableSchemaError(f"{what} {repeated[0]!r} twice")


def check_name(name: str, key: str, model: type[BaseModel]) -> None:
    """Raise UnusableSchemaError for a name that cannot be the name of a form field, or is only an alias."""
    if not _NAME.fullmatch(key):
        raise UnusableSchemaError(f"{name}: a name has letters, digits and underscores, and begins with a letter")
    if len(name.split(".")) > 1 and key not in model.model_fields:
        raise UnusableSchemaError(f"{name}: it has an alias; name the field itself as its value shall be stored")


def check_show_if(one: Field, siblings: tuple[Field, ...]) -> None:
    """Raise UnusableSchemaError where a field waits for what cannot happen, or is required while it may be hidden."""
    for key, wanted in one.show_if.items():
        above = siblings[: siblings.index(one)]
        other = next((each for each in above if each.key == key), None)
        if other is None:
            raise UnusableSchemaError(f"{one.name}: show_if names {key!r}, which is no field above it")
        possible = (True, False) if other.widget is Widget.SWITCH else tuple(each.value for each in other.options)
        if other.widget not in (Widget.SWITCH, Widget.RADIO, Widget.SELECT) or wanted not in possible:
            raise UnusableSchemaError(f"{one.name}: show_if asks {key!r} for {wanted!r}, which it can never be")
    if one.show_if and one.required:
        raise UnusableSchemaError(f"{one.name}: a field that is not always shown must be optional or have a default")


def check_posted_names(tab: str, fields: tuple[Field, ...]) -> None:
    """Raise UnusableSchemaError where a browser would send two fields of a tab under one name."""
    names = [one.name for one in every(fields)]
    names += [f"{one.name}_file" for one in fields if one.widget is Widget.CERTIFICATE]
    if Tab(tab, "", (), None, fields).takes_metadata:
        names += [f"{tab}.metadata", f"{tab}.metadata_file"]
    refuse_repeated("fields are sent under the name", names)


def check_kinds(tabs: tuple[Tab, ...]) -> None:
    """Raise UnusableSchemaError where what the fields mean to the host does not go together."""
    fields = [one for tab in tabs for one in tab.fields]
    for one in fields:
        if one.read_only and one.kind not in (*SITE_KINDS, Kind.SCIM_TOKEN, Kind.DOWNLOAD) and one.default is None:
            raise UnusableSchemaError(
                f"{one.name}: it is read-only, but the host does not fill it and it has no default"
            )
        if one.kind in SITE_KINDS and not one.read_only:
            raise UnusableSchemaError(f"{one.name}: the host fills it, so it must be read-only")
    own = [one for one in fields if one.kind and not one.read_only and one.kind is not Kind.SECRET]
    for kind, count in Counter(one.kind for one in own).items():
        if count > 1:
            raise UnusableSchemaError(
                f"{[one.name for one in own if one.kind is kind][1]}: a second field means {kind}"
            )
    kinds = {one.kind for one in fields}
    if kinds & {Kind.SIGN_IN_URL, Kind.SIGNING_CERTIFICATES} and not kinds >= SAML_KINDS:
        missing = ", ".join(sorted(kind for kind in SAML_KINDS if kind not in kinds))
        raise UnusableSchemaError(f"a sign-in needs a SignInUrl, SigningCertificates and an AcsUrl; missing: {missing}")
    if Kind.SP_CERTIFICATE in kinds and not kinds >= SAML_KINDS:
        raise UnusableSchemaError("a ServiceProviderCertificate is for a sign-in, and the schema declares none")
    _check_single_logout(kinds)
    if kinds >= SAML_KINDS and not any(tab.takes_metadata for tab in tabs):
        raise UnusableSchemaError("SignInUrl and SigningCertificates must be fields of one tab")


def _check_single_logout(kinds: set[Kind | None]) -> None:
    needed = SINGLE_LOGOUT_KINDS | SAML_KINDS
    if kinds & {Kind.SINGLE_LOGOUT_URL, Kind.SINGLE_LOGOUT_SERVICE_URL} and not kinds >= needed:
        missing = ", ".join(sorted(kind for kind in needed if kind not in kinds))
        raise UnusableSchemaError(
            "single logout needs a sign-in, a SingleLogoutUrl, a SingleLogoutServiceUrl and a "
            f"ServiceProviderCertificate; missing: {missing}"
        )
