"""Forms and bindings: a good response in another wrapping, and messages that belong elsewhere."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from core.testing.attacks.browser import FORM, Answer
from core.testing.attacks.cases import Family, answered
from core.testing.attacks.site import SEE_OTHER, Site

FORMS = Family(
    "Forms and bindings",
    "The same response in another wrapping: fields twice, other content types, other methods, other bindings, too much.",
    "SAML Bindings 3.5; CWE-235",
)


def _posted(
    site: Site, make: Callable[[str, str], tuple[bytes, dict[str, str]]], method: str = "POST"
) -> Sequence[Answer]:
    """A good response and its RelayState, sent as ``make`` writes body and headers."""
    with site.browser() as browser:
        asked = site.begin(browser)
        body, headers = make(site.good(asked).response().form_value, asked.relay_state)
        return [browser.send(method, site.main.acs_url, body, headers)]


def _fields(*fields: tuple[str, str]) -> tuple[bytes, dict[str, str]]:
    return urlencode(fields).encode(), {"Content-Type": FORM}


@FORMS.play(answered(400))
def response_twice(site: Site) -> Sequence[Answer]:
    """SAMLResponse twice: a filter reads one of them and the host the other."""
    return _posted(
        site, lambda value, relay: _fields(("SAMLResponse", value), ("SAMLResponse", value), ("RelayState", relay))
    )


@FORMS.play(answered(400))
def relay_state_twice(site: Site) -> Sequence[Answer]:
    """RelayState twice."""
    return _posted(
        site, lambda value, relay: _fields(("SAMLResponse", value), ("RelayState", relay), ("RelayState", "/"))
    )


@FORMS.play(answered(400))
def no_response(site: Site) -> Sequence[Answer]:
    """No SAMLResponse."""
    return _posted(site, lambda _value, relay: _fields(("RelayState", relay)))


@FORMS.play(answered(400))
def response_in_another_field(site: Site) -> Sequence[Answer]:
    """A field of another spelling."""
    return _posted(site, lambda value, relay: _fields(("samlResponse", value), ("RelayState", relay)))


@FORMS.play(answered(400))
def response_in_brackets(site: Site) -> Sequence[Answer]:
    """A field that some frameworks take for a list."""
    return _posted(site, lambda value, relay: _fields(("SAMLResponse[]", value), ("RelayState", relay)))


@FORMS.play(answered(400))
def artifact_instead_of_a_response(site: Site) -> Sequence[Answer]:
    """An artifact of another binding."""
    return _posted(site, lambda _value, relay: _fields(("SAMLart", "AAQAAA=="), ("RelayState", relay)))


@FORMS.play(answered(400))
def too_many_fields(site: Site) -> Sequence[Answer]:
    """A thousand fields."""
    return _posted(site, lambda value, _relay: _fields(("SAMLResponse", value), *[(f"f{n}", "") for n in range(1000)]))


@FORMS.play(answered(415))
def json_body(site: Site) -> Sequence[Answer]:
    """The fields as JSON, which a script of another site may send."""
    return _posted(
        site,
        lambda value, relay: (
            json.dumps({"SAMLResponse": value, "RelayState": relay}).encode(),
            {"Content-Type": "application/json"},
        ),
    )


@FORMS.play(answered(415))
def plain_text_body(site: Site) -> Sequence[Answer]:
    """The form as plain text."""
    return _posted(
        site,
        lambda value, relay: (
            _fields(("SAMLResponse", value), ("RelayState", relay))[0],
            {"Content-Type": "text/plain"},
        ),
    )


@FORMS.play(answered(415))
def xml_body(site: Site) -> Sequence[Answer]:
    """The bare document."""
    return _posted(site, lambda _value, _relay: (site.good().response().xml, {"Content-Type": "text/xml"}))


@FORMS.play(answered(415))
def body_without_a_type(site: Site) -> Sequence[Answer]:
    """A form without a content type."""
    return _posted(site, lambda value, relay: (_fields(("SAMLResponse", value), ("RelayState", relay))[0], {}))


@FORMS.play(answered(415))
def file_upload(site: Site) -> Sequence[Answer]:
    """SAMLResponse as an uploaded file."""

    def make(value: str, _relay: str) -> tuple[bytes, dict[str, str]]:
        body = f'--x\r\nContent-Disposition: form-data; name="SAMLResponse"; filename="r"\r\n\r\n{value}\r\n--x--\r\n'
        return body.encode(), {"Content-Type": "multipart/form-data; boundary=x"}

    return _posted(site, make)


@FORMS.play(answered(400, 413, 415))
def compressed_body(site: Site) -> Sequence[Answer]:
    """A compressed body that grows to 50 MB."""

    def make(value: str, _relay: str) -> tuple[bytes, dict[str, str]]:
        body = gzip.compress(_fields(("SAMLResponse", value))[0] + b"&" * 50_000_000, 9)
        return body, {"Content-Type": FORM, "Content-Encoding": "gzip"}

    return _posted(site, make)


@FORMS.play(answered(413))
def oversized_form(site: Site) -> Sequence[Answer]:
    """A form of 600 KiB."""
    return _posted(site, lambda _value, _relay: _fields(("SAMLResponse", "A" * 600 * 1024)))


@FORMS.play(answered(413))
def oversized_relay_state(site: Site) -> Sequence[Answer]:
    """A good response with a RelayState of 600 KiB."""
    return _posted(site, lambda value, _relay: _fields(("SAMLResponse", value), ("RelayState", "A" * 600 * 1024)))


@FORMS.play(answered(303))
def get_with_a_response(site: Site) -> Sequence[Answer]:
    """A response in the address of a GET: a link would sign people in. It begins a sign-in of ours instead."""
    with site.browser() as browser:
        asked = site.begin(browser)
        query = urlencode({"SAMLResponse": site.good(asked).response().form_value, "RelayState": asked.relay_state})
        answer = browser.send("GET", f"{site.main.acs_url}?{query}")
    return [answer, *_not_to_login(site, answer)]


def _not_to_login(site: Site, answer: Answer) -> list[Answer]:
    """Nothing where the answer leads to our own login URL; else an answer that is wrong in any case."""
    right = answer.status == SEE_OTHER and site.main.login_url.endswith(answer.location)
    return [] if right else [Answer(500, answer.location, "leads elsewhere", 0)]


@FORMS.play(answered(303), "CVE-2023-26483 (gosaml2), CVE-2023-28119 (crewjam/saml)")
def deflate_bomb_in_an_address(site: Site) -> Sequence[Answer]:
    """The Redirect binding with a document that inflates to 40 MB."""
    bomb = b64encode(zlib.compress(b"<" + b" " * 40_000_000, 9)[2:-4]).decode()
    with site.browser() as browser:
        query = urlencode(
            {"SAMLResponse": bomb, "SAMLEncoding": "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"}
        )
        return [browser.send("GET", f"{site.main.acs_url}?{query[:60_000]}")]


@FORMS.play(answered(303))
def head_at_the_acs(site: Site) -> Sequence[Answer]:
    """HEAD, which changes nothing."""
    return _posted(site, lambda _value, _relay: (b"", {}), "HEAD")


@FORMS.play(answered(405))
def put_at_the_acs(site: Site) -> Sequence[Answer]:
    """PUT with a good form."""
    return _posted(site, lambda value, relay: _fields(("SAMLResponse", value), ("RelayState", relay)), "PUT")


@FORMS.play(answered(400, 403, 405, 413, 415))
def response_at_the_login_url(site: Site) -> Sequence[Answer]:
    """A good form at the URL that begins sign-ins."""
    with site.browser() as browser:
        asked = site.begin(browser)
        fields = {"SAMLResponse": site.good(asked).response().form_value, "RelayState": asked.relay_state}
        return [browser.post(site.main.login_url, fields)]
