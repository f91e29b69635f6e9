"""What a proof allows is written while the proof holds, or not at all.

Whoever has found that somebody may do something, and writes it a moment later, holds on to what
that rests on first, in the transaction that writes. What takes it back (a reset, an undo, a
disabling, a sign-out) then either came before, and is found, or comes after, and finds what was
written.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idp.database import Connection
from idp.directory import users
from idp.sessions.browser import SsoSession

_TABLE: Any = SsoSession.__table__
_HOLD = (
    sa.select(_TABLE.c.id)
    .where(_TABLE.c.id == sa.bindparam("session_id"), _TABLE.c.ended_at.is_(None))
    .with_for_update(read=True)
)


def hold(db: Connection, user_id: str, proven_at: float, session_id: str | None) -> bool:
    """Whether the person's proof from then still counts, in that session if it is one that it rests
    on. The person first: whoever ends everything takes them in this order."""
    if not users.hold(db, user_id, proven_at):
        return False
    return session_id is None or db.row(_HOLD, session_id=session_id) is not None
