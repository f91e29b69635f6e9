"""A tenant ends: one act, for good, with evidence of what it ended (product.md N9).

From then on nothing counts that rests on it. Nothing of it comes back: the status is final, and the
slug is never another's. What follows from it is `winding_up.py`.
"""

from __future__ import annotations

import sqlalchemy as sa

from idp.directory import catalog_version, readers, tenants
from idp.directory.acting import Mistake
from idp.directory.operating import Operation
from idp.directory.tenants import Tenant
from idp.errors import told
from idp.operators import winding_up
from idp.operators.winding_up import TenantEnding

_END = (
    sa.update(Tenant)
    .where(Tenant.id == sa.bindparam("tenant_id", type_=sa.Text), Tenant.status != tenants.ENDED)
    .values(status=tenants.ENDED)
    .returning(Tenant.id)
)


def end(operation: Operation, tenant: Tenant, typed: str) -> dict[str, int]:
    """`typed` is the tenant's name or slug, as proof that this one is meant. What ended and how
    much, or nothing where that is a lot: then it is written down later. Raises Forbidden,
    RecentSignInNeeded, or Mistake."""
    operation.check("tenants.manage")
    operation.check_recent()
    if typed.strip() not in (tenant.name, tenant.slug):
        raise Mistake(confirm=told("Type the name of the tenant exactly as it stands above."))
    db, actor = operation.db, operation.actor
    if db.row(_END, tenant_id=tenant.id) is None:
        raise Mistake(confirm=told("This tenant has ended already."))
    admins = [each.id for each in readers.account_admins(db, tenant.id, operation.now)]
    by = {"ended_by": actor.user_id or actor.client_id, "ended_at": operation.now}
    operation.rows.add(TenantEnding(tenant_id=tenant.id, **by, counts={}))
    operation.rows.flush()
    operation.record("tenant.ended", tenant=tenant.id, account_admins=admins)
    catalog_version.touch_clients_of(db, tenant.id)
    return winding_up.begin(operation, tenant.id)
