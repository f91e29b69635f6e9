"""Mint our own JWTs fast, and verify them strictly when they come back.

Minting: the header is encoded once for each key and type, and `cryptography` signs. Verifying goes
through joserfc with the one key that the `kid` names and that key's one algorithm; a header can
choose neither (RFC 8725 sections 3.1 and 3.10).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jws
from joserfc.errors import JoseError

from idp.secret_values import decode, encode
from idp.tokens.signing_keys import KeyRing, KeyView

ACCESS_TOKEN = "at+jwt"
ID_TOKEN = "JWT"
LOGOUT_TOKEN = "logout+jwt"

MANDATORY = {
    ACCESS_TOKEN: ("sub", "aud", "client_id", "jti", "scope"),  # RFC 9068 section 2.2
    ID_TOKEN: ("sub", "aud"),  # OpenID Connect Core section 2
}

MAX_TOKEN_BYTES = 16 * 1024
MAX_AHEAD = 10.0
REMEMBERED_TOKENS = 4096


class BadToken(Exception):
    """Not a token of ours that is good for this; says why, for the log."""


_SIGN: dict[str, Callable[[Any, bytes], bytes]] = {
    "RS256": lambda key, data: bytes(key.sign(data, padding.PKCS1v15(), hashes.SHA256())),
    "PS256": lambda key, data: bytes(
        key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    ),
    "ES256": lambda key, data: _raw_ecdsa(key.sign(data, ec.ECDSA(hashes.SHA256()))),
    "Ed25519": lambda key, data: bytes(key.sign(data)),
}


def _raw_ecdsa(der: bytes) -> bytes:
    """R and S, 32 bytes each (RFC 7518 section 3.4)."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@lru_cache(maxsize=64)
def _header(kid: str, alg: str, typ: str) -> str:
    return encode(orjson.dumps({"alg": alg, "kid": kid, "typ": typ}))


def mint(key: KeyView, typ: str, claims: dict[str, Any]) -> str:
    """A signed JWT in compact form (RFC 7515 section 3.1)."""
    signing_input = f"{_header(key.kid, key.alg, typ)}.{encode(orjson.dumps(claims))}"
    return f"{signing_input}.{encode(_SIGN[key.alg](key.private, signing_input.encode()))}"


class TokenReader:
    """Verifies tokens of ours, and remembers the ones whose signature it has seen to be good.

    Remembered are signatures alone, by the whole token: time, key and purpose are checked each
    time.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, str, dict[str, Any]]] = {}

    def read(
        self,
        token: str,
        ring: KeyRing,
        now: float,
        *,
        expected_typ: str,
        expected_issuer: str,
        allow_expired: bool = False,
    ) -> dict[str, Any]:
        """The claims. Raises BadToken unless signed by a live key of ours, of that type and issuer,
        and within its time, with every claim that its readers rest on (security.md S35)."""
        kid, typ, claims = self._seen.get(token) or self._verified(token, ring)
        if ring.find(kid) is None:
            raise BadToken("the key is revoked")
        if typ != expected_typ:
            raise BadToken(f"a token of type {typ!r}")
        if claims.get("iss") != expected_issuer:
            raise BadToken("another issuer")
        if any(name not in claims for name in MANDATORY[typ]):
            raise BadToken("a mandatory claim is missing")
        _check_time(claims, now, allow_expired)
        return claims

    def _verified(self, token: str, ring: KeyRing) -> tuple[str, str, dict[str, Any]]:
        if len(token) > MAX_TOKEN_BYTES:
            raise BadToken("too long")
        kid = _kid(token)
        key = ring.find(kid)
        if key is None:
            raise BadToken("unknown key")
        try:
            opened = jws.deserialize_compact(token, key.public, algorithms=[key.alg])
            claims = orjson.loads(opened.payload or b"")
        except (
            JoseError,
            ValueError,
            TypeError,
        ) as problem:  # TypeError: `crit` is no list of text
            raise BadToken(f"signature: {problem!a}") from problem
        if not isinstance(claims, dict):
            raise BadToken("not a JSON object")
        verified = (kid, str(opened.headers().get("typ", "")), claims)
        if len(self._seen) >= REMEMBERED_TOKENS:
            self._seen.clear()
        self._seen[token] = verified
        return verified


def _kid(token: str) -> str:
    """The `kid` of the header: a name to look up among our own keys, nothing more."""
    raw = decode(token.partition(".")[0])
    try:
        header = orjson.loads(raw or b"")
    except ValueError:
        header = None
    kid = header.get("kid") if isinstance(header, dict) else None
    if not isinstance(kid, str):
        raise BadToken("no kid")
    return kid


def _check_time(claims: dict[str, Any], now: float, allow_expired: bool) -> None:
    expires_at, issued_at = claims.get("exp"), claims.get("iat")
    if not isinstance(expires_at, int) or not isinstance(issued_at, int):
        raise BadToken("no exp or iat")
    if expires_at <= now and not allow_expired:
        raise BadToken("expired")
    if issued_at > now + MAX_AHEAD:
        raise BadToken("issued in the future")
