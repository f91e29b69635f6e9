"""A way to a server on this machine that can be made to hang, or slow: what a network does, without
its rights."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.machine.processes import LOOPBACK

PART = 65536


class Relay:
    """Passes on whatever comes to `port`, in both directions, `delay` seconds late."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self.delay = 0.0
        self._door = socket.create_server((LOOPBACK, 0), backlog=64)
        self.port: int = self._door.getsockname()[1]
        threading.Thread(target=self._let_in, daemon=True).start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Connections are taken and stay open, and nothing gets through; it does afterwards."""
        self._open.clear()
        yield
        self._open.set()

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        self.delay = seconds
        yield
        self.delay = 0.0

    def close(self) -> None:
        self._door.close()

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._door.accept()
                threading.Thread(target=self._join, args=(ours,), daemon=True).start()

    def _join(self, ours: socket.socket) -> None:
        self._open.wait()
        with suppress(OSError), ours, socket.create_connection((LOOPBACK, self._target)) as theirs:
            back = threading.Thread(target=self._pass_on, args=(theirs, ours), daemon=True)
            back.start()
            self._pass_on(ours, theirs)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(PART):
                time.sleep(self.delay)
                self._open.wait()
                target.sendall(part)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
