"""Proof Key for Code Exchange (RFC 7636), S256 alone."""

from __future__ import annotations

import re
from hashlib import sha256

from idp.secret_values import encode, is_same

METHOD = "S256"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_challenge(text: str) -> bool:
    return _CHALLENGE.fullmatch(text) is not None


def verifies(claimed_verifier: str | None, expected_challenge: str | None) -> bool:
    """Both or neither: a verifier without a challenge means that somebody took the challenge away
    (RFC 9700 section 4.8.2)."""
    if claimed_verifier is None or expected_challenge is None:
        return claimed_verifier is None and expected_challenge is None
    if not _VERIFIER.fullmatch(claimed_verifier):
        return False
    return is_same(challenge_of(claimed_verifier), expected_challenge)


def challenge_of(verifier: str) -> str:
    return encode(sha256(verifier.encode()).digest())
