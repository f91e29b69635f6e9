"""Proofs of possession (DPoP, RFC 9449): a token of the client's own for one request, signed by the
key that is in it.

Verified here; that it was not used before is the one write of whoever takes it. Each has to carry a
nonce of ours (section 8). No nonce is kept: it is a MAC over the minute, so every process knows
those of every other.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

from idp.errors import OAuthRefusal
from idp.origins import USUAL_PORTS
from idp.secret_values import SecretKeys, encode, is_same
from idp.tokens.others_keys import SIGNATURE_ALGORITHMS, SIGNATURES, problem_of

TYPE = "dpop+jwt"
PROOF_ALGORITHMS = list(SIGNATURE_ALGORITHMS)
BAD_PROOF = "invalid_dpop_proof"
NONCE_WANTED = "use_dpop_nonce"
MAX_PROOF_BYTES = 8192
MAX_JTI = 256
MAX_AGE = 300.0
MAX_AHEAD = 60.0  # FAPI 2.0 Security Profile section 5.3.2.1
NONCE_WINDOW = 120


# What is not known in a header is ignored (RFC 7515 section 4), and a key of RSA needs some room.
_RULES = JWSRegistry(algorithms=PROOF_ALGORITHMS, strict_check_header=False)
_RULES.algorithms = SIGNATURES.algorithms
_RULES.max_header_length = MAX_PROOF_BYTES


class Proof(NamedTuple):
    """`jkt` is the thumbprint of its key (RFC 7638), `alg` what that signed by, and `name` what may
    be used once, until `expires_at`. `made_at` is no later than it was, by whichever clock."""

    jkt: str
    alg: str
    name: str
    expires_at: float
    made_at: float


def nonce(keys: SecretKeys, now: float) -> str:
    """For proofs of the next two to four minutes."""
    return _nonce(keys, int(now) // NONCE_WINDOW)


def verify_proof(
    claimed: str,
    keys: SecretKeys,
    now: float,
    *,
    expected_htm: str,
    expected_htu: Collection[str],
    expected_ath: str | None = None,
) -> Proof:
    """By every check of section 4.3. `expected_htu` are the addresses that it can have reached, and
    `expected_ath` is the hash of the access token that it comes with. Raises OAuthRefusal:
    `use_dpop_nonce` for a proof that lacks nothing else."""
    alg, key, claims = _signed_by_its_key(claimed)
    if claims.get("htm") != expected_htm:
        raise _bad("made for another method")
    if not any(_is_same_address(claims.get("htu"), each) for each in expected_htu):
        raise _bad("made for another address")
    if expected_ath is not None and claims.get("ath") != expected_ath:
        raise _bad("made for another access token")
    jti, issued_at = claims.get("jti"), claims.get("iat")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise _bad("no jti")
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
        raise _bad("no iat")
    if not now - MAX_AGE <= issued_at <= now + MAX_AHEAD:
        raise _bad("made too long ago, or later than now")
    if not _is_nonce(claims.get("nonce"), keys, now):
        sentence = "The DPoP proof needs the nonce that comes with this answer."
        raise OAuthRefusal(NONCE_WANTED, sentence)
    jkt = key.thumbprint()
    expires_at = issued_at + MAX_AGE + MAX_AHEAD
    return Proof(jkt, alg, f"dpop {jkt} {jti}", expires_at, float(issued_at - MAX_AHEAD))


def hash_of(access_token: str) -> str:
    """`ath` (section 4.2)."""
    return encode(sha256(access_token.encode()).digest())


def _signed_by_its_key(claimed: str) -> tuple[str, RSAKey | ECKey | OKPKey, dict[str, Any]]:
    """The key is what the proof is about, and proves nothing of itself. Nothing else in the header
    is read (security.md S33). Two proofs in one request are none: they can't be read as one."""
    if len(claimed) > MAX_PROOF_BYTES:
        raise _bad("too long")
    try:
        opened = jws.extract_compact(claimed.encode(), registry=_RULES)
        key = _key_in(opened.headers())
        if not jws.validate_compact(opened, key, registry=_RULES):
            raise _bad("another signature")
        claims = orjson.loads(opened.payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError) as problem:
        # TypeError: `crit` is no list of text. RecursionError: a list in a list, a thousand times.
        raise _bad(f"signature: {problem!a}") from problem
    if not isinstance(claims, dict):
        raise _bad("the payload is no object")
    return opened.headers()["alg"], key, claims


def _key_in(header: object) -> RSAKey | ECKey | OKPKey:
    if not isinstance(header, dict) or header.get("typ") != TYPE:
        raise _bad("another kind of token")
    if header.get("alg") not in PROOF_ALGORITHMS:
        raise _bad("an algorithm that is not ours")
    jwk = header.get("jwk")
    problem = problem_of(jwk)
    if problem:
        raise _bad(f"its key {problem}")
    key: RSAKey | ECKey | OKPKey = import_key(jwk)  # type: ignore[assignment,arg-type]
    return key


def _is_same_address(claimed: object, expected: str) -> bool:
    """As addresses are compared (RFC 3986 sections 6.2.2 and 6.2.3), without query and fragment."""
    try:
        return isinstance(claimed, str) and _normal(claimed) == _normal(expected)
    except ValueError:
        return False


def _normal(address: str) -> tuple[str, str, int | None, bytes]:
    """Scheme, host, port and path, the path as the bytes that it stands for."""
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise ValueError("an address names a user")
    port = parts.port or USUAL_PORTS.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port, _without_dots(unquote_to_bytes(parts.path))


def _without_dots(path: bytes) -> bytes:
    """RFC 3986 section 5.2.4, for a path from the root."""
    kept: list[bytes] = []
    segments = path.removeprefix(b"/").split(b"/")
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def _nonce(keys: SecretKeys, window: int) -> str:
    return keys.sign(str(window), "DPoP nonce")


def _is_nonce(claimed: object, keys: SecretKeys, now: float) -> bool:
    """Of this window, of the one before, or of a process whose clock has entered the next."""
    window = int(now) // NONCE_WINDOW
    return isinstance(claimed, str) and any(
        is_same(claimed, _nonce(keys, each)) for each in (window, window - 1, window + 1)
    )


def _bad(detail: str) -> OAuthRefusal:
    return OAuthRefusal(BAD_PROOF, "The DPoP proof is not valid.", f"DPoP proof: {detail}")
