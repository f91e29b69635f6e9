"""What a client signs by its own keys: its assertions, its request objects."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from idp.directory.clients import Client
from idp.oidc import fapi
from idp.oidc.jwks_uri import ClientKeys, Jwks, NoKeys
from idp.tokens.others_keys import SIGNATURES


class BadSignature(Exception):
    """Not signed by the client; says why, for the log."""


class Signed(NamedTuple):
    """`typ` in small letters and without `application/` (RFC 7515 section 4.1.9); empty where the
    header has none."""

    typ: str
    claims: dict[str, Any]


def verify_signed(
    client: Client, keys: ClientKeys, token: str, registered_alg: str | None, now: float
) -> Signed:
    """A JWT by one of the client's keys, and by the algorithm that it registered for this, if it
    did. Nothing in the header brings a key or another algorithm (RFC 8725 sections 3.1 and 3.10).
    Raises BadSignature."""
    try:
        opened = keys.used(client, partial(_signed_by, token), JoseError, now)
        claims = orjson.loads(opened.payload or b"")
        header = opened.headers()
    except (NoKeys, JoseError, ValueError, TypeError) as problem:
        # TypeError: `crit` is no list of text. In ASCII: it may quote the header, where JSON can
        # hold what no text can.
        raise BadSignature(f"signature: {problem!a}") from problem
    if not fapi.may_sign(client.profile, header["alg"]):
        raise BadSignature("by an algorithm that the client's profile does not have")
    if registered_alg not in (None, header["alg"]):
        raise BadSignature("by another algorithm than the registered one")
    if not isinstance(claims, dict):
        raise BadSignature("the payload is no object")
    return Signed(header.get("typ", "").lower().removeprefix("application/"), claims)


def _signed_by(token: str, jwks: Jwks) -> jws.CompactSignature:
    return jws.deserialize_compact(token, key_set(jwks), registry=SIGNATURES)


def key_set(jwks: Jwks) -> KeySet:
    """Raises JoseError where there are none."""
    return KeySet.import_key_set({"keys": jwks["keys"]})
