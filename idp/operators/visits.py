"""An operator acts for a tenant: for a reason, for a while, and seen by the tenant.

Operators have no standing access to a tenant. A visit lets one in as an administrator below the
account admin. It is over when its time is, whoever has noticed; when the operator says so; and when
an account admin of the tenant does.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp import audit
from idp.audit import Origin
from idp.database import Connection
from idp.directory import granting, operator_visits, tenants
from idp.directory.acting import Actor, Administration, Forbidden, Mistake, NotFound
from idp.directory.acting import TenantName as Name
from idp.directory.catalog import ProductView
from idp.directory.operating import Operation
from idp.directory.operator_visits import OperatorVisit
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import told
from idp.secret_values import new_id

MINUTES = (15, 30, 45, 60)
MAX_REASON = 500
SHOWN = 100


class Visit(NamedTuple):
    id: str
    tenant: Name
    until: float


class Seen(NamedTuple):
    """A visit as the tenant sees it; `ended_at` is when it was or will be over."""

    id: str
    operator: str
    email: str
    reason: str
    started_at: float
    ended_at: float
    is_live: bool


_NOW = sa.bindparam("now", type_=sa.Double)
_LIVE = (
    sa.select(OperatorVisit.id, Tenant.id, Tenant.slug, Tenant.name, OperatorVisit.until)
    .join(Tenant, Tenant.id == OperatorVisit.tenant_id)
    .join(User, User.id == OperatorVisit.operator_id)
    .where(
        OperatorVisit.operator_id == sa.bindparam("operator_id"),
        Tenant.slug == sa.bindparam("slug"),
        Tenant.status == sa.literal_column(f"'{tenants.ACTIVE}'"),
        *operator_visits.IS_OPERATOR,
        *operator_visits.IS_LIVE,
    )
    .order_by(OperatorVisit.until.desc())
)
_END = (
    sa.update(OperatorVisit)
    .where(
        OperatorVisit.id == sa.bindparam("visit_id"),
        OperatorVisit.tenant_id == sa.bindparam("visited_id"),
        *operator_visits.IS_LIVE,
    )
    .values(ended_at=_NOW, ended_by=sa.bindparam("who"))
    .returning(OperatorVisit.id)
)


def find_live(db: Connection, slug: str, operator_id: str, now: float) -> Visit | None:
    """The operator's visit to that tenant, while it lasts, and while they are one."""
    row = db.row(_LIVE, slug=slug, operator_id=operator_id, now=now)
    return Visit(row[0], Name(*row[1:4]), row[4]) if row else None


def visitor(visit: Visit, operator_id: str, auth_time: float, console: ProductView) -> Actor:
    """Everything that the console does, but nothing to an account admin, and nothing of the
    console's is handed on."""
    return Actor(
        user_id=operator_id,
        client_id=None,
        auth_time=auth_time,
        permissions=console.permission_keys,
        rights=operator_visits.VISITOR,
        visit_id=visit.id,
    )


def begin(operation: Operation, tenant: Tenant, reason: str, minutes: int) -> OperatorVisit:
    """Raises Forbidden, RecentSignInNeeded, or Mistake."""
    operation.check("tenants.manage")
    operation.check_recent()
    operator_id = operation.actor.user_id
    if operator_id is None:
        raise Forbidden("a client has no visits: only a person acts for a tenant")
    _check(tenant, reason, minutes)
    end(operation, tenant.slug)  # one at a time
    now = operation.now
    visit = OperatorVisit(
        id=new_id(),
        tenant_id=tenant.id,
        operator_id=operator_id,
        reason=reason.strip(),
        started_at=now,
        until=now + minutes * 60,
    )
    operation.rows.add(visit)
    operation.rows.flush()
    operation.record(
        "visit.started",
        tenant=tenant.id,
        visit=visit.id,
        reason=visit.reason,
        until=visit.until,
    )
    return visit


def _check(tenant: Tenant, reason: str, minutes: int) -> None:
    errors = {}
    if not 10 <= len(reason.strip()) <= MAX_REASON:
        errors["reason"] = told("Say why in 10 to 500 characters: the tenant reads it.")
    if minutes not in MINUTES:
        errors["minutes"] = told("Choose how long, an hour at most.")
    if tenant.status != tenants.ACTIVE:
        errors["reason"] = told("This tenant is not active, so that nobody acts for it.")
    if errors:
        raise Mistake(**errors)


def end(operation: Operation, slug: str) -> bool:
    """The operator's own visit to the tenant; False when it is over already."""
    operator_id, has_ended = operation.actor.user_id or "", False
    while visit := find_live(operation.db, slug, operator_id, operation.now):
        has_ended = _ended(
            operation.db, visit.tenant.id, visit.id, operator_id, operation.now, operation.origin
        )
    return has_ended


def end_by_tenant(admin: Administration, visit_id: str) -> None:
    """At once. Raises Forbidden for anybody but an account admin, NotFound for another tenant's
    visit or one that is over."""
    if not granting.is_account_admin(admin):
        raise Forbidden("only an account admin ends a visit")
    who = admin.actor.user_id or admin.actor.client_id or ""
    if not _ended(admin.db, admin.tenant.id, visit_id, who, admin.now, admin.origin):
        raise NotFound("no visit that goes on")


def _ended(
    db: Connection, tenant_id: str, visit_id: str, who: str, now: float, origin: Origin
) -> bool:
    if db.row(_END, visit_id=visit_id, visited_id=tenant_id, who=who, now=now) is None:
        return False
    audit.record(db, "visit.ended", now, origin, actor=who, tenant=tenant_id, visit=visit_id)
    return True


def of_tenant(admin: Administration) -> list[Seen]:
    """The latest first, at most SHOWN: the audit log has them all. Raises Forbidden."""
    admin.check("audit.read")
    rows = admin.rows.execute(
        sa.select(OperatorVisit, User.name, User.email)
        .join(User, User.id == OperatorVisit.operator_id)
        .order_by(OperatorVisit.started_at.desc())
        .limit(SHOWN)
    )
    return [_seen(visit, name, email, admin.now) for visit, name, email in rows]


def _seen(visit: OperatorVisit, name: str, email: str, now: float) -> Seen:
    over = visit.until if visit.ended_at is None else visit.ended_at
    return Seen(visit.id, name, email, visit.reason, visit.started_at, over, over > now)
