"""What Authlib's check of an ID token lacks."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256, sha512
from typing import Any

from joserfc.errors import InvalidClaimError
from joserfc.jws import extract_compact


def check_at_hash(claims: Mapping[str, Any], *, id_token: str, access_token: str) -> None:
    """OpenID Connect Core 3.1.3.8: where the ID token vouches for an access token, for this one.

    The ID token's signature has been verified. Authlib knows Ed25519 only by its older name and
    would refuse it here, so this check is made in its stead. Raises InvalidClaimError.
    """
    if "at_hash" not in claims:
        return
    alg = extract_compact(id_token.encode()).headers()["alg"]
    digest = (sha512 if alg == "Ed25519" else sha256)(access_token.encode()).digest()
    expected = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not hmac.compare_digest(expected, str(claims["at_hash"]).encode()):
        raise InvalidClaimError("at_hash")
