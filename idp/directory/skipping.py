"""Doing without a second factor that a company asks for and leaves one free to skip: remembered, so
that nobody is asked at each sign-in, and forgotten when they enrol (product.md M3, M4)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from idp.database import Connection
from idp.directory.access_requests import AccessRequest
from idp.directory.memberships import HAS_NOT_ENDED, Membership

_guest = aliased(Membership)
_AT_HOME = (
    sa.select(AccessRequest.tenant_id)
    .join(_guest, _guest.access_request_id == AccessRequest.id)
    .where(
        _guest.user_id == sa.bindparam("user"),
        _guest.tenant_id == sa.bindparam("tenant"),
        _guest.status != sa.literal_column("'ended'"),
    )
)
_SKIP = (
    sa.update(Membership)
    .where(
        Membership.user_id == sa.bindparam("user"),
        HAS_NOT_ENDED,
        sa.or_(
            Membership.tenant_id == sa.bindparam("tenant"),
            Membership.tenant_id.in_(_AT_HOME),
        ),
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
    """In the tenant that is entered, and of a guest in the one at home, which has a say too."""
    db.run(_SKIP, user=user_id, tenant=tenant_id, at=now)


def forget(db: Connection, user_id: str) -> bool:
    """Everywhere: they have enrolled, want to, or have to anew. Whether they had skipped."""
    return db.run(_FORGET, user=user_id) > 0


def has_skipped(db: Connection, user_id: str) -> bool:
    return db.row(_HAS_SKIPPED, user=user_id) is not None
