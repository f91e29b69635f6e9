"""What a tenant demands at sign-in, as its admins see and change it.

A policy is a list of terms. Each can make what the platform allows stricter, never looser; one that
is not stated follows the platform.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import orjson

from idp.directory.acting import Administration, Mistake
from idp.errors import told
from idp.policies import stating
from idp.policies.sessions import ABSOLUTE, IDLE, Limit, lifetimes, platform_lifetimes
from idp.settings import Settings

PERMISSION = stating.PERMISSION
SESSION = (IDLE, ABSOLUTE)


class Term(NamedTuple):
    """One thing that a policy says, in the unit of its limit. `stated` is the tenant's own, if it
    has one; `allowed` the platform's, and `in_force` the stricter of the two."""

    limit: Limit
    stated: int | None
    allowed: float
    in_force: float

    @property
    def most(self) -> int:
        """The highest that can be stated: more than the platform allows would change nothing."""
        return max(self.limit.least, min(self.limit.most, int(self.allowed)))

    @property
    def is_longer_than_recommended(self) -> bool:
        return self.in_force > self.limit.recommended


def session_terms(admin: Administration, settings: Settings) -> list[Term]:
    """How long a sign-in is good here. Raises Forbidden."""
    admin.check(PERMISSION)
    return _terms(settings, stating.policy_of(admin))


def change_sessions(
    admin: Administration, settings: Settings, seen: str, claimed: dict[str, str]
) -> None:
    """State each term anew; an empty one follows the platform. Raises Mistake, Changed,
    Forbidden."""
    stating.check_seen(admin, seen, lambda: digest(admin))
    stated = _stated(_terms(settings, stating.policy_of(admin)), claimed)
    _check_order(settings, stated)
    stating.state(admin, stated)


def digest(admin: Administration) -> str:
    """Of the terms as they are now."""
    policy = stating.policy_of(admin)
    return stating.digest([policy.get(limit.name) for limit in SESSION])


def _terms(settings: Settings, policy: dict[str, Any]) -> list[Term]:
    allowed = platform_lifetimes(settings)
    now = lifetimes(settings, orjson.dumps(policy).decode())
    return [
        Term(limit, policy.get(limit.name), most / limit.seconds, in_force / limit.seconds)
        for limit, most, in_force in zip(SESSION, allowed, (now.idle, now.absolute), strict=True)
    ]


def _stated(terms: list[Term], claimed: dict[str, str]) -> dict[str, int | None]:
    stated: dict[str, int | None] = {}
    errors = {}
    for term in terms:
        text = claimed.get(term.limit.name, "").strip()
        value = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None
        if text and (value is None or not term.limit.least <= value <= term.most):
            errors[term.limit.name] = told("Enter a whole number within these bounds, or nothing.")
        stated[term.limit.name] = value
    if errors:
        raise Mistake(**errors)
    return stated


def _check_order(settings: Settings, stated: dict[str, int | None]) -> None:
    named = {name: value for name, value in stated.items() if value is not None}
    found = lifetimes(settings, orjson.dumps(named).decode())
    if found.idle > found.absolute and IDLE.name in named:
        sentence = told("A sign-in ends before it can be unused for so long: see the line below.")
        raise Mistake(**{IDLE.name: sentence})
