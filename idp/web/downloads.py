"""Answers of any length, and how many threads give one at once (security.md R19).

A thread that gives one works while there is something to read, and waits for whoever takes it. So a
few threads do at most, one for each log; who takes too little for too long is given up as in any
other answer (idp/connections.py). All others are given whole, and no thread waits with them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import cast
from weakref import WeakValueDictionary

from flask import Response

from idp.errors import Busy
from idp.web.context import provider

ONE_IN = 6  # threads may be busy so


def download(whose: str, make: Callable[[], Response]) -> Response:
    """What `make` answers, of the log of `whose`. Raises Busy before anything is made."""
    place = _Place(whose, max(1, provider().settings.threads // ONE_IN))
    try:
        answer = make()
    except BaseException:
        place.give_back()
        raise
    answer.response = _Parts(cast(Iterable[bytes], answer.response), place)
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


_room = threading.RLock()  # garbage that is collected meanwhile may give one back
_taken: WeakValueDictionary[str, _Place] = WeakValueDictionary()


class _Parts:
    """Those of an answer, as they are taken."""

    def __init__(self, parts: Iterable[bytes], place: _Place) -> None:
        self._parts = parts
        self._place = place

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._parts
        finally:
            self.close()

    def close(self) -> None:
        self._place.give_back()
        getattr(self._parts, "close", lambda: None)()


def whole(answer: Response) -> Response:
    """Any other answer in one part, which no thread waits with."""
    if answer.is_streamed and not isinstance(answer.response, _Parts):
        parts = cast(Iterable[bytes], answer.response)
        answer.direct_passthrough = False
        answer.set_data(b"".join(parts))
        getattr(parts, "close", lambda: None)()
    return answer
