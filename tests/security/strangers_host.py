"""Somebody's host, from which the provider may be made to fetch something."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Host:
    """`answers` by path, with a status; `asked` are the paths in their order."""

    answers: dict[str, tuple[int, bytes]]
    origin: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def hosting(answers: dict[str, tuple[int, bytes]], leads_to: str = "/") -> Iterator[Host]:
    """On loopback. Each answer has `leads_to` as its Location."""
    host = Host(answers)

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            status, body = host.answers[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", leads_to)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host.origin = f"http://127.0.0.1:{server.server_address[1]}"
    yield host
    server.shutdown()
    server.server_close()
