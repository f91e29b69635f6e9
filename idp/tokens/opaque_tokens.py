"""Access tokens that say nothing to whoever holds one: the claims that a JWT would show, sealed.

Nothing is kept of one, so that it is made and looked at as fast as a JWT; what it is good for is
asked of us (RFC 7662).
"""

from __future__ import annotations

from typing import Any

import orjson

from idp.errors import SetupMistake
from idp.secret_values import SecretKeys
from idp.tokens.signed_tokens import ACCESS_TOKEN, MAX_TOKEN_BYTES, BadToken, check_claims

PREFIX = "lkat_"  # for people, and for programs that look for secrets
PURPOSE = "access token"


def seal(keys: SecretKeys, claims: dict[str, Any]) -> str:
    return PREFIX + keys.encrypt(orjson.dumps(claims), PURPOSE)


def is_opaque(token: str) -> bool:
    """By its beginning alone."""
    return token.startswith(PREFIX)


def read(keys: SecretKeys, token: str, now: float, *, expected_issuer: str) -> dict[str, Any]:
    """The claims. Raises BadToken unless we sealed it as an access token, and as TokenReader does
    for one that is signed."""
    if len(token) > MAX_TOKEN_BYTES:
        raise BadToken("too long")
    try:
        claims: dict[str, Any] = orjson.loads(keys.decrypt(token.removeprefix(PREFIX), PURPOSE))
    except SetupMistake as problem:
        raise BadToken("not sealed by us") from problem
    check_claims(claims, ACCESS_TOKEN, now, expected_issuer=expected_issuer)
    return claims
