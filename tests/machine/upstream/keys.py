"""The keys of somebody else's provider, and signatures by them: good ones, and forged ones."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from typing import Any

import orjson
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

_MAKERS: dict[str, Callable[[], RSAKey | ECKey | OKPKey]] = {
    "RS256": lambda: RSAKey.generate_key(2048),
    "PS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
}
ALGORITHMS = tuple(_MAKERS)
_numbers = cycle(range(8))


@dataclass(frozen=True)
class SigningKey:
    """`alg` as headers have it: EdDSA (RFC 8037) is Ed25519 since RFC 9864."""

    alg: str
    kid: str
    key: RSAKey | ECKey | OKPKey

    @property
    def public(self) -> dict[str, Any]:
        """As in a key set (RFC 7517)."""
        half = self.key.as_dict(private=False)
        return {**half, "kid": self.kid, "alg": self.alg, "use": "sig"}

    def sign(self, claims: dict[str, Any], **header: str | None) -> str:
        """A compact signature; a header of None is left out."""
        # joserfc's own `encode` warns of the name EdDSA, which others use.
        algorithm = JWSRegistry.algorithms[self.alg]
        full = {"typ": "JWT", "alg": self.alg, "kid": self.kid, **header}
        return _compact(full, claims, lambda message: algorithm.sign(message, self.key))


def new_key(alg: str) -> SigningKey:
    """Another than the last seven: a process makes eight of a kind, since making one takes long."""
    return SigningKey(alg, secrets.token_urlsafe(6), _made(alg, next(_numbers)))


@lru_cache
def _made(alg: str, _number: int) -> RSAKey | ECKey | OKPKey:
    return _MAKERS[alg]()


def unsigned(claims: dict[str, Any]) -> str:
    """RFC 7519 section 6."""
    return _compact({"typ": "JWT", "alg": "none"}, claims, lambda _: b"")


def signed_by_secret(claims: dict[str, Any], secret: bytes, kid: str | None = None) -> str:
    def sign(message: bytes) -> bytes:
        return hmac.digest(secret, message, "sha256")

    return _compact({"typ": "JWT", "alg": "HS256", "kid": kid}, claims, sign)


def half_hash(access_token: str, alg: str) -> str:
    """`at_hash` (OpenID Connect Core 3.1.3.6)."""
    is_edwards = alg in {"EdDSA", "Ed25519"}
    digest = (hashlib.sha512 if is_edwards else hashlib.sha256)(access_token.encode()).digest()
    return unpadded(digest[: len(digest) // 2])


def challenge_of(verifier: str) -> str:
    """S256 (RFC 7636 section 4.2)."""
    return unpadded(hashlib.sha256(verifier.encode()).digest())


def unpadded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _compact(
    header: dict[str, str | None], claims: dict[str, Any], sign: Callable[[bytes], bytes]
) -> str:
    present = {name: value for name, value in header.items() if value is not None}
    message = f"{unpadded(orjson.dumps(present))}.{unpadded(orjson.dumps(claims))}"
    return f"{message}.{unpadded(sign(message.encode()))}"
