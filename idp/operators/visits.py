"""An operator acts for a tenant: for a reason, for a while, and seen by the tenant.

Operators have no standing access to a tenant. A visit lets one in as an administrator below the
account admin. It is over when its time is, whoever has noticed; when the operator says so; and when
an account admin of the tenant does.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.database import Connection
from idp.directory import confirming, granting, operator_visits, tenants
from idp.directory.acting import NAMED, Actor, Administration, Forbidden, Mistake, NotFound, named
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
    sa.select(OperatorVisit.id, *NAMED, OperatorVisit.until)
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
_LIVE_AT_CONSOLE = _LIVE.where(OperatorVisit.client_id.is_(None))
_LIVE_BY_CLIENT = _LIVE.where(OperatorVisit.client_id == sa.bindparam("client_id"))
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
_SEEN = (
    sa.select(OperatorVisit, User.name, User.email)
    .join(User, User.id == OperatorVisit.operator_id)
    .order_by(OperatorVisit.started_at.desc())
    .limit(SHOWN)
)


def find_live(
    db: Connection, slug: str, operator_id: str, now: float, client_id: str | None = None
) -> Visit | None:
    """The operator's visit to that tenant, while it lasts, and while they are one: the one that
    they began at the console, or by a token of that client."""
    statement = _LIVE_BY_CLIENT if client_id else _LIVE_AT_CONSOLE
    row = db.row(statement, slug=slug, operator_id=operator_id, client_id=client_id, now=now)
    return Visit(row[0], named(row[1:]), row[5]) if row else None


def visitor(
    visit: Visit,
    operator_id: str,
    auth_time: float,
    console: ProductView,
    client_id: str | None = None,
) -> Actor:
    """Everything that the console does, but nothing to an account admin, and nothing of the
    console's is handed on."""
    return Actor(
        user_id=operator_id,
        client_id=client_id,
        auth_time=auth_time,
        permissions=confirming.open_nodes(console, is_confirmed=visit.tenant.confirmed),
        rights=operator_visits.VISITOR,
        visit_id=visit.id,
    )


def begin(operation: Operation, tenant: Tenant, reason: str, minutes: int) -> OperatorVisit:
    """Raises Forbidden, RecentSignInNeeded, or Mistake."""
    operation.check("tenants.manage")
    operation.check_recent()
    operator_id = _person_of(operation)
    _check(tenant, reason, minutes)
    end(operation, tenant.slug)  # one at a time
    now = operation.now
    visit = OperatorVisit(
        id=new_id(),
        tenant_id=tenant.id,
        operator_id=operator_id,
        client_id=operation.actor.client_id,
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


def _person_of(operation: Operation) -> str:
    if operation.actor.user_id is None:
        raise Forbidden("a client has no visits: only a person acts for a tenant")
    return operation.actor.user_id


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
    """The operator's own visit to the tenant, wherever they began it; False when it is over
    already."""
    operator_id, has_ended = operation.actor.user_id or "", False
    rows = operation.db.rows(_LIVE, slug=slug, operator_id=operator_id, now=operation.now)
    for visit_id, tenant_id, *_name in rows:
        if _has_ended(operation, tenant_id, visit_id, operator_id):
            operation.record("visit.ended", tenant=tenant_id, visit=visit_id)
            has_ended = True
    return has_ended


def end_by_tenant(admin: Administration, visit_id: str) -> None:
    """At once. Raises Forbidden for anybody but an account admin, NotFound for another tenant's
    visit or one that is over."""
    if not granting.is_account_admin(admin):
        raise Forbidden("only an account admin ends a visit")
    if not _has_ended(admin, admin.tenant.id, visit_id, admin.actor.user_id):
        raise NotFound("no visit that goes on")
    admin.record("visit.ended", visit=visit_id)


def _has_ended(
    by: Administration | Operation, tenant_id: str, visit_id: str, who: str | None
) -> bool:
    """One conditional write: of all who end it, one does."""
    row = by.db.row(_END, visit_id=visit_id, visited_id=tenant_id, who=who, now=by.now)
    return row is not None


def own(operation: Operation, tenant: Tenant) -> list[Seen]:
    """The operator's to this tenant, by the client that they act by, the latest first, at most
    SHOWN. Raises Forbidden."""
    operation.check("tenants.manage")
    rows = operation.rows.execute(_SEEN.where(*_is_own(operation, tenant)))
    return [_seen(*row, operation.now) for row in rows]


def get_own(operation: Operation, tenant: Tenant, visit_id: str) -> Seen:
    """Raises Forbidden, or NotFound for another's."""
    operation.check("tenants.manage")
    found = _SEEN.where(OperatorVisit.id == visit_id, *_is_own(operation, tenant))
    row = operation.rows.execute(found).first()
    if row is None:
        raise NotFound("no visit of theirs")
    return _seen(*row, operation.now)


def _is_own(operation: Operation, tenant: Tenant) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        OperatorVisit.tenant_id == tenant.id,
        OperatorVisit.operator_id == operation.actor.user_id,
        OperatorVisit.client_id == operation.actor.client_id,
    )


def end_own(operation: Operation, tenant: Tenant, visit_id: str) -> None:
    """At once. Raises Forbidden, or NotFound for another's and for one that is over."""
    operator_id, seen = _person_of(operation), get_own(operation, tenant, visit_id)
    if not _has_ended(operation, tenant.id, seen.id, operator_id):
        raise NotFound("no visit that goes on")
    operation.record("visit.ended", tenant=tenant.id, visit=seen.id)


def of_tenant(admin: Administration) -> list[Seen]:
    """The latest first, at most SHOWN: the audit log has them all. Raises Forbidden."""
    admin.check("audit.read")
    return [_seen(*row, admin.now) for row in admin.rows.execute(_SEEN)]


def _seen(visit: OperatorVisit, name: str, email: str, now: float) -> Seen:
    over = visit.until if visit.ended_at is None else visit.ended_at
    return Seen(visit.id, name, email, visit.reason, visit.started_at, over, over > now)
