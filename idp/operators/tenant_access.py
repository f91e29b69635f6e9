"""What people hold in one tenant at this moment: the sign-ins of products that rest on it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from idp import outbox
from idp.database import Connection
from idp.directory.clients import Client
from idp.directory.memberships import Membership
from idp.grants.grant import Grant
from idp.sessions import logout
from idp.sessions.browser import SsoSession
from idp.sessions.clients import sid_of

_LATER = aliased(Grant)
_TENANT = sa.bindparam("tenant_id", type_=sa.Text)
_NOW = sa.bindparam("now", type_=sa.Double)
_IS_LIVE = (
    Membership.tenant_id == _TENANT,
    Grant.ended_at.is_(None),
    Grant.expires_at > _NOW,
    SsoSession.ended_at.is_(None),
    SsoSession.expires_at > _NOW,
)
_HELD = (
    sa.select(Grant.user_id, Grant.session_id, Grant.client_id)
    .select_from(Membership)
    .join(Grant, sa.and_(Grant.user_id == Membership.user_id, Grant.membership_id == Membership.id))
    .join(SsoSession, SsoSession.id == Grant.session_id)
    .where(*_IS_LIVE)
)
_SIGNED_IN = sa.select(sa.func.count(sa.distinct(_HELD.subquery().c.user_id)))
_TO_TELL = (
    _HELD.join(Client, Client.client_id == Grant.client_id)
    .where(
        Client.backchannel_logout_uri.is_not(None),
        # A product that has moved on to another tenant since is signed in for that one.
        ~sa.exists().where(
            _LATER.user_id == Grant.user_id,
            _LATER.session_id == Grant.session_id,
            _LATER.client_id == Grant.client_id,
            _LATER.created_at > Grant.created_at,
        ),
    )
    .distinct()
)


def count_signed_in(db: Connection, tenant_id: str, now: float) -> int:
    """People who have an open session with at least one product in it."""
    row = db.row(_SIGNED_IN, tenant_id=tenant_id, now=now)
    return int(row[0]) if row else 0


def tell_products(db: Connection, tenant_id: str, now: float) -> int:
    """A back-channel logout for each browser and product that is signed in for this tenant; how
    many. What they hold is dead already, since every use of it asks for the tenant's status."""
    held = db.rows(_TO_TELL, tenant_id=tenant_id, now=now)
    for user_id, session_id, client_id in held:
        payload = {"sub": user_id, "sid": sid_of(session_id, client_id)}
        outbox.enqueue(db, logout.MESSAGE, payload, now, session_id=session_id, client_id=client_id)
    return len(held)
