"""What a token is bound to: the key that whoever brings it has to hold (RFC 7800).

Of a key that signs a proof for each request (DPoP, RFC 9449 section 6), or of the certificate that
the client's connection is made with (mutual TLS, RFC 8705 section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Confirmation(NamedTuple):
    """SHA-256 thumbprints in base64url: of the key (RFC 7638), and of the certificate."""

    jkt: str | None = None
    x5t: str | None = None

    @property
    def claim(self) -> dict[str, Any]:
        """`cnf` as a member of a token's claims; nothing for a token that anybody may bring."""
        if self is UNBOUND:
            return {}
        methods = {"jkt": self.jkt, "x5t#S256": self.x5t}
        held = {method: thumbprint for method, thumbprint in methods.items() if thumbprint}
        return {"cnf": held} if held else {}


UNBOUND = Confirmation()


def confirmation_of(claims: Mapping[str, Any]) -> Confirmation:
    """What a token of ours was bound to when it was made."""
    held = claims.get("cnf")
    return Confirmation(held.get("jkt"), held.get("x5t#S256")) if held else UNBOUND


def token_type(claims: Mapping[str, Any]) -> str:
    """How a token is brought (RFC 6749 section 7.1, RFC 9449 section 5)."""
    return "DPoP" if confirmation_of(claims).jkt else "Bearer"
