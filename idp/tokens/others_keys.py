"""Public keys that others have given us: by which they sign, or to which we encrypt (RFC 7517)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.errors import JoseError
from joserfc.jwa import EdDSAAlgorithm
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from idp.secret_values import decode
from idp.tokens import encrypted_tokens

PRIVATE_MEMBERS = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
RSA_BITS = range(2048, 8193)
MAX_KEYS = 50
SIGNATURE_ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")


class _EdDSA(EdDSAAlgorithm):
    """The older name of Ed25519, which many still sign by (RFC 9864 section 4.1.2)."""

    security_warning = ""


def _registry() -> JWSRegistry:
    registry = JWSRegistry(algorithms=SIGNATURE_ALGORITHMS)
    registry.algorithms = {**registry.algorithms, "EdDSA": _EdDSA()}
    return registry


SIGNATURES = _registry()


def find_keys(jwks: object) -> list[Any] | None:
    """Those of a JWK Set, whatever they are; None for what is none, has none, or too many."""
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    return keys if isinstance(keys, list) and 0 < len(keys) <= MAX_KEYS else None


def flat(key: Mapping[str, Any]) -> dict[str, Any]:
    """Its members that are text or lists of text, as all are that RFC 7517 and RFC 7518 know of.
    What nests could be deeper than we can write down."""
    return {name: value for name, value in key.items() if _is_text(value)}


def problem_of(key: object) -> str:
    """What is wrong with a key, or nothing: public, and RSA of 2048 bits or more, P-256, Ed25519 to
    sign by, or X25519 to be encrypted to. What it says never repeats the key, which may be
    private."""
    if not isinstance(key, dict):
        return "is not an object"
    if key.get("kty") not in ("RSA", "EC", "OKP"):
        return "is not of kty RSA, EC or OKP"
    if PRIVATE_MEMBERS.intersection(key):
        return "is private: register the public half, and treat this one as known to others"
    if key.get("use", "sig") not in ("sig", "enc"):
        return "has a use that is neither sig nor enc"
    if key["kty"] == "RSA" and _bits(key.get("n")) not in RSA_BITS:
        return f"must have {RSA_BITS.start} bits or more"
    return _problem_of_numbers(key)


def may_have_signed(key: dict[str, Any], alg: str | None) -> bool:
    """Whether a sound key is one to sign by, by this algorithm or any, as its kind, `use`,
    `key_ops` and `alg` have it (RFC 7517 section 4)."""
    if key.get("use", "sig") != "sig" or "verify" not in key.get("key_ops", ["verify"]):
        return False
    [read] = KeySet.import_key_set({"keys": [key]}).keys
    by_kind = _algorithms_of(read.raw_value)
    return any(key.get("alg", each) == each and alg in (None, each) for each in by_kind)


def _is_text(value: object) -> bool:
    return all(isinstance(each, str) for each in (value if isinstance(value, list) else [value]))


def _bits(number: object) -> int:
    raw = decode(number) if isinstance(number, str) else None
    return int.from_bytes(raw or b"").bit_length()


def _problem_of_numbers(key: dict[str, Any]) -> str:
    """Read it by what will read it when something is signed by it."""
    try:
        [read] = KeySet.import_key_set({"keys": [key]}).keys
    except (JoseError, ValueError, KeyError):  # KeyError: a curve of no name it knows
        return "can't be read"
    by_use = {"sig": _algorithms_of(read.raw_value), "enc": encrypted_tokens.algorithms_of(read)}
    uses = [key["use"]] if "use" in key else list(by_use)
    allowed = [alg for use in uses for alg in by_use[use]]
    if not allowed:
        return "is on a curve other than P-256, Ed25519 to sign by, and X25519 to be encrypted to"
    if key.get("alg", allowed[0]) not in allowed:
        return f"has an alg that is none of {', '.join(allowed)}"
    return ""


def _algorithms_of(public: object) -> tuple[str, ...]:
    if isinstance(public, rsa.RSAPublicKey):
        return ("RS256", "PS256")
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name == "secp256r1":
        return ("ES256",)
    return ("Ed25519", "EdDSA") if isinstance(public, ed25519.Ed25519PublicKey) else ()
