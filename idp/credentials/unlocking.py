"""Locks: the pause that the fifth wrong password starts, and what lifts it before its time.

The owner is written to once for each lock, with a link that lifts it, is good until it ends, and
works once. An admin can lift it too, and so does a new password. None of these signs anybody in.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit, limits, outbox
from idp.audit import Origin
from idp.database import Base, Connection, Database
from idp.directory import granting, person
from idp.directory.acting import Administration, Forbidden, Mistake, rights_of
from idp.directory.person import Member
from idp.directory.users import Person
from idp.errors import PageRefusal, told
from idp.secret_values import LETTER_SECRET, SecretKeys, fingerprint, new_secret

PERMISSION = "people.manage"


class Lock(Base):
    """`limit_key` is what pauses `until` then (`limits.py`); `token_hash` is the mailed link's."""

    __tablename__ = "locks"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    limit_key: Mapped[str]
    until: Mapped[float]


_TABLE: Any = Lock.__table__
_COLUMNS = ("token_hash", "user_id", "limit_key", "until")
_NOW = sa.bindparam("now", type_=sa.Double)
_OF_LINK = (_TABLE.c.token_hash == sa.bindparam("hashed"), _TABLE.c.until > _NOW)
_OF_PERSON = (_TABLE.c.user_id == sa.bindparam("owner_id"), _TABLE.c.until > _NOW)
_LOCK = sa.insert(_TABLE).values({name: sa.bindparam(name) for name in _COLUMNS})
_LOOK = sa.select(_TABLE.c.until).where(*_OF_LINK)
_UNTIL = sa.select(sa.func.max(_TABLE.c.until)).where(*_OF_PERSON)
_UNLOCK_BY_LINK = sa.delete(_TABLE).where(*_OF_LINK).returning(_TABLE.c.limit_key, _TABLE.c.user_id)
_UNLOCK = (
    sa.delete(_TABLE)
    .where(_TABLE.c.user_id == sa.bindparam("owner_id"))
    .returning(_TABLE.c.limit_key)
)


class LinkOver(PageRefusal):
    """Unknown, used, or of a pause that is over: all the same to whoever has it."""

    def __init__(self) -> None:
        super().__init__(
            "unlock_link_over",
            told("This link has been used, or the pause is over. Try to sign in."),
            "no such lock",
            404,
        )


def lock(
    db: Connection,
    keys: SecretKeys,
    owner: Person,
    limit_key: str,
    tries: int,
    until: float,
    now: float,
) -> None:
    """Write it down, and write to the owner."""
    secret = new_secret()
    db.run(
        _LOCK, token_hash=fingerprint(secret), user_id=owner.id, limit_key=limit_key, until=until
    )
    link = keys.encrypt(f"/unlock?token={secret}".encode(), LETTER_SECRET)
    whom = {"to": owner.email, "name": owner.name, "locale": owner.locale, "reader": "person"}
    told_ = {"template": "locked", "tries": tries, "until": until, "sealed_link": link}
    outbox.enqueue(db, outbox.LETTER, {**whom, **told_}, now)


def look(database: Database, claimed_token: str, now: float) -> float:
    """Until when sign-in is paused. Changes nothing. Raises LinkOver."""
    with database.connection() as db:
        row = db.row(_LOOK, hashed=fingerprint(claimed_token), now=now)
    if row is None:
        raise LinkOver
    return float(row[0])


def unlock_by_link(database: Database, claimed_token: str, now: float, origin: Origin) -> None:
    """Once. Raises LinkOver."""
    with database.transaction() as db:
        row = db.row(_UNLOCK_BY_LINK, hashed=fingerprint(claimed_token), now=now)
        if row is None:
            raise LinkOver
        limit_key, user_id = row
        limits.clear(db, limit_key)
        audit.record(db, "sign_in.unlocked", now, origin, actor=user_id, person=user_id)


def unlock_all(db: Connection, user_id: str) -> bool:
    """Every lock of a person; False if there was none."""
    locked = db.rows(_UNLOCK, owner_id=user_id)
    for (limit_key,) in locked:
        limits.clear(db, limit_key)
    return bool(locked)


def locked_until(admin: Administration, someone: Member) -> float | None:
    """Of a person whose home is here; None while nothing is locked. Raises Forbidden."""
    admin.check("people.read")
    if not someone.is_home:
        return None
    row = admin.db.row(_UNTIL, owner_id=someone.user_id, now=admin.now)
    return row[0] if row else None


def unlock(admin: Administration, membership_id: str) -> None:
    """By an admin of the person's home. Raises Forbidden, RecentSignInNeeded, NotFound, or
    Mistake."""
    rights = granting.in_turn(admin, PERMISSION)
    admin.check_recent()
    someone = person.find_member(admin, membership_id)
    if not someone.is_home or not granting.may_act_on(rights, rights_of(admin.db, membership_id)):
        raise Forbidden("a person above them, or another company's")
    if locked_until(admin, someone) is None:
        raise Mistake(status=told("Sign-in is not paused any more."))
    unlock_all(admin.db, someone.user_id)
    admin.record("sign_in.unlocked", **person.about(someone))
