"""People who opened an account by themselves, and wait for a company to let them in (product.md
S5; `letting_in.py` is who decides).

They have come by the company's verified domain. Until somebody there has let them in, they are no
member: nothing opens for them, and nobody there can do anything with their account. Whom nobody has
decided about for thirty days waits no more.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.database import Base, Connection
from idp.directory import memberships, tenants
from idp.directory.memberships import Membership
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.secret_values import new_id
from idp.tenancy import TenantOwned

LIFETIME = 30 * 86400.0

WAITING = "waiting"
APPROVED = "approved"
REFUSED = "refused"
LAPSED = "lapsed"  # what became of one that nobody has decided about, which is not kept
_IS_WAITING = sa.text("status = 'waiting'")


class JoinRequest(TenantOwned, Base):
    """`status` is one of those above; `email` the canonical address by which they came, whichever
    they have by now."""

    __tablename__ = "join_requests"
    __table_args__ = (
        sa.Index("ix_join_requests_by_tenant", "tenant_id", "status", "asked_at", "id"),
        sa.Index(
            "uq_join_requests_waiting",
            *("user_id", "tenant_id"),
            unique=True,
            sqlite_where=_IS_WAITING,
            postgresql_where=_IS_WAITING,
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"))
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    email: Mapped[str]
    status: Mapped[str]
    asked_at: Mapped[float]
    decided_by: Mapped[str | None]
    decided_at: Mapped[float | None]


_TABLE: Any = JoinRequest.__table__
_NOW: Any = sa.bindparam("now", type_=sa.Double)
_IS_OPEN: Any = _TABLE.c.status == sa.literal_column(f"'{WAITING}'")
HAS_LAPSED: Any = sa.and_(_IS_OPEN, _TABLE.c.asked_at <= _NOW - LIFETIME)
IN_TIME: Any = sa.and_(_IS_OPEN, _TABLE.c.asked_at > _NOW - LIFETIME)
_ASKED = ("id", "tenant_id", "user_id", "email", "asked_at")
_ASK = sa.insert(_TABLE).values({name: sa.bindparam(name) for name in _ASKED} | {"status": WAITING})
_is_active: Any = Tenant.status == sa.literal_column(f"'{tenants.ACTIVE}'")
_COMPANY = (
    sa.select(_TABLE.c.tenant_id)
    .join(Tenant, Tenant.id == _TABLE.c.tenant_id)
    .where(_TABLE.c.user_id == sa.bindparam("user_id"), IN_TIME, _is_active)
)
_IS_SOMEWHERE = (
    sa.select(Membership.id)
    .join(Tenant, Tenant.id == Membership.tenant_id)
    .where(
        Membership.user_id == sa.bindparam("user_id"),
        sa.literal_column(f"'{memberships.ACTIVE}'") == memberships.STATUS_NOW,
        _is_active,
    )
)
_IS_OF_TENANT = (_TABLE.c.tenant_id == sa.bindparam("tenant_id", type_=sa.Text), _IS_OPEN)
_SOME = sa.select(_TABLE.c.id).where(*_IS_OF_TENANT).limit(sa.bindparam("most", type_=sa.Integer))
_REFUSE_SOME = (
    sa.update(_TABLE)
    .where(_TABLE.c.id.in_(_SOME), _IS_OPEN)
    .values(status=REFUSED, decided_at=_NOW)
    .returning(_TABLE.c.id, _TABLE.c.user_id)
)
WHO_WAITS = (
    sa.select(_TABLE.c.id, _TABLE.c.user_id, _TABLE.c.email, User.name, _TABLE.c.asked_at)
    .join(User, User.id == _TABLE.c.user_id)
    .where(*_IS_OF_TENANT)
)
WHO_WAITS_COLUMNS = ("join_request_id", "user_id", "email", "name", "asked_at")


def ask(
    db: Connection, tenant_id: str, user_id: str, email: str, now: float, origin: Origin
) -> None:
    """By a canonical address. Whoever manages people there is told. In a transaction."""
    made = new_id()
    db.run(_ASK, id=made, tenant_id=tenant_id, user_id=user_id, email=email, asked_at=now)
    about = {"person": user_id, "request": made}
    audit.record(db, "join.asked", now, origin, actor=user_id, tenant=tenant_id, **about)


def company_of(db: Connection, user_id: str, now: float) -> str | None:
    """The id of the one that has still to decide about them."""
    row = db.row(_COMPANY, user_id=user_id, now=now)
    return str(row[0]) if row else None


def waits(db: Connection, user_id: str, now: float) -> bool:
    """Whether they are in no company, and one has still to decide about them."""
    is_somewhere = db.row(_IS_SOMEWHERE, user_id=user_id, now=now) is not None
    return not is_somewhere and company_of(db, user_id, now) is not None


def refuse_some(db: Connection, tenant_id: str, most: int, now: float) -> list[tuple[str, str]]:
    """Of a tenant that has ended: each request's id, and whose it was."""
    rows = db.rows(_REFUSE_SOME, tenant_id=tenant_id, most=most, now=now)
    return [(row[0], row[1]) for row in rows]
