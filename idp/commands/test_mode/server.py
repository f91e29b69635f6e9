"""A small server in threads of this process: what it serves is in this process's hands, its clock
above all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from idp.endpoints.router import WsgiApp


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # or a second part of an answer waits for the first's receipt

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # as it is called
        """Nothing of it is told."""


@contextmanager
def serving(app: WsgiApp, listening: socket) -> Iterator[None]:
    host, port = listening.getsockname()
    server = make_server(
        *(host, port, app), threaded=True, request_handler=_Handler, fd=listening.fileno()
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
