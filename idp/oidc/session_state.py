"""`session_state`, by which a client's frame learns that the sign-in has changed (OpenID Connect
Session Management 1.0 section 3)."""

from __future__ import annotations

from hashlib import sha256
from secrets import token_hex

from idp.origins import origin_of

HASH_CHARACTERS = 32
SALT_BYTES = 8


def session_state(client_id: str, redirect_uri: str, browser_state: str) -> str | None:
    """What `web/static/check_session.js` works out again for whoever asks it. None where no frame
    can ask: the client is at no web address."""
    origin = origin_of(redirect_uri)
    if origin is None:
        return None
    salt = token_hex(SALT_BYTES)
    text = f"{client_id} {origin} {browser_state} {salt}"
    return f"{sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]}.{salt}"
