"""Responses that another program signed: pybergshamra, which canonicalizes by itself.

The practice provider makes canonical forms as the gate does, so a form that both make wrong would look right. Here the
shapes are those of real providers, and then any that can be written.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from functools import cache

import pybergshamra
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.saml import document, signature
from core.testing.identity_provider import ASSERTION, DSIG, EXCLUSIVE, PROTOCOL
from tests.core.saml.given import ACS_URL, AUDIENCE, ISSUER, NOW, REQUEST, accept, keys, provider

XS = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


@cache
def _signer() -> pybergshamra.DsigContext:
    pem = provider().key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    manager = pybergshamra.KeysManager()
    manager.add_key(pybergshamra.load_pem_auto(pem))
    return pybergshamra.DsigContext.secure(manager)


def signed(template: str) -> str:
    """With the values of its first signature, which are empty, filled in."""
    return pybergshamra.sign(_signer(), template)


def xmlns(prefix: str, uri: str) -> str:
    return f'xmlns{":" * bool(prefix)}{prefix}="{uri}"'


def signature_of(
    identifier: str, prefix: str = "ds", of_element: str = "", of_signed_info: str = "", space: str = ""
) -> str:
    """A signature without its values. The two PrefixLists are those of the reference and of SignedInfo."""
    d = f"{prefix}:" if prefix else ""

    def method(name: str, algorithm: str, prefixes: str = "") -> str:
        inside = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{prefixes}"/>' if prefixes else ""
        return f'<{d}{name} Algorithm="{algorithm}">{inside}</{d}{name}>{space}'

    return (
        f"<{d}Signature {xmlns(prefix, DSIG)}>{space}<{d}SignedInfo>{space}"
        f"{method('CanonicalizationMethod', EXCLUSIVE, of_signed_info)}"
        f"{method('SignatureMethod', 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256')}"
        f'<{d}Reference URI="#{identifier}">{space}<{d}Transforms>{space}'
        f"{method('Transform', f'{DSIG}enveloped-signature')}{method('Transform', EXCLUSIVE, of_element)}"
        f"</{d}Transforms>{space}{method('DigestMethod', 'http://www.w3.org/2001/04/xmlenc#sha256')}"
        f"<{d}DigestValue></{d}DigestValue>{space}</{d}Reference>{space}</{d}SignedInfo>{space}"
        f"<{d}SignatureValue></{d}SignatureValue>{space}</{d}Signature>"
    )


def response(
    p: str = "samlp", a: str = "saml", *, top: str = "", own: str = "", value: str = "ada@example.test", typed: str = ""
) -> str:
    """A response with a place for each signature: ``{response}`` and ``{assertion}``. An empty prefix is a default namespace.

    ``top`` is declared at the Response, ``own`` at the Assertion; ``typed`` stands in the AttributeValue.
    """
    pp, aa = (f"{prefix}:" if prefix else "" for prefix in (p, a))
    start, end = (f"{NOW:%Y-%m-%dT%H:}{minute}:00Z" for minute in ("00", "30"))
    return (
        f'<{pp}Response {xmlns(p, PROTOCOL)} {top} ID="_r" Version="2.0" IssueInstant="{start}">'
        f"<{aa}Issuer {xmlns(a, ASSERTION)}>{ISSUER}</{aa}Issuer>{{response}}"
        f'<{pp}Status><{pp}StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></{pp}Status>'
        f'<{aa}Assertion {xmlns(a, ASSERTION)} {own} ID="_a" Version="2.0" IssueInstant="{start}">'
        f"<{aa}Issuer>{ISSUER}</{aa}Issuer>{{assertion}}<{aa}Subject><{aa}NameID>{value}</{aa}NameID>"
        f'<{aa}SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><{aa}SubjectConfirmationData '
        f'InResponseTo="{REQUEST}" NotOnOrAfter="{end}" Recipient="{ACS_URL}"/></{aa}SubjectConfirmation></{aa}Subject>'
        f'<{aa}Conditions NotBefore="{start}" NotOnOrAfter="{end}"><{aa}AudienceRestriction><{aa}Audience>{AUDIENCE}'
        f"</{aa}Audience></{aa}AudienceRestriction></{aa}Conditions>"
        f'<{aa}AuthnStatement AuthnInstant="{start}"/><{aa}AttributeStatement><{aa}Attribute Name="email">'
        f"<{aa}AttributeValue {typed}>{value}</{aa}AttributeValue></{aa}Attribute></{aa}AttributeStatement>"
        f"</{aa}Assertion></{pp}Response>"
    )


OKTA = response("saml2p", "saml2", top=f'xmlns:xs="{XS}"', typed=f'xmlns:xsi="{XSI}" xsi:type="xs:string"')
ENTRA = response("samlp", "")
ADFS = response("samlp", "", typed='xmlns:a="http://www.w3.org/2001/XMLSchema" a:nil="x"')
KEYCLOAK = response(
    "samlp", "saml", top=f'xmlns="{ASSERTION}"', typed=f'xmlns:xs="{XS}" xmlns:xsi="{XSI}" xsi:type="xs:string"'
)
OLD_SUN = response("samlp", "saml", top='xmlns="urn:of:somebody" xmlns:rw="urn:rw"', typed='xmlns:xs="urn:x" xs:a=""')
BARE = response("", "", top='xml:lang="de"')
IN_REFERENCES = response(value="&#97;d&#x61;@example<![CDATA[.]]>test", own="xmlns:unused='urn:unused'")

SHAPES = {
    "Okta": (OKTA, {"of_element": "xs"}),
    "Okta, both lists": (OKTA, {"of_element": "xs", "of_signed_info": "xs saml2p"}),
    "Entra ID": (ENTRA, {"prefix": ""}),
    "AD FS": (ADFS, {}),
    "Keycloak": (KEYCLOAK, {"prefix": "dsig"}),
    "Google": (response("saml2p", "saml2"), {"space": "\n"}),
    "Java on Windows": (response("saml2p", "saml2"), {"space": "&#13;\n"}),
    "SimpleSAMLphp": (
        response(own=f'xmlns:xsi="{XSI}" xmlns:xs="{XS}"', typed='xsi:type="xs:string"'),
        {"space": "\n  "},
    ),
    "OpenSAML with every prefix": (OKTA, {"of_element": "ds saml2 saml2p xs xsi"}),
    "a default namespace in the list": (OLD_SUN, {"of_element": "code ds kind rw saml samlp typens #default"}),
    "a default namespace in the list of SignedInfo": (OLD_SUN, {"of_signed_info": "#default rw"}),
    "a default namespace in the list that is undone": (
        response(top='xmlns="urn:top"', own='xmlns=""'),
        {"of_element": "#default", "of_signed_info": "#default"},
    ),
    "no prefixes at all": (BARE, {"prefix": "", "of_element": "#default"}),
    "character references and CDATA": (IN_REFERENCES, {}),
    "a prefix that means something else further in": (
        response("x", "y", top='xmlns:xs="urn:top"', own='xmlns:x="urn:own"', typed='xmlns:xs="urn:in" xs:a=""'),
        {"prefix": "y", "of_element": "x xs", "of_signed_info": "x xs y"},
    ),
}


@pytest.mark.parametrize("sign", [("assertion",), ("response",), ("assertion", "response")], ids="-".join)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_shape_of_a_provider_is_accepted(shape: str, sign: tuple[str, ...]) -> None:
    template, how = SHAPES[shape]
    places = {"response": "", "assertion": ""}
    for element in sign:
        places[element] = signature_of("_a" if element == "assertion" else "_r", **how)
        document_ = signed(template.format_map(places))
        places[element] = _first_signature(document_)
    assertion = accept(document_.encode())
    assert assertion.name_id.value == "ada@example.test"
    assert assertion.attributes["email"] == ("ada@example.test",)


def _first_signature(document_: str) -> str:
    found = re.search(r"<((?:\w+:)?)Signature [\s\S]*?</\1Signature>", document_)
    assert found
    return found[0]


def test_a_process_that_never_read_of_default_knows_it() -> None:
    """lxml knows ``#default`` only where it has read it before; here, the tests and their provider have."""
    template, how = SHAPES["a default namespace in the list"]
    message = signed(template.format(response="", assertion=signature_of("_a", **how)))
    run = [sys.executable, "-c", _A_FRESH_PROCESS, provider().certificate_pem, NOW.isoformat()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(run, input=message.encode(), env=environment, capture_output=True, check=False)  # noqa: S603  our own code
    assert done.stdout == b"assertion", done.stderr


_A_FRESH_PROCESS = """
import datetime, sys
from core.saml import document, signature
from core.saml.pinned_keys import Keys
now = datetime.datetime.fromisoformat(sys.argv[2])
message = document.message(sys.stdin.buffer.read())
print(end=signature.gate(message, Keys.of(sys.argv[1]), now).element)
"""


# Any shape

PREFIXES = ("", "a", "b", "xs", "samlp", "saml", "ds", "é")
URIS = ("urn:1", "urn:2", PROTOCOL, ASSERTION, DSIG)
CHARACTERS = (
    "x",
    "é",
    "😀",
    "\u0085",
    "\u2028",
    "&#13;",
    "&#10;",
    "&#9;",
    "&amp;",
    "&lt;",
    "&quot;",
    "'",
    "]]&gt;",
    " ",
)
TEXTS = (*CHARACTERS, "\n", "\t", '"', "<![CDATA[<&]]>")


class Shapes:
    """Documents with any namespaces, attributes and texts, and lists of prefixes to go with them."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311  shapes, no secrets

    def text(self, of: tuple[str, ...] = TEXTS) -> str:
        return "".join(self._dice.choices(of, k=self._dice.choice([0, 0, 1, 3])))

    def prefixes(self) -> str:
        tokens = (*filter(None, PREFIXES), "#default", "#default", "never")
        return " ".join(self._dice.choices(tokens, k=self._dice.choice([0, 1, 3, 8])))

    def declared(self, but: str = "saml") -> dict[str, str]:
        """Namespaces that an element declares; the one without a prefix may be taken back."""
        chosen = self._dice.sample([prefix for prefix in PREFIXES if prefix != but], k=self._dice.choice([0, 0, 1, 2]))
        return {prefix: self._dice.choice(URIS if prefix else (*URIS, "", "")) for prefix in chosen}

    def element(self, scope: dict[str, str], levels: int = 3) -> str:
        declared = self.declared(but="xml")
        scope = scope | declared
        bound = [prefix for prefix, uri in scope.items() if uri]
        attributes = {(scope[prefix], name): f"{prefix}:{name}" for prefix in bound if prefix for name in "qé"}
        named = [*attributes.values(), "q", "r", "xml:lang", "xml:base"]
        parts = [xmlns(prefix, uri) for prefix, uri in declared.items()]
        parts += [
            f'{name}="{self.text(CHARACTERS)}"'
            for name in self._dice.sample(named, k=min(len(named), self._dice.randrange(5)))
        ]
        self._dice.shuffle(parts)
        prefix = self._dice.choice([*bound, ""])
        name = f"{prefix}:e" if prefix else "e"
        inside = "".join(
            self.text() + self.element(scope, levels - 1) for _ in range(self._dice.randrange(3) if levels else 0)
        )
        return f"<{name} {' '.join(parts)}>{inside}{self.text()}</{name}>"

    def response(self) -> str:
        top, own = self.declared("samlp") | {"samlp": PROTOCOL}, self.declared() | {"saml": ASSERTION}
        at_top, at_own = (" ".join(xmlns(prefix, uri) for prefix, uri in each.items()) for each in (top, own))
        return (
            f'<samlp:Response {at_top} ID="_r" xml:lang="de"><saml:Issuer {xmlns("saml", ASSERTION)}>i</saml:Issuer>'
            f'{self.text()}{{response}}{self.text()}<saml:Assertion {at_own} ID="_a"><saml:Issuer>i</saml:Issuer>{self.text()}'
            f"{{assertion}}{self.text()}{self.element(top | own)}{self.element(top | own)}</saml:Assertion></samlp:Response>"
        )


@pytest.mark.parametrize("element", ["assertion", "response"])
@pytest.mark.parametrize("start", range(0, 80, 20))
def test_of_any_shape_the_very_octets_are_handed_on_that_were_signed(element: str, start: int) -> None:
    identifier, mode = "_a" if element == "assertion" else "_r", pybergshamra.C14nMode.from_uri(EXCLUSIVE)
    assert mode
    for seed in range(start, start + 20):
        shapes = Shapes(seed)
        template, of_element, of_signed_info = shapes.response(), shapes.prefixes(), shapes.prefixes()
        places = {"response": "", "assertion": ""}
        unsigned = template.format_map(places)
        places[element] = signature_of(identifier, "ds", of_element, of_signed_info)
        made = signature.gate(document.message(signed(template.format_map(places)).encode()), keys(), NOW)
        expected = pybergshamra.canonicalize_subtree(unsigned, identifier, mode, of_element.split())
        assert (made.element, made.xml.decode()) == (element, bytes(expected).decode()), seed
