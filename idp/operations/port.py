"""The port that probes and Prometheus are answered on (`LATCHKEY_OPERATIONS_PORT`)."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST

from idp import logs
from idp.errors import SetupMistake
from idp.measures import MEASURES
from idp.operations.metrics import exposition, told_in
from idp.operations.probes import Answer, Probes, discovery_at
from idp.provider import Provider, provider
from idp.settings import Settings

Question = Callable[[Probes], Answer]
Told = Callable[[], Iterable[bytes]]

METRICS = "/metrics"
QUESTIONS: dict[str, Question] = {
    "/health/live": Probes.live,
    "/health/ready": Probes.ready,
    "/health/started": Probes.started,
}
PATIENCE = 5.0  # seconds for a request to arrive

log = structlog.get_logger("operations")


class Port(ThreadingHTTPServer):
    """Bound when it is made. Raises SetupMistake."""

    daemon_threads = True
    held: Provider
    probes: Probes
    told: Told

    def __init__(self, settings: Settings) -> None:
        address = (settings.operations_host, settings.operations_port)
        try:
            super().__init__(address, _Request)
        except OSError as problem:
            raise SetupMistake(
                f"LATCHKEY_OPERATIONS_HOST and _PORT: {problem.strerror or problem}: {address}"
            ) from None

    def serve(self, held: Provider, probes: Probes, told: Told) -> None:
        """For ever; `told` gives what each process has counted."""
        self.held, self.probes, self.told = held, probes, told
        probes.watch()
        self.serve_forever()

    def handle_error(self, *_: object) -> None:
        """Whoever asked gets no answer; one that has gone is no fault. Logs are lines of JSON."""
        problem = sys.exception()
        if not isinstance(problem, OSError):
            log.error("unanswered", exc_info=problem)


class _Request(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server: Port

    def do_GET(self) -> None:
        path, port = urlsplit(self.path).path, self.server
        if path == METRICS:
            text = exposition(port.held, port.probes, port.told())
            self._send(HTTPStatus.OK, text, CONTENT_TYPE_LATEST)
        elif path in QUESTIONS:
            answer = QUESTIONS[path](port.probes)
            status = HTTPStatus.OK if answer.is_yes else HTTPStatus.SERVICE_UNAVAILABLE
            self._send(status, orjson.dumps(answer._asdict()), "application/json")
        else:
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
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
    with TemporaryDirectory(prefix="latchkey-") as name:
        folder = Path(name)
        process = multiprocessing.get_context("fork").Process(
            target=_serve_until_orphaned, args=(port, settings, folder), daemon=True
        )
        process.start()
        port.server_close()
        MEASURES.share(folder)
        try:
            yield
        finally:
            process.kill()


def _serve_until_orphaned(port: Port, settings: Settings, folder: Path) -> None:
    """Whoever stops the server stops this too; a signal to all of them is none to this one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    logs.configure(settings.log_level)
    held = provider(settings)
    probes = Probes(held, discovery_at(settings.host, settings.port))
    given = (held, probes, partial(told_in, folder))
    threading.Thread(target=port.serve, args=given, daemon=True).start()
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()


def port_of_worker(settings: Settings, held: Provider) -> None:
    """In a thread of this process, for as long as it runs."""
    if settings.operations_port:
        given = (held, Probes(held, None), lambda: [MEASURES.told()])
        threading.Thread(target=Port(settings).serve, args=given, daemon=True).start()
