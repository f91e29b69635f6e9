"""Values that are forgotten after a while, in memory."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any


class ExpiringValues:
    """A dictionary with an expiry per entry and an upper bound on their number.

    The oldest entries give way when it is full, so strangers who start sign-ins cannot exhaust
    memory. Its `get`, `set` and `delete` are what Authlib expects of a cache.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, capacity: int = 10_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._entries: dict[str, tuple[float, Any]] = {}
        self._lock = Lock()

    def get(self, key: str) -> Any:
        expires_at, value = self._entries.get(key, (0.0, None))
        return value if expires_at > self._clock() else None

    def set(self, key: str, value: Any, timeout: float) -> None:
        with self._lock:
            self._put(key, value, timeout)

    def delete(self, key: str) -> None:
        with self._lock:
            self._entries.pop(key, None)

    def spend(self, key: str, timeout: float) -> bool:
        """True the first time a key is seen within its lifetime, False ever after."""
        with self._lock:
            if self.get(key) is not None:
                return False
            self._put(key, True, timeout)
            return True

    def _put(self, key: str, value: Any, timeout: float) -> None:
        if len(self._entries) >= self._capacity:
            self._make_room()
        self._entries[key] = (self._clock() + timeout, value)

    def _make_room(self) -> None:
        now = self._clock()
        self._entries = {key: entry for key, entry in self._entries.items() if entry[0] > now}
        while len(self._entries) >= self._capacity:
            self._entries.pop(next(iter(self._entries)))
