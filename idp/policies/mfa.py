"""Whether a second factor is required, which ones count, how fresh: and why.

Whoever has a say makes a demand, and each demand is its own explanation. All demands hold together,
so the strictest wins by construction: the methods that every one of them takes, the shortest
freshness, and no skipping unless all of them allow it. Pure; docs/sign-in-policy.md shows it as a
table (product.md M1, M3, M5, M7, N1, N2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache, partial
from typing import NamedTuple

import orjson

from idp.directory.catalog import ProductView
from idp.policies.assurance import (
    EMAIL,
    PASSKEY,
    PHISHING_RESISTANT,
    RAISE,
    RECOVERY,
    SECOND,
    SECURITY_KEY,
    SMS,
    TOTP,
    TWO_FACTORS,
    UPSTREAM_SECOND,
    Proofs,
)
from idp.policies.sessions import WALK

METHODS = (PASSKEY, TOTP, SMS, EMAIL)  # as policies name them, from the strongest
STAFF = "staff"


class Mode(StrEnum):
    """Of a tenant's policy for one kind of member."""

    OFF = "off"
    SELECTED = "selected"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Why(StrEnum):
    """Who demands it. Words for each are in `web/requirement_words.py`."""

    PRODUCT = "product"
    TENANT_PRODUCT = "tenant_product"
    KIND_REQUIRED = "kind_required"
    KIND_OPTIONAL = "kind_optional"
    SELECTED = "selected"
    GRANT = "grant"
    PLATFORM = "platform"
    OWN_LEVEL = "own_level"
    ACR = "acr"
    ACR_VALUES = "acr_values"


class KindRule(NamedTuple):
    """`since` is when the policy was last turned on again: what was enrolled before does not count
    (product.md M5)."""

    mode: Mode
    since: float


@dataclass(frozen=True, slots=True)
class TenantRules:
    """What a tenant's policy says of second factors. `products` maps keys to the minutes that one
    stays fresh, None for no limit of its own."""

    kinds: Mapping[str, KindRule]
    methods: frozenset[str]
    products: Mapping[str, int | None]
    password_after_enrolment: bool

    def of_kind(self, kind: str) -> KindRule:
        """Recommended to staff and forced on nobody, where the tenant says nothing."""
        if kind in self.kinds:
            return self.kinds[kind]
        return KindRule(Mode.SELECTED if kind == STAFF else Mode.OFF, 0.0)


class Side(NamedTuple):
    """A tenant that has a say: the one that is entered, and of a guest the one at home too."""

    tenant_id: str
    tenant_name: str
    rules: TenantRules
    kind: str
    is_selected: bool
    skipped_at: float | None

    @property
    def rule(self) -> KindRule:
        return self.rules.of_kind(self.kind)


@dataclass(frozen=True, slots=True)
class Demand:
    """One reason for a second factor. `max_age` is in seconds; of `methods` (of SECOND), at least
    one has to be proven, by an authenticator enrolled at `since` or later. `was_skipped` tells of
    one that `may_skip` whether the person has."""

    why: Why
    methods: frozenset[str] = SECOND
    max_age: float | None = None
    since: float = 0.0
    may_skip: bool = False
    was_skipped: bool = False
    tenant_id: str = ""
    tenant_name: str = ""
    product_name: str = ""
    kind: str = ""
    acr: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """All demands together; without any, nothing is required."""

    demands: tuple[Demand, ...] = ()
    allowed: frozenset[str] = SECOND
    since: float = 0.0

    @property
    def methods(self) -> frozenset[str]:
        """Those that every demand takes, and every tenant that has a say allows."""
        return self.allowed.intersection(*(each.methods for each in self.demands))

    @property
    def max_age(self) -> float | None:
        return min((d.max_age for d in self.demands if d.max_age is not None), default=None)

    @property
    def may_skip(self) -> bool:
        return all(each.may_skip for each in self.demands)

    @property
    def was_skipped(self) -> bool:
        return all(each.may_skip and each.was_skipped for each in self.demands)

    def without(self, method: str) -> Requirement:
        """The same where the method does not count."""
        return replace(self, allowed=self.allowed - {method})

    def counts(self, method: str, enrolled_at: float) -> bool:
        """Whether an authenticator would do."""
        return method in self.methods and enrolled_at >= self.since

    def is_met(self, proofs: Proofs, fresh: frozenset[str], now: float) -> bool:
        """`fresh` are the methods that were proven in this very attempt."""
        return not self.demands or any(
            self.counts(method, proof.enrolled_at)
            and self._is_young(now - proof.shown_at, method in fresh)
            for method, proof in proofs.items()
        )

    def _is_young(self, age: float, is_fresh: bool) -> bool:
        if self.max_age is None:
            return True
        return age <= (max(self.max_age, WALK) if is_fresh else self.max_age)


NOTHING = Requirement()


class Asking(NamedTuple):
    """What is asked for beside the policies. `acr` is the least class that would do, and essential
    or not. `is_platform` is for what operators open where the platform demands a second factor of
    them; `own_level` for what a person may only do with their own authenticators."""

    product: ProductView | None = None
    acr: str | None = None
    acr_is_essential: bool = False
    is_platform: bool = False
    own_level: bool = False


def requirement(asking: Asking, sides: Sequence[Side], *, is_granted: bool = False) -> Requirement:
    """`is_granted` is of a guest whose access was approved on the condition of a second factor."""
    demands = tuple(_demands(asking, sides, is_granted))
    if not demands:
        return NOTHING
    allowed = SECOND.intersection(*(_expanded(side.rules.methods) for side in sides))
    since = max((s.rule.since for s in sides if s.rule.mode != Mode.OFF), default=0.0)
    return Requirement(demands, allowed, since)


def together(requirements: Iterable[Requirement]) -> Requirement:
    """What all of them require: of somebody who asks for no product, each of their companies."""
    found = [each for each in requirements if each.demands]
    if len(found) < 2:
        return found[0] if found else NOTHING
    return Requirement(
        tuple(dict.fromkeys(demand for each in found for demand in each.demands)),
        SECOND.intersection(*(each.allowed for each in found)),
        max((each.since for each in found), default=0.0),
    )


def _demands(asking: Asking, sides: Sequence[Side], is_granted: bool) -> Iterator[Demand]:
    product = asking.product
    if product and product.second_factor:
        max_age = _seconds(product.second_factor_minutes)
        yield Demand(Why.PRODUCT, max_age=max_age, product_name=product.name)
    for side in sides:
        yield from _of_tenant(side, product)
    if is_granted:
        yield Demand(Why.GRANT)
    if asking.is_platform:
        yield Demand(Why.PLATFORM, methods=RAISE[TWO_FACTORS])
    if asking.own_level:
        yield Demand(Why.OWN_LEVEL)
    if asking.acr in (TWO_FACTORS, PHISHING_RESISTANT):
        why = Why.ACR if asking.acr_is_essential else Why.ACR_VALUES
        may_skip = not asking.acr_is_essential
        yield Demand(why, methods=RAISE[asking.acr], may_skip=may_skip, acr=asking.acr)


def _of_tenant(side: Side, product: ProductView | None) -> Iterator[Demand]:
    mode, since = side.rule
    demand = partial(Demand, tenant_id=side.tenant_id, tenant_name=side.tenant_name)
    if mode == Mode.REQUIRED:
        yield demand(Why.KIND_REQUIRED, kind=side.kind)
    if mode == Mode.OPTIONAL:
        skipped = side.skipped_at is not None and side.skipped_at >= since
        yield demand(Why.KIND_OPTIONAL, may_skip=True, was_skipped=skipped, kind=side.kind)
    if mode == Mode.SELECTED and side.is_selected:
        yield demand(Why.SELECTED, kind=side.kind)
    if product and product.key in side.rules.products:
        max_age = _seconds(side.rules.products[product.key])
        yield demand(Why.TENANT_PRODUCT, max_age=max_age, product_name=product.name)


def _seconds(minutes: int | None) -> float | None:
    return None if minutes is None else minutes * 60.0


def _expanded(methods: frozenset[str]) -> frozenset[str]:
    """As proofs name them: a security key is a passkey that did not check its person, and recovery
    codes stand in for whatever was lost. What another provider has asked for is there only where
    the company trusts it."""
    return methods | {RECOVERY, PASSKEY, SECURITY_KEY, UPSTREAM_SECOND}


@lru_cache(maxsize=4096)
def tenant_rules(policy: str) -> TenantRules:
    """`policy` is the tenant's JSON."""
    stated = orjson.loads(policy)
    return TenantRules(
        kinds={
            kind: KindRule(Mode(rule["mode"]), rule.get("since", 0.0))
            for kind, rule in stated.get("second_factor", {}).items()
        },
        methods=frozenset(stated.get("second_factor_methods", METHODS)),
        products=stated.get("second_factor_products", {}),
        password_after_enrolment=stated.get("password_after_enrolment", False),
    )
