"""Every row of the widget table in one plugin, for tests and for looking at. Start with SIQ_PLUGINS_DIR=tests/plugins_for_tests."""

import json
from datetime import date, datetime
from enum import Enum, StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, model_validator

import core.plugin_api as siq


class Region(StrEnum):
    """Where the data is kept."""

    EUROPE = "europe"
    NORTH_AMERICA = "north_america"
    ASIA = "asia"


class Size(Enum):
    """A whole number to choose."""

    SMALL = 10
    LARGE = 500


class Proxy(BaseModel):
    """Row 14: one level."""

    host: str = Field("", title="Host", max_length=100)
    port: int = Field(3128, title="Port", ge=1, le=65535)
    password: SecretStr | None = Field(None, title="Proxy password")


def settings_file(site: siq.Site) -> str:
    """What the other side reads."""
    return json.dumps({"login": site.login_url, "scim": site.scim_base_url})


class Everything(BaseModel):
    """One field or more for each row."""

    model_config = siq.tab(
        siq.Group("copy", "Read-only values", "Copy them.", numbered=True),
        siq.Group("choose", "Choices", numbered=True),
        siq.Group("write", "Texts and numbers", numbered=True),
        siq.Group("unused", "Never shown", numbered=True),
        siq.Group("inner", "Nested"),
        note=siq.Note("This plugin is for tests", "It talks to nobody."),
    )
    # 1 copy field
    login_url: siq.LoginUrl = Field(title="Login URL", json_schema_extra=siq.ui(group="copy"))
    scim_base_url: siq.ScimBaseUrl = Field(title="SCIM base URL", json_schema_extra=siq.ui(group="copy"))
    token: siq.ScimToken = Field(title="Access token", json_schema_extra=siq.ui(group="copy"))
    version: str = Field("v1", title="Version", json_schema_extra={"readOnly": True, **siq.ui(group="copy")})
    # 2 file
    settings: Annotated[str, siq.download("widgets.json", settings_file)] = Field(
        title="Settings of the other side",
        description="Filled in for this connection.",
        json_schema_extra=siq.ui(group="copy"),
    )
    # 3 certificate
    certificate: Annotated[str, Field(json_schema_extra={"format": "x509-pem"})] | None = Field(
        None, title="Peer certificate", json_schema_extra=siq.ui(group="write")
    )
    # 4 radio group: two values; three with helps
    size: Size = Field(Size.SMALL, title="Size", json_schema_extra=siq.ui(group="choose", labels={"10": "Up to ten"}))
    mode: Literal["off", "daily", "custom"] = Field(
        "off",
        title="Report",
        json_schema_extra=siq.ui(
            group="choose",
            labels={"off": "None", "daily": "Every day", "custom": "At times of your own"},
            helps={"daily": "At six in the morning.", "custom": "Say when below."},
        ),
    )
    times: list[str] = Field(
        [], title="Report times", json_schema_extra=siq.ui(group="choose", show_if={"mode": "custom"})
    )
    # 5 select
    region: Region | None = Field(None, title="Region", json_schema_extra=siq.ui(group="choose"))
    # 6 switch
    enabled: bool = Field(
        True,
        title="Send reports",
        description="Nothing is sent while it is off.",
        json_schema_extra=siq.ui(group="choose"),
    )
    # 7 checkbox group
    events: set[Literal["created", "changed", "deleted"]] = Field(
        {"created"}, title="Events", json_schema_extra=siq.ui(group="choose", labels={"deleted": "Deleted for good"})
    )
    # 8 one per line
    recipients: list[siq.Email] = Field(
        default_factory=list, title="Recipients", max_length=3, json_schema_extra=siq.ui(group="write")
    )
    # 9 numbers
    retries: int = Field(3, title="Retries", ge=0, le=10, json_schema_extra=siq.ui(group="write", width="half"))
    factor: float | None = Field(None, title="Factor", gt=0, multiple_of=0.5, json_schema_extra=siq.ui(group="write"))
    # 10 address
    webhook: siq.WebAddress = Field(
        title="Webhook URL",
        description="Where events are sent.",
        examples=["https://example.com/hook"],
        json_schema_extra=siq.ui(group="write"),
    )
    directory: Annotated[str, Field(json_schema_extra={"format": "uri"})] | None = Field(
        None, title="Directory", json_schema_extra=siq.ui(group="write", schemes=("ldaps", "ldap"))
    )
    # 11 e-mail address, date, date and time
    contact: siq.Email | None = Field(None, title="Contact", json_schema_extra=siq.ui(group="write"))
    since: date | None = Field(None, title="First day", json_schema_extra=siq.ui(group="write"))
    until: datetime | None = Field(None, title="Ends at", json_schema_extra=siq.ui(group="write"))
    # 12 secret
    api_key: siq.Secret = Field(title="API key", json_schema_extra=siq.ui(group="write"))
    # 13 text area
    message: str = Field("", title="Message", max_length=400, json_schema_extra=siq.ui(group="write"))
    footer: Annotated[str, Field(json_schema_extra={"format": "textarea"})] | None = Field(
        None, title="Footer", json_schema_extra=siq.ui(group="write")
    )
    # 14 nested object
    proxy: Proxy | None = Field(
        None, title="Proxy", description="Only where one is needed.", json_schema_extra=siq.ui(group="inner")
    )
    # 15 text
    name: str = Field(
        title="Name",
        min_length=2,
        max_length=40,
        pattern="^[a-z ]+$",
        json_schema_extra=siq.ui(
            group="write", messages={"string_pattern_mismatch": "Enter the name in small letters"}
        ),
    )

    @model_validator(mode="after")
    def _either(self) -> "Everything":
        if self.enabled and self.mode == "custom" and not self.times:
            raise siq.ValueRejected("Enter at least one report time, or choose another report")
        return self


class Config(BaseModel):
    """One tab with everything."""

    everything: Everything = Field(title="Everything")


@siq.hookimpl
def describe_tile() -> siq.Tile:
    """What the catalog shows."""
    return siq.Tile("Every widget", "SiQ", siq.Category.DEVELOPER, "Shows every kind of field that a plugin can have.")


@siq.hookimpl
def config_schema() -> type[BaseModel]:
    """What the dialog is made from."""
    return Config


@siq.hookimpl
def activate(config: Config) -> siq.Activation:
    """Nothing follows from it."""
    if config.everything.name == "rejected":
        raise siq.ConfigRejected("everything.name", "This name is taken")
    return siq.Activation()
