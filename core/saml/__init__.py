"""SAML 2.0 Web Browser SSO and single logout: the relying party's side of the protocol, without web and without database.

What comes in:
    response.py     the form value of a sign-in -> VerifiedAssertion, or a refusal with its code
    received.py     its first half: what came -> signed bytes
    encryption.py   something encrypted -> the bytes in it
    logout.py       single logout: both messages, of both sides
    signature.py    the gate of XML: nothing unsigned is behind it
    redirect.py     the HTTP-Redirect binding: a message in a query, signed or not
    pinned_keys.py  the keys of a connection's certificates, and whether one of them made a signature
    document.py     XML from outside, bounded
    elements.py     the names in a message, and what one element says

What goes out:
    requests.py     an AuthnRequest, as a URL to send the browser to or as a form
    signing.py      a message of ours, signed as XML
    service_keys.py  our own keys at a connection
    metadata.py     our metadata, and what a provider's metadata says
"""
