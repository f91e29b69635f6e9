"""Pushed authorization requests (RFC 9126): what a client has handed in itself, kept for a moment
under a name that the browser carries. For that client alone.

It is spent when it is answered and not when it is looked at, so that a page that is loaded twice,
by a person or by what looks ahead for them, ends nothing (FAPI 2.0 Security Profile section
5.3.2.2)."""

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
    request_uri = PREFIX + new_secret()
    key = key_of(request_uri, parameters["client_id"])
    store.put(key, orjson.dumps(parameters).decode(), lifetime, now)
    return request_uri


def is_one(request_uri: str) -> bool:
    return request_uri.startswith(PREFIX)


def read(store: Ephemeral, key: str, now: float) -> Parameters:
    """What was pushed, and nothing of what else the browser brings. Raises PageRefusal: until it is
    known where to, nobody is redirected."""
    kept = store.read(key, now)
    if kept is None:
        raise PageRefusal(CODE, OVER, "no such pushed request")
    return Parameters(orjson.loads(kept), frozenset())


def spend(store: Ephemeral, key: str, lifetime: float, now: float) -> None:
    """Of all who have begun with it one gets an answer, `lifetime` being how long any of them may
    take. Raises PageRefusal for the others."""
    store.drop([key], now)
    if not store.spend(key, lifetime, now):
        raise PageRefusal(CODE, OVER, "the pushed request was answered before")


def key_of(request_uri: str, client_id: str) -> str:
    """What it is kept by: another client's name leads to nothing."""
    name = request_uri.removeprefix(PREFIX)
    return "pushed:" + fingerprint(f"{client_id} {name}")
