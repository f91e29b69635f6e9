"""`session_state`, by which a client's frame learns that the sign-in has changed (OpenID Connect
Session Management 1.0 section 3)."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from secrets import token_hex
from urllib.parse import urlsplit

HASH_CHARACTERS = 32
SALT_BYTES = 8
DEFAULT_PORTS = {"http": 80, "https": 443}


def session_state(client_id: str, redirect_uri: str, browser_state: str) -> str | None:
    """What `web/static/check_session.js` works out again for whoever asks it. None where no frame
    can ask: the client is at no web address."""
    origin = origin_of(redirect_uri)
    if origin is None:
        return None
    salt = token_hex(SALT_BYTES)
    text = f"{client_id} {origin} {browser_state} {salt}"
    return f"{sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]}.{salt}"


@lru_cache(maxsize=1024)
def origin_of(uri: str) -> str | None:
    """As a browser writes it (RFC 6454 section 6.1)."""
    parts = urlsplit(uri)
    host = parts.hostname
    if parts.scheme not in DEFAULT_PORTS or host is None:
        return None
    host = f"[{host}]" if ":" in host else host
    is_usual = parts.port in (None, DEFAULT_PORTS[parts.scheme])
    return f"{parts.scheme}://{host}" if is_usual else f"{parts.scheme}://{host}:{parts.port}"
