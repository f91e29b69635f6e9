"""Resets of second factors that one admin has asked for and another one has to approve, within a
day (product.md N5)."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, aliased, mapped_column

from idp.database import Base
from idp.directory import paging
from idp.directory.acting import Administration
from idp.directory.memberships import HAS_NOT_ENDED, Membership
from idp.directory.users import User
from idp.secret_values import SecretKeys
from idp.tenancy import TenantOwned

PERMISSION = "people.manage"
GOOD_FOR = 86400.0  # seconds
PAGE = 50

WAITING = "waiting"
APPROVED = "approved"
REFUSED = "refused"
LAPSED = "lapsed"
_IS_WAITING = sa.text("status = 'waiting'")


class FactorReset(TenantOwned, Base):
    """A reset that one admin asked for. `status` is one of those above."""

    __tablename__ = "factor_resets"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["membership_id", "tenant_id"],
            ["memberships.id", "memberships.tenant_id"],
            ondelete="CASCADE",
        ),
        sa.Index(
            "uq_factor_resets_waiting",
            "membership_id",
            unique=True,
            sqlite_where=_IS_WAITING,
            postgresql_where=_IS_WAITING,
        ),
        sa.Index("ix_factor_resets_by_tenant", "tenant_id", "status", "asked_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    membership_id: Mapped[str]
    status: Mapped[str] = mapped_column(default=WAITING)
    asked_by: Mapped[str] = mapped_column(sa.ForeignKey("users.id"))
    asked_at: Mapped[float]
    decided_by: Mapped[str | None] = mapped_column(sa.ForeignKey("users.id"))
    decided_at: Mapped[float | None]


class Waiting(NamedTuple):
    """A request, by whom, and until when another admin may approve it."""

    id: str
    membership_id: str
    person: str
    email: str
    asked_by: str
    asked_by_name: str
    asked_at: float

    @property
    def ends_at(self) -> float:
        return self.asked_at + GOOD_FOR


class Page(NamedTuple):
    resets: list[Waiting]
    next: str | None


_ASKER, _SUBJECT = aliased(User), aliased(User)
_FOUND = (
    sa.select(
        *(FactorReset.id, FactorReset.membership_id, _SUBJECT.name, _SUBJECT.email),
        *(FactorReset.asked_by, _ASKER.name, FactorReset.asked_at),
    )
    .join(Membership, Membership.id == FactorReset.membership_id)
    .join(_SUBJECT, _SUBJECT.id == Membership.user_id)
    .join(_ASKER, _ASKER.id == FactorReset.asked_by)
    .where(HAS_NOT_ENDED)
)


def is_waiting(now: float) -> sa.ColumnElement[bool]:
    return sa.and_(FactorReset.status == WAITING, FactorReset.asked_at > now - GOOD_FOR)


def find(admin: Administration, membership_id: str) -> Waiting | None:
    """The one that waits of a member, for rules and pages that check what they need themselves."""
    own = _FOUND.where(is_waiting(admin.now), FactorReset.membership_id == membership_id)
    row = admin.rows.execute(own).first()
    return Waiting._make(row) if row else None


def waiting(admin: Administration, keys: SecretKeys, cursor: str = "", size: int = PAGE) -> Page:
    """All of the company, the longest waiting first. Raises Forbidden, or CursorRefused."""
    admin.check(PERMISSION)
    statement, place = _FOUND.where(is_waiting(admin.now)), (FactorReset.asked_at, FactorReset.id)
    if cursor:
        after = paging.opened(keys, admin.tenant.id, ("factor resets",), cursor)
        statement = statement.where(sa.tuple_(*place) > sa.tuple_(*map(sa.literal, after)))
    rows = admin.rows.execute(statement.order_by(*place).limit(size + 1))
    found = [Waiting._make(row) for row in rows]
    if len(found) <= size:
        return Page(found, None)
    last: tuple[Any, ...] = (found[size - 1].asked_at, found[size - 1].id)
    return Page(found[:size], paging.seal(keys, admin.tenant.id, ("factor resets",), last))


def count(admin: Administration) -> int:
    """How many wait; of no interest to who may not decide about them."""
    if not admin.may(PERMISSION):
        return 0
    found = _FOUND.where(is_waiting(admin.now)).with_only_columns(sa.func.count())
    return admin.rows.scalars(found).one()


def lapse(admin: Administration, membership_id: str, until: float) -> None:
    """Those of a member that were asked for until then are nobody's to approve any more."""
    admin.rows.execute(
        sa.update(FactorReset)
        .where(
            FactorReset.membership_id == membership_id,
            FactorReset.status == WAITING,
            FactorReset.asked_at <= until,
        )
        .values(status=LAPSED)
    )
