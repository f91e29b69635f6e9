"""People who opened an account by themselves, and wait for a company to let them in (product.md
S5).

They have come by the company's verified domain. Until somebody there has let them in, they are no
member: nothing opens for them, and nobody there can do anything with their account. One decision
wins. Whoever is refused has nothing of the company, and may be invited all the same.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit
from idp.audit import Origin
from idp.database import Base, Connection
from idp.directory import granting, joining, paging, tenants
from idp.directory.access_steps import check_mistakes, checked_reason
from idp.directory.acting import Administration, Forbidden, Mistake, Rights
from idp.directory.memberships import KINDS
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import told
from idp.secret_values import SecretKeys, new_id
from idp.tenancy import TenantOwned

PERMISSION = "people.manage"
PAGE = 50

WAITING = "waiting"
APPROVED = "approved"
REFUSED = "refused"
_IS_WAITING = sa.text("status = 'waiting'")


class JoinRequest(TenantOwned, Base):
    """`status` is one of those above."""

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
    status: Mapped[str]
    asked_at: Mapped[float]
    decided_by: Mapped[str | None]
    decided_at: Mapped[float | None]


class Waiting(NamedTuple):
    id: str
    user_id: str
    name: str
    email: str
    asked_at: float


class Page(NamedTuple):
    requests: list[Waiting]
    next: str | None


_ASK = sa.insert(JoinRequest.__table__).values(  # type: ignore[arg-type]
    {name: sa.bindparam(name) for name in ("id", "tenant_id", "user_id", "asked_at")}
    | {"status": WAITING}
)
_WAITS = (
    sa.select(JoinRequest.id)
    .join(Tenant, Tenant.id == JoinRequest.tenant_id)
    .where(
        JoinRequest.user_id == sa.bindparam("user_id"),
        JoinRequest.status == sa.literal_column(f"'{WAITING}'"),
        Tenant.status == sa.literal_column(f"'{tenants.ACTIVE}'"),
    )
)

_TENANT = sa.bindparam("tenant_id", type_=sa.Text)
_IS_OF_TENANT = (
    JoinRequest.tenant_id == _TENANT,
    JoinRequest.status == sa.literal_column(f"'{WAITING}'"),
)
_REFUSE_ALL = (
    sa.update(JoinRequest.__table__)  # type: ignore[arg-type]
    .where(*_IS_OF_TENANT)
    .values(status=REFUSED, decided_at=sa.bindparam("now", type_=sa.Double))
)
WHO_WAITS = (
    sa.select(JoinRequest.id, JoinRequest.user_id, User.email, User.name, JoinRequest.asked_at)
    .join(User, User.id == JoinRequest.user_id)
    .where(*_IS_OF_TENANT)
    .order_by(JoinRequest.id)
)
WHO_WAITS_COLUMNS = ("join_request_id", "user_id", "email", "name", "asked_at")


def ask(db: Connection, tenant_id: str, user_id: str, now: float, origin: Origin) -> None:
    """Whoever manages people there is told. In a transaction."""
    made = new_id()
    db.run(_ASK, id=made, tenant_id=tenant_id, user_id=user_id, asked_at=now)
    about = {"person": user_id, "request": made}
    audit.record(db, "join.asked", now, origin, actor=user_id, tenant=tenant_id, **about)


def waits(db: Connection, user_id: str) -> bool:
    """Whether a company has still to decide about them."""
    return db.row(_WAITS, user_id=user_id) is not None


def refuse_all(db: Connection, tenant_id: str, now: float) -> None:
    """Of a tenant that ends."""
    db.run(_REFUSE_ALL, tenant_id=tenant_id, now=now)


def waiting(admin: Administration, keys: SecretKeys, cursor: str = "", size: int = PAGE) -> Page:
    """Who has waited longest first. Raises Forbidden, or CursorRefused."""
    admin.check(PERMISSION)
    statement = _listed().where(JoinRequest.status == WAITING)
    if cursor:
        after = paging.opened(keys, admin.tenant.id, ("join_requests",), cursor)
        order = sa.tuple_(JoinRequest.asked_at, JoinRequest.id)
        statement = statement.where(order > sa.tuple_(*map(sa.literal, after)))
    oldest = statement.order_by(JoinRequest.asked_at, JoinRequest.id)
    rows = [Waiting._make(row) for row in admin.rows.execute(oldest.limit(size + 1))]
    if len(rows) <= size:
        return Page(rows, None)
    last = rows[size - 1]
    position = (last.asked_at, last.id)
    return Page(rows[:size], paging.seal(keys, admin.tenant.id, ("join_requests",), position))


def one(admin: Administration, request_id: str) -> Waiting:
    """Raises Forbidden, NotFound, or Mistake for one that was decided."""
    admin.check(PERMISSION)
    found = admin.get(JoinRequest, request_id)
    row = admin.rows.execute(_listed().where(JoinRequest.id == found.id)).one()
    if found.status != WAITING:
        raise _decided()
    return Waiting._make(row)


def _listed() -> sa.Select[str, str, str, str, float]:
    return sa.select(
        JoinRequest.id, JoinRequest.user_id, User.name, User.email, JoinRequest.asked_at
    ).join(User, User.id == JoinRequest.user_id)


def approve(
    admin: Administration, request_id: str, kind: str, role_keys: Collection[str]
) -> str | None:
    """Let somebody in, with these roles; the new membership's id. None if they have come in
    meanwhile by another way, and then they stay as they are. Raises Forbidden,
    RecentSignInNeeded, NotFound, or Mistake."""
    rights = _in_turn(admin)
    row = _get(admin, request_id)
    if kind not in KINDS:
        raise Mistake(kind=told("Choose what kind of person it is."))
    roles = granting.roles_named(admin, role_keys)
    granting.check_may_grant(admin, rights, roles, row.user_id)
    _decide(admin, row, APPROVED)
    whom = (row.user_id, admin.tenant.id, kind, [role.id for role in roles])
    membership = joining.join(admin.db, *whom, admin.now)
    after = sorted(role.key for role in roles) if membership else []
    about = {"person": row.user_id, "request": row.id, "membership": membership}
    admin.record("join.approved", **about, after=after)
    return membership


def refuse(admin: Administration, request_id: str, reason: str) -> None:
    """The person reads the reason. Raises the same."""
    _in_turn(admin)
    row = _get(admin, request_id)
    errors: dict[str, str] = {}
    text = checked_reason(reason, errors)
    check_mistakes(errors)
    _decide(admin, row, REFUSED)
    admin.record("join.refused", person=row.user_id, request=row.id, reason=text)


def _in_turn(admin: Administration) -> Rights:
    admin.check(PERMISSION)
    admin.check_recent()
    return granting.in_turn(admin, PERMISSION)


def _get(admin: Administration, request_id: str) -> JoinRequest:
    row = admin.get(JoinRequest, request_id)
    if row.user_id == admin.actor.user_id:
        raise Forbidden("nobody decides about themselves")
    return row


def _decide(admin: Administration, row: JoinRequest, status: str) -> None:
    """One conditional write: of any number who decide at once, one does."""
    decided = admin.rows.execute(
        sa.update(JoinRequest)
        .where(JoinRequest.id == row.id, JoinRequest.status == WAITING)
        .values(status=status, decided_by=admin.actor.user_id, decided_at=admin.now)
        .returning(JoinRequest.id)
        .execution_options(synchronize_session=False)
    ).first()
    if decided is None:
        raise _decided()


def _decided() -> Mistake:
    return Mistake(request=told("Somebody has decided about this meanwhile."))
