"""Request objects: an authorization request that its client has signed (RFC 9101, OpenID Connect
Core section 6).

What it says is all that counts: nothing that the browser brings beside it is read, but for the
`client_id`, which has to be the same. CIBA has signed requests too, which no browser brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from idp.directory.clients import Client
from idp.errors import Refusal
from idp.oidc.authorization_request import NOT_SUPPORTED, PARAMETERS
from idp.oidc.client_authentication import KEPT_LONGER, MAX_JTI
from idp.oidc.client_keys import BadSignature, verify_signed
from idp.oidc.jwks_uri import ClientKeys
from idp.oidc.parameters import MAX_VALUE, MAY_REPEAT, Parameters

TYPES = ("oauth-authz-req+jwt", "jwt", "")
LONGEST = 3600
MAX_AHEAD = 10
NOT_INSIDE = ("request", "request_uri")


INVALID = "invalid_request_object"


class RequestObjectRefusal(Refusal):
    """For the client's developers: a person is told that the product asked in a wrong way."""

    def __init__(self, message: str, detail: str = "", code: str = INVALID) -> None:
        super().__init__(code, message, detail)


class SignedOnce(NamedTuple):
    """What was asked, and the name by which it may be asked once, until `expires_at`. `made_at` is
    no later than it was, by whichever clock."""

    parameters: Parameters
    name: str
    expires_at: float
    made_at: float


def verify(token: str, client: Client, keys: ClientKeys, issuer: str, now: float) -> Parameters:
    """The parameters in it. Raises RequestObjectRefusal unless it is this client's, for us, and of
    now."""
    claims = _signed_claims(token, client, keys, client.request_object_signing_alg, now)
    if claims.get("client_id") != client.client_id:
        raise RequestObjectRefusal("client_id in the request object is not the client.")
    _check_parties(claims, client, issuer)
    _check_times(claims, now, must_end=_must_end(client))
    return Parameters(_parameters(claims, READ), frozenset())


def verify_backchannel(
    token: str,
    client: Client,
    keys: ClientKeys,
    issuer: str,
    names: Sequence[str],
    now: float,
) -> SignedOnce:
    """Of the parameters `names` those in a signed backchannel authentication request (CIBA Core
    section 7.1.1), which has all of iss, aud, exp, iat, nbf and jti. Raises RequestObjectRefusal;
    that it was not used before is the endpoint's one write."""
    alg = client.backchannel_authentication_request_signing_alg
    claims = _signed_claims(token, client, keys, alg, now)
    _check_parties(claims, client, issuer)
    _check_times(claims, now, must_end=True)
    _time(claims, "iat", is_needed=True)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise RequestObjectRefusal("The request object has no jti.")
    parameters = Parameters(_parameters(claims, names), frozenset())
    name = f"signed request {client.client_id} {jti}"
    expires_at = float(claims["exp"] + KEPT_LONGER)
    return SignedOnce(parameters, name, expires_at, float(claims["iat"] - MAX_AHEAD))


def _signed_claims(
    token: str, client: Client, keys: ClientKeys, registered_alg: str | None, now: float
) -> dict[str, Any]:
    try:
        typ, claims = verify_signed(client, keys, token, registered_alg, now)
    except BadSignature as problem:
        message = "The request object is not signed by a key and an algorithm of the client's."
        raise RequestObjectRefusal(message, str(problem)) from problem
    if typ not in TYPES:
        raise RequestObjectRefusal("The typ of the request object is not oauth-authz-req+jwt.")
    return claims


def _check_parties(claims: dict[str, Any], client: Client, issuer: str) -> None:
    audience = claims.get("aud")
    if claims.get("iss") != client.client_id:
        raise RequestObjectRefusal("iss of the request object is not the client.")
    if claims.get("sub") == client.client_id:
        raise RequestObjectRefusal("sub makes a client assertion of it (RFC 9101 section 10.8).")
    if audience != issuer and not (isinstance(audience, list) and issuer in audience):
        raise RequestObjectRefusal("aud of the request object is not the issuer.")


def _must_end(client: Client) -> bool:
    """Of a client that must sign its requests, or of a profile, `exp` and `nbf` bound each (FAPI
    2.0 Message Signing section 5.3.1)."""
    return client.require_signed_request_object or client.profile is not None


def _check_times(claims: dict[str, Any], now: float, *, must_end: bool) -> None:
    """Seconds since 1970. Where one that need not end has an end, it is held to the same."""
    not_before, expires_at = (_time(claims, name, must_end) for name in ("nbf", "exp"))
    issued_at = _time(claims, "iat", is_needed=False)
    if max(not_before or 0, issued_at or 0) > now + MAX_AHEAD:
        raise RequestObjectRefusal("The request object is from the future.")
    if not_before is not None and not_before < now - LONGEST:
        raise RequestObjectRefusal("nbf of the request object is more than an hour ago.")
    if expires_at is not None and not now < expires_at <= (not_before or now) + LONGEST:
        raise RequestObjectRefusal("exp of the request object is past, or an hour after nbf.")


def _time(claims: dict[str, Any], name: str, is_needed: bool) -> float | None:
    value = claims.get(name)
    if value is None and not is_needed:
        return None
    if not isinstance(value, int | float):
        raise RequestObjectRefusal(f"The request object has no {name}, or none that is a number.")
    return value


def _parameters(claims: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    for name in NOT_INSIDE:
        if name in claims:
            raise RequestObjectRefusal(f"{name} can't stand in a request object.")
    return {name: _text(name, claims[name]) for name in names if name in claims}


READ = (*PARAMETERS, *NOT_SUPPORTED)
WHOLE_NUMBERS = ("max_age", "requested_expiry")
JSON_OF: dict[str, type] = {"claims": dict, "authorization_details": list}


def _text(name: str, value: object) -> str:
    """As `Parameters` keep it. Numbers, objects and lists stay what they are (RFC 9101 4)."""
    if name in MAY_REPEAT and isinstance(value, list) and all(isinstance(v, str) for v in value):
        value = "\n".join(value)
    if isinstance(value, JSON_OF.get(name, ())):
        value = _json(value)
    if name in WHOLE_NUMBERS and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_VALUE or "\x00" in value:
        raise RequestObjectRefusal(f"{name} in the request object is no text, or too long.")
    return value


def _json(value: object) -> str | None:
    """None for what is nested more deeply than anything that we read."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return None
