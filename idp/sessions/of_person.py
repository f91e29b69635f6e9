"""All sessions of one person: where they are signed in, what was told of those that ended, and the
end of one or of all others. Somebody else's does not exist here.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.audit import Origin
from idp.database import Connection
from idp.directory import users
from idp.directory.clients import Client
from idp.outbox import OutboxMessage
from idp.policies import assurance
from idp.sessions import logout
from idp.sessions.browser import SsoSession
from idp.sessions.clients import ClientSession
from idp.sessions.logout import MESSAGE, TOLD, Receipt

REMEMBERED = 30 * 86400.0  # seconds for which the receipts of a sign-out are shown
MOST_ENDED = 20


class Live(NamedTuple):
    id: str
    user_agent: str
    address: str
    auth_time: float
    last_seen_at: float


class SignedInto(NamedTuple):
    """A product that a live session has signed into, at its client."""

    session_id: str
    client_id: str
    client_name: str
    product_key: str
    at: float


class Kept(NamedTuple):
    """A session that goes on by `method`, which its owner has just proven, and no more by what the
    provider `without` has said."""

    session_id: str
    method: str
    without: str | None = None


class SignOut(NamedTuple):
    """The end of a session, and what its products were told of it."""

    session_id: str
    user_agent: str
    ended_at: float
    receipts: tuple[Receipt, ...]


_SESSION: Any = SsoSession.__table__
_OUTBOX: Any = OutboxMessage.__table__
_OF_PERSON = _SESSION.c.user_id == sa.bindparam("user_id")
_IS_LIVE = (
    _OF_PERSON,
    _SESSION.c.ended_at.is_(None),
    _SESSION.c.expires_at > sa.bindparam("now", type_=sa.Double),
    _SESSION.c.last_seen_at > sa.bindparam("idle_since", type_=sa.Double),
)
_LIVE = (
    sa.select(*(_SESSION.c[name] for name in Live._fields))
    .where(*_IS_LIVE)
    .order_by(_SESSION.c.last_seen_at.desc(), _SESSION.c.id)
)
_SIGNED_INTO = (
    sa.select(
        ClientSession.session_id,
        Client.client_id,
        Client.client_name,
        Client.product_key,
        ClientSession.created_at,
    )
    .select_from(ClientSession)
    .join(Client, Client.client_id == ClientSession.client_id)
    .join(SsoSession, SsoSession.id == ClientSession.session_id)
    .where(*_IS_LIVE)
    .order_by(ClientSession.created_at.desc())
)
_OPEN = sa.select(_SESSION.c.id, _SESSION.c.auth_time, _SESSION.c.proofs).where(
    _OF_PERSON, _SESSION.c.ended_at.is_(None)
)
_KEEP = (
    sa.update(_SESSION)
    .where(_SESSION.c.id == sa.bindparam("session_id"))
    .values(auth_time=sa.bindparam("after", type_=sa.Double), proofs=sa.bindparam("proofs"))
)
_NOT_ENDED = sa.select(_SESSION.c.id).where(_OF_PERSON, _SESSION.c.ended_at.is_(None))
_ENDED = (
    sa.select(_SESSION.c.id, _SESSION.c.user_agent, _SESSION.c.ended_at)
    .where(_OF_PERSON, _SESSION.c.ended_at > sa.bindparam("since", type_=sa.Double))
    .order_by(_SESSION.c.ended_at.desc())
    .limit(MOST_ENDED)
    .subquery()
)
_TOLD = (
    sa.select(
        _ENDED.c.id,
        _ENDED.c.user_agent,
        _ENDED.c.ended_at,
        *TOLD,
    )
    .select_from(_ENDED)
    .join(_OUTBOX, _OUTBOX.c.session_id == _ENDED.c.id)
    .join(Client, Client.client_id == _OUTBOX.c.client_id)
    .where(_OUTBOX.c.kind == sa.literal_column(f"'{MESSAGE}'"))
    .order_by(_ENDED.c.ended_at.desc(), _ENDED.c.id, Client.client_name)
)


def live(db: Connection, user_id: str, idle_lifetime: float, now: float) -> list[Live]:
    """The one that was last used first."""
    rows = db.rows(_LIVE, user_id=user_id, now=now, idle_since=now - idle_lifetime)
    return [Live._make(row) for row in rows]


def signed_into(db: Connection, user_id: str, idle_lifetime: float, now: float) -> list[SignedInto]:
    """What the live sessions have signed into, the newest first."""
    rows = db.rows(_SIGNED_INTO, user_id=user_id, now=now, idle_since=now - idle_lifetime)
    return [SignedInto._make(row) for row in rows]


def sign_outs(db: Connection, user_id: str, now: float) -> list[SignOut]:
    """Of the last sessions that ended within thirty days, the newest first."""
    rows = db.rows(_TOLD, user_id=user_id, since=now - REMEMBERED)
    return [
        SignOut(session_id, user_agent, ended_at, tuple(Receipt._make(row[3:]) for row in told))
        for (session_id, user_agent, ended_at), told in groupby(rows, key=lambda row: row[:3])
    ]


def end_one(db: Connection, user_id: str, session_id: str, now: float, origin: Origin) -> bool:
    """False for one that has ended, or is somebody else's. In a transaction."""
    if (session_id,) not in db.rows(_NOT_ENDED, user_id=user_id):
        return False
    return logout.end(db, session_id, "ended on the account page", now, origin)


def end_others(
    db: Connection, user_id: str, kept: str, reason: str, now: float, origin: Origin
) -> int:
    """How many; `kept` is the session that asks, if one does. In a transaction."""
    others = [row[0] for row in db.rows(_NOT_ENDED, user_id=user_id) if row[0] != kept]
    return sum(logout.end(db, each, reason, now, origin) for each in others)


def refuse_proofs(
    db: Connection,
    user_id: str,
    until: float,
    kept: Kept | None,
    reason: str,
    now: float,
    origin: Origin,
) -> None:
    """Nothing counts that was proven until then, or in any session by a clock that is ahead of
    ours: sessions, offline access and half-finished sign-ins end, but for the session that is
    `kept`. In a transaction."""
    sessions = db.rows(_OPEN, user_id=user_id)
    after = users.refuse_proofs(db, user_id, max((until, *(row[1] for row in sessions))))
    for session_id, _, text in sessions:
        if kept and session_id == kept.session_id:
            kept_text = assurance.to_text(_kept(kept, assurance.from_text(text), after))
            db.run(_KEEP, session_id=session_id, after=after, proofs=kept_text)
        else:
            logout.end(db, session_id, reason, now, origin)


def _kept(kept: Kept, proofs: assurance.Proofs, after: float) -> assurance.Proofs:
    left = {method: proof for method, proof in proofs.items() if proof.by != kept.without}
    proof = left.get(kept.method, assurance.NEVER)
    return {**left, kept.method: proof._replace(at=after)}
