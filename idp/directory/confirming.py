"""Companies that somebody founded by opening an account (product.md S5): what they may do before an
operator has confirmed that they are who they say (docs/decisions/0030).

Anybody founds one in a minute, with any name. So until then it opens the products that let people
open an account, and no other; it asks for no access to other companies; it has no identity
provider, whose button would be on our sign-in page; whoever is not known yet sees nothing of its
branding; and it has small budgets (`rations`): its own, one with those that were founded from the
same network, so that one founder takes nothing from the others, and one with all of its kind.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.database import Connection
from idp.directory.catalog import ProductView
from idp.directory.products import CONSOLE
from idp.directory.tenants import Tenant
from idp.limits import Ration

DAY = 86400.0
WITHHELD = frozenset({"access.request", "identity_providers.manage"})  # of the console's nodes

_IS_CONFIRMED = sa.select(Tenant.confirmed_at.is_not(None)).where(
    Tenant.id == sa.bindparam("tenant_id")
)
_FOUNDED_FROM = sa.select(Tenant.founded_from).where(Tenant.id == sa.bindparam("tenant_id"))


class Share(NamedTuple):
    """How much a day: of one such company, of all that were founded from one network, and of
    all."""

    of_one: int
    of_a_network: int
    of_all: int


def is_confirmed(db: Connection, tenant_id: str) -> bool:
    """No, for one that there is not."""
    row = db.row(_IS_CONFIRMED, tenant_id=tenant_id)
    return bool(row and row[0])


def rations(db: Connection, tenant_id: str, what: str, share: Share) -> list[Ration]:
    """Of a company that is not confirmed; without one, what is everybody's."""
    all_together = (f"{what} of unconfirmed", share.of_all, DAY)
    if not tenant_id:
        return [all_together]
    own = (f"{what}:{tenant_id}", share.of_one, DAY)
    row = db.row(_FOUNDED_FROM, tenant_id=tenant_id)
    if row is None or row[0] is None:
        return [own, all_together]
    return [own, (f"{what} founded from:{row[0]}", share.of_a_network, DAY), all_together]


def open_nodes(product: ProductView, *, is_confirmed: bool) -> frozenset[str]:
    """What roles of the company can open anything by, of the product's tree; never anything of the
    platform's own."""
    if product.is_platform:
        return frozenset()
    if is_confirmed:
        return product.permission_keys
    if product.key == CONSOLE:
        return product.permission_keys - WITHHELD
    return product.permission_keys if product.sign_up else frozenset()
