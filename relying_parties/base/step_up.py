"""A stronger or more recent sign-in for something weighty (RFC 9470): what is wanted, whether a
token shows it, and how an API's challenge becomes an authorization request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import WWWAuthenticate

ERROR = "insufficient_user_authentication"


@dataclass(frozen=True)
class StepUp:
    """Any of `acr_values` will do, by a sign-in that is at most `max_age` seconds old."""

    acr_values: tuple[str, ...]
    max_age: int

    def is_shown_by(self, claims: Mapping[str, Any], now: float) -> bool:
        age = now - float(claims.get("auth_time", 0))
        return claims.get("acr") in self.acr_values and age <= self.max_age

    @property
    def parameters(self) -> dict[str, str]:
        """Of the challenge (RFC 9470 section 3), and of the request that answers it."""
        return {"acr_values": " ".join(self.acr_values), "max_age": str(self.max_age)}


def read_challenge(header: str | None) -> dict[str, str] | None:
    """What to ask the provider for, if an API's `WWW-Authenticate` says that this would help."""
    challenge = WWWAuthenticate.from_header(header)
    if challenge is None or challenge.type != "bearer" or challenge.get("error") != ERROR:
        return None
    asked = {name: challenge.get(name) for name in ("acr_values", "max_age")}
    return {name: value for name, value in asked.items() if value}
