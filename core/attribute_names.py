"""The names under which providers send what is known of a person, the most usual ones first.

Where administrators choose the names themselves, these are the ones that they choose: plain names, those of LDAP as URNs
(RFC 2798, RFC 4519; SAML Profiles 8.2), and the claims of Microsoft. ``assertion.first(*attribute_names.GIVEN_NAME)``.
"""

from __future__ import annotations

from typing import Final

_CLAIM: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

EMAIL: Final = ("email", "mail", "emailAddress", "urn:oid:0.9.2342.19200300.100.1.3", f"{_CLAIM}emailaddress")
"""An e-mail address."""
GIVEN_NAME: Final = ("givenName", "given_name", "firstName", "urn:oid:2.5.4.42", f"{_CLAIM}givenname")
"""The given name."""
FAMILY_NAME: Final = (
    "familyName",
    "family_name",
    "lastName",
    "surname",
    "sn",
    "urn:oid:2.5.4.4",
    f"{_CLAIM}surname",
)
"""The family name."""
DISPLAY_NAME: Final = ("displayName", "name", "cn", "urn:oid:2.16.840.1.113730.3.1.241", f"{_CLAIM}name")
"""The whole name as people write it."""
GROUPS: Final = ("groups", "memberOf", "http://schemas.xmlsoap.org/claims/Group")
"""Groups, a value each."""
