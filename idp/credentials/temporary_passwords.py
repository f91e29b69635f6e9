"""Temporary passwords: made by us, mailed, and good for one sign-in that sets another one.

They stand beside the password, whose hash stays for its history and opens nothing meanwhile
(`passwords.must_change`). One has 118 random bits, is kept by Argon2id, is good for a day and once,
and its own five wrong tries pause it (security.md S46, section 4.2).
"""

from __future__ import annotations

from secrets import choice
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.statements import Upsert

TEMPORARY = "temporary"  # why a password has to be changed
LIFETIME_HOURS = 24
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
GROUPS, OF_EACH = 4, 6


class TemporaryPassword(Base):
    """One that is used stays for its day, so that nobody keeps it for good."""

    __tablename__ = "temporary_passwords"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    hash: Mapped[str]
    expires_at: Mapped[float]
    used_at: Mapped[float | None]


class StandIn(NamedTuple):
    """What is asked for instead of the password with `kept_hash`; `hash` is None once it is used or
    too old."""

    kept_hash: str
    hash: str | None


_TABLE: Any = TemporaryPassword.__table__
_OWN = _TABLE.c.user_id == sa.bindparam("owner_id")
_IS_GOOD = (
    _OWN,
    _TABLE.c.used_at.is_(None),
    _TABLE.c.expires_at > sa.bindparam("now", type_=sa.Double),
)
_KEEP = Upsert(
    lambda insert: (
        insert(_TABLE)
        .values({name: sa.bindparam(name) for name in ("user_id", "hash", "expires_at")})
        .on_conflict_do_update(
            index_elements=["user_id"],
            set_={
                "hash": sa.bindparam("hash"),
                "expires_at": sa.bindparam("expires_at"),
                "used_at": sa.null(),
            },
        )
    )
)
_PASSWORDS = sa.table("passwords", *map(sa.column, ("user_id", "hash", "must_change")))
_STANDING_IN = (
    sa.select(_PASSWORDS.c.hash, _TABLE.c.hash)
    .select_from(_PASSWORDS)
    .outerjoin(_TABLE, sa.and_(_TABLE.c.user_id == _PASSWORDS.c.user_id, *_IS_GOOD[1:]))
    .where(
        _PASSWORDS.c.user_id == sa.bindparam("owner_id"),
        _PASSWORDS.c.must_change == sa.literal_column(f"'{TEMPORARY}'"),
    )
)
_LAST = sa.select(_TABLE.c.hash).where(_OWN)
_SPEND = (
    sa.update(_TABLE)
    .where(*_IS_GOOD, _TABLE.c.hash == sa.bindparam("used_hash"))
    .values(used_at=sa.bindparam("now", type_=sa.Double))
    .returning(_TABLE.c.user_id)
)
_END = sa.update(_TABLE).where(_OWN).values(used_at=sa.bindparam("now", type_=sa.Double))


def make() -> str:
    """A new one, to be mailed and forgotten."""
    groups = ("".join(choice(LETTERS) for _ in range(OF_EACH)) for _ in range(GROUPS))
    return "-".join(groups)


def keep(db: Connection, user_id: str, hashed: str, now: float) -> None:
    """The newest counts alone."""
    db.run(_KEEP, user_id=user_id, hash=hashed, expires_at=now + LIFETIME_HOURS * 3600.0)


def standing_in(db: Connection, user_id: str, now: float) -> StandIn | None:
    """None where a person's own password counts."""
    row = db.row(_STANDING_IN, owner_id=user_id, now=now)
    return StandIn._make(row) if row else None


def last_hash(db: Connection, user_id: str) -> str | None:
    """Of the newest, used or not."""
    row = db.row(_LAST, owner_id=user_id)
    return str(row[0]) if row else None


def spend(db: Connection, user_id: str, used_hash: str, now: float) -> bool:
    """True for one of all who come at once."""
    return db.row(_SPEND, owner_id=user_id, used_hash=used_hash, now=now) is not None


def end(db: Connection, user_id: str, now: float) -> None:
    """The newest opens nothing any more, as if it were used."""
    db.run(_END, owner_id=user_id, now=now)
