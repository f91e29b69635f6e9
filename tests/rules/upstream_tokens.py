"""ID tokens of another provider, and what we make of them."""

from __future__ import annotations

from typing import Any

from joserfc.jws import JWSRegistry

from idp.directory.upstream_providers import UpstreamProvider
from idp.federation.identity import Identity, read
from idp.federation.upstream import Tokens
from tests.machine.upstream.keys import SigningKey, new_key, unpadded

UPSTREAM = UpstreamProvider("google", "Google", "https://accounts.example", "ours", "sealed", "")
NOW, NONCE, ACCESS = 1_800_000_000.0, "n" * 43, "access-token"
KEYS = {alg: new_key(alg) for alg in ("RS256", "PS256", "ES256", "Ed25519")}
RSA = KEYS["RS256"]
PUBLISHED = tuple(key.public for key in KEYS.values())
CLAIMS: dict[str, Any] = {
    "iss": UPSTREAM.issuer,
    "aud": UPSTREAM.client_id,
    "iat": NOW,
    "exp": NOW + 600,
    "nonce": NONCE,
    "sub": "1001",
}


def signed(key: SigningKey = RSA, **changed: Any) -> str:
    """A claim of None is left out."""
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    return key.sign(claims)


def signed_bytes(payload: bytes) -> str:
    """Of anything, by RSA."""
    message = RSA.sign({}).partition(".")[0] + "." + unpadded(payload)
    signature = JWSRegistry.algorithms[RSA.alg].sign(message.encode(), RSA.key)
    return f"{message}.{unpadded(signature)}"


def found(
    id_token: str,
    published: tuple[dict[str, Any], ...] = PUBLISHED,
    upstream: UpstreamProvider = UPSTREAM,
) -> Identity:
    return read(upstream, Tokens(id_token, ACCESS), published, NONCE, NOW)


def told(**changed: Any) -> Identity:
    return found(signed(**changed))
