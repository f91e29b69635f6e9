"""How many codes are sent: for an account, to a number or address, for a company, from a network.

Exact, durable, and nothing of it starts anew by another attempt, session or kind of code (S52 of
security.md). What is refused here was not sent and took nothing.

A text message costs money, and anybody opens an account in a minute: people who are in no company
that an operator has confirmed have a smaller budget in each, and one all together. Numbers that are
enrolled already have another, larger one, so that whoever enrols many keeps nobody from signing in.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idp import limits
from idp.credentials.code_destinations import SMS
from idp.credentials.networks import network_of
from idp.database import Connection
from idp.directory import confirming, memberships, tenants
from idp.directory.confirming import Share
from idp.directory.memberships import Membership
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.secret_values import SecretKeys
from idp.settings import Settings

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
OF_AN_ACCOUNT = ((5, HOUR), (10, DAY))
OF_A_DESTINATION = ((1, MINUTE), (5, HOUR), (10, DAY))
ENROLLING = Share(of_one=50, of_a_network=100, of_all=500)  # where nobody is confirmed
ENROLLED = Share(of_one=500, of_a_network=1_000, of_all=5_000)
LACKING = ("of the account", "of the destination", "of the company", "of the network")


_IS_IN_ONE = sa.exists().where(
    Membership.user_id == User.id,
    Membership.status == sa.literal_column(f"'{memberships.ACTIVE}'"),
    Tenant.id == Membership.tenant_id,
    Tenant.status == sa.literal_column(f"'{tenants.ACTIVE}'"),
    Tenant.confirmed_at.is_not(None),
)
_IS_KNOWN: sa.Select[Any] = sa.select(User.id).where(
    User.id == sa.bindparam("user_id"), sa.or_(User.is_operator, _IS_IN_ONE)
)


def take(
    db: Connection,
    keys: SecretKeys,
    settings: Settings,
    *,
    user_id: str,
    channel: str,
    destination: str,
    is_enrolled: bool,
    tenant_id: str,
    address: str,
    now: float,
) -> str:
    """Room for one more code; which budget lacks it, empty if none does. By one channel an account
    gets one a minute, to whichever number. In a transaction."""
    blind = keys.blind(f"code to {destination}")
    account = [(f"codes of:{channel}:{user_id}", 1, MINUTE)]
    account += [(f"codes of:{span:.0f}:{user_id}", most, span) for most, span in OF_AN_ACCOUNT]
    there = [(f"codes to:{span:.0f}:{blind}", most, span) for most, span in OF_A_DESTINATION]
    company = [(f"codes for:{tenant_id}", settings.code_tenant_budget, DAY)]
    if channel == SMS:
        company += _of_unconfirmed(db, user_id, tenant_id, is_enrolled)
    network = [(f"codes from:{network_of(address)}", settings.code_network_budget, HOUR)]
    groups = (account, there, company, network)
    place = limits.take_each(db, now, [ration for group in groups for ration in group])
    if place is None:
        return ""
    names = [name for name, group in zip(LACKING, groups, strict=True) for _ in group]
    return names[place]


def _of_unconfirmed(
    db: Connection, user_id: str, tenant_id: str, is_enrolled: bool
) -> list[limits.Ration]:
    """Nothing for who is in a confirmed company, or an operator."""
    if db.row(_IS_KNOWN, user_id=user_id) is not None:
        return []
    if is_enrolled:
        return confirming.rations(db, tenant_id, "texts to sign in", ENROLLED)
    return confirming.rations(db, tenant_id, "texts to enrol", ENROLLING)
