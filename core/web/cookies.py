"""Every cookie that SiQ sets.

On https those that mean anything are set and read with the ``__Host-`` prefix alone: no subdomain can set them, and a
session, a visit or a pending request cannot be put into somebody's browser from there. The assertion comes as a cross-site POST, where
browsers leave Lax cookies out: the cookie that binds a browser to its pending request is ``SameSite=None; Secure``.
"""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from core import clock
from core.flows.services import Services
from core.flows.sessions import OpenedSession

_SESSION = "siq_session"
_BINDING = "siq_login"
_BINDING_PLAIN = "siq_login_plain"  # see ``set_binding``
_VISIT = "siq_visit"
_THEME = "siq_theme"
_PORTAL_SENT = "siq_portal_sent"
_PORTAL_PAUSED = "siq_portal_paused"

_THEME_SECONDS = 365 * 24 * 3600
_PORTAL_LOOP_SECONDS = 60  # an automatic sign-in that is back within a minute without a session is a loop
_PORTAL_PAUSE_SECONDS = 12 * 3600  # as long as a provider's own session lives


def session_token(request: Request) -> str | None:
    """The session's token."""
    return _read(request, _SESSION)


def set_session(response: Response, session: OpenedSession, *, secure: bool) -> None:
    """Give the browser its session until it ends at the latest."""
    seconds = max(0, int((session.expires_at - clock.now()).total_seconds()))
    response.set_cookie(
        _named(_SESSION, secure=secure),
        session.token,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def forget_session(response: Response, *, secure: bool) -> None:
    """Take the session's token from the browser."""
    response.delete_cookie(_named(_SESSION, secure=secure), path="/", secure=secure, httponly=True, samesite="lax")


def binding(request: Request) -> str | None:
    """The secret that binds this browser to its pending sign-ins."""
    plain = None if _is_secure(request) else request.cookies.get(_BINDING_PLAIN)
    return _read(request, _BINDING) or plain


def set_binding(response: Response, token: str, lifetime: timedelta, *, secure: bool) -> None:
    """Bind the browser for ``lifetime``.

    On plain http (development) clients that are no browsers do not send a Secure cookie back, so the same secret is
    set a second time without; on https there is one cookie.
    """
    seconds = int(lifetime.total_seconds())
    response.set_cookie(
        _named(_BINDING, secure=secure), token, max_age=seconds, path="/", secure=True, httponly=True, samesite="none"
    )
    if not secure:
        response.set_cookie(_BINDING_PLAIN, token, max_age=seconds, path="/", httponly=True, samesite="lax")


def visit(request: Request) -> str | None:
    """What tells a browser in which nobody is signed in from others, for the tokens of its forms."""
    return _read(request, _VISIT)


def set_visit(response: Response, token: str, *, secure: bool) -> None:
    """Give the browser the token of its visit, until it is closed."""
    response.set_cookie(_named(_VISIT, secure=secure), token, path="/", secure=secure, httponly=True, samesite="lax")


def theme(request: Request) -> str:
    """The theme that was chosen in this browser, or an empty text."""
    return request.cookies.get(_THEME, "")


def set_theme(response: Response, chosen: str, *, secure: bool) -> None:
    """Remember the theme, so that the server renders it and nothing flashes."""
    response.set_cookie(_THEME, chosen, max_age=_THEME_SECONDS, path="/", secure=secure, httponly=True, samesite="lax")


def portal_sent(request: Request) -> bool:
    """Whether the portal has just sent this browser to sign in."""
    return _PORTAL_SENT in request.cookies


def set_portal_sent(response: Response, *, secure: bool) -> None:
    """Remember that the portal sends this browser to sign in now."""
    response.set_cookie(
        _PORTAL_SENT, "1", max_age=_PORTAL_LOOP_SECONDS, path="/portal", secure=secure, httponly=True, samesite="lax"
    )


def portal_paused(request: Request) -> bool:
    """Whether the person signed out here and has not asked to sign in since."""
    return _PORTAL_PAUSED in request.cookies


def pause_portal(response: Response, *, secure: bool) -> None:
    """No automatic sign-in until the person asks for one."""
    response.set_cookie(
        _PORTAL_PAUSED, "1", max_age=_PORTAL_PAUSE_SECONDS, path="/", secure=secure, httponly=True, samesite="lax"
    )


def forget_portal_pause(response: Response) -> None:
    """The person has signed in: the portal may send them by itself again."""
    response.delete_cookie(_PORTAL_PAUSED, path="/")
    response.delete_cookie(_PORTAL_SENT, path="/portal")


def _read(request: Request, name: str) -> str | None:
    return request.cookies.get(_named(name, secure=_is_secure(request)))


def _is_secure(request: Request) -> bool:
    services: Services = request.app.state.services
    return services.settings.secure


def _named(name: str, *, secure: bool) -> str:
    return f"__Host-{name}" if secure else name
