"""What people hold in one tenant at this moment: the sign-ins of products that rest on it."""

from __future__ import annotations

import sqlalchemy as sa

from idp.database import Connection
from idp.directory.memberships import Membership
from idp.grants.grant_row import Grant
from idp.sessions.browser import SsoSession

_NOW = sa.bindparam("now", type_=sa.Double)
_SIGNED_IN = (
    sa.select(sa.func.count(sa.distinct(Grant.user_id)))
    .select_from(Membership)
    .join(Grant, sa.and_(Grant.user_id == Membership.user_id, Grant.membership_id == Membership.id))
    .join(SsoSession, SsoSession.id == Grant.session_id)
    .where(
        Membership.tenant_id == sa.bindparam("tenant_id", type_=sa.Text),
        Grant.ended_at.is_(None),
        Grant.expires_at > _NOW,
        SsoSession.ended_at.is_(None),
        SsoSession.expires_at > _NOW,
    )
)


def count_signed_in(db: Connection, tenant_id: str, now: float) -> int:
    """People who have an open session with at least one product in it."""
    row = db.row(_SIGNED_IN, tenant_id=tenant_id, now=now)
    return int(row[0]) if row else 0
