"""The end of a membership, at the products: they are told, as far as it can be told apart.

Nothing that rests on the membership counts from the moment it ended, since `why_dead` reads it with
every use. What is left is to let go of the grants, and to sign the person out of the products that
they had open by it. A product's session (`sid`) is one for all companies: it is signed out where
its newest grant was of this membership, and left alone where they have switched company since.
"""

from __future__ import annotations

import sqlalchemy as sa

from idp import outbox
from idp.database import Connection
from idp.directory.clients import Client
from idp.grants.grant import Grant
from idp.sessions.browser import SsoSession
from idp.sessions.clients import ClientSession
from idp.sessions.logout import MESSAGE

_newer = sa.orm.aliased(Grant)
_OPEN_BY_IT = (
    sa.select(Grant.session_id, Grant.client_id, Grant.user_id, ClientSession.sid)
    .distinct()
    .select_from(Grant)
    .join(SsoSession, SsoSession.id == Grant.session_id)
    .join(
        ClientSession,
        sa.and_(
            ClientSession.session_id == Grant.session_id, ClientSession.client_id == Grant.client_id
        ),
    )
    .join(Client, Client.client_id == Grant.client_id)
    .where(
        Grant.membership_id == sa.bindparam("membership_id"),
        Grant.ended_at.is_(None),
        SsoSession.ended_at.is_(None),
        Client.backchannel_logout_uri.is_not(None),
        ~sa.exists().where(
            _newer.session_id == Grant.session_id,
            _newer.client_id == Grant.client_id,
            _newer.membership_id != Grant.membership_id,
            _newer.created_at > Grant.created_at,
        ),
    )
)
_END = (
    sa.update(Grant)
    .where(Grant.membership_id == sa.bindparam("of_membership"), Grant.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now"))
)


def end_of_membership(db: Connection, membership_id: str, now: float) -> None:
    """In a transaction. Who asks again tells nobody twice: there is nothing left to end."""
    for session_id, client_id, user_id, sid in db.rows(_OPEN_BY_IT, membership_id=membership_id):
        payload = {"sub": user_id, "sid": sid}
        outbox.enqueue(db, MESSAGE, payload, now, session_id=session_id, client_id=client_id)
    db.run(_END, of_membership=membership_id, now=now)
