"""A tenant's policy on second factors, as its admins see, preview and change it (product.md M1, M3,
M7, N1).

Nothing is saved that was not previewed: a change is confirmed with the digest of what the preview
was of, and is previewed again where anything of that is not so any more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from idp.directory import granting
from idp.directory.acting import Administration, Changed, Mistake
from idp.directory.catalog import ProductView
from idp.directory.people import Wanted
from idp.directory.tenants import Tenant
from idp.errors import told
from idp.policies import second_factor_preview, second_factor_selection, second_factor_terms
from idp.policies.mfa import METHODS, Mode
from idp.policies.second_factor_preview import Preview
from idp.policies.second_factor_selection import Picks, Rows
from idp.policies.second_factor_terms import (
    LEAST_MINUTES,
    MOST_MINUTES,
    NAMES,
    Gap,
    Terms,
    restated,
)
from idp.secret_values import SecretKeys

PERMISSION = "policy.manage"
PAGE = 50


class Proposal(NamedTuple):
    """A change that is not saved: terms, or None for those that hold, and picks of people."""

    terms: Terms | None = None
    picks: Picks = ()

    @property
    def is_empty(self) -> bool:
        return self.terms is None and not self.picks


class Previewed(NamedTuple):
    """`digest` confirms it; so many people would be selected, and deselected."""

    preview: Preview
    before: Terms
    after: Terms
    selected: int
    deselected: int
    digest: str


def terms(admin: Administration) -> Terms:
    """Raises Forbidden."""
    admin.check(PERMISSION)
    return second_factor_terms.stated(_tenant(admin).policy)


def gap(admin: Administration) -> Gap | None:
    return second_factor_terms.gap(terms(admin))


def members(
    admin: Administration,
    keys: SecretKeys,
    wanted: Wanted,
    picks: Picks = (),
    cursor: str = "",
    size: int = PAGE,
) -> Rows:
    """Who is selected, with the picks. Raises Forbidden, or CursorRefused."""
    admin.check(PERMISSION)
    return second_factor_selection.listed(admin, keys, wanted, picks, cursor, size)


def products(admin: Administration) -> list[ProductView]:
    """Those that can demand a second factor of their own."""
    return [each for each in admin.catalog.products.values() if not each.is_platform]


def claimed_terms(
    admin: Administration,
    modes: Mapping[str, str],
    methods: Collection[str],
    demanded: Mapping[str, str],
    *,
    password_after_enrolment: bool,
    reset_needs_second_admin: bool,
) -> Terms:
    """What was filled in; `demanded` maps products to minutes, empty for no limit. Raises
    Mistake."""
    errors = {}
    if any(mode not in list(Mode) for mode in modes.values()):
        errors["modes"] = told("Choose one of these.")
    if not set(methods) <= set(METHODS):
        errors["methods"] = told("Choose among these.")
    known = {each.key for each in products(admin)}
    minutes: dict[str, int | None] = {}
    for key, text in demanded.items():
        found = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None
        if key not in known:
            errors["products"] = told("There is no such product.")
        elif text and (found is None or not LEAST_MINUTES <= found <= MOST_MINUTES):
            errors[f"minutes-{key}"] = told("Enter a whole number from 1 to 1440, or nothing.")
        minutes[key] = found
    if errors:
        raise Mistake(**errors)
    return Terms(
        {**terms(admin).modes, **{kind: Mode(mode) for kind, mode in modes.items()}},
        frozenset(methods),
        minutes,
        password_after_enrolment,
        reset_needs_second_admin,
    )


def preview(
    admin: Administration,
    keys: SecretKeys,
    proposal: Proposal,
    cursor: str = "",
    size: int = PAGE,
) -> Previewed:
    """Raises Forbidden, or CursorRefused."""
    admin.check(PERMISSION)
    policy = _tenant(admin).policy
    after = _after(admin, policy, proposal)
    found = second_factor_preview.preview(admin, keys, policy, after, proposal.picks, cursor, size)
    counts = second_factor_selection.changes(admin, proposal.picks)
    return Previewed(
        found,
        second_factor_terms.stated(policy),
        second_factor_terms.stated(after),
        *counts,
        _digest(policy, proposal, counts),
    )


def save(admin: Administration, proposal: Proposal, confirmed: str) -> None:
    """What was previewed, and nothing else. Where a reset needs two admins, none of them loosens
    that by a password alone. Raises Changed where that is not what it would do now; Forbidden,
    RecentSignInNeeded, SecondFactorNeeded."""
    granting.in_turn(admin, PERMISSION)
    admin.check_recent()
    tenant = _tenant(admin)
    if tenant.policy.get(second_factor_terms.SECOND_ADMIN):
        admin.check_second_factor()
    counts = second_factor_selection.changes(admin, proposal.picks)
    if confirmed != _digest(tenant.policy, proposal, counts):
        raise Changed("the policy on second factors")
    _save_terms(admin, tenant, proposal)
    if any(counts):
        second_factor_selection.save(admin, proposal.picks)
        picks = second_factor_selection.to_json(proposal.picks)
        selected, deselected = counts
        admin.record(
            "policy.people_selected", selected=selected, deselected=deselected, picks=picks
        )


def _save_terms(admin: Administration, tenant: Tenant, proposal: Proposal) -> None:
    after = _after(admin, tenant.policy, proposal)
    changed = [name for name in NAMES if after.get(name) != tenant.policy.get(name)]
    if not changed:
        return
    before = {name: tenant.policy.get(name) for name in changed}
    tenant.policy = after
    now = {name: after.get(name) for name in changed}
    admin.record("policy.changed", before=before, after=now)


def _after(admin: Administration, policy: dict[str, Any], proposal: Proposal) -> dict[str, Any]:
    if proposal.terms is None:
        return policy
    return restated(policy, proposal.terms, admin.now)


def _digest(policy: dict[str, Any], proposal: Proposal, counts: tuple[int, int]) -> str:
    """Of what a change is made to, what it is, and how many it picks."""
    wanted = None if proposal.terms is None else to_json(proposal)
    picks = second_factor_selection.to_json(proposal.picks)
    held = {name: policy.get(name) for name in NAMES}
    return sha256(orjson.dumps([held, wanted, picks, counts])).hexdigest()[:32]


def to_json(proposal: Proposal) -> dict[str, Any]:
    """To be kept, or told; `from_json` reads it."""
    found = proposal.terms
    stated = found and {**found._asdict(), "methods": sorted(found.methods)}
    return {"terms": stated, "picks": second_factor_selection.to_json(proposal.picks)}


def from_json(kept: Mapping[str, Any]) -> Proposal:
    stated = kept["terms"]
    found = stated and Terms(
        **{
            **stated,
            "modes": {kind: Mode(mode) for kind, mode in stated["modes"].items()},
            "methods": frozenset(stated["methods"]),
        }
    )
    return Proposal(found, second_factor_selection.from_json(kept["picks"]))


def _tenant(admin: Administration) -> Tenant:
    return admin.rows.get_one(Tenant, admin.tenant.id)
