"""Serves a new host with one plugin activated in three organizations, whose providers' keys are held here.

The cases know nothing of it: they need a :class:`Site`. Everything lives in a folder that is gone afterwards.
"""

from __future__ import annotations

import logging
import multiprocessing
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import structlog
from cryptography import x509

from core.errors import Conflict
from core.field_types import Kind
from core.flows import activation, key_rotation, organizations, services
from core.flows.actors import Actor, operator_of
from core.flows.connections import plugin_of
from core.flows.services import Services
from core.forms.fields import every
from core.settings import Settings
from core.testing.attacks.site import Connection, Person, Site
from core.testing.identity_provider import IdentityProvider
from core.web.app import create_app
from core.web.serving import server

_HOST = "127.0.0.1"
_PROVIDER = "https://provider.example.test/saml/assertion/"


@dataclass(frozen=True, slots=True)
class Target:
    """What is attacked: a plugin, where to find it, values for its required fields beyond those of SAML (by
    ``tab.field``), and whom its good responses are about. ``database_url`` empty: a new SQLite file.
    """

    plugin_id: str
    plugins_dir: Path | None = None
    values: Mapping[str, str | bytes] | None = None
    person: Person | None = None
    database_url: str = ""


@contextmanager
def serving(target: Target) -> Iterator[Site]:
    """Serve the target on a free port of the loopback address for the length of the block.

    Raises ``NotFound`` for a plugin that is not there, ``Conflict`` for one that does not sign people in, and
    ``ConfigRejected`` where a field needs a value.
    """
    with _folder_and_port(target) as (settings, listening):
        host = services.start(settings)
        running = server(create_app(host), _HOST, 0)
        thread = Thread(target=running.run, args=([listening],), name="the host under attack")
        thread.start()
        try:
            yield _site(host, target)
        finally:
            running.should_exit = True
            thread.join()
            host.database.close()


@contextmanager
def serving_twice(target: Target) -> Iterator[tuple[Site, str]]:
    """The same, and a second process that shares the database; the text is its origin."""
    with _folder_and_port(target) as (settings, listening), socket.create_server((_HOST, 0)) as second:
        host = services.start(settings)
        site = _site(host, target)
        host.database.close()
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        processes = [context.Process(target=_serve, args=(settings, each)) for each in (listening, second)]
        for process in processes:
            process.start()
        try:
            yield site, f"http://{_HOST}:{second.getsockname()[1]}"
        finally:
            for process in processes:
                process.terminate()
                process.join()


def quiet() -> None:
    """Refusals are what is wanted here: only errors are logged, on standard error."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def _serve(settings: Settings, listening: socket.socket) -> None:
    quiet()
    server(create_app(services.start(settings)), _HOST, 0).run([listening])


@contextmanager
def _folder_and_port(target: Target) -> Iterator[tuple[Settings, socket.socket]]:
    with (
        tempfile.TemporaryDirectory(prefix="siq-attack-") as folder,
        socket.create_server((_HOST, 0)) as listening,  # it queues connections from now on: nobody needs to wait
    ):
        yield (
            Settings(
                public_url=f"http://{_HOST}:{listening.getsockname()[1]}",
                data_dir=Path(folder),
                database_url=target.database_url,
                plugins_dir=target.plugins_dir,
                trusted_proxies="",
            ),
            listening,
        )


def _site(host: Services, target: Target) -> Site:
    form = plugin_of(host, target.plugin_id).form
    if not form.saml:
        raise Conflict(f"{target.plugin_id} signs nobody in: it has no fields for a SAML provider.")
    trusted, other = (IdentityProvider.create(f"{_PROVIDER}{name}") for name in ("trusted", "other"))
    main, twin = (_connect(host, target, slug, trusted) for slug in ("attacked", "twin"))
    return Site(
        origin=host.settings.public_url,
        main=main,
        twin=twin,
        other=_connect(host, target, "other", other),
        stranger=main.provider.rotate(),
        person=target.person or Person(),
    )


def _connect(host: Services, target: Target, slug: str, provider: IdentityProvider) -> Connection:
    """Activate the plugin in a new organization. The provider gets the entity ID that the plugin then expects of it."""
    organization = organizations.create_organization(host, slug)
    operator = operator_of(organization)
    values = _values(host, target, provider) | dict(target.values or {})
    done = activation.set_values(host, operator, target.plugin_id, values)
    saml = done.activation.saml if done.activation else None
    if saml is None:
        raise Conflict(f"{target.plugin_id} signs nobody in as it was set: its activation names no SAML provider.")
    expected = replace(provider, entity_id=saml.issuer, sign_in_url=saml.sign_in_url)
    return Connection(
        done.site.acs_url,
        done.site.audience,
        done.site.login_url,
        expected,
        saml.unsolicited,
        _exchanging(host, operator, target),
        saml.allow_cbc,
        done.site.single_logout_url if saml.single_logout_url else "",
        saml.single_logout_url,
    )


def _exchanging(host: Services, operator: Actor, target: Target) -> tuple[x509.Certificate, ...]:
    """The certificates of our keys there, in the middle of an exchange: the new one signs, the old one still reads."""
    if not plugin_of(host, target.plugin_id).form.has_own_keys:
        return ()
    new = key_rotation.add_key(host, operator, target.plugin_id)
    key_rotation.use_key(host, operator, target.plugin_id, new.id)
    keys = key_rotation.keys(host, operator, target.plugin_id)
    return tuple(x509.load_der_x509_certificate(key.certificate.der) for key in keys)


def _values(host: Services, target: Target, provider: IdentityProvider) -> dict[str, str | bytes]:
    """Values for the fields of a provider, found by what they mean."""
    known = {
        Kind.SIGN_IN_URL: provider.sign_in_url,
        Kind.ISSUER: provider.entity_id,
        Kind.SIGNING_CERTIFICATES: provider.certificate_pem,
        Kind.SINGLE_LOGOUT_URL: f"{provider.sign_in_url}logout",
    }
    form = plugin_of(host, target.plugin_id).form
    return {one.name: known[one.kind] for tab in form.tabs for one in every(tab.fields) if one.kind in known}
