"""Withdrawing a consent: it is gone, and so is all that rested on it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idp import audit
from idp.audit import Origin
from idp.database import Connection
from idp.directory.memberships import Membership
from idp.grants.consent import Consent
from idp.grants.grant import Grant

_TABLE: Any = Consent.__table__
_OWNER: Any = sa.bindparam("owner_id")
_WITHDRAW = (
    sa.delete(_TABLE)
    .where(
        _TABLE.c.id == sa.bindparam("consent"),
        _TABLE.c.membership_id.in_(
            sa.select(Membership.__table__.c.id).where(Membership.__table__.c.user_id == _OWNER)
        ),
    )
    .returning(
        _TABLE.c.client_id,
        _TABLE.c.membership_id,
        sa.select(Membership.__table__.c.tenant_id)
        .where(Membership.__table__.c.id == _TABLE.c.membership_id)
        .scalar_subquery(),
    )
)
_END = (
    sa.update(Grant)
    .where(
        Grant.user_id == _OWNER,
        Grant.client_id == sa.bindparam("audience_id"),
        Grant.membership_id == sa.bindparam("of_membership"),
        Grant.ended_at.is_(None),
    )
    .values(ended_at=sa.bindparam("now"))
)


def withdraw(db: Connection, user_id: str, consent_id: str, now: float, origin: Origin) -> bool:
    """In one company, by the person who gave it; False if there is no such consent of theirs."""
    row = db.row(_WITHDRAW, consent=consent_id, owner_id=user_id)
    if row is None:
        return False
    client_id, membership_id, tenant_id = (str(each) for each in row)
    db.run(_END, owner_id=user_id, audience_id=client_id, of_membership=membership_id, now=now)
    audit.record(
        db, "consent.withdrawn", now, origin, actor=user_id, tenant=tenant_id, client=client_id
    )
    return True
