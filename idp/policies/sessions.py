"""How long a sign-in is good: idle and absolute lifetimes, the strictest of platform and tenant."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from idp.settings import Settings


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds: since it was last used, and since the person last proved who they are."""

    idle: float
    absolute: float

    def is_over(self, auth_time: float, last_seen_at: float, now: float) -> bool:
        return now - last_seen_at > self.idle or now - auth_time > self.absolute


def lifetimes(settings: Settings, tenant_policy: str = "{}") -> Lifetimes:
    """`tenant_policy` is the tenant's JSON; `session_idle_minutes` and `session_absolute_hours`
    can shorten what the platform allows, never lengthen it."""
    idle, absolute = (
        float(settings.session_idle_lifetime),
        float(settings.session_absolute_lifetime),
    )
    if tenant_policy != "{}":
        policy = orjson.loads(tenant_policy)
        idle = min(idle, 60.0 * policy.get("session_idle_minutes", idle / 60))
        absolute = min(absolute, 3600.0 * policy.get("session_absolute_hours", absolute / 3600))
    return Lifetimes(idle, absolute)
