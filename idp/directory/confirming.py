"""Companies that somebody founded by opening an account (product.md S5): what they may do before an
operator has confirmed that they are who they say (docs/decisions/0030).

Anybody founds one in a minute, with any name. So until then it opens the products that let people
open an account, and no other; it asks for no access to other companies; it has no identity
provider, whose button would be on our sign-in page; whoever is not known yet sees nothing of its
branding; and it has small budgets, and one with all of its kind together.
"""

from __future__ import annotations

import sqlalchemy as sa

from idp.database import Connection
from idp.directory.catalog import ProductView
from idp.directory.products import CONSOLE
from idp.directory.tenants import Tenant

WITHHELD = frozenset({"access.request", "identity_providers.manage"})  # of the console's nodes

_IS_CONFIRMED = sa.select(Tenant.confirmed_at.is_not(None)).where(
    Tenant.id == sa.bindparam("tenant_id")
)


def is_confirmed(db: Connection, tenant_id: str) -> bool:
    """No, for one that there is not."""
    row = db.row(_IS_CONFIRMED, tenant_id=tenant_id)
    return bool(row and row[0])


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
