"""What only its reader can open: JSON Web Encryption (RFC 7516) to somebody else's public key.

We encrypt and never decrypt, so that no JWE of a stranger's costs us anything (security.md S36).
RSA1_5 and what derives a key from a password are not among the algorithms, and nothing is
compressed (RFC 8725 sections 3.2 and 3.6).
"""

from __future__ import annotations

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

KEY_ALGORITHMS = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW")
CONTENT_ALGORITHMS = ("A128CBC-HS256", "A128GCM", "A256GCM")
USUAL_CONTENT_ALGORITHM = CONTENT_ALGORITHMS[0]  # OpenID Connect Registration section 2
CURVES = ("P-256", "X25519")


class NoUsableKey(Exception):
    """None of the keys is for encryption by that algorithm."""


def encrypt(content: str, keys: KeySet, alg: str, enc: str, *, is_token: bool) -> str:
    """In compact form. `is_token` says that the content is a JWT itself (RFC 7519 section 5.2).
    Raises NoUsableKey."""
    key = find_key(keys, alg)
    if key is None:
        raise NoUsableKey(f"no key for {alg}")
    header = {"alg": alg, "enc": enc, "cty": "JWT" if is_token else "json"}
    if key.kid:
        header["kid"] = key.kid
    try:
        return jwe.encrypt_compact(header, content, key, algorithms=[alg, enc])
    except (JoseError, ValueError) as problem:  # ValueError: a point that no secret comes of
        raise NoUsableKey(f"{alg}: {problem!a}") from problem


def find_key(keys: KeySet, alg: str) -> Key | None:
    """The first that is fit for `alg`; one that says that it is for encryption comes before one
    that says nothing (RFC 7517 section 4.2)."""
    fit = [key for key in keys.keys if _is_fit(key, alg)]
    return min(fit, key=lambda key: key.get("use") != "enc", default=None)


def _is_fit(key: Key, alg: str) -> bool:
    return (
        key.get("use", "enc") == "enc" and key.get("alg", alg) == alg and alg in algorithms_of(key)
    )


def algorithms_of(key: Key) -> tuple[str, ...]:
    """Those that a key could be encrypted to by."""
    if isinstance(key, RSAKey):
        return KEY_ALGORITHMS[:1]
    if isinstance(key, ECKey | OKPKey) and key.curve_name in CURVES:
        return KEY_ALGORITHMS[1:]
    return ()
