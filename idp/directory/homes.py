"""Whose own people somebody is one of: also where they are disabled for now, and not where they are
a guest, or were once."""

from __future__ import annotations

import sqlalchemy as sa

from idp.database import Connection
from idp.directory.memberships import HAS_NOT_ENDED, HOME, Membership

IS_HOME = (Membership.source == sa.literal_column(f"'{HOME}'"), HAS_NOT_ENDED)
_IN = sa.select(Membership.id).where(
    Membership.user_id == sa.bindparam("user_id"),
    Membership.tenant_id == sa.bindparam("tenant_id"),
    *IS_HOME,
)


def is_at_home(db: Connection, user_id: str, tenant_id: str) -> bool:
    return db.row(_IN, user_id=user_id, tenant_id=tenant_id) is not None
