"""Why a second factor is asked of somebody, product by product (product.md N1).

By what decides at their sign-in: the same entries, the same requirement, and `next_step` asked
about a password that was just proven. Nothing is worked out here a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from idp.credentials import factors
from idp.credentials.enrolled import Factor
from idp.database import Connection
from idp.directory.acting import Administration
from idp.directory.catalog import ProductView
from idp.directory.person import Member
from idp.login.entries import entries_of
from idp.login.next_step import next_step, required
from idp.login.steps import Asked, Decision, Enrolled, Entry, Proven, ToEnrol, ToProve
from idp.policies.assurance import PASSWORD, Proof
from idp.policies.mfa import Requirement
from idp.provider import Provider


class Next(StrEnum):
    """What comes after the password."""

    NOTHING = "nothing"
    PROVE = "prove"
    ENROL = "enrol"


class Explained(NamedTuple):
    """Of a product that opens for them: what is required, what they have that counts, and what is
    asked for next."""

    product: ProductView
    requirement: Requirement
    counting: tuple[Factor, ...]
    next: Next


def to_admin(provider: Provider, admin: Administration, someone: Member) -> list[Explained]:
    """Asked as the sign-in asks, which sees all companies of theirs."""
    with provider.database.connection() as db:
        return explained(provider, db, someone.user_id, admin.tenant.slug, admin.now)


def explained(
    provider: Provider, db: Connection, user_id: str, tenant: str, now: float
) -> list[Explained]:
    """For the products that open for them in the tenant of that slug. `db` sees every company,
    since a guest's own has a say too."""
    owned = factors.enrolled(db, user_id)
    products = provider.catalog.current(now).products.values()
    found = (
        _explained(provider, db, user_id, Asked(product=each, tenant=tenant), owned, now)
        for each in products
        if not each.is_platform
    )
    return [each for each in found if each]


def _explained(
    provider: Provider,
    db: Connection,
    user_id: str,
    asked: Asked,
    owned: Sequence[Factor],
    now: float,
) -> Explained | None:
    assert asked.product
    entries = entries_of(provider.settings, db, user_id, asked, now)
    here = next((e for e in entries if e.standing.tenant == asked.tenant), None)
    if here is None or not here.standing.opens(asked.product):
        return None
    requirement = required(asked, [here])
    return Explained(
        asked.product,
        requirement,
        tuple(each for each in owned if requirement.counts(each.method, each.enrolled_at)),
        _next(_after_password(asked, user_id, entries, here, owned, now)),
    )


def _after_password(
    asked: Asked,
    user_id: str,
    entries: Sequence[Entry],
    here: Entry,
    owned: Sequence[Factor],
    now: float,
) -> Decision:
    proven = Proven(
        user_id=user_id,
        proofs={PASSWORD: Proof(now)},
        fresh=frozenset({PASSWORD}),
        enrolled=tuple(Enrolled(each.method, each.enrolled_at) for each in owned),
        chosen_tenant_id=here.standing.tenant_id,
    )
    return next_step(asked, proven, entries, now)


def _next(decision: Decision) -> Next:
    if isinstance(decision, ToProve):
        return Next.ENROL if decision.before_enrolling else Next.PROVE
    return Next.ENROL if isinstance(decision, ToEnrol) else Next.NOTHING
