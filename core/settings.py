"""Settings, from environment variables that begin with ``SIQ_``.

The table in ``docs/reference/settings.md`` is made from this module. A bad value stops the start with one sentence.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import SettingsInvalid


class Settings(BaseSettings):
    """Everything that an operator may set. Immutable once read."""

    model_config = SettingsConfigDict(env_prefix="SIQ_", frozen=True, extra="ignore")

    public_url: str = Field(
        default="http://localhost:8000",
        title="Public URL",
        description="Where browsers reach SiQ: scheme, host and port, no path. The only source of every absolute URL; no request header is believed.",
    )
    data_dir: Path = Field(
        default=Path("var"),
        title="Data folder",
        description="Holds the SQLite database and the key file where neither is set otherwise; made when missing.",
    )
    database_url: str = Field(
        default="",
        title="Database",
        description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME. Empty: siq.db in the data folder.",
    )
    secret_keys: SecretStr = Field(
        default=SecretStr(""),
        title="Secret keys",
        description="One or more secrets of at least 32 characters, separated by commas; the first one encrypts, all decrypt. Empty: one is made in secret.key in the data folder. Set it where more than one host runs.",
    )
    plugins_dir: Path | None = Field(
        default=None, title="Plugin folder", description="A folder with further plugins, one folder or file each."
    )
    clock_skew_seconds: int = Field(
        default=60,
        ge=0,
        le=300,
        title="Clock skew",
        description="Seconds by which a provider's clock may differ from ours.",
    )
    login_request_minutes: int = Field(
        default=10,
        ge=1,
        le=60,
        title="Pending sign-in",
        description="Minutes that a person has to sign in at the provider.",
    )
    session_idle_minutes: int = Field(
        default=480,
        ge=1,
        le=43_200,
        title="Idle session",
        description="Minutes without a request after which a session ends.",
    )
    session_hours: int = Field(
        default=24,
        ge=1,
        le=720,
        title="Session",
        description="Hours after which a session ends whatever happens; a provider's own limit may end it sooner.",
    )
    trace_days: int = Field(
        default=30,
        ge=1,
        le=400,
        title="Sign-in traces",
        description="Days for which attempts with their redacted XML are kept.",
    )
    deletion_days: int = Field(
        default=30,
        ge=0,
        le=400,
        title="Deletion of people who left",
        description="Days between the moment a person is removed by the directory or an administrator, when all access ends, and the deletion of the account.",
    )
    brake_percent: int = Field(
        default=20,
        ge=1,
        le=100,
        title="Brake, share of people",
        description="When more than this percentage of a connection's people leave within the brake's window, their access ends at once but their deletion waits for an Admin.",
    )
    brake_users: int = Field(
        default=50,
        ge=1,
        title="Brake, number of people",
        description="The same for a number of people, whichever is reached first.",
    )
    brake_minutes: int = Field(
        default=10, ge=1, le=1440, title="Brake, window", description="Minutes in which the brake counts."
    )
    scim_token_days: int = Field(
        default=365,
        ge=1,
        le=3650,
        title="SCIM token",
        description="Days for which a new bearer token of a directory is valid.",
    )
    scim_overlap_hours: int = Field(
        default=24,
        ge=0,
        le=720,
        title="SCIM token overlap",
        description="Hours for which a rotated token still works beside its successor.",
    )
    scim_log_days: int = Field(
        default=30,
        ge=1,
        le=400,
        title="SCIM requests",
        description="Days for which requests of directories are kept, at most 10,000 a connection.",
    )
    trusted_proxies: str = Field(
        default="",
        title="Trusted proxies",
        description="Addresses of reverse proxies, separated by commas, whose X-Forwarded-For names the client's address (for logs and throttling only). Empty: none is believed.",
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        title="Metrics token",
        description="Bearer token that /metrics asks for. Empty: there is no /metrics.",
    )
    log_format: str = Field(
        default="json", pattern="^(json|text)$", title="Log format", description="json, or text for people."
    )

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str) -> str:
        parts = urlsplit(value.strip().rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.fragment:
            raise ValueError("must be an origin such as https://siq.example.com")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value.startswith("postgres"):  # postgres:// and postgresql:// are both in use; we speak psycopg 3
            return "postgresql+psycopg://" + value.partition("://")[2]
        if value and not value.startswith("sqlite:///"):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        return value

    @field_validator("secret_keys")
    @classmethod
    def _keys(cls, value: SecretStr) -> SecretStr:
        if any(len(key.strip()) < 32 for key in value.get_secret_value().split(",") if key.strip()):  # noqa: PLR2004  128 bits where they are hexadecimal digits
            raise ValueError("must be secrets of at least 32 characters each")
        return value

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir / 'siq.db'}"

    @property
    def secure(self) -> bool:
        """Whether browsers reach us by https, so that cookies may say so."""
        return self.public_url.startswith("https://")


def read() -> Settings:
    """The settings of this process's environment. Raises ``SettingsInvalid`` with one sentence for the first bad one."""
    try:
        return Settings()
    except ValidationError as invalid:
        first = invalid.errors()[0]
        name = "SIQ_" + str(first["loc"][0]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsInvalid(f"{name}: {reason}.") from None
