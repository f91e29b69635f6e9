"""Lists of access requests: what a company asked, what it received, and the operators' queue.

The newest stands first; the queue's oldest does, since it has waited longest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from idp.directory import paging
from idp.directory.access_requests import (
    DRAFT,
    ENDED,
    GRANTED,
    STATUSES,
    SUBMITTED,
    AccessRequest,
    Side,
)
from idp.directory.acting import Administration
from idp.directory.operating import Operation
from idp.directory.tenants import Tenant, called
from idp.directory.users import User
from idp.secret_values import SecretKeys

PAGE = 50


class Listed(NamedTuple):
    """`company` is the other one, as this side knows it: what was typed, until it is approved."""

    request: AccessRequest
    status: str
    name: str
    email: str
    asking: str
    company: str
    asking_slug: str
    company_slug: str | None

    @property
    def asking_in_full(self) -> str:
        return called(self.asking, self.asking_slug)

    @property
    def company_in_full(self) -> str:
        return called(self.company, self.company_slug) if self.company_slug else self.company


class Page(NamedTuple):
    """`next` is the cursor of the page that follows, None on the last one."""

    requests: list[Listed]
    next: str | None


_asking, _receiving = aliased(Tenant), aliased(Tenant)
_LISTED: Any = (
    sa.select(
        AccessRequest,
        User.name,
        User.email,
        _asking.name,
        sa.func.coalesce(_receiving.name, AccessRequest.receiving_name),
        _asking.slug,
        _receiving.slug,
    )
    .join(User, User.id == AccessRequest.user_id)
    .join(_asking, _asking.id == AccessRequest.tenant_id)
    .outerjoin(_receiving, _receiving.id == AccessRequest.receiving_tenant_id)
)


def of_tenant(
    admin: Administration,
    keys: SecretKeys,
    side: Side,
    status: str,
    cursor: str = "",
    size: int | None = None,
) -> Page:
    """What this tenant asked, or received. Raises Forbidden, or CursorRefused."""
    admin.check("access.request" if side == Side.ASKING else "access.receive")
    owner: Any = AccessRequest.tenant_id
    at: Any = AccessRequest.asked_at
    if side == Side.RECEIVING:
        owner, at = AccessRequest.receiving_tenant_id, AccessRequest.decided_at
    statement = _with_status(_LISTED.where(owner == admin.tenant.id), status, admin.now)
    statement = statement.order_by(at.desc(), AccessRequest.id.desc())
    bound = (f"access {side}", status)
    if cursor:
        after = paging.opened(keys, admin.tenant.id, bound, cursor)
        place = sa.tuple_(at, AccessRequest.id)
        statement = statement.where(place < sa.tuple_(*map(sa.literal, after)))
    return _page(admin, keys, statement, admin.tenant.id, bound, at.key, size or PAGE)


def queue(
    operation: Operation, keys: SecretKeys, status: str, cursor: str = "", size: int | None = None
) -> Page:
    """What was handed in; drafts are the companies' own affair. Raises Forbidden."""
    operation.check("access.decide")
    wanted = status if status in STATUSES and status != DRAFT else SUBMITTED
    at = AccessRequest.submitted_at
    statement = _LISTED.where(AccessRequest.status == wanted, at.is_not(None))
    statement = statement.order_by(at, AccessRequest.id)
    bound = ("access queue", wanted)
    if cursor:
        after = paging.opened(keys, "", bound, cursor)
        place = sa.tuple_(at, AccessRequest.id)
        statement = statement.where(place > sa.tuple_(*map(sa.literal, after)))
    return _page(operation, keys, statement, "", bound, "submitted_at", size or PAGE)


def _with_status(statement: sa.Select[Any], status: str, now: float) -> sa.Select[Any]:
    """A date that has come counts, whoever has noticed."""
    if status not in STATUSES:
        return statement
    is_over = sa.and_(AccessRequest.ends_at.is_not(None), AccessRequest.ends_at <= now)
    has_status = AccessRequest.status == status
    if status == ENDED:
        return statement.where(
            sa.or_(has_status, sa.and_(AccessRequest.status.in_(GRANTED), is_over))
        )
    if status in GRANTED:
        return statement.where(has_status, sa.not_(is_over))
    return statement.where(has_status)


def _page(
    by: Administration | Operation,
    keys: SecretKeys,
    statement: sa.Select[Any],
    tenant_id: str,
    bound: tuple[str, ...],
    at: str,
    size: int,
) -> Page:
    rows = by.rows.execute(statement.limit(size + 1)).all()
    found = [Listed(row[0], row[0].status_now(by.now), *row[1:]) for row in rows[:size]]
    if len(rows) <= size:
        return Page(found, None)
    last = rows[size - 1][0]
    return Page(found, paging.seal(keys, tenant_id, bound, (getattr(last, at), last.id)))


def one(by: Administration | Operation, request: AccessRequest) -> Listed:
    """The same of a single request, which the caller may see."""
    row = by.rows.execute(_LISTED.where(AccessRequest.id == request.id)).one()
    return Listed(row[0], row[0].status_now(by.now), *row[1:])
