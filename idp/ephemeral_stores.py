"""Values that expire, in Redis while it is there and in the database while it is not.

Redis holds values, and never that one was spent: of that the database alone is asked, so that a
Redis that is emptied, comes back as it once was, or is seen by one process and not by another gives
nobody anything twice (security.md R4, R23; docs/decisions/0046).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from idp.circuit_breaker import CircuitBreaker
from idp.database import Database
from idp.ephemeral import Ephemeral, SqlEphemeral
from idp.ephemeral_redis import RedisEphemeral
from idp.errors import StoreUnavailable

TAKEN_FOR = 86400.0  # seconds; nothing that is taken was good for longer

Found = TypeVar("Found")


class TwoStores:
    """What Redis does not have the database may, since another process may have put it there. No
    two values are alike (`sealed.py`), so that one is taken once wherever it is found."""

    def __init__(self, redis: RedisEphemeral, in_database: SqlEphemeral) -> None:
        self._redis = redis
        self._in_database = in_database
        self._breaker = CircuitBreaker("redis", redis.ping)

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        """One that timed out may be in both."""
        self._asked(
            lambda: self._redis.put(key, value, ttl, now),
            lambda: self._in_database.put(key, value, ttl, now),
        )

    def read(self, key: str, now: float) -> str | None:
        found = self._asked(lambda: self._redis.read(key, now), lambda: None)
        return found or self._in_database.read(key, now)

    def take(self, key: str, now: float) -> str | None:
        found = self._asked(lambda: self._redis.take(key, now), lambda: None)
        found = found or self._in_database.take(key, now)
        is_first = found and self.spend(f"taken {key} {found}", TAKEN_FOR, now)
        return found if is_first else None

    def drop(self, keys: Collection[str], now: float) -> None:
        if self._asked(lambda: self._redis.drop(keys), lambda: 0) < len(keys):
            self._in_database.drop(keys, now)

    def spend(self, name: str, ttl: float, now: float) -> bool:
        return self._in_database.spend(name, ttl, now)

    def count(self, key: str, ttl: float, now: float) -> int:
        return self._asked(
            lambda: self._redis.count(key, ttl, now),
            lambda: self._in_database.count(key, ttl, now),
        )

    def ping(self) -> None:
        self._redis.ping()

    def _asked(self, redis: Callable[[], Found], otherwise: Callable[[], Found]) -> Found:
        if not self._breaker.is_open:
            try:
                return redis()
            except StoreUnavailable as problem:
                self._breaker.open(problem.detail)
        return otherwise()


def ephemeral(
    redis_url: str, database: Database, redis: type[RedisEphemeral] = RedisEphemeral
) -> Ephemeral:
    """The store that the settings name."""
    in_database = SqlEphemeral(database)
    return TwoStores(redis(redis_url), in_database) if redis_url else in_database
