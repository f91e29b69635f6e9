"""Whether a store is asked at all: from the first fault until a probe has seen it well again.

Whoever asks then is told at once, instead of waiting for what does not answer. One thread probes,
and so nobody who asks ever pays for a probe.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

import structlog

from idp.errors import StoreUnavailable

PROBE_EVERY = 0.5  # seconds

log = structlog.get_logger("stores")


class CircuitBreaker:
    """Of one process and one store. `probe` raises StoreUnavailable while it is away."""

    def __init__(self, store: str, probe: Callable[[], None]) -> None:
        self._store = store
        self._probe = probe
        self._lock = threading.Lock()
        self.is_open = False

    def open(self, why: str) -> None:
        with self._lock:
            if self.is_open:
                return
            self.is_open = True
        log.warning("store away", store=self._store, why=why)
        threading.Thread(
            target=_probe_until_back, args=(weakref.ref(self),), name="probe", daemon=True
        ).start()

    def look(self) -> None:
        """Once, by whoever looks alone."""
        try:
            self._probe()
        except StoreUnavailable:
            return
        log.warning("store back", store=self._store)
        self.is_open = False


def _probe_until_back(breaker_of: weakref.ref[CircuitBreaker]) -> None:
    """Or until nobody has it any more."""
    while (breaker := breaker_of()) is not None and breaker.is_open:
        del breaker
        time.sleep(PROBE_EVERY)
        if (breaker := breaker_of()) is not None:
            breaker.look()
