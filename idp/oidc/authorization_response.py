"""The authorization response: code or error, `state`, and always `iss` (RFC 9207), as parameters or
as one JWT (JWT Secured Authorization Response Mode, JARM)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote_plus, urlsplit

from idp.errors import described
from idp.oidc.reply_to import ReplyTo

JWT_LIFETIME = 120  # seconds: a minute longer than any code, for clocks

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")  # RFC 3986 section 2.3: the same when encoded


def success(
    reply_to: ReplyTo, issuer: str, code: str, session_state: str | None = None
) -> dict[str, str]:
    """OpenID Connect Core section 3.1.2.5, Session Management section 2."""
    fields = {"code": code}
    if session_state:
        fields["session_state"] = session_state
    return _with_state(fields, reply_to, issuer)


def error(reply_to: ReplyTo, issuer: str, code: str, description: str) -> dict[str, str]:
    """OpenID Connect Core section 3.1.2.6."""
    fields = {"error": code, "error_description": described(description)}
    return _with_state(fields, reply_to, issuer)


def _with_state(fields: dict[str, str], reply_to: ReplyTo, issuer: str) -> dict[str, str]:
    state = {} if reply_to.state is None else {"state": reply_to.state}
    return {**fields, **state, "iss": issuer}


def jwt_claims(reply_to: ReplyTo, fields: dict[str, str], now: float) -> dict[str, Any]:
    """JARM section 2.1. `iss` is one of them already, and then stands nowhere else."""
    return {**fields, "aud": reply_to.client.client_id, "exp": int(now) + JWT_LIFETIME}


def location(reply_to: ReplyTo, fields: dict[str, str]) -> str:
    """The redirect for `query` and `fragment` (OAuth 2.0 Multiple Response Types section 2.1)."""
    parts = urlsplit(reply_to.redirect_uri)
    encoded = "&".join(f"{name}={_encoded(value)}" for name, value in fields.items())
    if reply_to.place == "fragment":
        return f"{reply_to.redirect_uri}#{encoded}"
    separator = "&" if parts.query else "?"
    return f"{reply_to.redirect_uri}{separator}{encoded}"


def _encoded(value: str) -> str:
    """A code and most states need nothing, and asking is a tenth of encoding them."""
    return value if _UNRESERVED.fullmatch(value) else quote_plus(value)
