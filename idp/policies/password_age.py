"""How old a password may be where a product or a tenant asks for another one after some days.

It counts from the change of the password; where the rule is younger than the password, from the
rule, with a tenth more or less by person, so that switching it on asks nobody at once and not all
of them on one day (product.md P3, N11; security.md section 4.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from idp.directory.catalog import ProductView

DAY = 86400.0
LEAST_DAYS, MOST_DAYS = 30, 730
MAX_AGE, SINCE = "password_max_age_days", "password_max_age_since"  # of a tenant's policy


class AgeRule(NamedTuple):
    """At most `days` old, since the rule began to hold."""

    days: int
    since: float


def since(
    days: int | None, now: float, days_before: int | None, since_before: float | None
) -> float | None:
    """From when on a rule holds that is stated now: anew where it is switched on or made stricter,
    as before where it is not."""
    if days is None:
        return None
    is_as_before = days_before is not None and days >= days_before
    return since_before if is_as_before and since_before is not None else now


def dated(policy: Mapping[str, Any], before: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A tenant's policy that is stated now, with the time from which on its age holds."""
    undated = {name: value for name, value in policy.items() if name != SINCE}
    holds = since(undated.get(MAX_AGE), now, before.get(MAX_AGE), before.get(SINCE))
    return undated if holds is None else {**undated, SINCE: holds}


@lru_cache(maxsize=4096)
def of_tenant(policy: str) -> AgeRule | None:
    """What a tenant's policy, in JSON, says for all products that are opened in it."""
    stated = orjson.loads(policy)
    days = stated.get(MAX_AGE)
    return AgeRule(days, stated[SINCE]) if days else None


def rules(product: ProductView, policies: Iterable[str]) -> tuple[AgeRule, ...]:
    """What holds for somebody who opens the product: its own rule, and those of their tenants."""
    found = [of_tenant(policy) for policy in policies]
    if product.password_max_age_days:
        found.append(AgeRule(product.password_max_age_days, product.password_max_age_since))
    return tuple(rule for rule in found if rule)


def due_at(rules: Iterable[AgeRule], changed_at: float, user_id: str) -> float | None:
    """From when on another password is asked for; None for never."""
    return min((_due(rule, changed_at, user_id) for rule in rules), default=None)


def _due(rule: AgeRule, changed_at: float, user_id: str) -> float:
    if changed_at >= rule.since:
        return changed_at + rule.days * DAY
    return rule.since + rule.days * DAY * _spread(user_id)


def _spread(user_id: str) -> float:
    """0.9 to 1.1, the same for a person each time."""
    return 0.9 + 0.2 * sha256(user_id.encode()).digest()[0] / 255
