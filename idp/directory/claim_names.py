"""Names of claims: nothing that a tenant or an operator names is called like one (security.md S81),
so that whoever reads a token takes neither a role nor a client for what it is not."""

from __future__ import annotations

_OF_TOKENS = "iss sub aud exp nbf iat jti client_id scope cnf act may_act events"
_OF_SIGN_INS = "auth_time nonce acr amr azp sid at_hash c_hash"
_OF_PEOPLE = "name given_name family_name email email_verified locale zoneinfo updated_at"
_OF_OURS = "grant_id tenant_id tenant roles permissions cross_tenant_grant"
RESERVED_NAMES = frozenset(f"{_OF_TOKENS} {_OF_SIGN_INS} {_OF_PEOPLE} {_OF_OURS}".split())
