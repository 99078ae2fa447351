"""The errors that this project raises on purpose, and that more than one package knows.

    SiqError
     ├── SettingsInvalid      the process does not start; one sentence says why
     ├── PluginBroken         this plugin is quarantined; the host starts
     │    └── PluginMisbehaved    one call of a plugin failed; nothing else is touched
     ├── ConfigRejected       an administrator's value is refused, beside its field
     ├── CertificateRejected  a text is no certificate that may be trusted
     ├── MetadataRejected     a document is no metadata of an identity provider
     ├── SignInRefused        a sign-in ends here, with a code
     ├── NotFound             no such thing, or not in this organization
     ├── Forbidden            this person may not; says who may
     └── Conflict             the thing is not in the state that this needs

What one flow raises is beside it (``PasswordRefused``, ``Throttled``, ``TokenRefused``), and ``FormInvalid`` is in ``core.forms``.

Each carries ``public``: one sentence that may be shown to anybody. What else it carries is for the administrator of
the organization concerned, and for nobody else.
"""

from __future__ import annotations

from pathlib import Path

from core.refusals import Refusal


class SiqError(Exception):
    """The root. ``public`` is a sentence for anybody who sees the failure."""

    def __init__(self, public: str) -> None:
        super().__init__(public)
        self.public = public


class SettingsInvalid(SiqError):
    """A setting of the environment cannot be used; the start stops with this one sentence."""


class PluginBroken(SiqError):
    """A plugin cannot be used as a whole. ``source`` is its file, ``public`` the reason."""

    def __init__(self, source: Path | str, reason: str) -> None:
        super().__init__(reason)
        self.source = str(source)


class PluginMisbehaved(PluginBroken):
    """One call of a plugin raised or answered the wrong type. Other calls go on."""


class ConfigRejected(SiqError):
    """A value of a configuration is refused.

    ``field`` names it as ``tab.field`` (the names of the schema); ``public`` is the sentence shown beside it.
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class CertificateRejected(SiqError):
    """A pasted or uploaded text is not a certificate that may be trusted; ``public`` says what to do instead."""


class MetadataRejected(SiqError):
    """A pasted or uploaded document is not SAML metadata of an identity provider; ``public`` says what to do."""


class SignInRefused(SiqError):
    """A sign-in is refused.

    ``refusal`` is the code with its fixed public sentence. ``detail``, ``expected`` and ``received`` are for the
    administrator only and may hold values of the response (at most 2,000 characters each are kept).
    """

    def __init__(self, refusal: Refusal, detail: str = "", *, expected: str = "", received: str = "") -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal
        self.detail = detail
        self.expected = expected
        self.received = received

    def __str__(self) -> str:
        return f"{self.refusal.code} {self.refusal.name}: {self.detail or self.refusal.sentence}"


class NotFound(SiqError):
    """There is no such thing, or it belongs to another organization; the two are never told apart."""


class Forbidden(SiqError):
    """The signed-in person may not do this; ``public`` says who may."""


class Conflict(SiqError):
    """The thing is not in the state that this act needs; ``public`` says what to do first."""
