"""Values that expire, in Redis: the store itself, which says when it is away."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection
from typing import Any

import orjson

from idp.ephemeral import COUNT_PREFIX
from idp.errors import StoreUnavailable

PREFIX = "latchkey:"
PATIENCE = 0.25  # seconds, to connect and for each answer
_PROBED_FOR = 1000  # milliseconds

_COUNT = """
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
    """The expiry is kept with the value too, so that the caller's clock decides. What is spent must
    not be lost, and so is no business of this store's."""

    def __init__(self, url: str) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._outages = (redis.RedisError, OSError)
        self._redis: Any = redis.Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),  # one that lay idle was lost
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
        )
        self._count: Any = self._redis.register_script(_COUNT)
        weakref.finalize(self, self._redis.connection_pool.disconnect)  # before its sockets end

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        kept = orjson.dumps([now + ttl, value])
        self._ask(lambda: self._redis.set(PREFIX + key, kept, px=_milliseconds(ttl)))

    def read(self, key: str, now: float) -> str | None:
        return _alive(self._ask(lambda: self._redis.get(PREFIX + key)), now)

    def take(self, key: str, now: float) -> str | None:
        return _alive(self._ask(lambda: self._redis.getdel(PREFIX + key)), now)

    def drop(self, keys: Collection[str]) -> int:
        """How many there were."""
        return int(self._ask(lambda: self._redis.delete(*(PREFIX + key for key in keys))))

    def count(self, key: str, ttl: float, now: float) -> int:
        arguments = [repr(now), repr(now + ttl), _milliseconds(ttl)]
        keys = [PREFIX + COUNT_PREFIX + key]
        return int(self._ask(lambda: self._count(keys=keys, args=arguments)))

    def ping(self) -> None:
        """By a write: one that is full, or only a replica, answers everything else."""
        self._ask(lambda: self._redis.set(PREFIX + "ping", "", px=_PROBED_FOR))

    def eviction(self) -> str | None:
        """The policy by which it throws away what has not expired, if it may do so."""
        told = self._ask(lambda: self._redis.info("memory"))
        policy = str(told.get("maxmemory_policy"))
        return policy if told.get("maxmemory") and policy != "noeviction" else None

    def forget_all(self) -> None:
        """Of ours, whoever has put it there."""

        def forget() -> None:
            for key in self._redis.scan_iter(match=PREFIX + "*", count=1000):
                self._redis.delete(key)

        self._ask(forget)

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except self._outages as problem:
            raise StoreUnavailable(f"redis: {problem}") from problem


def _alive(kept: bytes | None, now: float) -> str | None:
    """None too for what we never put there."""
    try:
        expires_at, value = orjson.loads(kept or b"[0, 0]")
        return str(value) if expires_at > now else None
    except (TypeError, ValueError):
        return None


def _milliseconds(ttl: float) -> int:
    return max(1, int(ttl * 1000))
