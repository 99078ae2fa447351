"""What goes in and out of a form: posted values, stored values, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import SiqError

Values = dict[str, dict[str, Any]]
"""Tab -> field -> plain JSON value, of declared fields that are not read-only. This is what is stored, encrypted."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file. An empty ``data`` means that no file was chosen."""

    filename: str
    data: bytes


Posted = Mapping[str, Sequence[str | Upload]]
"""What a browser or a command line sends, by name.

Names are ``<tab>.<field>`` and ``<tab>.<field>.<inner>``, certificate files ``<tab>.<field>_file``, and on a tab with a
sign-in URL and certificates ``<tab>.metadata`` and ``<tab>.metadata_file``. A name that is not there keeps its stored
value. A browser leaves unchecked boxes out, so an empty hidden input of the same name stands before each switch and
each group of checkboxes; the last value of a switch counts.
"""


class ProviderMetadata(Protocol):
    """What metadata of an identity provider says (``core.saml.metadata`` reads it)."""

    @property
    def entity_id(self) -> str:
        """The provider's entity ID."""

    @property
    def sign_in_url(self) -> str:
        """Where it takes requests by the HTTP-Redirect binding."""

    @property
    def certificates(self) -> str:
        """Its signing certificates as PEM text."""

    @property
    def single_logout_url(self) -> str:
        """Where it takes part in single logout by the HTTP-Redirect binding, or empty."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One problem: the field as ``tab.field``, the id of its element, its label, and what to do about it."""

    field: str
    id: str
    label: str
    sentence: str


class FormInvalid(SiqError):
    """Values that cannot be used.

    ``errors`` has at most one entry a field, in the order of the form. ``values`` is everything that was entered, so
    that the form can be shown again without loss; ``metadata`` is the metadata text that was entered, by tab.
    """

    def __init__(self, errors: Sequence[FieldError], values: Values, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__("There is a problem with what was entered.")
        self.errors = tuple(errors)
        self.values = values
        self.metadata = dict(metadata or {})

    def __str__(self) -> str:
        return "; ".join(f"{error.field}: {error.sentence}" for error in self.errors)
