"""The port that probes are answered on (`LATCHKEY_OPERATIONS_PORT`)."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import orjson

from idp import logs
from idp.errors import SetupMistake
from idp.operations.probes import Answer, Probes, discovery_at
from idp.provider import Provider, provider
from idp.settings import Settings

Question = Callable[[Probes], Answer]

QUESTIONS: dict[str, Question] = {
    "/health/live": Probes.live,
    "/health/ready": Probes.ready,
    "/health/started": Probes.started,
}
PATIENCE = 5.0  # seconds for a request to arrive


class Port(ThreadingHTTPServer):
    """Bound when it is made. Raises SetupMistake."""

    daemon_threads = True
    probes: Probes

    def __init__(self, settings: Settings) -> None:
        address = (settings.operations_host, settings.operations_port)
        try:
            super().__init__(address, _Request)
        except OSError as problem:
            raise SetupMistake(
                f"LATCHKEY_OPERATIONS_HOST and _PORT: {problem.strerror or problem}: {address}"
            ) from None

    def serve(self, probes: Probes) -> None:
        self.probes = probes
        probes.watch()
        self.serve_forever()


class _Request(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server: Port

    def do_GET(self) -> None:
        question = QUESTIONS.get(urlsplit(self.path).path)
        if question is None:
            self._send(HTTPStatus.NOT_FOUND, b"")
            return
        answer = question(self.server.probes)
        status = HTTPStatus.OK if answer.is_yes else HTTPStatus.SERVICE_UNAVAILABLE
        self._send(status, orjson.dumps(answer._asdict()))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A probe comes every few seconds, and says nothing."""


@contextmanager
def port_of_server(settings: Settings) -> Iterator[None]:
    """In a process of its own, forked before those that serve: what answers a probe must wait for
    nothing that they wait for, and they must be forked from a process with no other thread."""
    if not settings.operations_port:
        yield
        return
    port = Port(settings)
    process = multiprocessing.get_context("fork").Process(
        target=_serve_until_orphaned, args=(port, settings), daemon=True
    )
    process.start()
    port.server_close()
    try:
        yield
    finally:
        process.kill()


def _serve_until_orphaned(port: Port, settings: Settings) -> None:
    """Whoever stops the server stops this too; a signal to all of them is none to this one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    logs.configure(settings.log_level)
    probes = Probes(provider(settings), discovery_at(settings.host, settings.port))
    threading.Thread(target=port.serve, args=(probes,), daemon=True).start()
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()


def port_of_worker(settings: Settings, held: Provider) -> None:
    """In a thread of this process, for as long as it runs."""
    if settings.operations_port:
        port = Port(settings)
        threading.Thread(target=port.serve, args=(Probes(held, None),), daemon=True).start()
