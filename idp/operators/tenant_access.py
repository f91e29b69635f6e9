"""What people hold in one tenant at this moment: the sign-ins of products that rest on it."""

from __future__ import annotations

import sqlalchemy as sa

from idp.database import Connection
from idp.directory.memberships import ACTIVE, Membership
from idp.grants.grant_row import Grant
from idp.sessions.browser import SsoSession

_NOW = sa.bindparam("now", type_=sa.Double)
_IS_SIGNED_IN = (
    sa.exists()
    .where(
        Grant.user_id == Membership.user_id,
        Grant.membership_id == Membership.id,
        Grant.ended_at.is_(None),
        Grant.expires_at > _NOW,
        SsoSession.id == Grant.session_id,
        SsoSession.ended_at.is_(None),
        SsoSession.expires_at > _NOW,
    )
    .correlate(Membership)
)
_SOME = (
    sa.select(Membership.id)
    .where(
        Membership.tenant_id == sa.bindparam("tenant_id", type_=sa.Text),
        Membership.status == ACTIVE,
        _IS_SIGNED_IN,
    )
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_SIGNED_IN = sa.select(sa.func.count()).select_from(_SOME.subquery())


def count_signed_in(db: Connection, tenant_id: str, now: float, most: int) -> int:
    """People who have an open session with at least one product in it, counted to `most`: of a
    large company nobody waits until all of its sign-ins are looked at."""
    row = db.row(_SIGNED_IN, tenant_id=tenant_id, now=now, most=most)
    return int(row[0]) if row else 0
