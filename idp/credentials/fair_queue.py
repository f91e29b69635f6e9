"""Something scarce, for few at once: slots, and a queue in front of them that is fair to all.

Each group in the queue has a turn before one has its second. When the queue is full, the newest of
the group that has most there makes room for one that has less, so that a group that asks for much
is in no other's way (ASVS 15.4.4).
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FULL: Final = "the queue is full"
TOO_SLOW: Final = "waited too long"
MADE_ROOM: Final = "made room for others"


class NoPlace(Exception):
    """Its one argument says why: FULL, TOO_SLOW or MADE_ROOM."""


class _Place:
    """In the queue. Once it is `over`, it has the slot, or was taken away."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.is_taken_away = False


class FairQueue:
    """`slots` at once, and `places` for those who wait, of all groups together."""

    def __init__(self, slots: int, places: int) -> None:
        self._free = slots
        self._places = places
        self._waiting: OrderedDict[str, deque[_Place]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @contextmanager
    def turn(self, group: str, patience: float) -> Iterator[None]:
        """A slot, after at most so many seconds. Raises NoPlace."""
        place = self._join(group)
        if place is not None:
            self._wait(place, group, patience)
        try:
            yield
        finally:
            self._pass_on()

    def _join(self, group: str) -> _Place | None:
        """None for whoever need not wait: nobody does while a slot is free."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            if self.waiting >= self._places:
                self._make_room(group)
            place = _Place()
            self._waiting.setdefault(group, deque()).append(place)
            return place

    def _make_room(self, group: str) -> None:
        most = max(self._waiting, key=lambda each: len(self._waiting[each]), default=group)
        own = self._waiting.get(group, ())
        if most == group or len(self._waiting[most]) < len(own) + 2:
            raise NoPlace(FULL)
        newest = self._waiting[most].pop()
        newest.is_taken_away = True
        newest.over.set()

    def _wait(self, place: _Place, group: str, patience: float) -> None:
        if not place.over.wait(patience):
            with self._lock:
                if not place.over.is_set():
                    self._leave(place, group)
                    raise NoPlace(TOO_SLOW)
        if place.is_taken_away:
            raise NoPlace(MADE_ROOM)

    def _leave(self, place: _Place, group: str) -> None:
        self._waiting[group].remove(place)
        if not self._waiting[group]:
            del self._waiting[group]

    def _pass_on(self) -> None:
        """To the group whose turn is longest ago."""
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            group, places = self._waiting.popitem(last=False)
            places.popleft().over.set()
            if places:
                self._waiting[group] = places
