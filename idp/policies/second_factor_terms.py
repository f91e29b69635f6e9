"""What a tenant's policy says of second factors, as it is stated and stated anew. Pure.

Each kind's mode keeps `since`, when it was last turned on again: turning it off and later on makes
everybody enrol afresh, turning it on for the first time does not (product.md M5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from idp.directory.memberships import KINDS
from idp.policies import mfa
from idp.policies.assurance import EMAIL, PASSKEY, SMS, TOTP
from idp.policies.mfa import METHODS, STAFF, Mode

BY_KIND = "second_factor"
ALLOWED = "second_factor_methods"
BY_PRODUCT = "second_factor_products"
PASSWORD_AGAIN = "password_after_enrolment"
SECOND_ADMIN = "reset_needs_second_admin"
NAMES = (BY_KIND, ALLOWED, BY_PRODUCT, PASSWORD_AGAIN, SECOND_ADMIN)
LEAST_MINUTES, MOST_MINUTES = 1, 1440

RECOMMENDED_METHODS = frozenset({PASSKEY, TOTP})
WEAK = (SMS, EMAIL)  # what arrives over somebody else's network, or in a mailbox


class Terms(NamedTuple):
    """All of it. `products` maps keys to the minutes that a second factor stays fresh, None for as
    long as the sign-in is good."""

    modes: Mapping[str, Mode]
    methods: frozenset[str]
    products: Mapping[str, int | None]
    password_after_enrolment: bool
    reset_needs_second_admin: bool


def stated(policy: Mapping[str, Any]) -> Terms:
    """With what holds where the tenant says nothing."""
    rules = mfa.tenant_rules(orjson.dumps(policy).decode())
    return Terms(
        {kind: rules.of_kind(kind).mode for kind in KINDS},
        rules.methods | {PASSKEY},
        rules.products,
        rules.password_after_enrolment,
        policy.get(SECOND_ADMIN, False),
    )


def restated(policy: Mapping[str, Any], wanted: Terms, now: float) -> dict[str, Any]:
    """The policy with these terms; what was not stated and stays as it is goes on unsaid."""
    before = stated(policy)
    told: dict[str, Any] = {
        BY_KIND: turned(policy.get(BY_KIND, {}), wanted.modes, now),
        ALLOWED: [each for each in METHODS if each in wanted.methods | {PASSKEY}],
        BY_PRODUCT: dict(sorted(wanted.products.items())),
        PASSWORD_AGAIN: wanted.password_after_enrolment,
        SECOND_ADMIN: wanted.reset_needs_second_admin,
    }
    same = {
        BY_KIND: told[BY_KIND] == policy.get(BY_KIND, {}),
        ALLOWED: wanted.methods | {PASSKEY} == before.methods,
        BY_PRODUCT: dict(wanted.products) == dict(before.products),
        PASSWORD_AGAIN: wanted.password_after_enrolment == before.password_after_enrolment,
        SECOND_ADMIN: wanted.reset_needs_second_admin == before.reset_needs_second_admin,
    }
    return {**policy, **{name: value for name, value in told.items() if not same[name]}}


def turned(
    kinds: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, str], now: float
) -> dict[str, dict[str, Any]]:
    """The entries by kind after these modes are set. One that was on remembers it while it is off,
    and counts from `now` when it is on again."""
    rules = mfa.tenant_rules(orjson.dumps({BY_KIND: kinds}).decode())
    told = {kind: dict(entry) for kind, entry in kinds.items()}
    for kind, mode in wanted.items():
        before = rules.of_kind(kind).mode
        if mode == before:
            continue
        entry = {**told.get(kind, {}), "mode": str(mode)}
        if mode == Mode.OFF:
            entry["was_on"] = True
        elif before == Mode.OFF and entry.pop("was_on", False):
            entry["since"] = now
        told[kind] = entry
    return told


def recommended(terms: Terms) -> Terms:
    """What NIST SP 800-63B-4 section 2.2 asks where much is at stake; the rest stays."""
    modes = {**terms.modes, STAFF: Mode.REQUIRED}
    return terms._replace(modes=modes, methods=RECOMMENDED_METHODS)


class Gap(NamedTuple):
    """Where the terms are below the recommended ones."""

    staff_is_free: bool
    weak_methods: tuple[str, ...]


def gap(terms: Terms) -> Gap | None:
    """None where they are as good or better."""
    weak = tuple(each for each in WEAK if each in terms.methods)
    found = Gap(terms.modes[STAFF] != Mode.REQUIRED, weak)
    return found if any(found) else None
