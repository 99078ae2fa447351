"""SAML 2.0 Web Browser SSO: the relying party's side of the protocol, without web and without database.

requests.py    an AuthnRequest as a URL to send the browser to
response.py    the form value that comes back -> VerifiedAssertion, or a refusal with its code
signature.py   the gate in it: nothing unsigned is behind it
document.py    XML from outside, bounded
metadata.py    our metadata, and what a provider's metadata says
"""
