"""Amazon AWS: people sign in through IAM Identity Center, which was called AWS SSO."""

from pydantic import BaseModel, Field

import core.plugin_api as siq
from plugins.aws_sso.sender_template import SenderTemplate
from plugins.aws_sso.words import FIXES, OTHER_PAGES


class Provisioning(BaseModel):
    """The first tab."""

    model_config = siq.tab(
        siq.Group("send", "Where AWS sends users and groups", "The template pushes them to this address."),
        note=siq.Note("Users cannot be pulled from Amazon AWS", "The information must be pushed from Amazon AWS."),
    )
    base_url: siq.ScimBaseUrl = Field(title="SCIM base URL", json_schema_extra=siq.ui(group="send"))
    sender: SenderTemplate = Field(title="CloudFormation template", json_schema_extra=siq.ui(group="send"))


class Sso(BaseModel):
    """The second tab."""

    model_config = siq.tab(
        siq.Group("give", "Give these to AWS IAM Identity Center", "Paste them into the SAML application.", True),
        siq.Group("get", "Enter what AWS gives you", "Both are under IAM Identity Center metadata.", True),
        siq.Group("more", "Extras", numbered=True),
    )
    acs_url: siq.AcsUrl = Field(title="Application ACS URL", json_schema_extra=siq.ui(group="give"))
    audience: siq.Audience = Field(title="Application SAML Audience", json_schema_extra=siq.ui(group="give"))
    sign_in_url: siq.SignInUrl = Field(
        title="AWS SSO sign-in URL",
        description="In AWS it is called IAM Identity Center SAML issuer URL; the sign-in URL there is the same.",
        json_schema_extra=siq.ui(group="get", messages={"missing": "Enter the sign-in URL"}),
    )
    certificate: siq.SigningCertificates = Field(
        title="X.509 Certificate",
        description="Paste the text or choose the file you downloaded. It is checked before anything is saved.",
        json_schema_extra=siq.ui(group="get"),
    )
    portal_url: siq.PostLogoutUrl | None = Field(
        None,
        title="Amazon AWS Portal URL",
        description="People land here after they sign out. In AWS it is the access portal URL.",
        json_schema_extra=siq.ui(group="more"),
    )
    redirect_url: siq.PortalRedirectUrl | None = Field(
        None,
        title="SSO Redirect URL (SiQ Portal)",
        description="Visitors of your SiQ portal are sent here to sign in by SSO automatically. Usually the Login URL, shown once active.",
        json_schema_extra=siq.ui(group="more"),
    )
    tile_clicks: siq.TileClicks = Field(
        siq.Unsolicited.ACCEPT, title="When people click the tile in AWS", json_schema_extra=siq.ui(group="more")
    )


class Config(BaseModel):
    """What an administrator sets: one field for each tab."""

    provisioning: Provisioning = Field(title="Provisioning")
    sso: Sso = Field(title="SSO")


@siq.hookimpl
def describe_tile() -> siq.Tile:
    """What the catalog shows."""
    return siq.Tile(
        title="Amazon AWS",
        maker="Amazon Web Services",
        category=siq.Category.PROVISIONING_SSO,
        summary="Let people sign in with their AWS workforce account, through IAM Identity Center.",
        search=("aws sso", "iam identity center", "saml", "scim"),
        documentation="https://docs.aws.amazon.com/singlesignon/latest/userguide/customermanagedapps-saml2-setup.html",
        fixes=FIXES,
    )


@siq.hookimpl
def config_schema() -> type[BaseModel]:
    """What the dialog is made from."""
    return Config


@siq.hookimpl
def activate(config: Config, site: siq.Site) -> siq.Activation:
    """Trust the identity provider behind the sign-in URL, which in AWS is the issuer as well."""
    sso, url = config.sso, config.sso.sign_in_url
    for part, page in OTHER_PAGES.items():
        if part in url:
            raise siq.ConfigRejected("sso.sign_in_url", f"This is the {page}. Enter the sign-in URL beside it")
    optional = "" if sso.tile_clicks is siq.Unsolicited.REFUSE else " (optional)"
    steps = (
        siq.SetupStep("Paste two values into AWS", "The Application ACS URL and the Application SAML audience."),
        siq.SetupStep("Map two attributes in AWS", "Subject to ${user:subject}, and email to ${user:email}."),
        siq.SetupStep("Assign people", "Only people and groups that are assigned to the application can sign in."),
        siq.SetupStep(f"Let the tile start here{optional}", f"Set the Application start URL to {site.login_url}"),
    )
    return siq.Activation(siq.SamlTrust(url, url, sso.certificate, sso.tile_clicks), steps)


@siq.hookimpl
def handle_acs(assertion: siq.VerifiedAssertion) -> siq.Identity:
    """The Subject is the person; the other attributes are there as far as somebody mapped them in AWS."""
    subject = assertion.name_id.value
    if assertion.name_id.format.endswith(":transient"):
        raise siq.SignInRefused(siq.PERSON_REFUSED, "The Subject is transient. In AWS, choose persistent.")
    email = next(filter(siq.is_email_address, (*assertion.all(*siq.attribute_names.EMAIL), subject)), None)
    if email is None:
        raise siq.SignInRefused(siq.EMAIL_MISSING, "No attribute holds an address. In AWS, map email to ${user:email}.")
    return siq.Identity(
        subject=subject,
        user_name=subject,
        email=email,
        given_name=assertion.first(*siq.attribute_names.GIVEN_NAME) or "",
        family_name=assertion.first(*siq.attribute_names.FAMILY_NAME) or "",
        display_name=assertion.first(*siq.attribute_names.DISPLAY_NAME) or "",
        groups=assertion.all(*siq.attribute_names.GROUPS),
    )
