"""Answers of any length: how many threads give one at once, and for how long (security.md R19).

A thread that gives one works while there is something to read, and then waits for whoever takes it.
So a few threads do at most, one for each log, and whoever takes too little for too long is given up
(Linux).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import cast
from weakref import WeakValueDictionary

import structlog
from flask import Response, request

from idp.connections import PEER, Connections
from idp.errors import Busy
from idp.web.context import provider

ONE_IN = 6  # threads may be busy so
PATIENCE = 30.0  # seconds in which a short one must be taken
BYTES_A_SECOND = 32 * 1024  # and a longer one in as many more as this takes
LOOK_EVERY = 1.0

log = structlog.get_logger("downloads")


def download(whose: str, make: Callable[[], Response]) -> Response:
    """What `make` answers, of the log of `whose`. Raises Busy before anything is made."""
    settings = provider().settings
    place = _Place(whose, max(1, settings.threads // ONE_IN))
    try:
        answer = make()
    except BaseException:
        place.give_back()
        raise
    pace = _Pace(Connections(settings.port), request.environ.get(PEER, ""))
    answer.response = _Parts(cast(Iterable[bytes], answer.response), place, pace)
    return answer


class _Place:
    """One of `most` of this process. It is free again when nobody holds it any more, too: not every
    answer that is made is given."""

    def __init__(self, whose: str, most: int) -> None:
        with _room:
            if whose in _taken or len(_taken) >= most:
                raise Busy(f"{len(_taken)} downloads are under way")
            _taken[whose] = self
        self._whose = whose

    def give_back(self) -> None:
        with _room:
            if _taken.get(self._whose) is self:
                del _taken[self._whose]


_room = threading.Lock()
_taken: WeakValueDictionary[str, _Place] = WeakValueDictionary()


class _Pace:
    """How fast an answer is taken by whoever is at the other end of a connection with `peer`."""

    def __init__(self, connections: Connections, peer: str) -> None:
        self._connections = connections
        self._peer = peer
        self._until = 0.0
        self._is_over = threading.Event()

    def begin(self) -> None:
        self._until = time.monotonic() + PATIENCE
        threading.Thread(target=self._watch, name="download", daemon=True).start()

    def count(self, part: bytes) -> None:
        self._until += len(part) / BYTES_A_SECOND

    def is_behind(self, now: float) -> bool:
        return now > self._until

    def end(self) -> None:
        self._is_over.set()

    def _watch(self) -> None:
        while not self._is_over.wait(LOOK_EVERY):
            if self.is_behind(time.monotonic()):
                try:
                    self._connections.end_taking(self._peer)
                except OSError as problem:  # to look takes descriptors, which may be used up
                    log.warning("blind", why=str(problem))


class _Parts:
    """Those of an answer, as they are taken."""

    def __init__(self, parts: Iterable[bytes], place: _Place, pace: _Pace) -> None:
        self._parts = parts
        self._place = place
        self._pace = pace

    def __iter__(self) -> Iterator[bytes]:
        self._pace.begin()
        try:
            for part in self._parts:
                self._pace.count(part)
                yield part
        finally:
            self.close()

    def close(self) -> None:
        self._pace.end()
        self._place.give_back()
        getattr(self._parts, "close", lambda: None)()
