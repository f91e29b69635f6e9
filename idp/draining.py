"""Whether this server is about to stop: one byte that all its processes share.

From SIGTERM until its sockets close a server goes on answering, says to whoever probes it that it
is not ready any more, and has each client come by another connection (RFC 9112 section 9.6).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable
from typing import Any


class Draining:
    def __init__(self) -> None:
        self._begun: bytearray | mmap.mmap = bytearray(1)

    def share(self) -> None:
        """With all processes that are forked from now on."""
        self._begun = mmap.mmap(-1, 1)

    def begin(self) -> None:
        self._begun[0] = 1

    @property
    def has_begun(self) -> bool:
        return bool(self._begun[0])


DRAINING = Draining()


def ending_connections(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The WSGI application, whose answers each end their connection while we are draining."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not DRAINING.has_begun:
            return app(environ, start_response)

        def start_last(status: str, headers: list[tuple[str, str]], *problem: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")], *problem)

        return app(environ, start_last)

    return answer
