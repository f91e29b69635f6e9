"""Mint our own JWTs fast, and verify them strictly when they come back.

Minting: the header is encoded once for each key and type, and `cryptography` signs. Verifying asks
for exactly such a header: the key and its one algorithm follow from it, and no header is parsed, so
that none can choose anything (RFC 8725 sections 3.1 and 3.10). Foreign tokens (a client's
assertions) are joserfc's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from idp.secret_values import decode, encode
from idp.tokens.signing_keys import KeyRing, KeyView

ACCESS_TOKEN = "at+jwt"
ID_TOKEN = "JWT"
RESPONSE = "JWT"  # of an authorization: it has no `sub`, so nobody takes it for an ID token
LOGOUT_TOKEN = "logout+jwt"
TENANT_ENDING = "tenant-ending+jwt"  # read by others; none of our endpoints takes one
AUDIT_STATEMENT = "audit-statement+jwt"
INTROSPECTION = "token-introspection+jwt"  # RFC 9701 section 5
USERINFO = ""  # has no typ, so that no reader of ID tokens takes it for one (RFC 8725 section 3.11)

MANDATORY = {
    ACCESS_TOKEN: ("sub", "aud", "client_id", "jti", "scope"),  # RFC 9068 section 2.2
    ID_TOKEN: ("sub", "aud"),  # OpenID Connect Core section 2
}

MAX_TOKEN_BYTES = 16 * 1024
MAX_AHEAD = 10.0
REMEMBERED_TOKENS = 4096
REMEMBERED_FOR = 60.0  # seconds, and as long again


Verified = tuple[str, str, dict[str, Any]]  # its key's id, its type, its claims


class BadToken(Exception):
    """Not a token of ours that is good for this; says why, for the log."""


_SHA256 = hashes.SHA256()
_PKCS1 = padding.PKCS1v15()
_PSS = padding.PSS(padding.MGF1(_SHA256), 32)
_ECDSA = ec.ECDSA(_SHA256)

_SIGN: dict[str, Callable[[Any, bytes], bytes]] = {
    "RS256": lambda key, data: bytes(key.sign(data, _PKCS1, _SHA256)),
    "PS256": lambda key, data: bytes(key.sign(data, _PSS, _SHA256)),
    "ES256": lambda key, data: _raw_ecdsa(key.sign(data, _ECDSA)),
    "Ed25519": lambda key, data: bytes(key.sign(data)),
    "EdDSA": lambda key, data: bytes(key.sign(data)),
}
_VERIFY: dict[str, Callable[[Any, bytes, bytes], None]] = {
    "RS256": lambda key, signature, data: key.verify(signature, data, _PKCS1, _SHA256),
    "PS256": lambda key, signature, data: key.verify(signature, data, _PSS, _SHA256),
    "ES256": lambda key, signature, data: key.verify(_der_ecdsa(signature), data, _ECDSA),
    "Ed25519": lambda key, signature, data: key.verify(signature, data),
    "EdDSA": lambda key, signature, data: key.verify(signature, data),
}


def _raw_ecdsa(der: bytes) -> bytes:
    """R and S, 32 bytes each (RFC 7518 section 3.4)."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _der_ecdsa(raw: bytes) -> bytes:
    if len(raw) != 64:
        raise InvalidSignature
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


@lru_cache(maxsize=64)
def _header(kid: str, alg: str, typ: str) -> str:
    return encode(orjson.dumps({"alg": alg, "kid": kid, **({"typ": typ} if typ else {})}))


def mint(key: KeyView, typ: str, claims: dict[str, Any]) -> str:
    """A signed JWT in compact form (RFC 7515 section 3.1)."""
    signing_input = f"{_header(key.kid, key.alg, typ)}.{encode(orjson.dumps(claims))}"
    return f"{signing_input}.{encode(_SIGN[key.alg](key.private, signing_input.encode()))}"


class TokenReader:
    """Verifies tokens of ours, and remembers the ones whose signature it has just seen to be good.

    Remembered are signatures alone, by the whole token: time, key and purpose are checked each
    time. One that nobody has shown for two minutes is forgotten: some 4 KB each, of which a process
    would else gather more for hours.
    """

    def __init__(self) -> None:
        self._seen: dict[str, Verified] = {}
        self._seen_before: dict[str, Verified] = {}
        self._forgets_at = 0.0
        self._minted: tuple[KeyRing | None, dict[str, tuple[KeyView, str]]] = (None, {})

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
        if now >= self._forgets_at:
            self._forget(now)
        kid, typ, claims = self._seen.get(token) or self._remembered(token, ring)
        if ring.find(kid) is None:
            raise BadToken("the key is revoked")
        if typ != expected_typ:
            raise BadToken(f"a token of type {typ!r}")
        check_claims(claims, typ, now, expected_issuer=expected_issuer, allow_expired=allow_expired)
        return claims

    def _forget(self, now: float) -> None:
        self._seen_before, self._seen = self._seen, {}
        self._forgets_at = now + REMEMBERED_FOR

    def _remembered(self, token: str, ring: KeyRing) -> Verified:
        verified = self._seen_before.get(token) or self._verified(token, ring)
        self._seen[token] = verified
        if len(self._seen) >= REMEMBERED_TOKENS:
            self._forgets_at = 0.0
        return verified

    def _verified(self, token: str, ring: KeyRing) -> Verified:
        if len(token) > MAX_TOKEN_BYTES:
            raise BadToken("too long")
        header = token.partition(".")[0]
        minted = self._headers(ring).get(header)
        if minted is None:
            raise BadToken("not the header of a live key of ours")
        key, typ = minted
        signed, _, signature = token.rpartition(".")
        try:
            _VERIFY[key.alg](key.public, decode(signature) or b"", signed.encode())
            claims = orjson.loads(decode(signed[len(header) + 1 :]) or b"")
        except (InvalidSignature, ValueError) as problem:
            raise BadToken(f"signature or payload: {problem!a}") from problem
        if not isinstance(claims, dict):
            raise BadToken("not a JSON object")
        return key.kid, typ, claims

    def _headers(self, ring: KeyRing) -> dict[str, tuple[KeyView, str]]:
        """Each header that we mint for a type that we read: its key, and the type."""
        known, headers = self._minted
        if known is not ring:
            headers = {
                _header(key.kid, key.alg, typ): (key, typ) for key in ring.keys for typ in MANDATORY
            }
            self._minted = (ring, headers)
        return headers


def check_claims(
    claims: dict[str, Any],
    typ: str,
    now: float,
    *,
    expected_issuer: str,
    allow_expired: bool = False,
) -> None:
    """What has to hold of any token of that type. Raises BadToken."""
    if claims.get("iss") != expected_issuer:
        raise BadToken("another issuer")
    if any(name not in claims for name in MANDATORY[typ]):
        raise BadToken("a mandatory claim is missing")
    _check_time(claims, now, allow_expired)


def _check_time(claims: dict[str, Any], now: float, allow_expired: bool) -> None:
    expires_at, issued_at = claims.get("exp"), claims.get("iat")
    if not isinstance(expires_at, int) or not isinstance(issued_at, int):
        raise BadToken("no exp or iat")
    if expires_at <= now and not allow_expired:
        raise BadToken("expired")
    if issued_at > now + MAX_AHEAD:
        raise BadToken("issued in the future")
