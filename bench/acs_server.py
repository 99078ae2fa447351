"""The process that bench/acs.py puts under load where it is not `siq serve` itself: the same with one part exchanged.

    python -m bench.acs_server PORT python3-saml     python3-saml reads the responses
    python -m bench.acs_server PORT event-loop       no thread pool: everything runs on the event loop

Settings come from the environment, as for `siq serve`. All else is the product's: endpoint, flow, database, pages.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar

import starlette._exception_handler
import starlette.routing
from onelogin.saml2.auth import OneLogin_Saml2_Auth  # type: ignore[import-not-found]  # only in bench/.venv
from onelogin.saml2.settings import OneLogin_Saml2_Settings  # type: ignore[import-not-found]  # only in bench/.venv

from bench.candidates import python3_saml_settings, request_of
from core import certificates, logs, settings
from core.flows import services
from core.plugin_api import NameId, VerifiedAssertion
from core.saml import response
from core.saml.encryption import Decryption
from core.saml.pinned_keys import Keys
from core.saml.response import Expected
from core.web import middleware, sso
from core.web.app import create_app
from core.web.serving import server

P = ParamSpec("P")
T = TypeVar("T")


@lru_cache(maxsize=100)
def prepared(issuer: str, audience: str, acs_url: str, der: bytes) -> OneLogin_Saml2_Settings:
    """What a deployment of python3-saml prepares once for a connection."""
    certificate = certificates.to_pem(certificates.read(der))
    return python3_saml_settings(issuer, audience, acs_url, certificate, ("assertion",))


def read(
    form_value: str,
    keys: Keys,
    expected: Expected,
    now: datetime,
    decryption: Decryption | None = None,
) -> VerifiedAssertion:
    """What core.saml.response.read answers, by python3-saml. It asks the system's clock, and answers no AuthnInstant."""
    assert decryption is None
    given = prepared(expected.issuer, expected.audience, expected.acs_url, keys.pinned[0].certificate.der)
    request = {**request_of(expected.acs_url), "post_data": {"SAMLResponse": form_value}}
    auth = OneLogin_Saml2_Auth(request, old_settings=given)
    auth.process_response(request_id=expected.request_id)
    if not auth.is_authenticated():
        raise ValueError(auth.get_last_error_reason())
    session_end = auth.get_session_expiration()
    return VerifiedAssertion(
        id=auth.get_last_assertion_id(),
        issuer=expected.issuer,
        name_id=NameId(auth.get_nameid(), auth.get_nameid_format() or ""),
        in_response_to=auth.get_last_response_in_response_to(),
        not_on_or_after=datetime.fromtimestamp(auth.get_last_assertion_not_on_or_after(), UTC),
        authn_instant=now,
        session_index=auth.get_session_index(),
        session_not_on_or_after=datetime.fromtimestamp(session_end, UTC) if session_end else None,
        attributes={name: tuple(values) for name, values in auth.get_attributes().items()},
    )


async def at_once(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """In the place of Starlette's run_in_threadpool: no thread."""
    return function(*arguments, **named)


def exchange(part: str) -> None:
    """Put the other part in its place."""
    if part == "python3-saml":
        set_everywhere("read", read, response)
    elif part == "event-loop":
        set_everywhere("run_in_threadpool", at_once, sso, middleware, starlette.routing, starlette._exception_handler)  # noqa: SLF001  Starlette calls functions of endpoints from there
    else:
        raise SystemExit(f"{part}: python3-saml or event-loop")


def set_everywhere(name: str, value: object, *modules: Any) -> None:
    """Exchange what these modules call by this name. It has to be there."""
    for module in modules:
        assert hasattr(module, name)
        setattr(module, name, value)


def main(port: str, part: str) -> None:
    """Serve, as `siq serve` does."""
    exchange(part)
    read_settings = settings.read()
    logs.configure(read_settings.log_format)
    app = create_app(services.start(read_settings))
    server(app, "127.0.0.1", int(port), read_settings.trusted_proxies).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
