"""A client's own host, on loopback: what it keeps at addresses that it has registered."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SOUND, MOVED, NOT_THERE, HANGS = "/sound", "/moved", "/nowhere", "/hangs"


class Host(ThreadingHTTPServer):
    """`bodies` by path, and SOUND's for the others; the paths that were `asked` for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.let_go = Event()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Host]:
        host = cls()
        thread = Thread(target=host.serve_forever, args=(0.01,))
        thread.start()
        yield host
        host.let_go.set()
        host.shutdown()
        thread.join()
        host.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == HANGS:
            self.server.let_go.wait()
        self.send_response({MOVED: 302, NOT_THERE: 404}.get(self.path, 200))
        self.send_header("Location", self.server.address(SOUND))
        with suppress(OSError):  # whoever asked may have gone
            self.end_headers()
            self.wfile.write(self.server.bodies.get(self.path, self.server.bodies[SOUND]))

    def log_message(self, *_: Any) -> None:
        pass
