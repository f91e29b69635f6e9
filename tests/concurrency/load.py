"""Work that goes on while something happens to the processes that do it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self


class Load(ABC):
    """Threads that `_go_on` until the block is left."""

    def __init__(self, threads: int) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._go_on) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @abstractmethod
    def _go_on(self) -> None:
        """Return soon after `_stop` is set."""
