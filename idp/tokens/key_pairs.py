"""Pairs of keys, made by algorithm, and their public half as a JSON Web Key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey, thumbprint

ALGORITHMS = ("RS256", "ES256", "PS256", "Ed25519", "EdDSA")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_GENERATORS: dict[str, Callable[[], PrivateKey]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def generate(alg: str) -> PrivateKey:
    return _GENERATORS[alg]()


def public_jwk_of(private: PrivateKey, alg: str) -> dict[str, Any]:
    """Public members only; the `kid` is the key's thumbprint (RFC 7638)."""
    public = _import_public(private)
    members: dict[str, Any] = dict(public.as_dict(private=False))
    kid = thumbprint({name: members[name] for name in sorted(members) if name != "kid"})
    return {**members, "kid": f"{alg.lower()}-{kid}", "alg": alg, "use": "sig"}


def public_key_of(jwk: dict[str, Any]) -> PublicKey:
    """The other way round, for one of ours."""
    public: Any = JWKRegistry.import_key(jwk).raw_value
    return public  # type: ignore[no-any-return]


def _import_public(private: PrivateKey) -> RSAKey | ECKey | OKPKey:
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return RSAKey(public, public)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return ECKey(public, public)
    return OKPKey(public, public)
