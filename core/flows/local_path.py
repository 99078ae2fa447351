"""Where a person may be sent after signing in: paths of this site, and no others."""

from __future__ import annotations

from urllib.parse import urlsplit

_NOT_A_DESTINATION = ("/sso/", "/signin", "/signout", "/signed-out", "/scim/", "/api/", "/static/", "/theme")
_LONGEST = 2048


def local_path(value: str | None) -> str | None:
    r"""``value`` if it is a path of a page on this site, else none (OWASP: unvalidated redirects).

    Refused are other origins in every spelling that browsers take (``//host``, ``/\host``, a scheme, control
    characters that browsers drop) and the paths that sign people in or out.
    """
    if not value or len(value) > _LONGEST or not value.startswith("/") or value.startswith("//"):
        return None
    if "\\" in value or any(ord(character) <= 0x20 or ord(character) == 0x7F for character in value):  # noqa: PLR2004  ASCII controls
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or "//" in parts.path or "/." in parts.path:
        return None
    return None if (parts.path + "/").startswith(_NOT_A_DESTINATION) else value
