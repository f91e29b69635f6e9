"""Visits of operators to a company, as rows: `operators/visits.py` has what begins and ends them,
and a rule of the company's asks here whether one still goes on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.directory import clients, users
from idp.directory.acting import Rights
from idp.directory.clients import Client
from idp.directory.roles import TOP_RANK
from idp.directory.users import User
from idp.tenancy import TenantOwned

# Below the account admins, and nothing of the console to hand on: what a visitor gives must not
# bring them back when the visit is over, by whatever address.
VISITOR = Rights(TOP_RANK - 1, False, frozenset())


class OperatorVisit(TenantOwned, Base):
    """`operator_id` is a person. `client_id` is the client by whose token they began it, None for
    the console: it is good there and nowhere else. `ended_by` is whoever ended it before
    `until`."""

    __tablename__ = "operator_visits"
    __table_args__ = (
        sa.Index("ix_operator_visits_operator", "operator_id", "tenant_id", "until"),
        sa.Index("ix_operator_visits_tenant", "tenant_id", "started_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"))
    operator_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"))
    client_id: Mapped[str | None]
    reason: Mapped[str]
    started_at: Mapped[float]
    until: Mapped[float]
    ended_at: Mapped[float | None]
    ended_by: Mapped[str | None]


_NOW: Any = sa.bindparam("now", type_=sa.Double)
IS_LIVE = (OperatorVisit.ended_at.is_(None), OperatorVisit.until > _NOW)
IS_OPERATOR = (
    User.status == sa.literal_column(f"'{users.ACTIVE}'"),
    User.is_operator.is_(sa.true()),
)
_GOES_ON = (
    sa.select(OperatorVisit.id)
    .join(User, User.id == OperatorVisit.operator_id)
    .outerjoin(Client, Client.client_id == OperatorVisit.client_id)
    .where(
        OperatorVisit.id == sa.bindparam("visit_id"),
        sa.or_(
            OperatorVisit.client_id.is_(None),
            Client.status == sa.literal_column(f"'{clients.ACTIVE}'"),
        ),
        *IS_LIVE,
        *IS_OPERATOR,
    )
)
_OPERATES = sa.select(User.id).where(User.id == sa.bindparam("user_id"), *IS_OPERATOR)


def goes_on(db: Connection, visit_id: str, now: float) -> bool:
    """It has not ended, its operator is one still, and its client may go on."""
    return db.row(_GOES_ON, visit_id=visit_id, now=now) is not None


def operates(db: Connection, user_id: str) -> bool:
    """Whether somebody is an operator and can sign in."""
    return db.row(_OPERATES, user_id=user_id) is not None
