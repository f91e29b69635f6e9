"""How old a password may be where a product or a tenant asks for another one after some days.

It counts from the change of the password; where the rule is younger than the password, from the
rule, with a tenth more or less by person, so that switching it on asks nobody at once and not all
of them on one day (product.md P3, N11; security.md section 4.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

DAY = 86400.0
LEAST_DAYS, MOST_DAYS = 30, 730


class AgeRule(NamedTuple):
    """At most `days` old, since the rule began to hold."""

    days: int
    since: float


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
