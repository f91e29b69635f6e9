"""Why a second factor is asked of somebody, product by product (product.md N1).

By what decides at their sign-in: the same entries, the same requirement, and `next_step` asked
about a first factor that was just proven: a password, or the only way in where there is one.
Nothing is worked out here a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from idp.credentials import factors
from idp.credentials.enrolled import Factor
from idp.database import Connection
from idp.directory import domain_names, users
from idp.directory.acting import Administration
from idp.directory.catalog import ProductView
from idp.directory.person import Member
from idp.directory.upstream_providers import UpstreamProvider
from idp.login.counting import demanded
from idp.login.entries import entries_of
from idp.login.next_step import next_step, required
from idp.login.steps import Asked, Decision, Enrolled, Entry, Proven, Step, ToEnrol, ToProve
from idp.policies.assurance import FEDERATED, PASSWORD, UPSTREAM_SECOND, Proof
from idp.policies.mfa import Requirement
from idp.provider import Provider


class Next(StrEnum):
    """What comes after the first factor. PASSWORD is a proof of their own beside their company's
    provider, and after it a second factor to set up, which nobody does by the word of one company
    who is in another one too, or operates the platform."""

    NOTHING = "nothing"
    PASSWORD = "password"
    PROVE = "prove"
    ENROL = "enrol"


class Explained(NamedTuple):
    """Of a product that opens for them: by whom alone they come in, None where nobody is the only
    way; what is required, what they have that counts, and what is asked for next. A second factor
    at the provider `trusted` would do as well."""

    product: ProductView
    only_way: UpstreamProvider | None
    requirement: Requirement
    counting: tuple[Factor, ...]
    next: Next
    trusted: UpstreamProvider | None


def to_admin(provider: Provider, admin: Administration, someone: Member) -> list[Explained]:
    """Asked as the sign-in asks, which sees all companies of theirs."""
    with provider.database.connection() as db:
        return explained(provider, db, someone.user_id, admin.tenant.slug, admin.now)


def explained(
    provider: Provider, db: Connection, user_id: str, tenant: str, now: float
) -> list[Explained]:
    """For the products that open for them in the tenant of that slug. `db` sees every company,
    since a guest's own has a say too."""
    who = _who(provider, db, user_id, now)
    owned = factors.enrolled(db, user_id)
    products = provider.catalog.current(now).products.values()
    found = (
        _explained(provider, db, who, Asked(product=each, tenant=tenant), owned, now)
        for each in products
        if not each.is_platform
    )
    return [each for each in found if each]


def _who(provider: Provider, db: Connection, user_id: str, now: float) -> Proven:
    person = users.find_person(db, user_id)
    providers = provider.catalog.current(now).providers
    if person is None:
        return Proven(user_id=user_id, providers=providers)
    is_operator = bool(person.is_operator)
    return Proven(user_id, person.email, is_operator=is_operator, providers=providers)


def _explained(
    provider: Provider,
    db: Connection,
    who: Proven,
    asked: Asked,
    owned: Sequence[Factor],
    now: float,
) -> Explained | None:
    assert asked.product and who.user_id
    entries = entries_of(provider.settings, db, who.user_id, asked, now)
    here = next((e for e in entries if e.standing.tenant == asked.tenant), None)
    if here is None or not here.standing.opens(asked.product):
        return None
    requirement = required(asked, [here])
    return Explained(
        asked.product,
        demanded(who, here),
        requirement,
        tuple(each for each in owned if requirement.counts(each.method, each.enrolled_at)),
        _next(_after_first_factor(asked, who, entries, here, owned, now)),
        _trusted(who, here, requirement),
    )


def _after_first_factor(
    asked: Asked,
    who: Proven,
    entries: Sequence[Entry],
    here: Entry,
    owned: Sequence[Factor],
    now: float,
) -> Decision:
    only_way = demanded(who, here)
    proofs = {FEDERATED: Proof(now, 0.0, only_way.key, now)} if only_way else {PASSWORD: Proof(now)}
    proven = replace(
        who,
        proofs=proofs,
        fresh=frozenset(proofs),
        enrolled=tuple(Enrolled(each.method, each.enrolled_at) for each in owned),
        chosen_tenant_id=here.standing.tenant_id,
    )
    return next_step(asked, proven, entries, now)


def _trusted(who: Proven, here: Entry, requirement: Requirement) -> UpstreamProvider | None:
    """The company's own, to which their address leads."""
    domain = domain_names.of_address(who.email)
    found = who.providers.of_domain(domain) if domain and not here.is_guest else None
    is_theirs = found is not None and found.tenant_id == here.standing.tenant_id
    would_do = bool(requirement.demands) and UPSTREAM_SECOND in requirement.methods
    return found if found and is_theirs and would_do and found.trusts_any else None


def _next(decision: Decision) -> Next:
    if decision is Step.PASSWORD:
        return Next.PASSWORD
    if isinstance(decision, ToProve):
        return Next.ENROL if decision.before_enrolling else Next.PROVE
    return Next.ENROL if isinstance(decision, ToEnrol) else Next.NOTHING
