"""Custom SAML 2.0: any identity provider that can send a SAML 2.0 response."""

from pydantic import BaseModel, Field

import core.plugin_api as siq

GIVE, GET, KEYS, RULES, NAMES = (siq.ui(group=key) for key in ("give", "get", "keys", "rules", "names"))

BINDING = siq.ui(
    group="keys",
    labels={"redirect": "HTTP-Redirect", "post": "HTTP-POST"},
    helps={
        "redirect": "In the address. Nearly every provider takes it.",
        "post": "In a form, to the sign-in URL for HTTP-POST.",
    },
)


class Sso(BaseModel):
    """The only tab."""

    model_config = siq.tab(
        siq.Group("give", "Give these to your identity provider", "Most can read them from the metadata URL.", True),
        siq.Group("get", "Enter what your identity provider gives you", "All of them are in its SAML metadata.", True),
        siq.Group(
            "keys", "Signed requests and encryption", "Leave them as they are unless your provider asks for it.", True
        ),
        siq.Group("rules", "Extras", numbered=True),
        siq.Group("names", "Attributes", "The first name that has a value counts.", True),
    )
    acs_url: siq.AcsUrl = Field(title="ACS URL", json_schema_extra=GIVE)
    audience: siq.Audience = Field(title="Audience", description="Also called entity ID.", json_schema_extra=GIVE)
    login_url: siq.LoginUrl = Field(title="Login URL", description="Also called start URL.", json_schema_extra=GIVE)
    metadata_url: siq.MetadataUrl = Field(title="Metadata URL", json_schema_extra=GIVE)
    our_certificate: siq.ServiceProviderCertificate = Field(
        title="Certificate of SiQ",
        description="For a provider that checks signed requests, encrypts assertions or takes part in single logout.",
        json_schema_extra=GIVE,
    )
    our_logout_url: siq.SingleLogoutServiceUrl = Field(
        title="Logout URL", description="Also called single logout service.", json_schema_extra=GIVE
    )
    issuer: siq.Issuer = Field(title="Issuer", description="Also called entity ID.", json_schema_extra=GET)
    sign_in_url: siq.SignInUrl = Field(
        title="Sign-in URL", description="Its single sign-on service.", json_schema_extra=GET
    )
    certificate: siq.SigningCertificates = Field(
        title="X.509 Certificate", description="The one that signs responses or assertions.", json_schema_extra=GET
    )
    single_logout_url: siq.SingleLogoutUrl | None = Field(
        None,
        title="Single logout URL",
        description="Its single logout service. Without it, signing out here leaves people signed in at the provider.",
        json_schema_extra=GET,
    )
    sign_requests: bool = Field(
        False,
        title="Sign requests",
        description="Your identity provider needs the certificate of SiQ for it.",
        json_schema_extra=KEYS,
    )
    request_binding: siq.RequestBinding = Field(
        siq.RequestBinding.REDIRECT, title="How requests are sent", json_schema_extra=BINDING
    )
    allow_cbc: bool = Field(
        False,
        title="Accept AES-CBC",
        description="For a provider that cannot encrypt with AES-GCM. It has to sign the whole response then.",
        json_schema_extra=KEYS,
    )
    unsolicited: siq.TileClicks = Field(
        siq.Unsolicited.BOUNCE, title="When people click the tile at the provider", json_schema_extra=RULES
    )
    logout_url: siq.PostLogoutUrl | None = Field(
        None, title="Sign-out page", description="People land here after they sign out.", json_schema_extra=RULES
    )
    redirect_url: siq.PortalRedirectUrl | None = Field(
        None,
        title="SSO Redirect URL (SiQ Portal)",
        description="Visitors of your SiQ portal are sent here to sign in by SSO automatically. Usually the Login URL above.",
        json_schema_extra=RULES,
    )
    subject: str | None = Field(
        None,
        max_length=200,
        title="Person",
        description="The attribute that never changes for a person. Leave it empty to use the NameID.",
        json_schema_extra=NAMES,
    )
    email: list[str] = Field(list(siq.attribute_names.EMAIL), title="E-mail address", json_schema_extra=NAMES)
    given_name: list[str] = Field(list(siq.attribute_names.GIVEN_NAME), title="Given name", json_schema_extra=NAMES)
    family_name: list[str] = Field(list(siq.attribute_names.FAMILY_NAME), title="Family name", json_schema_extra=NAMES)
    display_name: list[str] = Field(
        list(siq.attribute_names.DISPLAY_NAME), title="Display name", json_schema_extra=NAMES
    )
    groups: list[str] = Field(list(siq.attribute_names.GROUPS), title="Groups", json_schema_extra=NAMES)


class Config(BaseModel):
    """What an administrator sets."""

    sso: Sso = Field(title="SSO")


@siq.hookimpl
def describe_tile() -> siq.Tile:
    """What the catalog shows."""
    return siq.Tile(
        title="Custom SAML 2.0",
        maker="SiQ",
        category=siq.Category.PROVISIONING_SSO,
        summary="For any identity provider that can send a SAML 2.0 response.",
        search=("sso", "adfs", "shibboleth", "simplesamlphp", "keycloak", "generic"),
    )


@siq.hookimpl
def config_schema() -> type[BaseModel]:
    """What the dialog is made from."""
    return Config


@siq.hookimpl
def activate(config: Config, site: siq.Site) -> siq.Activation:
    """Trust the provider as it was entered."""
    sso = config.sso
    trust = siq.SamlTrust(
        issuer=sso.issuer,
        sign_in_url=sso.sign_in_url,
        certificates=sso.certificate,
        unsolicited=sso.unsolicited,
        sign_requests=sso.sign_requests,
        request_binding=sso.request_binding,
        allow_cbc=sso.allow_cbc,
        single_logout_url=sso.single_logout_url or "",
    )
    steps = [
        siq.SetupStep("Give your provider our metadata", f"It is at {site.metadata_url}"),
        siq.SetupStep("Let it send an e-mail address", "As an attribute, or as the NameID."),
    ]
    if trust.single_logout_url:
        sent = "Messages of single logout, with SHA-256 and the key that signs sign-ins."
        steps.append(siq.SetupStep("Let it sign sign-outs", sent))
    return siq.Activation(saml=trust, steps=tuple(steps))


@siq.hookimpl
def handle_acs(config: Config, assertion: siq.VerifiedAssertion) -> siq.Identity:
    """The person by the attribute that was named, else by the NameID."""
    sso, name_id = config.sso, assertion.name_id
    subject = assertion.first(sso.subject) if sso.subject else name_id.value
    if subject is None:
        raise siq.SignInRefused(
            siq.PERSON_REFUSED, f"The attribute {sso.subject}, which names the person, is not there."
        )
    if not sso.subject and name_id.format.endswith(":transient"):
        raise siq.SignInRefused(
            siq.PERSON_REFUSED,
            "The NameID is transient: a new one each time. Send a persistent one, or name an attribute under Person.",
        )
    email = next(filter(siq.is_email_address, (*assertion.all(*sso.email), name_id.value)), None)
    if email is None:
        raise siq.SignInRefused(
            siq.EMAIL_MISSING, f"None of these holds an e-mail address: {', '.join(sso.email)}, NameID."
        )
    return siq.Identity(
        subject=subject,
        user_name=subject,
        email=email,
        given_name=assertion.first(*sso.given_name) or "",
        family_name=assertion.first(*sso.family_name) or "",
        display_name=assertion.first(*sso.display_name) or "",
        groups=assertion.all(*sso.groups),
    )
