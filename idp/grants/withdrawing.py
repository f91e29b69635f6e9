"""Withdrawing a consent: it is gone, and so is all that rested on it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idp import audit
from idp.audit import Origin
from idp.database import Connection
from idp.directory.memberships import Membership
from idp.grants.consent import IS_OF_PERSON, Consent
from idp.grants.grant_row import Grant

_TABLE: Any = Consent.__table__
_WITHDRAW = (
    sa.delete(_TABLE)
    .where(_TABLE.c.id == sa.bindparam("consent"), IS_OF_PERSON)
    .returning(
        _TABLE.c.client_id,
        _TABLE.c.membership_id,
        _TABLE.c.operator_term,
        sa.select(Membership.__table__.c.tenant_id)
        .where(Membership.__table__.c.id == _TABLE.c.membership_id)
        .scalar_subquery(),
    )
)
_END = (
    sa.update(Grant)
    .where(
        Grant.user_id == sa.bindparam("owner_id"),
        Grant.client_id == sa.bindparam("audience_id"),
        Grant.ended_at.is_(None),
    )
    .values(ended_at=sa.bindparam("now"))
)
_RESTS_ON: Any = sa.bindparam("rests_on", type_=sa.Text)
_END_OF_MEMBERSHIP = _END.where(Grant.membership_id == _RESTS_ON)
_END_OF_OPERATOR = _END.where(Grant.operator_term == _RESTS_ON)


def withdraw(db: Connection, user_id: str, consent_id: str, now: float, origin: Origin) -> bool:
    """In one company, or as an operator, by the person who gave it; False if there is no such
    consent of theirs."""
    row = db.row(_WITHDRAW, consent=consent_id, owner_id=user_id)
    if row is None:
        return False
    client_id, membership_id, operator_term, tenant_id = row
    end = _END_OF_MEMBERSHIP if membership_id else _END_OF_OPERATOR
    rests_on = membership_id or operator_term
    db.run(end, owner_id=user_id, audience_id=client_id, rests_on=rests_on, now=now)
    audit.record(
        db, "consent.withdrawn", now, origin, actor=user_id, tenant=tenant_id, client=client_id
    )
    return True
