"""Starts the two foreign identity providers, and walks their pages over plain HTTP as a browser does."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urljoin

import httpx
import lxml.html
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

HERE = Path(__file__).parent
HOST = "127.0.0.1"
START_LIMIT = 20.0
"""Seconds that a peer may take to answer its first request."""

Sign = Literal["assertion", "response", "both"]


@dataclass(frozen=True, slots=True)
class Person:
    """One of the three people whom both peers know."""

    user: str
    email: str
    given_name: str
    family_name: str
    display_name: str
    groups: tuple[str, ...]

    @property
    def password(self) -> str:
        return f"{self.user}-pw"


ALICE = Person("alice", "alice@example.com", "Alice", "Archer", "Alice Archer", ("Engineers", "Admins"))
BOB = Person("bob", "bob@example.com", "Bob", "Baker", "Bob Baker", ("Sales",))
ZOE = Person("zoe", "zoé@exämple.com", "Zoé", "O'Connor & <Søn>", "Zoé 李", ("日本 Team",))


@dataclass(frozen=True, slots=True)
class Peer:
    """A running identity provider. ``user_box`` and ``button`` are what a browser test needs of its sign-in page."""

    name: str
    entity_id: str
    sign_in_url: str
    metadata_url: str
    certificate_pem: str
    folder: Path
    start_parameter: str
    user_box: str
    password_box: str
    button: str
    logout_url: str = ""

    def register(
        self,
        *,
        entity_id: str,
        acs_url: str,
        sign: Sign = "both",
        encrypt_for: str | None = None,
        signed_by: str | None = None,
        logout_url: str | None = None,
        logout_binding: Literal["redirect", "post"] = "redirect",
    ) -> None:
        """Make a service provider known, or known anew. ``encrypt_for`` is a PEM certificate, and so is ``signed_by``, with
        which its requests have to be signed then. With a ``logout_url`` it takes part in single logout.
        """
        file = self.folder / "sp.json"
        known = json.loads(file.read_text())
        known[entity_id] = {
            "acs_url": acs_url,
            "sign": sign,
            "encrypt_for": bare(encrypt_for),
            "signed_by": bare(signed_by),
            "logout_url": logout_url,
            "logout_binding": logout_binding,
        }
        anew = file.with_suffix(".new")
        anew.write_text(json.dumps(known))
        anew.replace(file)

    def start_url(self, entity_id: str, relay_state: str | None = None) -> str:
        """Where a person starts who begins at the identity provider."""
        query = {self.start_parameter: entity_id} | ({} if relay_state is None else {"RelayState": relay_state})
        return f"{self.sign_in_url}?{urlencode(query)}"


def bare(pem: str | None) -> str | None:
    """A certificate as one line of base64, as metadata holds it."""
    if pem is None:
        return None
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(serialization.Encoding.DER)
    return base64.b64encode(der).decode()


@contextmanager
def simplesamlphp(folder: Path, logout: Literal["traditional", "iframe"] = "traditional") -> Iterator[Peer]:
    """Debian's SimpleSAMLphp. ``folder`` is an empty one for this run alone. ``logout``: it sends the browser from one
    service to the next, or shows a page in which each has a frame.
    """
    php = shutil.which("php8.2") or shutil.which("php")
    www = Path("/usr/share/simplesamlphp/www")
    if php is None or not www.is_dir():
        pytest.skip("SimpleSAMLphp is not installed: run `bash tests/peers/simplesamlphp/setup.sh` as root")
    port = free_port()
    base = f"http://{HOST}:{port}/simplesaml"
    (folder / "docroot").mkdir()
    (folder / "docroot" / "simplesaml").symlink_to(www)
    certificate = make_key(folder)
    command = [php, "-d", "error_reporting=E_ALL&~E_DEPRECATED", "-d", "display_errors=0"]
    command += ["-S", f"{HOST}:{port}", "-t", str(folder / "docroot")]
    environment = {
        "SIMPLESAMLPHP_CONFIG_DIR": str(HERE / "simplesamlphp" / "config"),
        "PHP_CLI_SERVER_WORKERS": "4",
        "PEER_BASE_URL": base,
        "PEER_RUN": str(folder),
        "PEER_LOGOUT": logout,
    }
    metadata_url = f"{base}/saml2/idp/metadata.php"
    with running(command, environment, folder, metadata_url):
        yield Peer(
            name="SimpleSAMLphp",
            entity_id=metadata_url,
            sign_in_url=f"{base}/saml2/idp/SSOService.php",
            metadata_url=metadata_url,
            certificate_pem=certificate,
            folder=folder,
            start_parameter="spentityid",
            user_box="#username",
            password_box="#password",
            button="#regularsubmit button, #submit_button, button[type=submit]",
            logout_url=f"{base}/saml2/idp/SingleLogoutService.php",
        )


@contextmanager
def samlp(folder: Path) -> Iterator[Peer]:
    """npm samlp behind ``samlp/server.js``. ``folder`` is an empty one for this run alone."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed: run `apt-get install nodejs npm`")
    if not (HERE / "samlp" / "node_modules" / "samlp").is_dir():
        pytest.skip("npm samlp is not installed: run `bash tests/peers/samlp/setup.sh`")
    port = free_port()
    base = f"http://{HOST}:{port}"
    certificate = make_key(folder)
    environment = {"PEER_HOST": HOST, "PEER_PORT": str(port), "PEER_RUN": str(folder)}
    with running([node, str(HERE / "samlp" / "server.js")], environment, folder, f"{base}/metadata"):
        yield Peer(
            name="samlp",
            entity_id=f"{base}/metadata",
            sign_in_url=f"{base}/sso",
            metadata_url=f"{base}/metadata",
            certificate_pem=certificate,
            folder=folder,
            start_parameter="sp",
            user_box="input[name=username]",
            password_box="input[name=password]",
            button="button",
            logout_url=f"{base}/logout",
        )


def free_port() -> int:
    """A port of the loopback address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def make_key(folder: Path) -> str:
    """Write ``idp.key``, ``idp.crt`` and an empty ``sp.json``; answers the certificate as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A foreign identity provider")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    (folder / "idp.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    (folder / "idp.crt").write_text(pem)
    (folder / "sp.json").write_text("{}")
    return pem


@contextmanager
def running(command: list[str], environment: Mapping[str, str], folder: Path, ready_url: str) -> Iterator[None]:
    """Run a server for the length of the block. It leads a process group, so its workers end with it."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  a fixed command of this module
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(ready_url, process, folder)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def wait_for(url: str, process: subprocess.Popen[bytes], folder: Path, limit: float = START_LIMIT) -> None:
    """Return when ``url`` answers 200; fail with the server's log when it does not within ``limit`` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)  # a foreign process says in no other way that it is ready
    log = (folder / "server.log").read_text(errors="replace")
    pytest.fail(f"no answer at {url}\n{log[-2000:]}")


@dataclass(frozen=True, slots=True)
class PostForm:
    """The form that carries a response to the service provider: where it goes, and its fields."""

    action: str
    fields: Mapping[str, str]


def walk(client: httpx.Client, start: str, person: Person, *, limit: int = 15) -> PostForm:
    """Follow redirects and forms from ``start``, signing in where a page asks, up to the form with SAMLResponse.

    A form with a password box is filled in; any other first form is sent as it stands.
    """
    response = client.get(start)
    for _ in range(limit):
        if response.has_redirect_location:
            response = client.get(urljoin(str(response.url), response.headers["location"]))
            continue
        page: Any = lxml.html.fromstring(response.content, parser=page_parser(response))
        forms = page.xpath("//form")
        assert forms, f"{response.status_code} at {response.url}: {response.text[:500]}"
        with_password = [form for form in forms if form.xpath("boolean(.//input[@type='password'])")]
        with_request = [form for form in forms if form.xpath("boolean(.//input[@name='SAMLRequest'])")]
        form = (with_password or with_request or forms)[0]
        fields = form_fields(form)
        action = urljoin(str(response.url), form.get("action") or "")
        if "SAMLResponse" in fields:
            return PostForm(action, fields)
        if with_password:
            fill_in(form, fields, person)
        if (form.get("method") or "get").lower() == "post":
            response = client.post(action, data=fields)
        else:
            response = client.get(action, params=fields)
    pytest.fail(f"no SAMLResponse after {limit} pages; the last was {response.url}")


def page_parser(response: httpx.Response) -> lxml.html.HTMLParser:
    """Believe the header where it names a charset; else lxml reads the page's own ``<meta>``."""
    return lxml.html.HTMLParser(encoding=response.charset_encoding)


def form_fields(form: Any) -> dict[str, str]:
    """What a browser would send of a form: hidden and text fields, and the first button that has a name."""
    fields: dict[str, str] = {}
    for element in form.iter("input", "button"):
        name, kind = element.get("name"), (element.get("type") or "").lower()
        if not name or (kind in ("checkbox", "radio") and element.get("checked") is None):
            continue
        fields.setdefault(name, element.get("value") or "")
    return fields


def fill_in(form: Any, fields: dict[str, str], person: Person) -> None:
    """Put the person's user name into the text box and the password into the password box."""
    for element in form.iter("input"):
        kind = (element.get("type") or "text").lower()
        if kind == "password":
            fields[element.get("name")] = person.password
        elif kind in ("text", "email") and element.get("name"):
            fields[element.get("name")] = person.user
