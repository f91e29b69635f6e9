"""Values that expire, in Redis while it is there and in the database while it is not.

Redis holds values, and never that one was spent: of that the database alone is asked, so that a
Redis that is emptied, comes back as it once was, or is seen by one process and not by another gives
nobody anything twice (security.md R4, R23; docs/decisions/0046).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from time import monotonic
from typing import TypeVar

from idp.circuit_breaker import CircuitBreaker
from idp.database import Database
from idp.ephemeral import Ephemeral, SqlEphemeral
from idp.ephemeral_redis import RedisEphemeral
from idp.errors import StoreUnavailable
from idp.secret_values import new_id

SEEN, SEEN_FOR = "redis is seen", 60.0
ALL_NOTICE = 4.0  # seconds
TAKEN_FOR = 86400.0  # seconds; nothing that is taken was good for longer

Found = TypeVar("Found")


class Elsewhere:
    """What others say of Redis since it is away from here. No two clocks are compared: that
    somebody writes anew is enough, once all have had the time to notice that it is away."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._said: str | None = None
        self._said_at = -math.inf

    def goes_on(self, said: str | None) -> bool:
        """Whether anybody still sees it."""
        now = self._clock()
        if said != self._said and self._said is not None and now - self._since > ALL_NOTICE:
            self._said_at = now
        self._said = said
        return now - self._said_at < ALL_NOTICE


class TwoStores:
    """What Redis does not have the database may, since another process may have put it there. No
    two values are alike (`sealed.py`), so that one is taken once wherever it is found."""

    def __init__(
        self,
        redis: RedisEphemeral,
        in_database: SqlEphemeral,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._redis = redis
        self._in_database = in_database
        self._clock = clock
        self._elsewhere = Elsewhere(clock)
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

    def check_not_cut_off(self, now: float) -> None:
        """Who sees Redis writes so into the database, so that a Redis that is away from everybody
        makes nobody unfit to serve."""
        try:
            self._redis.ping()
        except StoreUnavailable:
            if self._elsewhere.goes_on(self._in_database.read(SEEN, now)):
                raise
            return
        self._elsewhere = Elsewhere(self._clock)
        self._in_database.put(SEEN, new_id(), SEEN_FOR, now)

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
