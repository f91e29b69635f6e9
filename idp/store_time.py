"""How long a request may wait for the database, in all (security.md R7).

What counts is waiting: for a connection, and for answers. Who waits for a person's bytes, for the
hash of a password or for another provider has as long for the database as anybody.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Self

PER_REQUEST = 4.0  # seconds
HUNG = 3.0  # seconds; a database that is only slow has ended the statement before (postgres_lanes)


class _StoreTime(threading.local):
    """Of this thread. One that was given none, a worker's say, waits as long as it takes."""

    left = math.inf

    def begin(self, seconds: float = PER_REQUEST) -> None:
        self.left = seconds

    def end(self) -> None:
        self.left = math.inf

    @property
    def is_limited(self) -> bool:
        return self.left < math.inf


STORE_TIME = _StoreTime()


@contextmanager
def limited(seconds: float = PER_REQUEST) -> Iterator[None]:
    """So long for what is within, and afterwards as before."""
    before = STORE_TIME.left
    STORE_TIME.begin(seconds)
    try:
        yield
    finally:
        STORE_TIME.left = before


class Waiting:
    """As long as a `with` lasts, for one answer."""

    __slots__ = ("_begun", "_until")

    def __enter__(self) -> Self:
        self._begun = monotonic()
        left = STORE_TIME.left
        self._until = self._begun + min(left, HUNG) if left < math.inf else left
        return self

    def __exit__(self, *_: object) -> None:
        STORE_TIME.left -= monotonic() - self._begun

    @property
    def left(self) -> float | None:
        """Seconds, None for as many as it takes."""
        return max(0.0, self._until - monotonic()) if self._until < math.inf else None

    def at_most(self, seconds: float) -> float:
        return seconds if self.left is None else min(seconds, self.left)

    @property
    def is_over(self) -> bool:
        return monotonic() >= self._until

    def has_lasted(self, seconds: float) -> bool:
        return monotonic() - self._begun >= seconds
