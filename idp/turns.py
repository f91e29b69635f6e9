"""Whose turn it is to wait for somebody else's server: of the threads that answer few are held, and
fewer for each of those waited for, so that one that is slow stops no other (security.md R12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import BoundedSemaphore

from idp.settings import UPSTREAM_THREADS

AT_ONCE, LINE_WAIT = 2, 0.5
FOR_ONE = UPSTREAM_THREADS - 1  # at once and in line
CLIENTS = "clients"  # whose addresses any who may register have us ask
REGISTRATIONS = ("registrations", CLIENTS)


class NoTurn(Exception):
    """Too many wait already."""


class Turns:
    """Of one process."""

    def __init__(self) -> None:
        self.threads = BoundedSemaphore(UPSTREAM_THREADS)
        self._lines: dict[str, BoundedSemaphore] = {}
        self._rooms: dict[str, BoundedSemaphore] = {}

    @contextmanager
    def wait_for(self, whom: str, *among: str) -> Iterator[None]:
        """Those `among` whom they are hold no more threads together than one of them might. Raises
        NoTurn."""
        room = self._rooms.setdefault(whom, BoundedSemaphore(AT_ONCE))
        with ExitStack() as held:
            held.enter_context(_place(self.threads))
            for each in (whom, *among):
                line = self._lines.setdefault(each, BoundedSemaphore(FOR_ONE))
                held.enter_context(_place(line))
            held.enter_context(_place(room, LINE_WAIT))
            yield


def clients_of(product_key: str) -> tuple[str, str]:
    """The clients of a product are one of those waited for: whoever may register one may register
    more, and hold no more threads by them."""
    return f"clients of {product_key}", CLIENTS


@contextmanager
def _place(places: BoundedSemaphore, seconds: float = 0.0) -> Iterator[None]:
    """Raises NoTurn where none is free by then."""
    if not places.acquire(timeout=seconds):
        raise NoTurn("too many are waiting for others")
    try:
        yield
    finally:
        places.release()
