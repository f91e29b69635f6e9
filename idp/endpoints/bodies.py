"""Bodies on their way: how many threads wait for one at once, and for how long (security.md S74).

A thread that reads a body waits for whoever sends it. So some threads never do, bodies have a time
to be there, and while all that may wait do, who has waited longest is given up for the next. What
nobody reads is thrown away before it is answered, in the same way: a connection that is closed
while its other end still sends may take the answer with it (RFC 9112 section 9.6). And answers are
given up that nobody takes.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable
from typing import Any

import structlog

from idp.connections import Connections, address_of
from idp.endpoints.router import Environ, StartResponse, WsgiApp
from idp.errors import Busy, OAuthRefusal, told

PATIENCE = 10.0  # seconds until a body must be there
BYTES_A_SECOND = 128 * 1024  # and for larger ones, as long as this takes
LARGEST = 11 * 1024 * 1024
CHUNK, LINGER = 64 * 1024, 2.0  # of what nobody reads: bytes at once, seconds
PRESSED = 1.0  # seconds that the oldest is waited for while no thread is left for another
STUCK = 2.0  # seconds in which nothing was written to whom we are behind with
LOOK_EVERY, LOOK_FOR_SLOW_EVERY = 0.2, 5.0
IS_THERE = 0.1  # seconds in which a body is read that has arrived, beside many others

log = structlog.get_logger("bodies")


class CutShort(OAuthRefusal):
    """Less came than was announced."""

    def __init__(self) -> None:
        sentence = told("The request did not arrive whole.")
        super().__init__("invalid_request", sentence, status=408)


class Arriving:
    """The `wsgi.input` of a request that announced a body of `length` bytes."""

    def __init__(self, bodies: Bodies, source: Any, peer: str, length: int) -> None:
        self._bodies = bodies
        self._source = source
        self._left = length
        self.peer = peer
        self.since = time.monotonic()
        self.begun = math.inf
        self.until = self.since + max(PATIENCE, min(length, LARGEST) / BYTES_A_SECOND)

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, fewer at the end alone. Raises Busy, CutShort."""
        self._bodies.begin(self)
        try:
            return self._part(size)
        finally:
            self._bodies.end(self)

    def throw_away(self) -> None:
        """What nobody has read, where there is room for it; of so much that it is hardly sent by
        mistake, nothing."""
        if not 0 < self._left <= LARGEST or not self._bodies.begin_at_once(self):
            return
        self.until = min(self.until, time.monotonic() + LINGER)
        try:
            while self._left:
                self._part(min(self._left, CHUNK))
        except CutShort:
            return  # it is answered all the same
        finally:
            self._bodies.end(self)

    def _part(self, size: int) -> bytes:
        left, self._left = self._left, 0  # of what can't be read nothing is left
        part: bytes = self._source.read() if size < 0 else self._source.read(size)
        if len(part) < left and (size < 0 or len(part) < size):
            raise CutShort
        self._left = left - len(part)
        return part


class Bodies:
    """Wraps an application that listens on `port`, so that at most `most` of its threads wait for
    bodies at once."""

    def __init__(self, app: WsgiApp, most: int, port: int) -> None:
        self._app = app
        self._most = most
        self._room = threading.Condition(threading.Lock())
        self._arriving: dict[int, Arriving] = {}
        self._connections = Connections(port)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH", "")
        if not (length.isascii() and length.isdigit()):
            return self._app(environ, start_response)
        peer = address_of(environ.get("REMOTE_ADDR", ""))
        body = environ["wsgi.input"] = Arriving(self, environ["wsgi.input"], peer, int(length))
        answer = self._app(environ, start_response)
        if "HTTP_EXPECT" not in environ:  # whoever asks first whether to send it waits for us
            body.throw_away()
        return answer

    def begin(self, body: Arriving) -> None:
        """Raises Busy where there is no room and none is to be expected: of those on their way the
        last has been waited for longer than it takes to read what is there."""
        with self._room:
            while len(self._arriving) >= self._most:
                last = max(other.begun for other in self._arriving.values())
                left = last + IS_THERE - time.monotonic()
                if left <= 0:
                    raise Busy("as many bodies are on their way as may be")
                self._room.wait(left)
            self._add(body)

    def begin_at_once(self, body: Arriving) -> bool:
        """Whether there is room."""
        with self._room:
            if len(self._arriving) >= self._most:
                return False
            self._add(body)
            return True

    def _add(self, body: Arriving) -> None:
        body.begun = min(body.begun, time.monotonic())
        self._arriving[id(body)] = body

    def end(self, body: Arriving) -> None:
        with self._room:
            del self._arriving[id(body)]
            self._room.notify()

    def watch(self) -> None:
        """From now on, in a thread of its own, end the connections of bodies that don't come and of
        answers that nobody takes."""
        threading.Thread(target=self._watch, name="bodies", daemon=True).start()

    def _watch(self) -> None:
        looked = 0.0
        while True:
            time.sleep(LOOK_EVERY)
            now = time.monotonic()
            try:
                if self._arriving:
                    self._look(now)
                if now >= looked + LOOK_FOR_SLOW_EVERY:
                    looked = now
                    self._connections.end_slow(now)
            except OSError as problem:  # to look takes descriptors, which may be used up
                log.warning("blind", why=str(problem))

    def _look(self, now: float) -> None:
        with self._room:
            arriving = list(self._arriving.values())
        self._connections.look(now)
        if len(arriving) >= self._most:
            _give_up_the_oldest(arriving, now)
        for body in arriving:
            if now > body.until + 2 * LOOK_EVERY:
                self._connections.end_stuck(body.peer, now - STUCK)
            elif now >= body.until:
                earliest, latest = body.since - LOOK_EVERY, body.begun + 2 * LOOK_EVERY
                self._connections.end_waiting(body.peer, earliest, latest)


def _give_up_the_oldest(arriving: Iterable[Arriving], now: float) -> None:
    oldest = min(arriving, key=lambda body: body.since)
    if now > oldest.since + PRESSED:
        oldest.until = min(oldest.until, now)
