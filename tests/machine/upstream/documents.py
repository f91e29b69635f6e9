"""What somebody else's provider publishes: its metadata, and its keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.machine.upstream.faults import ELSEWHERE, ENDPOINTS_AT, Fault
from tests.machine.upstream.keys import ALGORITHMS, SigningKey

MANY_KEYS = 10_000


def metadata(issuer: str, fault: Fault | None) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0 section 3."""
    at = ENDPOINTS_AT.get(fault, issuer) if fault else issuer
    return {
        "issuer": ELSEWHERE if fault is Fault.DISCOVERY_ISSUER_DIFFERS else issuer,
        "authorization_endpoint": f"{at}/authorize",
        "token_endpoint": f"{at}/token",
        "userinfo_endpoint": f"{at}/userinfo",
        "jwks_uri": f"{at}/jwks",
        "scopes_supported": ["openid", "email", "profile"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


def key_set(keys: Sequence[SigningKey], stranger: SigningKey, fault: Fault | None) -> Any:
    """RFC 7517 section 5. The `stranger` is a key that is not the provider's."""
    published = [key.public for key in keys]
    if fault is Fault.JWKS_EMPTY:
        published = []
    elif fault is Fault.KID_MISSING:
        published.append(stranger.public)
    elif fault is Fault.JWKS_TEN_THOUSAND_KEYS:
        left = range(MANY_KEYS - len(published))
        published = [{**published[0], "kid": f"key-{number}"} for number in left] + published
    return {"keys": published}
