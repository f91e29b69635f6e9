"""How long a sign-in is good: idle and absolute lifetimes, the strictest of platform and tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import orjson

from idp.settings import Settings

WALK = 300.0  # seconds that a person may take through the pages, however fresh a proof has to be


class Limit(NamedTuple):
    """What a tenant may state of its policy: `least` to `most` of its unit, which is `seconds`
    long. `recommended` is the longest that NIST SP 800-63B-4 section 2.2.3 advises."""

    name: str
    seconds: float
    least: int
    most: int
    recommended: int


IDLE = Limit("session_idle_minutes", 60.0, 1, 1440, 60)
ABSOLUTE = Limit("session_absolute_hours", 3600.0, 1, 720, 24)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds: since it was last used, and since the person last proved who they are."""

    idle: float
    absolute: float

    def is_over(self, auth_time: float, last_seen_at: float, now: float) -> bool:
        return now - last_seen_at > self.idle or now - auth_time > self.absolute


def lifetimes(settings: Settings, tenant_policy: str = "{}") -> Lifetimes:
    """`tenant_policy` is the tenant's JSON; what it states can shorten what the platform allows,
    never lengthen it."""
    idle, absolute = platform_lifetimes(settings)
    if tenant_policy != "{}":
        policy = orjson.loads(tenant_policy)
        idle = min(idle, IDLE.seconds * policy.get(IDLE.name, idle / IDLE.seconds))
        absolute = min(
            absolute, ABSOLUTE.seconds * policy.get(ABSOLUTE.name, absolute / ABSOLUTE.seconds)
        )
    return Lifetimes(idle, absolute)


def platform_lifetimes(settings: Settings) -> tuple[float, float]:
    """Idle and absolute, in seconds: the longest that any tenant can have."""
    return float(settings.session_idle_lifetime), float(settings.session_absolute_lifetime)
