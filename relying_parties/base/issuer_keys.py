"""The identity provider's signing keys, and checking what they signed without asking it."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry

ALGORITHMS = ("RS256", "ES256", "PS256", "Ed25519")
KEY_TYPES = ("RSA", "EC", "OKP")
LEEWAY_SECONDS = 10
REFETCH_SECONDS = 60
RETRY_SECONDS = 1
FRESH_SECONDS = 30


class TokenRefused(Exception):
    """A token that must not be believed. The message is for developers and holds no secret."""


class IssuerKeys:
    """The provider's JWK set (RFC 7517), cached.

    An unknown key id means the keys may have rotated, so the set is fetched again, but at most
    once a minute: a stranger's invented key ids must not turn into load on the provider.
    """

    def __init__(
        self, fetch: Callable[[], dict[str, Any]], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = Lock()
        self._keys: dict[str, Key] = {}
        self._fetched_at = float("-inf")

    def verify(self, token: str) -> jwt.Token:
        """The header and claims of a token with a good signature; raises TokenRefused."""
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        try:
            return jwt.decode(token, self._key_of, registry=registry)
        except (JoseError, ValueError) as error:
            raise TokenRefused(f"signature not valid: {type(error).__name__}") from error

    def _key_of(self, signed: Any) -> Key:
        claimed_id = str(signed.headers().get("kid", ""))
        with self._lock:
            age = self._clock() - self._fetched_at
            patience = REFETCH_SECONDS if self._keys else RETRY_SECONDS
            is_unknown = claimed_id not in self._keys
            if age > FRESH_SECONDS or (is_unknown and age > patience):
                self._refetch()
        if claimed_id not in self._keys:
            raise InvalidKeyIdError(claimed_id)
        return self._keys[claimed_id]

    def _refetch(self) -> None:
        self._fetched_at = self._clock()
        imported = {key.get("kid", ""): _import(key) for key in self._fetch()["keys"]}
        self._keys = {key_id: key for key_id, key in imported.items() if key and key_id}


def _import(key: dict[str, Any]) -> Key | None:
    """None for keys of kinds unknown here: they are for somebody else (RFC 7517 section 5)."""
    if key.get("kty") not in KEY_TYPES or key.get("use") == "enc":
        return None
    try:
        return JWKRegistry.import_key(key)
    except (JoseError, ValueError, KeyError):
        return None


def check_claims(claims: dict[str, Any], *, now: float, **expected: Any) -> None:
    """Raise TokenRefused unless the claims are as expected and in time (RFC 7519 section 4.1).

    `expected` maps a claim to the value that it must have or contain, or to None where it only
    has to be there. `exp` is always demanded.
    """
    demands: dict[str, Any] = {name: _demand(value) for name, value in expected.items()}
    registry = jwt.JWTClaimsRegistry(
        now=int(now), leeway=LEEWAY_SECONDS, exp={"essential": True}, **demands
    )
    try:
        registry.validate(claims)
    except JoseError as error:
        raise TokenRefused(str(error)) from error


def _demand(value: str | None) -> dict[str, Any]:
    return {"essential": True} if value is None else {"essential": True, "value": value}
