"""Values that expire and may be lost: half-finished sign-ins and the like.

One contract, two stores: Redis by URL, else the database. What must survive (codes, used tokens,
lockouts, revocations) lives in tables of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Database
from idp.errors import StoreUnavailable
from idp.statements import Upsert

REDIS_PREFIX = "latchkey:"
COUNT_PREFIX = "count:"


class Ephemeral(Protocol):
    """`ttl` in seconds; what has expired at `now` is as good as never put."""

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        """Keep `value`, replacing what was there."""

    def read(self, key: str, now: float) -> str | None:
        """The value, left in place."""

    def take(self, key: str, now: float) -> str | None:
        """The value, for exactly one of all who ask."""

    def count(self, key: str, ttl: float, now: float) -> int:
        """How many times this was asked since the first within `ttl`: 1, 2, 3, …"""

    def ping(self) -> None:
        """Raises StoreUnavailable when the store is away."""


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

    def count(self, key: str, ttl: float, now: float) -> int:
        with self._database.connection(durable=False) as db:
            row = db.row(_COUNT, key=COUNT_PREFIX + key, expires_at=now + ttl, now=now)
        assert row is not None
        return int(row[0])

    def ping(self) -> None:
        self.read("ping", 0.0)

    def sweep(self, now: float) -> int:
        """Delete what has expired; nothing depends on it having run."""
        with self._database.connection(durable=False) as db:
            return db.run(_SWEEP, now=now)


_REDIS_COUNT = """
local kept = redis.call('GET', KEYS[1])
if kept then
  local expires_at, uses = string.match(kept, '^(%S+) (%d+)$')
  if expires_at and tonumber(expires_at) > tonumber(ARGV[1]) then
    uses = tonumber(uses) + 1
    redis.call('SET', KEYS[1], expires_at .. ' ' .. uses, 'KEEPTTL')
    return uses
  end
end
redis.call('SET', KEYS[1], ARGV[2] .. ' 1', 'PX', ARGV[3])
return 1
"""


class RedisEphemeral:
    """In Redis. The expiry is kept with the value too, so that the caller's clock decides."""

    def __init__(self, url: str) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._outages = (redis.RedisError, OSError)
        self._redis: Any = redis.Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 1),
            socket_timeout=0.5,
            socket_connect_timeout=0.25,
        )
        self._count: Any = self._redis.register_script(_REDIS_COUNT)

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        kept = orjson.dumps([now + ttl, value])
        self._ask(lambda: self._redis.set(REDIS_PREFIX + key, kept, px=_milliseconds(ttl)))

    def read(self, key: str, now: float) -> str | None:
        return _alive(self._ask(lambda: self._redis.get(REDIS_PREFIX + key)), now)

    def take(self, key: str, now: float) -> str | None:
        return _alive(self._ask(lambda: self._redis.getdel(REDIS_PREFIX + key)), now)

    def count(self, key: str, ttl: float, now: float) -> int:
        arguments = [repr(now), repr(now + ttl), _milliseconds(ttl)]
        keys = [REDIS_PREFIX + COUNT_PREFIX + key]
        return int(self._ask(lambda: self._count(keys=keys, args=arguments)))

    def ping(self) -> None:
        self._ask(self._redis.ping)

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except self._outages as problem:
            raise StoreUnavailable(f"redis: {problem}") from problem


def _alive(kept: bytes | None, now: float) -> str | None:
    if kept is None:
        return None
    expires_at, value = orjson.loads(kept)
    return str(value) if expires_at > now else None


def _milliseconds(ttl: float) -> int:
    return max(1, int(ttl * 1000))


def ephemeral(redis_url: str, database: Database) -> Ephemeral:
    """The store that the settings name."""
    return RedisEphemeral(redis_url) if redis_url else SqlEphemeral(database)
