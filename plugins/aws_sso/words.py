"""What AWS calls things: pages that are taken for the sign-in URL, and what to change there when a sign-in is refused."""

import core.plugin_api as siq

OTHER_PAGES = {"/saml/logout/": "sign-out URL", "/saml/metadata/": "address of the metadata file"}
"""A part of an address -> what AWS calls it. AWS shows all of them side by side."""

_EDIT = "In IAM Identity Center, open the application and choose Actions, Edit configuration."
_MAP = "In IAM Identity Center, open the application and choose Actions, Edit attribute mappings."
_CERTIFICATE = (
    "In IAM Identity Center, open the application and choose Actions, Edit configuration. Download the IAM Identity Center "
    "certificate and add it here beside the one that is in use."
)

_BETWEEN = "Look at what stands between AWS and SiQ."

FIXES = {
    siq.refusals.AUDIENCE_MISMATCH: f"{_EDIT} Set Application SAML audience to the expected value.",
    siq.refusals.RESPONSE_SHAPE: f"IAM Identity Center sends one assertion, and this is something else. {_BETWEEN}",
    siq.refusals.SIGNATURE_MISSING: f"IAM Identity Center signs every assertion, and this one is not signed. {_BETWEEN}",
    siq.refusals.SIGNATURE_WEAK: (
        "The signature uses an algorithm or a key that is too weak. In IAM Identity Center, open the application, choose Manage certificate "
        "and generate a certificate with SHA-256 and 2048 bits. Add it here, then make it active in AWS."
    ),
    siq.refusals.DESTINATION_MISMATCH: f"{_EDIT} Set Application ACS URL to the expected value.",
    siq.refusals.RECIPIENT_MISMATCH: f"{_EDIT} Set Application ACS URL to the expected value.",
    siq.refusals.ISSUER_MISMATCH: (
        f"{_EDIT} Copy IAM Identity Center SAML issuer URL from there to AWS SSO sign-in URL here: each application in AWS "
        "has its own."
    ),
    siq.refusals.SIGNATURE_INVALID: f"No certificate of this connection made this signature. {_CERTIFICATE}",
    siq.refusals.CERTIFICATE_EXPIRED: f"Every certificate of this connection has expired. {_CERTIFICATE}",
    siq.refusals.UNSOLICITED_REFUSED: (
        f"This connection takes no click on the tile in the AWS access portal. {_EDIT} Set Application start URL to the login "
        "URL that SiQ shows, or change here what a click on the tile does."
    ),
    siq.refusals.SUBJECT_MISSING: f"The assertion names nobody. {_MAP} Map Subject to ${{user:subject}}.",
    siq.refusals.ENCRYPTION_UNEXPECTED: (
        f"The assertion is encrypted, which IAM Identity Center does not do. {_BETWEEN}"
    ),
    siq.refusals.PERSON_REFUSED: f"The Subject is another one at each sign-in. {_MAP} Set the Format of Subject to persistent.",
    siq.refusals.EMAIL_MISSING: f"No attribute holds an e-mail address. {_MAP} Map email to ${{user:email}}.",
    siq.refusals.PERSON_UNKNOWN: (
        "SiQ has no account for this person, and this connection makes none at sign-in. Let the sender push the person from "
        "AWS, or switch on accounts at first sign-in on the Provisioning tab."
    ),
    siq.refusals.PROVIDER_ERROR: (
        "AWS answered with an error; the status is in the details. Look for the sign-in in CloudTrail, and at the user in IAM "
        "Identity Center."
    ),
    siq.refusals.PROVIDER_DENIED: (
        "In IAM Identity Center, open the application and assign the person, or a group of theirs, under Assigned users and groups."
    ),
}
"""What the administrator reads in place of the usual sentence."""
