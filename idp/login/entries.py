"""The memberships that somebody may go on as, with the rules of their tenants; or how they stand as
an operator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from idp.database import Connection
from idp.directory import memberships
from idp.directory.catalog import ProductView
from idp.directory.memberships import Standing
from idp.directory.operator_standing import AnyStanding, operator_standing
from idp.directory.products import CONSOLE
from idp.login.steps import Asked, Entry
from idp.policies import mfa, password_age
from idp.policies.mfa import Side
from idp.policies.password_age import AgeRule
from idp.policies.sessions import lifetimes
from idp.settings import Settings


def entries_of(
    settings: Settings, db: Connection, user_id: str, asked: Asked, now: float
) -> list[Entry]:
    """Who asks for no product is asked for what their companies want of each sign-in."""
    found: Sequence[AnyStanding]
    product = asked.product
    if product and product.is_platform:
        found = [operator_standing(db, user_id)]
    else:
        found = memberships.standings(db, user_id, product.key if product else CONSOLE, now)
    opening = [_opening(db, user_id, each, now) for each in asked.targets]
    return [_entry(settings, standing, asked.products, opening) for standing in found]


def _opening(db: Connection, user_id: str, product: ProductView, now: float) -> frozenset[str]:
    """The memberships that open it."""
    found = memberships.standings(db, user_id, product.key, now)
    return frozenset(each.membership_id for each in found if each.opens(product))


def _entry(
    settings: Settings,
    standing: AnyStanding,
    products: Sequence[ProductView],
    opening: Iterable[frozenset[str]],
) -> Entry:
    lasting = lifetimes(settings, standing.tenant_policy)
    if not isinstance(standing, Standing):
        return Entry(standing, lasting)
    return Entry(
        standing,
        lasting,
        _sides(standing),
        bool(standing.grant_second_factor),
        _password_ages(standing, products),
        all(standing.membership_id in each for each in opening),
    )


def _sides(standing: Standing) -> tuple[Side, ...]:
    """The tenant that is entered, and of a guest the one at home."""
    entered = Side(
        standing.tenant_id,
        standing.tenant_name,
        mfa.tenant_rules(standing.tenant_policy),
        standing.kind,
        bool(standing.second_factor_selected),
        standing.second_factor_skipped_at,
    )
    if standing.home_policy is None:
        return (entered,)
    home = Side(
        standing.home_id or "",
        standing.home_name or "",
        mfa.tenant_rules(standing.home_policy),
        standing.home_kind or "",
        bool(standing.home_selected),
        standing.home_skipped_at,
    )
    return (entered, home)


def _password_ages(standing: Standing, products: Sequence[ProductView]) -> tuple[AgeRule, ...]:
    """The products', the tenant's, and of a guest that of the one at home."""
    policies = (standing.tenant_policy, standing.home_policy or "{}")
    return tuple(rule for each in products for rule in password_age.rules(each, policies))
