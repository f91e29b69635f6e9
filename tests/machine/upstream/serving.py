"""The HTTP side of somebody else's provider: a server that can go away and come back at its port,
and answers that fail in every way that HTTP has."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Condition, Event, Thread
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from tests.machine.processes import LOOPBACK
from tests.machine.upstream.faults import INSIDE

GIBIBYTE, MOST = 2**30, 2**16
BLOCK = b"x" * MOST
JSON = "application/json"


class Server(ThreadedWSGIServer):
    """Serves `app` in the background from when it is made; each connection is for one request."""

    daemon_threads = False  # so that whoever closes it waits for them

    def __init__(self, port: int, app: Callable[..., Any]) -> None:
        self.is_closing = Event()
        self._connections: set[socket.socket] = set()
        self._changed = Condition()
        super().__init__(LOOPBACK, port, app, _Quiet)
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        """Nobody is answered any more, nor is anybody left waiting."""
        self.is_closing.set()
        self.shutdown()
        for connection in list(self._connections):
            hang_up(connection)
        self._thread.join()

    def is_quiet_within(self, seconds: float) -> bool:
        """Whether every connection ends by then."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._connections, seconds)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()


class _Quiet(WSGIRequestHandler):
    """Says nothing but what went wrong here."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def failing_answer(
    trouble: str, connection: socket.socket, is_closing: Event, pause: float
) -> Response | None:
    """None for a trouble that is not HTTP's. `pause` is what a drip waits between two bytes."""
    if trouble == "1 GiB":
        return Response(_huge(), content_type=JSON)
    if trouble == "drip":
        return Response(_drip(is_closing, pause), content_type=JSON)
    if trouble in {"hang", "close"}:
        return _nothing(connection, is_patient=trouble == "hang")
    made = _SHORT.get(trouble)
    return made() if made else None


_SHORT: dict[str, Callable[[], Any]] = {
    "500": lambda: Response("Internal Server Error", 500),
    "400": lambda: Response('{"error": "invalid_request"}', 400, content_type=JSON),
    "HTML": lambda: Response("<!doctype html><title>Sign in</title>", content_type="text/html"),
    "redirect inside": lambda: redirect(INSIDE, 302),
    "garbage": lambda: Response(b'{"issuer": "\xff\x00', content_type=JSON),
    "array": lambda: Response("[]", content_type=JSON),
}


def _huge() -> Iterator[bytes]:
    """One JSON document, without its length in front."""
    yield b'{"padding": "'
    for _ in range(GIBIBYTE // len(BLOCK)):
        yield BLOCK
    yield b'"}'


def _drip(is_closing: Event, pause: float) -> Iterator[bytes]:
    yield b"{"
    while not is_closing.wait(pause):
        yield b" "


def _nothing(connection: socket.socket, *, is_patient: bool) -> Response:
    if is_patient:
        with suppress(OSError):
            while connection.recv(MOST):  # the rest of what is asked, until they hang up
                pass
    hang_up(connection)
    return Response()
