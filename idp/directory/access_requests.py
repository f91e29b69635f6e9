"""Requests for access to another company: what they are, and the only ways that they move.

A company never lets its own people into another one. It asks; an operator decides; the company that
is entered gives the roles (product.md T5 to T7). Each step is one conditional write (`move`), so
that what happens at the same time happens once, and no step can be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from idp.database import Base
from idp.errors import PageRefusal, told
from idp.tenancy import TenantOwned

DRAFT = "draft"
SUBMITTED = "submitted"
APPROVED = "approved"
ACTIVE = "active"
REFUSED = "refused"
WITHDRAWN = "withdrawn"
ENDED = "ended"
STATUSES = (DRAFT, SUBMITTED, APPROVED, ACTIVE, REFUSED, WITHDRAWN, ENDED)
OPEN = (DRAFT, SUBMITTED, APPROVED, ACTIVE)
UNDECIDED = (DRAFT, SUBMITTED)
GRANTED = (APPROVED, ACTIVE)
MOST_UNDECIDED = 100  # of a company, at a time


class Side(StrEnum):
    """Who looks at a request, or did something about it."""

    ASKING = "asking"
    RECEIVING = "receiving"
    OPERATOR = "operator"
    DATE = "date"


class Action(StrEnum):
    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REFUSE = "refuse"
    SET_UP = "set_up"
    END = "end"
    EXPIRE = "expire"


MOVES: Mapping[Action, tuple[tuple[str, ...], str]] = {
    Action.SUBMIT: ((DRAFT,), SUBMITTED),
    Action.WITHDRAW: ((DRAFT, SUBMITTED), WITHDRAWN),
    Action.APPROVE: ((SUBMITTED,), APPROVED),
    Action.REFUSE: ((SUBMITTED,), REFUSED),
    Action.SET_UP: ((APPROVED,), ACTIVE),
    Action.END: (GRANTED, ENDED),
    Action.EXPIRE: (GRANTED, ENDED),
}

_IS_OPEN = sa.text("status IN ('draft', 'submitted', 'approved', 'active')")


class AccessRequest(TenantOwned, Base):
    """`tenant_id` asks, for one of its own people. `receiving_name` is the company as they typed
    it, `receiving_key` the same for comparing; `receiving_tenant_id` is what the operator found
    under that name, and unknown before the approval, so that asking tells nobody which companies
    exist and the other company hears of nothing that was not approved. `products` are keys,
    separated by spaces. With `second_factor`, whoever approved it wants one of the guest.
    `ended_by` is also who withdrew it, and `ended_side` theirs."""

    __tablename__ = "access_requests"
    __table_args__ = (
        sa.Index(
            "uq_access_requests_open",
            *("tenant_id", "user_id", "receiving_key"),
            unique=True,
            sqlite_where=_IS_OPEN,
            postgresql_where=_IS_OPEN,
        ),
        sa.Index("ix_access_requests_asking", "tenant_id", "asked_at", "id"),
        sa.Index("ix_access_requests_receiving", "receiving_tenant_id", "decided_at", "id"),
        sa.Index("ix_access_requests_queue", "status", "submitted_at", "id"),
        sa.Index("ix_access_requests_ends", "status", "ends_at"),
    )
    tenant_columns: ClassVar[tuple[str, ...]] = ("tenant_id", "receiving_tenant_id")

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"))
    receiving_tenant_id: Mapped[str | None] = mapped_column(sa.ForeignKey("tenants.id"))
    receiving_name: Mapped[str]
    receiving_key: Mapped[str]
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"), index=True)
    products: Mapped[str]
    reason: Mapped[str]
    wanted_end: Mapped[float | None]
    status: Mapped[str]
    document_id: Mapped[str | None] = mapped_column(sa.ForeignKey("documents.id"))
    asked_by: Mapped[str] = mapped_column(sa.ForeignKey("users.id"))
    asked_at: Mapped[float]
    submitted_by: Mapped[str | None] = mapped_column(sa.ForeignKey("users.id"))
    submitted_at: Mapped[float | None]
    decided_by: Mapped[str | None] = mapped_column(sa.ForeignKey("users.id"))
    decided_at: Mapped[float | None]
    decision_reason: Mapped[str | None]
    second_factor: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    configured_by: Mapped[str | None] = mapped_column(sa.ForeignKey("users.id"))
    configured_at: Mapped[float | None]
    ended_by: Mapped[str | None] = mapped_column(sa.ForeignKey("users.id"))
    ended_at: Mapped[float | None]
    ended_side: Mapped[str | None]
    ends_at: Mapped[float | None]
    membership_id: Mapped[str | None] = mapped_column(sa.ForeignKey("memberships.id"), unique=True)

    def status_now(self, now: float) -> str:
        """What it amounts to: a date ends it, whoever has noticed."""
        is_over = self.ends_at is not None and self.ends_at <= now
        return ENDED if is_over and self.status in GRANTED else self.status

    def may(self, action: Action, now: float) -> bool:
        return action != Action.EXPIRE and self.status_now(now) in MOVES[action][0]


class Moved(PageRefusal):
    """It is not, or no longer, where this step begins."""

    def __init__(self, action: Action, status: str) -> None:
        super().__init__(
            "invalid_request",
            told("This request is no longer where it was. Look at it again."),
            f"{action}: it is {status}",
            409,
        )


def move(rows: Session, request: AccessRequest, action: Action, now: float, **changed: Any) -> str:
    """The one write that moves a request; where it came from. Raises Moved unless it was where the
    action begins and no date has ended it: of several who try at once, one succeeds."""
    before, after = MOVES[action]
    is_over = sa.and_(AccessRequest.ends_at.is_not(None), AccessRequest.ends_at <= now)
    written = rows.execute(
        sa.update(AccessRequest)
        .where(
            AccessRequest.id == request.id,
            AccessRequest.status.in_(before),
            is_over if action == Action.EXPIRE else sa.not_(is_over),
        )
        .values(status=after, **changed)
        .execution_options(synchronize_session=False)
    )
    came_from = request.status
    rows.refresh(request)
    if written.rowcount != 1:  # type: ignore[attr-defined]
        raise Moved(action, request.status)
    return came_from
