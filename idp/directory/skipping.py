"""Doing without a second factor that a company asks for and leaves one free to skip: remembered, so
that nobody is asked at each sign-in, and forgotten when they enrol (product.md M3, M4)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idp.database import Connection
from idp.directory.memberships import HAS_NOT_ENDED, Membership

_SKIP = (
    sa.update(Membership)
    .where(
        Membership.user_id == sa.bindparam("user"),
        Membership.tenant_id == sa.bindparam("tenant"),
        HAS_NOT_ENDED,
    )
    .values(second_factor_skipped_at=sa.bindparam("at", type_=sa.Double))
)
_HAS_SKIPPED: Any = (
    sa.select(sa.literal_column("1"))
    .select_from(Membership)
    .where(
        Membership.user_id == sa.bindparam("user"),
        HAS_NOT_ENDED,
        Membership.second_factor_skipped_at.is_not(None),
    )
    .limit(1)
)
_FORGET = (
    sa.update(Membership)
    .where(
        Membership.user_id == sa.bindparam("user"),
        Membership.second_factor_skipped_at.is_not(None),
    )
    .values(second_factor_skipped_at=sa.null())
)


def skip(db: Connection, user_id: str, tenant_id: str, now: float) -> None:
    """By one tenant, which has left them free to."""
    db.run(_SKIP, user=user_id, tenant=tenant_id, at=now)


def forget(db: Connection, user_id: str) -> bool:
    """Everywhere: they have enrolled, want to, or have to anew. Whether they had skipped."""
    return db.run(_FORGET, user=user_id) > 0


def has_skipped(db: Connection, user_id: str) -> bool:
    return db.row(_HAS_SKIPPED, user=user_id) is not None
