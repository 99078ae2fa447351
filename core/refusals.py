"""The codes of refused sign-ins and sign-outs: what went wrong, what the person reads, what the administrator changes.

Ranges: ``SSO-1xx`` the response is not accepted, ``SSO-2xx`` the person is not accepted, ``SSO-3xx`` the provider
answered with an error, ``SSO-4xx`` a message of single logout is not accepted, ``SSO-5xx`` our side. The table in
``docs/reference/codes.md`` is made from this module.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way in which a sign-in ends without a session, or a sign-out at the provider does not reach us.

    ``sentence`` is shown to anybody and never holds a value of the response. ``fix`` is for the administrator;
    ``{provider}`` in it stands for the plugin's title. ``retry`` says whether trying again may help the person.
    """

    code: str
    name: str
    check: str
    sentence: str
    fix: str
    retry: bool = False

    @property
    def of_sign_out(self) -> bool:
        """Whether it is about a message of single logout."""
        return self.code.startswith(SIGN_OUT)


SIGN_OUT = "SSO-4"
"""How the codes of single logout begin."""

_NOT_ACCEPTED = "The answer of your company's sign-in service was not accepted. Your IT team needs to look at it."
_SETTING = "Your company's sign-in service answered for a different service. Your IT team needs to change one setting."
_TIME = "The answer of your company's sign-in service came at the wrong time. Start again from the sign-in page."
_AGAIN = "This sign-in was not started in this browser, or it took too long. Start again from the sign-in page."
_PERSON = "Your company's sign-in service recognised you, but you cannot use SiQ with this account."
_SIGN_OUT = (
    "Your company's sign-in service asked to sign you out here, and that was not accepted. Sign out here as well."
)
_NO_SIGN_OUT = (
    "What your company's sign-in service sent belongs to no sign-out that waits in this browser. Nothing was changed."
)
_SIGNED_OUT = "You are signed out here. Your company's sign-in service did not sign you out."
_OURS = "Something went wrong on our side. Try again in a minute."

RESPONSE_UNREADABLE = Refusal(
    "SSO-101",
    "response_unreadable",
    "Response received",
    _NOT_ACCEPTED,
    "The form carried no readable SAMLResponse. Check that nothing between {provider} and SiQ changes the form.",
    retry=True,
)
XML_REFUSED = Refusal(
    "SSO-102",
    "xml_refused",
    "Response received",
    _NOT_ACCEPTED,
    "The response is not well-formed, too large, or holds what no SAML response needs (a DOCTYPE, a comment, repeated IDs). Ask {provider} for support.",
)
RESPONSE_SHAPE = Refusal(
    "SSO-103",
    "response_shape",
    "One response, one assertion",
    _NOT_ACCEPTED,
    "The response must hold exactly one assertion. What {provider} encrypts must be the whole assertion: not the NameID, not single attributes.",
)
AUDIENCE_MISMATCH = Refusal(
    "SSO-104",
    "audience_mismatch",
    "Audience",
    _SETTING,
    "In {provider}, set the audience to the expected value, then test again.",
)
SIGNATURE_MISSING = Refusal(
    "SSO-105",
    "signature_missing",
    "Signature",
    _NOT_ACCEPTED,
    "The assertion is not covered by a signature. In {provider}, sign the assertion, the response, or both.",
)
SIGNATURE_PROFILE = Refusal(
    "SSO-106",
    "signature_profile",
    "Signature",
    _NOT_ACCEPTED,
    "The signature is not made as SAML prescribes (one reference to its parent, enveloped, exclusive canonicalization).",
)
SIGNATURE_WEAK = Refusal(
    "SSO-107",
    "signature_weak",
    "Signature",
    _NOT_ACCEPTED,
    "The signature uses an algorithm or a key that is too weak. In {provider}, choose SHA-256 and a 2048-bit certificate.",
)
SIGNATURE_INVALID = Refusal(
    "SSO-108",
    "signature_invalid",
    "Signature",
    _NOT_ACCEPTED,
    "No certificate of this connection made this signature. If {provider} changed its certificate, add the new one here.",
)
VERSION_UNSUPPORTED = Refusal(
    "SSO-109",
    "version_unsupported",
    "Version",
    _NOT_ACCEPTED,
    "SiQ speaks SAML 2.0. Configure the application in {provider} as SAML 2.0.",
)
ISSUER_MISMATCH = Refusal(
    "SSO-110",
    "issuer_mismatch",
    "Issuer",
    _SETTING,
    "The response was issued by another identity provider. Compare the expected value with the issuer in {provider}.",
)
DESTINATION_MISMATCH = Refusal(
    "SSO-111",
    "destination_mismatch",
    "Destination",
    _SETTING,
    "The response was addressed to another URL. In {provider}, set the ACS URL to the expected value.",
)
NOT_YET_VALID = Refusal(
    "SSO-112",
    "not_yet_valid",
    "Time window",
    _TIME,
    "The assertion is not valid yet: the clocks of the two sides are too far apart. Set both by a time server.",
    retry=True,
)
EXPIRED = Refusal(
    "SSO-113",
    "expired",
    "Time window",
    _TIME,
    "The assertion arrived after its end. Compare the clocks of the two sides, and try again without a pause.",
    retry=True,
)
CONDITIONS_MISSING = Refusal(
    "SSO-114",
    "conditions_missing",
    "Time window",
    _NOT_ACCEPTED,
    "The assertion has no conditions, or one that SiQ does not understand. Use the defaults of {provider}.",
)
CONFIRMATION_MISSING = Refusal(
    "SSO-115",
    "confirmation_missing",
    "Subject confirmation",
    _NOT_ACCEPTED,
    "The assertion has no usable bearer confirmation (Recipient and NotOnOrAfter are required).",
)
RECIPIENT_MISMATCH = Refusal(
    "SSO-116",
    "recipient_mismatch",
    "Recipient",
    _SETTING,
    "The assertion was made for another URL. In {provider}, set the ACS URL to the expected value.",
)
REQUEST_UNKNOWN = Refusal(
    "SSO-117",
    "request_unknown",
    "Pending request",
    _AGAIN,
    "The response answers no sign-in that is waiting in this browser. Start from the sign-in page or the tile.",
    retry=True,
)
UNSOLICITED_REFUSED = Refusal(
    "SSO-118",
    "unsolicited_refused",
    "Pending request",
    _AGAIN,
    "This connection takes no sign-in that begins at {provider}. Put the login URL into the application's start URL.",
    retry=True,
)
AUTHN_MISSING = Refusal(
    "SSO-119",
    "authn_missing",
    "Authentication statement",
    _NOT_ACCEPTED,
    "The assertion does not say that the person signed in (AuthnStatement). Use the defaults of {provider}.",
)
SESSION_OVER = Refusal(
    "SSO-120",
    "session_over",
    "Authentication statement",
    _TIME,
    "The session at {provider} had already ended when the response arrived. Sign in there again.",
    retry=True,
)
REPLAYED = Refusal(
    "SSO-121",
    "replayed",
    "Used once",
    _AGAIN,
    "This response was used before. That happens after Back or Reload; otherwise somebody may have copied it.",
    retry=True,
)
CERTIFICATE_EXPIRED = Refusal(
    "SSO-122",
    "certificate_expired",
    "Signature",
    _NOT_ACCEPTED,
    "Every certificate of this connection has expired. Add the current certificate of {provider} here.",
)
SUBJECT_MISSING = Refusal(
    "SSO-123",
    "subject_missing",
    "Subject",
    _NOT_ACCEPTED,
    "The assertion names nobody (NameID). In {provider}, map the subject to a value that every person has.",
)

ENCRYPTION_UNEXPECTED = Refusal(
    "SSO-124",
    "encryption_unexpected",
    "Encryption",
    _NOT_ACCEPTED,
    "The assertion is encrypted, and this connection has no key to read it. Turn assertion encryption off in {provider}.",
)
KEY_TRANSPORT_REFUSED = Refusal(
    "SSO-125",
    "key_transport_refused",
    "Encryption",
    _NOT_ACCEPTED,
    "The key of the assertion is encrypted with RSA PKCS #1 v1.5, which can be broken. In {provider}, choose RSA-OAEP.",
)
ENCRYPTION_PROFILE = Refusal(
    "SSO-126",
    "encryption_profile",
    "Encryption",
    _NOT_ACCEPTED,
    "The assertion is not encrypted in a way that this connection takes. In {provider}, choose AES-GCM and RSA-OAEP. AES-CBC is taken only where it is allowed here, and only in a signed response.",
)
UNDECRYPTABLE = Refusal(
    "SSO-127",
    "undecryptable",
    "Encryption",
    _NOT_ACCEPTED,
    "No key of this connection reads the assertion. Give {provider} the certificate of SiQ that the integration shows.",
)

PERSON_REFUSED = Refusal(
    "SSO-201", "person_refused", "Match a person", _PERSON, "The plugin refused this person; the detail says why."
)
EMAIL_MISSING = Refusal(
    "SSO-202",
    "email_missing",
    "Match a person",
    _PERSON,
    "The response carries no e-mail address. In {provider}, map one, or use it as the subject.",
)
PERSON_INACTIVE = Refusal(
    "SSO-203",
    "person_inactive",
    "Match a person",
    _PERSON,
    "The account is suspended in SiQ. Reactivate the person under Users, or where the directory manages them.",
)
PERSON_AMBIGUOUS = Refusal(
    "SSO-204",
    "person_ambiguous",
    "Match a person",
    _PERSON,
    "The e-mail address belongs to an account that another identity already uses. An Admin can separate the two.",
)
PERSON_UNKNOWN = Refusal(
    "SSO-205",
    "person_unknown",
    "Match a person",
    _PERSON,
    "SiQ has no account for this person, and this connection makes none at sign-in. Push the person from {provider}, or switch on accounts at first sign-in on the Provisioning tab.",
)

PROVIDER_ERROR = Refusal(
    "SSO-301",
    "provider_error",
    "Status",
    "Your company's sign-in service did not sign you in. Try again, or ask your IT team for access.",
    "{provider} answered with an error; the status is in the details.",
    retry=True,
)
PROVIDER_DENIED = Refusal(
    "SSO-302",
    "provider_denied",
    "Status",
    "Your company's sign-in service says that you may not use SiQ. Ask your IT team for access.",
    "Assign the person to the SiQ application in {provider}.",
)

LOGOUT_UNREADABLE = Refusal(
    "SSO-401",
    "logout_unreadable",
    "Sign-out received",
    _SIGN_OUT,
    "What arrived is no LogoutRequest and no LogoutResponse of SAML 2.0 by HTTP-Redirect or HTTP-POST. Compare the logout URL in {provider}.",
)
LOGOUT_SIGNATURE = Refusal(
    "SSO-402",
    "logout_signature",
    "Sign-out signed",
    _SIGN_OUT,
    "No certificate of this connection made the signature. In {provider}, sign messages of single logout with the certificate that signs responses, and SHA-256.",
)
LOGOUT_ISSUER = Refusal(
    "SSO-403",
    "logout_issuer",
    "Sign-out issuer",
    _SIGN_OUT,
    "The message was issued by another identity provider. Compare the issuer here with the one in {provider}.",
)
LOGOUT_DESTINATION = Refusal(
    "SSO-404",
    "logout_destination",
    "Sign-out destination",
    _SIGN_OUT,
    "The message was addressed to another URL, or to none. In {provider}, set the logout URL to the expected value.",
)
LOGOUT_EXPIRED = Refusal(
    "SSO-405",
    "logout_expired",
    "Sign-out time",
    _SIGN_OUT,
    "The message was made too long ago, or for later. Compare the clocks of the two sides.",
)
LOGOUT_SUBJECT = Refusal(
    "SSO-406",
    "logout_subject",
    "Sign-out subject",
    _SIGN_OUT,
    "The request must name one person by a NameID, and sessions by SessionIndex or not at all. A NameID that is encrypted must be encrypted as assertions are: for the certificate of SiQ, with AES-GCM and RSA-OAEP.",
)
LOGOUT_UNKNOWN = Refusal(
    "SSO-407",
    "logout_unknown",
    "Pending sign-out",
    _NO_SIGN_OUT,
    "The response answers no sign-out that is waiting in this browser. It was delivered twice, too late, or elsewhere.",
)
LOGOUT_NOT_DONE = Refusal(
    "SSO-408",
    "logout_not_done",
    "Sign-out status",
    _SIGNED_OUT,
    "{provider} did not sign the person out; the status is in the details. Compare the certificate of SiQ and the logout URL there.",
)
LOGOUT_REPLAYED = Refusal(
    "SSO-409",
    "logout_replayed",
    "Sign-out used once",
    _SIGN_OUT,
    "This request was used before. That happens after Reload; otherwise somebody may have copied it.",
)

INTERNAL = Refusal(
    "SSO-500", "internal", "SiQ", _OURS, "SiQ failed; its operator finds the cause by the correlation ID.", retry=True
)
PLUGIN_FAILED = Refusal(
    "SSO-501",
    "plugin_failed",
    "Plugin",
    _OURS,
    "The plugin of this connection failed; its operator finds the cause by the correlation ID.",
)
CONNECTION_INACTIVE = Refusal(
    "SSO-502",
    "connection_inactive",
    "Connection",
    "Sign-in through this service is not switched on. Use another way to sign in, or ask your IT team.",
    "Activate the connection first.",
)

ALL: tuple[Refusal, ...] = tuple(
    sorted(
        (value for value in list(globals().values()) if isinstance(value, Refusal)), key=lambda refusal: refusal.code
    )
)
BY_CODE = {refusal.code: refusal for refusal in ALL}
