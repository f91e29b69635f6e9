"""How a company states terms of its policy anew.

A change is a conditional write: whoever saves after somebody else is told, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import orjson

from idp.directory import granting
from idp.directory.acting import Administration, Changed
from idp.directory.tenants import Tenant

PERMISSION = "policy.manage"

Policy = dict[str, Any]


def policy_of(admin: Administration) -> Policy:
    return dict(_tenant(admin).policy)


def digest(shown: object) -> str:
    """Of what a page shows, to be sent back with what is typed."""
    return sha256(orjson.dumps(shown)).hexdigest()[:32]


def check_seen(admin: Administration, seen: str, digest_now: Callable[[], str]) -> None:
    """In the tenant's turn, what was `seen` is what there is. Raises Changed, Forbidden, or
    RecentSignInNeeded."""
    granting.in_turn(admin, PERMISSION)
    admin.check_recent()
    if seen != digest_now():
        raise Changed("the policy")


def state(
    admin: Administration,
    stated: Mapping[str, Any],
    dated: Callable[[Policy, Policy], Policy] = lambda policy, _before: policy,
) -> None:
    """These terms anew, each as it is given; None is not stated. `dated` makes of the new policy,
    and the one before, what is kept."""
    tenant = _tenant(admin)
    before = {name: tenant.policy.get(name) for name in stated}
    if stated == before:
        return
    whole = {**tenant.policy, **stated}
    kept = {name: value for name, value in whole.items() if value is not None}
    tenant.policy = dated(kept, tenant.policy)
    admin.record("policy.changed", before=before, after=dict(stated))


def _tenant(admin: Administration) -> Tenant:
    return admin.rows.get_one(Tenant, admin.tenant.id)
