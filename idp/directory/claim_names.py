"""Names of claims: nothing that a tenant or an operator names is called like one (security.md S81),
so that whoever reads a token takes neither a role nor a client for what it is not."""

from __future__ import annotations

RESERVED_NAMES = frozenset(
    (
        *(
            "iss",
            "sub",
            "aud",
            "exp",
            "nbf",
            "iat",
            "jti",
            "auth_time",
            "nonce",
            "acr",
            "amr",
            "azp",
        ),
        *("sid", "at_hash", "c_hash", "cnf", "act", "may_act", "events"),
        *("client_id", "scope", "grant_id", "tenant_id", "tenant", "roles", "permissions"),
        "cross_tenant_grant",
        *("name", "given_name", "family_name", "email", "email_verified", "locale", "zoneinfo"),
        "updated_at",
    )
)
