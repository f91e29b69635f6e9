"""What a process has counted and timed since it began, for whoever watches over it.

A count costs less than a microsecond and asks no one. Once a second a process writes what it has to
a file of its own in a folder that they share (`share`), where the operations' port reads them all;
the file stays when the process ends, so that no count ever goes back.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson
import structlog

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
WRITE_EVERY = 1.0

log = structlog.get_logger("measures")


class Kind(NamedTuple):
    """`labels` are what it is counted by."""

    means: str
    labels: tuple[str, ...]


COUNTED = {
    "requests": Kind("Requests answered.", ("endpoint", "status")),
    "audit_events": Kind("Events written to the audit log.", ("tag",)),
    "deliveries": Kind("Letters, texts and sign-outs that ended so.", ("kind", "outcome")),
    "passwords_refused": Kind("Passwords that found no room to be hashed: answered 503.", ()),
    "log_lines_lost": Kind("Lines of the log that could not be written at once.", ()),
}
TIMED = {
    "request": Kind("Time until a request was answered.", ("endpoint",)),
    "password_hash": Kind("Time that one password took, waiting included.", ()),
}


class Timings:
    """How many took up to each of BOUNDS, and longer; and the sum in seconds."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds


class Measures:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._timings: dict[tuple[str, ...], Timings] = {}
        self._folder: Path | None = None

    def count(self, name: str, *labels: str) -> None:
        with self._lock:
            self._counts[(name, *labels)] += 1

    def time(self, seconds: float, name: str, *labels: str) -> None:
        key = (name, *labels)
        with self._lock:
            timings = self._timings.get(key)
            if timings is None:
                timings = self._timings[key] = Timings()
            timings.add(seconds)

    @contextmanager
    def timed(self, name: str, *labels: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.time(time.perf_counter() - began, name, *labels)

    def told(self) -> bytes:
        """All of it as JSON: of `counts` each `[[name, label…], count]`, of `timings` each
        `[[name, label…], counts, sum]`."""
        with self._lock:
            counts = [[key, count] for key, count in self._counts.items()]
            timings = [[key, list(t.counts), t.sum] for key, t in self._timings.items()]
        return orjson.dumps({"counts": counts, "timings": timings})

    def share(self, folder: Path) -> None:
        """With whoever reads there; for this process and those that are forked from now on."""
        self._folder = folder

    def keep_telling(self) -> None:
        """From a thread of its own, if they are shared."""
        if self._folder:
            threading.Thread(target=self._tell_for_ever, args=(self._folder,), daemon=True).start()

    def _tell_for_ever(self, folder: Path) -> None:
        """Also after a disk has been full: a count that stands still looks like a quiet night."""
        while True:
            try:
                self.tell(folder)
            except OSError as problem:
                log.warning("not told", why=str(problem))
            time.sleep(WRITE_EVERY)

    def tell(self, folder: Path) -> None:
        """Whoever reads meanwhile finds the last one whole. Raises OSError."""
        unfinished = folder / f"{os.getpid()}.new"
        unfinished.write_bytes(self.told())
        unfinished.rename(folder / f"{os.getpid()}.json")


MEASURES = Measures()
