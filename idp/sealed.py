"""Ephemeral values that only we can read or make."""

from __future__ import annotations

from collections.abc import Collection

import orjson

from idp.ephemeral import Ephemeral
from idp.errors import SetupMistake
from idp.secret_values import SecretKeys


class Sealed:
    """Any store, with values that only we can read or make: whoever can write to it can lose them,
    and nothing else. No two are alike, though the same is put twice."""

    def __init__(self, store: Ephemeral, secret_keys: SecretKeys) -> None:
        self._store = store
        self._keys = secret_keys

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        kept = orjson.dumps([now + ttl, value])
        self._store.put(key, self._keys.encrypt(kept, f"ephemeral {key}"), ttl, now)

    def read(self, key: str, now: float) -> str | None:
        return self._opened(key, self._store.read(key, now), now)

    def take(self, key: str, now: float) -> str | None:
        return self._opened(key, self._store.take(key, now), now)

    def drop(self, keys: Collection[str], now: float) -> None:
        self._store.drop(keys, now)

    def spend(self, name: str, ttl: float, now: float) -> bool:
        return self._store.spend(name, ttl, now)

    def count(self, key: str, ttl: float, now: float) -> int:
        return self._store.count(key, ttl, now)

    def ping(self) -> None:
        self._store.ping()

    def check_not_cut_off(self, now: float) -> None:
        self._store.check_not_cut_off(now)

    def _opened(self, key: str, sealed: str | None, now: float) -> str | None:
        """A value that was sealed by nobody of us is none, nor is one that was put back later."""
        if sealed is None:
            return None
        try:
            expires_at, value = orjson.loads(self._keys.decrypt(sealed, f"ephemeral {key}"))
        except SetupMistake:
            return None
        return str(value) if expires_at > now else None
