"""SAML 2.0 Web Browser SSO: the relying party's side of the protocol, without web and without database.

requests.py    an AuthnRequest, as a URL to send the browser to or as a form
signing.py     a message of ours, signed as XML
logout.py      single logout: both messages, of both sides
redirect.py    the HTTP-Redirect binding: a message in a query, signed or not
response.py    the form value that comes back -> VerifiedAssertion, or a refusal with its code
received.py    its first half: what came -> signed bytes
encryption.py  an encrypted assertion -> the bytes in it
signature.py   the gate in it: nothing unsigned is behind it
document.py    XML from outside, bounded
service_keys.py  our own keys at a connection
metadata.py    our metadata, and what a provider's metadata says
"""
