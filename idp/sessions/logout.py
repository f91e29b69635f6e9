"""The end of a session: everywhere, at once, with a message to each product signed into.

Refresh tokens of the session are dead the moment `ended_at` is set, since every use of a grant
reads it (`grants/grant.py`). Products learn of it by back-channel logout through the outbox, and
where they want it by frames of the page that the browser shows then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import audit, outbox
from idp.audit import Origin
from idp.database import Connection
from idp.directory.clients import Client
from idp.outbox import OutboxMessage
from idp.secret_values import SecretKeys, new_id
from idp.sessions import clients
from idp.sessions.browser import SsoSession
from idp.tokens.subjects import subject_of

MESSAGE = "backchannel_logout"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TOKEN_LIFETIME = 120

_END = (
    sa.update(SsoSession)
    .where(SsoSession.id == sa.bindparam("session_id"), SsoSession.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now"))
    .returning(SsoSession.user_id)
)
TOLD = (
    *(Client.client_name, Client.product_key, OutboxMessage.status, OutboxMessage.attempts),
    *(OutboxMessage.last_error, OutboxMessage.run_at, OutboxMessage.finished_at),
)
_RECEIPTS = (
    sa.select(*TOLD)
    .select_from(OutboxMessage)
    .join(Client, Client.client_id == OutboxMessage.client_id)
    .where(
        OutboxMessage.session_id == sa.bindparam("session_id"),
        OutboxMessage.kind == sa.literal_column(f"'{MESSAGE}'"),
    )
    .order_by(Client.client_name)
)


class Receipt(NamedTuple):
    """How one product was told of the end of a session (product.md N6). `status` is one of the
    outbox's, `attempts` how often it was tried, `error` what went wrong the last time, `again_at`
    when a pending one is tried again."""

    client_name: str
    product_key: str
    status: str
    attempts: int
    error: str | None
    again_at: float
    finished_at: float | None


def end(db: Connection, session_id: str, reason: str, now: float, origin: Origin) -> bool:
    """End it and write to every product; False if it had ended already."""
    row = db.row(_END, session_id=session_id, now=now)
    if row is None:
        return False
    user_id = str(row[0])
    for signed_in in clients.signed_into(db, session_id):
        if signed_in.backchannel_logout_uri:
            payload = {"sub": user_id, "sid": signed_in.sid}
            outbox.enqueue(
                db, MESSAGE, payload, now, session_id=session_id, client_id=signed_in.client_id
            )
    audit.record(db, "session.ended", now, origin, actor=user_id, session=session_id, reason=reason)
    return True


def receipts(db: Connection, session_id: str) -> list[Receipt]:
    return [Receipt._make(row) for row in db.rows(_RECEIPTS, session_id=session_id)]


def logout_token_claims(
    issuer: str, client: Client, payload: dict[str, Any], keys: SecretKeys, now: float
) -> dict[str, Any]:
    """OpenID Connect Back-Channel Logout 1.0 section 2.4; never a nonce."""
    issued_at = int(now)
    return {
        "iss": issuer,
        "sub": subject_of(keys, client, payload["sub"]),
        "aud": client.client_id,
        "iat": issued_at,
        "exp": issued_at + LOGOUT_TOKEN_LIFETIME,
        "jti": new_id(),
        "sid": payload["sid"],
        "events": {LOGOUT_EVENT: {}},
    }
