"""The assertions of a client that signs (RFC 7523)."""

from __future__ import annotations

import time

from joserfc import jwt
from joserfc.jwk import ECKey

from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.secret_values import new_id

KEY = ECKey.generate_key("P-256", {"kid": "volley", "use": "sig", "alg": "ES256"})
JWKS = {"keys": [KEY.as_dict(private=False)]}


def assertion(client_id: str, audience: str) -> dict[str, str]:
    """The fields of a form; good for a minute, and once."""
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + 60,
        "jti": new_id(),
    }
    signed = jwt.encode({"alg": "ES256", "kid": "volley"}, claims, KEY)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
