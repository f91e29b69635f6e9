"""The scopes about a person, and the claims that each of them covers (OpenID Connect Core section
5.4)."""

from __future__ import annotations

from collections.abc import Iterable

SCOPE_CLAIMS = {
    "profile": ("name", "given_name", "family_name", "locale", "zoneinfo", "updated_at"),
    "email": ("email", "email_verified"),
}
OFFLINE_ACCESS = "offline_access"
SCOPES = ("openid", *SCOPE_CLAIMS, OFFLINE_ACCESS)


def claims_of(scope: Iterable[str]) -> frozenset[str]:
    """What the scopes cover."""
    return frozenset().union(*[SCOPE_CLAIMS.get(word, ()) for word in scope])


def scopes_of(claims: Iterable[str]) -> frozenset[str]:
    """The scopes that cover any of the claims."""
    wanted = frozenset(claims)
    return frozenset(word for word, names in SCOPE_CLAIMS.items() if wanted.intersection(names))
