"""Accounts whose address leads to nobody: it was one by an older rule and is none today, or what it
folds into today is another account's. Nobody signs in with it, has a password reset by it or is
invited to it, so an upgrade says which they are (docs/operate.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlalchemy as sa

from idp.database import Database
from idp.directory.users import User, canonical_email

BATCH = 10_000

_SURELY_SOUND = re.compile(r"[a-z0-9._+-]{1,64}@([a-z0-9]{1,63}\.){1,3}[a-z]{1,63}")
_NEXT = (
    sa.select(User.id, User.email, User.email_canonical)
    .where(User.id > sa.bindparam("after"))
    .order_by(User.id)
    .limit(BATCH)
)


def find(database: Database) -> list[str]:
    """Their ids, in order."""
    return [key for key, email, kept in _all(database) if _is_lost(email, kept)]


def _all(database: Database) -> Iterator[tuple[str, str, str]]:
    after: str | None = ""
    while after is not None:
        with database.connection(durable=False) as db:
            rows = db.rows(_NEXT, after=after)
        yield from ((row[0], row[1], row[2]) for row in rows)
        after = rows[-1][0] if len(rows) == BATCH else None


def _is_lost(email: str, kept: str) -> bool:
    """Nearly all are plain, which saves a minute for a million."""
    if email.lower() == kept and _SURELY_SOUND.fullmatch(kept):
        return False
    return canonical_email(email) != kept
