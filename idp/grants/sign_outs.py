"""The sign-ins of a whole company end at once, for good: it was suspended.

What was granted before then counts no more, whatever becomes of the company: every use of a grant
reads the moment with the company's row (`grant_state.py`), so nobody has to wait until each of
100,000 sign-ins has been ended. That, and telling the products, goes on in batches, the first at
once and the others by the worker. How far it is, is what the row says: whoever is killed in the
middle of a batch leaves it to the next.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.database import Base, Connection, Database
from idp.directory.access_requests import AccessRequest
from idp.directory.memberships import Membership
from idp.directory.tenants import Tenant
from idp.grants.ending import end_of_membership
from idp.statements import Upsert
from idp.tenancy import TenantOwned

BATCH = 100


class TenantSignOut(TenantOwned, Base):
    """What is left to do of it: memberships whose id is behind `after`. There is no row where that
    is nothing. `products_told` is how many messages it took so far."""

    __tablename__ = "tenant_sign_outs"

    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"), primary_key=True)
    after: Mapped[str]
    products_told: Mapped[int]
    asked_at: Mapped[float]


_TABLE: Any = TenantSignOut.__table__
_TENANT = sa.bindparam("tenant_id", type_=sa.Text)
_NOW = sa.bindparam("now", type_=sa.Double)
_AFTER = sa.bindparam("behind", type_=sa.Text)
_MOST = sa.bindparam("most", type_=sa.Integer)
_REFUSE_EARLIER = sa.update(Tenant).where(Tenant.id == _TENANT).values(sign_ins_valid_after=_NOW)
_BEGIN = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values(tenant_id=_TENANT, after="", products_told=0, asked_at=_NOW)
        .on_conflict_do_update(index_elements=["tenant_id"], set_={"after": "", "asked_at": _NOW})
    )
)
_UNTIL = (
    sa.select(Tenant.sign_ins_valid_after).where(Tenant.id == _TABLE.c.tenant_id).scalar_subquery()
)
_LEFT = sa.select(_TABLE.c.tenant_id, _TABLE.c.after, _UNTIL).with_for_update(skip_locked=True)
_NEXT = _LEFT.order_by(_TABLE.c.asked_at).limit(1)
_OF_TENANT = _LEFT.where(_TABLE.c.tenant_id == _TENANT)


def _some(member: Any, user_id: Any, tenant_id: Any) -> sa.Select[Any]:
    some = sa.select(member.label("id"), user_id.label("user_id"))
    some = some.where(tenant_id == _TENANT, member > _AFTER).order_by(member).limit(_MOST)
    return sa.select(some.subquery())


_MEMBERS = (
    sa.union_all(
        _some(Membership.id, Membership.user_id, Membership.tenant_id),
        _some(AccessRequest.membership_id, AccessRequest.user_id, AccessRequest.tenant_id),
    )
    .order_by("id")
    .limit(_MOST)
)
_GO_ON = (
    sa.update(_TABLE)
    .where(_TABLE.c.tenant_id == _TENANT)
    .values(after=_AFTER, products_told=_TABLE.c.products_told + sa.bindparam("more"))
    .returning(_TABLE.c.products_told)
)
_FORGET = sa.delete(_TABLE).where(_TABLE.c.tenant_id == _TENANT)


def begin(db: Connection, tenant_id: str, now: float) -> None:
    """In a transaction that sees every tenant. The company is suspended in it: while it is, nobody
    signs in."""
    refuse_earlier(db, tenant_id, now)
    db.run(_BEGIN, tenant_id=tenant_id, now=now)
    for left in db.rows(_OF_TENANT, tenant_id=tenant_id):
        _sign_some_out(db, left, now)


def refuse_earlier(db: Connection, tenant_id: str, now: float) -> None:
    """Nothing counts that was granted in the company before. Once more when it goes on: who was
    signing in just as it was suspended has no more of it."""
    db.run(_REFUSE_EARLIER, tenant_id=tenant_id, now=now)


def go_on(database: Database, now: float) -> bool:
    """Another batch; False if none is left."""
    with database.transaction() as db:
        left = db.row(_NEXT)
        if left is not None:
            _sign_some_out(db, left, now)
    return left is not None


def _sign_some_out(db: Connection, left: tuple[Any, ...], now: float) -> None:
    """Memberships of its own, and those by which its people were let into other companies."""
    tenant_id, after, until = left
    members = db.rows(_MEMBERS, tenant_id=tenant_id, behind=after, most=BATCH)
    more = sum(end_of_membership(db, user_id, each, now, until) for each, user_id in members)
    last = members[-1][0] if members else after
    [(told,)] = db.rows(_GO_ON, tenant_id=tenant_id, behind=last, more=more)
    if len(members) < BATCH:
        db.run(_FORGET, tenant_id=tenant_id)
        audit.record(db, "tenant.signed_out", now, tenant=tenant_id, products_told=told)
