"""What the host accepts as an answer: the type to the letter, and bounds that keep pages, tables and logs usable.

Each check raises ``WrongAnswerError`` with what is wrong, without any value of a person in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from core import certificates, refusals
from core.errors import CertificateRejected, ConfigRejected, SignInRefused
from core.field_types import web_address
from core.forms import Form
from core.plugin_api import Activation, Category, Identity, RequestBinding, SamlTrust, SetupStep, Tile, Unsolicited

MOST_CHARACTERS = 512
"""Of each text of an identity; the columns have no more."""
MOST_OF_AN_ADDRESS = 320
"""Characters in lower case, in which some letters are two: the column has no more (RFC 5321 has 254)."""
MOST_GROUPS = 1000
MOST_FILE_BYTES = 4 * 1024 * 1024
"""Of a file that a plugin makes; the largest template that CloudFormation takes has 1 MB."""
_MOST_STEPS = 20
_MOST_SENTENCE = 300
_MOST_FIX = 400
_MOST_DETAIL = 2000

T = TypeVar("T")


class WrongAnswerError(Exception):
    """An answer, or a refusal, that the host does not accept; the text says why."""


def check_tile(tile: object) -> Tile:
    """A tile whose texts fit the catalog: title and maker 60, summary 200 characters, 30 search words."""
    answer = _of_type(tile, Tile)
    _text("title", answer.title, 60)
    _text("maker", answer.maker, 60)
    _text("summary", answer.summary, 200)
    _of_type(answer.category, Category, "category")
    for word in _texts("search", answer.search, 30):
        _text("search", word, 60)
    if _text("documentation", answer.documentation, 2048, empty=True):
        _address("documentation", answer.documentation)
    if not isinstance(answer.fixes, Mapping):
        raise WrongAnswerError(f"fixes is {_named(answer.fixes)}; it must map refusals to sentences")
    for refusal, sentence in answer.fixes.items():
        if refusal not in refusals.ALL:
            raise WrongAnswerError("fixes has a key that is not one of core.refusals")
        _text(f"fixes of {refusal.code}", sentence, _MOST_FIX)
    return answer


def check_model(model: object) -> type[BaseModel]:
    """The class of a pydantic model."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise WrongAnswerError(f"it answered {_named(model)}; it must answer the class of a pydantic model")
    return model


def check_activation(answer: object, form: Form) -> Activation:
    """An activation that gives no endpoint that the schema does not declare."""
    activation = _of_type(answer, Activation)
    if activation.saml is not None:
        if not form.saml:
            raise WrongAnswerError(
                "it gives a SAML trust, but the schema has no SignInUrl, SigningCertificates and AcsUrl"
            )
        _check_trust(activation.saml)
        if activation.saml.sign_requests and not form.has_own_keys:
            raise WrongAnswerError("it signs requests, but the schema has no ServiceProviderCertificate")
        if activation.saml.single_logout_url and not form.single_logout:
            raise WrongAnswerError(
                "it gives a single logout URL, but the schema has no SingleLogoutUrl and SingleLogoutServiceUrl"
            )
    if len(_of_type(activation.steps, tuple, "steps")) > _MOST_STEPS:
        raise WrongAnswerError(f"it gives more than {_MOST_STEPS} steps")
    for step in activation.steps:
        _of_type(step, SetupStep, "steps")
        _text("step title", step.title, 120)
        _text("step text", step.text, 1000)
    return activation


def _check_trust(trust: SamlTrust) -> None:
    _of_type(trust, SamlTrust, "saml")
    _of_type(trust.unsolicited, Unsolicited, "unsolicited")
    _of_type(trust.sign_requests, bool, "sign_requests")
    _of_type(trust.allow_cbc, bool, "allow_cbc")
    _of_type(trust.request_binding, RequestBinding, "request_binding")
    _text("issuer", trust.issuer, 2048)
    _text("sign-in URL", trust.sign_in_url, 2048)
    _address("sign-in URL", trust.sign_in_url)
    if _text("single logout URL", trust.single_logout_url, 2048, empty=True):
        _address("single logout URL", trust.single_logout_url)
    try:
        certificates.read(_of_type(trust.certificates, str, "certificates"))
    except CertificateRejected as refused:
        raise WrongAnswerError(f"its certificates cannot be used: {refused.public}") from None


def check_identity(answer: object) -> Identity:
    """An identity whose subject, user name and e-mail address are there, each text at most 512 characters,
    the address 320.
    """
    identity = _of_type(answer, Identity)
    for name in ("subject", "user_name", "email"):
        _text(name, getattr(identity, name), MOST_CHARACTERS)
    for name in ("given_name", "family_name", "display_name"):
        _text(name, getattr(identity, name), MOST_CHARACTERS, empty=True)
    _text("email", identity.email.lower(), MOST_OF_AN_ADDRESS)
    if not all(identity.email.rpartition("@")[::2]):
        raise WrongAnswerError("email is no e-mail address")
    for group in _texts("groups", identity.groups, MOST_GROUPS):
        _text("groups", group, MOST_CHARACTERS)
    return identity


def check_file(answer: object) -> bytes:
    """The text of a file as UTF-8: not empty, at most ``MOST_FILE_BYTES``."""
    text = _of_type(answer, str)
    if not text.strip():
        raise WrongAnswerError("it answered an empty text")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise WrongAnswerError("it answered half a surrogate pair, which is no text") from None
    if len(data) > MOST_FILE_BYTES:
        raise WrongAnswerError(f"it answered {len(data):,} bytes; at most {MOST_FILE_BYTES:,} are taken")
    return data


def check_config_rejected(rejected: ConfigRejected, form: Form) -> ConfigRejected:
    """A rejection that names a field which a person can change."""
    field = form.field(str(rejected.field))
    if field is None or field.read_only:
        raise WrongAnswerError(f"it rejected {rejected.field!r}, which is no field that can be changed")
    _text("sentence", rejected.public, _MOST_SENTENCE)
    return rejected


def check_refusal(refused: SignInRefused) -> SignInRefused:
    """A refusal with one of the host's codes for sign-ins, its details cut to what is kept.

    A refusal of the plugin's own making would show its own sentence to anybody.
    """
    known = refusals.BY_CODE.get(getattr(refused.refusal, "code", ""))
    if known is None or known != refused.refusal:
        raise WrongAnswerError("it refused with a code that is not one of core.refusals")
    if known.of_sign_out:
        raise WrongAnswerError(f"it refused with {known.code}, which is about sign-outs")
    return SignInRefused(
        known,
        str(refused.detail)[:_MOST_DETAIL],
        expected=str(refused.expected)[:_MOST_DETAIL],
        received=str(refused.received)[:_MOST_DETAIL],
    )


def _of_type(value: object, wanted: type[T], name: str = "") -> T:
    if not isinstance(value, wanted):
        raise WrongAnswerError(
            f"{name or 'it'} {'is' if name else 'answered'} {_named(value)}; it must be {wanted.__name__}"
        )
    return value


def _named(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _text(name: str, value: Any, most: int, *, empty: bool = False) -> str:
    if not isinstance(value, str):
        raise WrongAnswerError(f"{name} is {_named(value)}; it must be a str")
    if not (value.strip() or empty):
        raise WrongAnswerError(f"{name} is empty")
    if len(value) > most:
        raise WrongAnswerError(f"{name} has {len(value)} characters; at most {most} are kept")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise WrongAnswerError(f"{name} holds a character that cannot be stored")
    return value


def _texts(name: str, value: Any, most: int) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise WrongAnswerError(f"{name} is {_named(value)}; it must be a tuple of str")
    if len(value) > most:
        raise WrongAnswerError(f"{name} has {len(value)} entries; at most {most} are kept")
    return value


def _address(name: str, value: str) -> None:
    try:
        web_address(value)
    except PydanticCustomError:
        raise WrongAnswerError(f"{name} is no https address") from None
