"""Values that expire and may be lost: half-finished sign-ins and the like.

One contract, and here the store in the database; `ephemeral_redis.py` is another, and
`ephemeral_stores.py` both as one. What must survive (codes, used tokens, lockouts, revocations, and
what was spent) lives in tables of its own, whatever Redis does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import used_once
from idp.database import Base, Database
from idp.statements import Upsert

COUNT_PREFIX = "count:"


class Ephemeral(Protocol):
    """`ttl` in seconds; what has expired at `now` is as good as never put."""

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        """Keep `value`, replacing what was there."""

    def read(self, key: str, now: float) -> str | None:
        """The value, left in place."""

    def take(self, key: str, now: float) -> str | None:
        """The value, for exactly one of all who ask."""

    def drop(self, keys: Collection[str], now: float) -> None:
        """Leave nothing of these, where anything is."""

    def spend(self, name: str, ttl: float, now: float) -> bool:
        """True for exactly one of all who ask within `ttl`, whatever was lost meanwhile."""

    def count(self, key: str, ttl: float, now: float) -> int:
        """How many times this was asked since the first within `ttl`: 1, 2, 3, … It may be lost:
        for what annoys, and never for what lets anybody in."""

    def ping(self) -> None:
        """Raises StoreUnavailable when the store is away."""

    def check_not_cut_off(self, now: float) -> None:
        """Ask it once a second. Raises StoreUnavailable where others see what is away from here."""


class EphemeralValue(Base):
    __tablename__ = "ephemeral_values"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    uses: Mapped[int]
    expires_at: Mapped[float] = mapped_column(index=True)


_TABLE: Any = EphemeralValue.__table__
_KEY = _TABLE.c.key == sa.bindparam("key")
_NOW = sa.bindparam("now", type_=sa.Double)
_ALIVE = _TABLE.c.expires_at > _NOW


def _put(insert: Callable[..., Any]) -> sa.Executable:
    row = insert(_TABLE).values(
        key=sa.bindparam("key"),
        value=sa.bindparam("value"),
        uses=0,
        expires_at=sa.bindparam("expires_at"),
    )
    return row.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=["key"],
        set_={"value": row.excluded.value, "uses": 0, "expires_at": row.excluded.expires_at},
    )


def _count(insert: Callable[..., Any]) -> sa.Executable:
    row = insert(_TABLE).values(
        key=sa.bindparam("key"), value="", uses=1, expires_at=sa.bindparam("expires_at")
    )
    return row.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=["key"],
        set_={
            "uses": sa.case((_ALIVE, _TABLE.c.uses + 1), else_=1),
            "expires_at": sa.case((_ALIVE, _TABLE.c.expires_at), else_=row.excluded.expires_at),
        },
    ).returning(_TABLE.c.uses)


_PUT = Upsert(_put)
_COUNT = Upsert(_count)
_READ = sa.select(_TABLE.c.value).where(_KEY, _ALIVE)
_TAKE = sa.delete(_TABLE).where(_KEY).returning(_TABLE.c.value, _TABLE.c.expires_at)
_DROP = sa.delete(_TABLE).where(_KEY)
_SWEEP = sa.delete(_TABLE).where(_TABLE.c.expires_at <= _NOW)


class SqlEphemeral:
    """In the database; commits without waiting for the disk, since it may be lost."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        with self._database.connection(durable=False) as db:
            db.run(_PUT, key=key, value=value, expires_at=now + ttl)

    def read(self, key: str, now: float) -> str | None:
        with self._database.connection(durable=False) as db:
            row = db.row(_READ, key=key, now=now)
        return str(row[0]) if row else None

    def take(self, key: str, now: float) -> str | None:
        with self._database.connection(durable=False) as db:
            row = db.row(_TAKE, key=key)
        return str(row[0]) if row and row[1] > now else None

    def drop(self, keys: Collection[str], now: float) -> None:
        with self._database.connection(durable=False) as db:
            for key in keys:
                db.run(_DROP, key=key)

    def spend(self, name: str, ttl: float, now: float) -> bool:
        with self._database.connection(durable=False) as db:
            return used_once.spend(db, name, now + ttl, now)

    def count(self, key: str, ttl: float, now: float) -> int:
        with self._database.connection(durable=False) as db:
            row = db.row(_COUNT, key=COUNT_PREFIX + key, expires_at=now + ttl, now=now)
        assert row is not None
        return int(row[0])

    def ping(self) -> None:
        self.read("ping", 0.0)

    def check_not_cut_off(self, now: float) -> None:
        self.read("ping", now)

    def sweep(self, now: float) -> int:
        """Delete what has expired; nothing depends on it having run."""
        with self._database.connection(durable=False) as db:
            return db.run(_SWEEP, now=now)
