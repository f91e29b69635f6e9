"""Pushed authorization requests (RFC 9126): what a client has handed in itself, kept for a moment
under a name that the browser carries. For that client alone, and taken once (FAPI 2.0 Security
Profile section 5.3.2.2)."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from idp.ephemeral import Ephemeral
from idp.errors import PageRefusal, told
from idp.oidc.parameters import Parameters
from idp.secret_values import fingerprint, new_secret

PREFIX = "urn:ietf:params:oauth:request_uri:"
CODE = "invalid_request_uri"
OVER = told("This sign-in has been used already, or it began too long ago. Begin it again.")


def keep(store: Ephemeral, parameters: Mapping[str, str], lifetime: float, now: float) -> str:
    """Its `request_uri`, of 256 bits, good for `lifetime` seconds. `client_id` is among the
    `parameters`."""
    name = new_secret()
    key = _key(name, parameters["client_id"])
    store.put(key, orjson.dumps(parameters).decode(), lifetime, now)
    return PREFIX + name


def is_one(request_uri: str) -> bool:
    return request_uri.startswith(PREFIX)


def take(store: Ephemeral, request_uri: str, client_id: str, now: float) -> Parameters:
    """What was pushed, and nothing of what else the browser brings. Raises PageRefusal: until it is
    known where to, nobody is redirected. Another client finds nothing, and spends nothing."""
    kept = store.take(_key(request_uri.removeprefix(PREFIX), client_id), now)
    if kept is None:
        raise PageRefusal(CODE, OVER, f"no pushed request of {client_id[:80]!r}")
    return Parameters(orjson.loads(kept), frozenset())


def _key(name: str, client_id: str) -> str:
    return "pushed:" + fingerprint(f"{client_id} {name}")
