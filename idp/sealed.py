"""Ephemeral values that only we can read or make."""

from __future__ import annotations

from idp.ephemeral import Ephemeral
from idp.errors import SetupMistake
from idp.secret_values import SecretKeys


class Sealed:
    """Any store, with values that only we can read or make: whoever can write to it can lose them,
    and nothing else."""

    def __init__(self, store: Ephemeral, secret_keys: SecretKeys) -> None:
        self._store = store
        self._keys = secret_keys

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        self._store.put(key, self._keys.encrypt(value.encode(), f"ephemeral {key}"), ttl, now)

    def read(self, key: str, now: float) -> str | None:
        return self._opened(key, self._store.read(key, now))

    def take(self, key: str, now: float) -> str | None:
        return self._opened(key, self._store.take(key, now))

    def count(self, key: str, ttl: float, now: float) -> int:
        return self._store.count(key, ttl, now)

    def ping(self) -> None:
        self._store.ping()

    def _opened(self, key: str, sealed: str | None) -> str | None:
        """A value that was sealed by nobody of us is none."""
        if sealed is None:
            return None
        try:
            return self._keys.decrypt(sealed, f"ephemeral {key}").decode()
        except SetupMistake:
            return None
