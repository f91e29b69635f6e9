"""A JWK Set as a client may register it (RFC 7517), and what its keys are good for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from joserfc.jwk import KeySet

from idp.errors import MetadataRefusal
from idp.tokens.encrypted_tokens import USUAL_CONTENT_ALGORITHM, NoUsableKey, encrypt
from idp.tokens.others_keys import MAX_KEYS, find_keys, may_have_signed, problem_of


def check_jwks(jwks: Mapping[str, Any]) -> None:
    """Public keys only (`problem_of`)."""
    keys = find_keys(jwks)
    if keys is None:
        sentence = f"It must be an object with a list of keys, {MAX_KEYS} at most."
        raise MetadataRefusal("jwks", sentence)
    for position, key in enumerate(keys):
        problem = problem_of(key)
        if problem:
            raise MetadataRefusal("jwks", f"Key {position + 1} {problem}.")


def is_to_sign_by(jwks: Mapping[str, Any], alg: str | None) -> bool:
    """Whether its owner can sign by that algorithm; without one, by any."""
    return any(may_have_signed(key, alg) for key in jwks["keys"])


def is_to_encrypt_to(jwks: Mapping[str, Any], alg: str) -> bool:
    """Tried, since there are points that no secret comes of."""
    keys = KeySet.import_key_set({"keys": jwks["keys"]})
    try:
        encrypt("tried", keys, alg, USUAL_CONTENT_ALGORITHM, is_token=False)
    except NoUsableKey:
        return False
    return True
