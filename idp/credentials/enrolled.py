"""What a person has enrolled to prove who they are, and what a proof by it is worth."""

from __future__ import annotations

from typing import NamedTuple


class Factor(NamedTuple):
    """`method` is its name everywhere (totp, sms, email, recovery, passkey, security_key), `id` is
    never used again, `label` tells it from others of its kind and gives nothing away."""

    method: str
    id: str
    label: str
    enrolled_at: float
    last_used_at: float | None


class Evidence(NamedTuple):
    """The person has just proven `method`, by an authenticator enrolled at that time."""

    method: str
    enrolled_at: float
