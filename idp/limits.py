"""How often something may go wrong: exact, durable, one conditional write taken beforehand.

A try is reserved before it is evaluated, so a hundred at once are still only five. The key is a
blinded identifier, the same for people who exist and people who don't.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Connection
from idp.statements import Upsert

Ration = tuple[str, int, float]  # its key, how many, in which window of seconds


class AttemptLimit(Base):
    """`failed` counts since the last success or pause; `paused_until` is 0 while open. Of what is
    rationed (`take`), `failed` is how often it was had until `paused_until`."""

    __tablename__ = "attempt_limits"

    key: Mapped[str] = mapped_column(primary_key=True)
    failed: Mapped[int]
    paused_until: Mapped[float]
    last_failed_at: Mapped[float] = mapped_column(index=True)


_TABLE: Any = AttemptLimit.__table__


def _reserve(insert: Callable[..., Any]) -> sa.Executable:
    now = sa.bindparam("now", type_=sa.Double)
    duration = sa.bindparam("duration", type_=sa.Double)
    threshold = sa.bindparam("threshold", type_=sa.Integer)
    lapsed = _TABLE.c.last_failed_at <= now - duration
    failed = sa.case((lapsed, 1), else_=_TABLE.c.failed + 1)
    first = insert(_TABLE).values(
        key=sa.bindparam("key"), failed=1, paused_until=0.0, last_failed_at=now
    )
    return first.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=["key"],
        set_={
            "failed": failed,
            "paused_until": sa.case((failed >= threshold, now + duration), else_=0.0),
            "last_failed_at": now,
        },
        where=_TABLE.c.paused_until <= now,
    ).returning(_TABLE.c.failed)


def _take(insert: Callable[..., Any]) -> sa.Executable:
    now = sa.bindparam("now", type_=sa.Double)
    over = _TABLE.c.paused_until <= now
    until = now + sa.bindparam("window", type_=sa.Double)
    first = insert(_TABLE).values(
        key=sa.bindparam("key"), failed=1, paused_until=until, last_failed_at=now
    )
    return first.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=["key"],
        set_={
            "failed": sa.case((over, 1), else_=_TABLE.c.failed + 1),
            "paused_until": sa.case((over, until), else_=_TABLE.c.paused_until),
            "last_failed_at": now,
        },
        where=sa.or_(over, _TABLE.c.failed < sa.bindparam("most", type_=sa.Integer)),
    ).returning(_TABLE.c.failed)


_RESERVE = Upsert(_reserve)
_TAKE = Upsert(_take)
_GIVE_BACK = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.key == sa.bindparam("limit_key"),
        _TABLE.c.paused_until > sa.bindparam("now", type_=sa.Double),
        _TABLE.c.failed > 0,
    )
    .values(failed=_TABLE.c.failed - 1)
)
_TAKE_BACK = (
    sa.update(_TABLE)
    .where(_TABLE.c.key == sa.bindparam("limit_key"))
    .values(failed=_TABLE.c.failed - 1, paused_until=0.0)
)
_IS_TAKEN = sa.select(_TABLE.c.key).where(
    _TABLE.c.key == sa.bindparam("key"), _TABLE.c.paused_until > sa.bindparam("now")
)
_CLEAR = sa.delete(_TABLE).where(_TABLE.c.key == sa.bindparam("key"))


def reserve(db: Connection, key: str, now: float, threshold: int, duration: float) -> int | None:
    """Take one try: its number from 1 to `threshold`, or None while the key is paused.

    The try that reaches `threshold` starts the pause of `duration` seconds at once, so that nobody
    gets in beside it; `clear` lifts it if that very try was right.
    """
    row = db.row(_RESERVE, key=key, now=now, threshold=threshold, duration=duration)
    return int(row[0]) if row else None


def give_back(db: Connection, key: str) -> None:
    """A try that was reserved in this very transaction and did not fail; those before it stay."""
    db.run(_TAKE_BACK, limit_key=key)


def take(db: Connection, key: str, now: float, most: int, window: float) -> bool:
    """One of `most` within `window` seconds, counted from the first; False if none is left."""
    return ration(db, key, now, most, window) is not None


def ration(db: Connection, key: str, now: float, most: int, window: float) -> int | None:
    """The same, and which of them it is."""
    row = db.row(_TAKE, key=key, now=now, most=most, window=window)
    return int(row[0]) if row else None


def is_taken(db: Connection, key: str, now: float) -> bool:
    """Whether any was, in a window that is not over."""
    return db.row(_IS_TAKEN, key=key, now=now) is not None


def give_back_ration(db: Connection, key: str, now: float) -> None:
    """One that was taken in this window, for nothing."""
    db.run(_GIVE_BACK, limit_key=key, now=now)


def take_each(db: Connection, now: float, rations: Sequence[Ration]) -> int | None:
    """One of each ration. None if there was one of all, else the place of the first that has none
    left, and nothing was taken. In a transaction."""
    for place, (key, most, window) in enumerate(rations):
        if not take(db, key, now, most, window):
            for had, _most, _window in rations[:place]:
                give_back_ration(db, had, now)
            return place
    return None


def clear(db: Connection, key: str) -> None:
    """After a success, or by an admin."""
    db.run(_CLEAR, key=key)
