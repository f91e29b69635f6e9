"""Redirect URIs, compared as strings (RFC 9700 section 4.1.3)."""

from __future__ import annotations

from urllib.parse import urlsplit

MAX_REDIRECT_URI = 2048


def is_registered(claimed: str, registered: list[str], application_type: str) -> bool:
    """Exactly one of them; a native client may use any port of a loopback address (RFC 8252
    section 7.3)."""
    if len(claimed) > MAX_REDIRECT_URI:
        return False
    if claimed in registered:
        return True
    return application_type == "native" and _without_loopback_port(claimed) in {
        _without_loopback_port(uri) for uri in registered
    } - {None}


def _without_loopback_port(uri: str) -> str | None:
    """None unless it is a loopback address that reads the same to everybody: urlsplit drops line
    breaks and empty fragments, which the browser would be sent to all the same."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    host = {"127.0.0.1": "127.0.0.1", "::1": "[::1]"}.get(parts.hostname or "")
    if host is None or parts.scheme != "http" or parts.geturl() != uri:
        return None
    expected = host if port is None else f"{host}:{port}"
    return parts._replace(netloc=host).geturl() if parts.netloc == expected else None
