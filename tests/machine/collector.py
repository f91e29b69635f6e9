"""Where traces are sent to: OTLP over HTTP, kept as it came.

with collector() as collected:
    ...  # OTEL_EXPORTER_OTLP_ENDPOINT is collected.address
names = [span.name for span in collected.spans]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # type: ignore[import-untyped, unused-ignore]
    ExportTraceServiceRequest,
)

from tests.machine.processes import LOOPBACK


class Collected:
    def __init__(self, port: int) -> None:
        self.address = f"http://{LOOPBACK}:{port}"
        self.bodies: list[bytes] = []
        self.paths: set[str] = set()

    @property
    def bytes(self) -> bytes:
        return b"".join(self.bodies)

    @property
    def resources(self) -> list[Any]:
        found = (ExportTraceServiceRequest.FromString(body) for body in self.bodies)
        return [each for request in found for each in request.resource_spans]

    @property
    def spans(self) -> list[Any]:
        scopes = (scope for each in self.resources for scope in each.scope_spans)
        return [span for scope in scopes for span in scope.spans]


@contextmanager
def collector() -> Iterator[Collected]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collected.paths.add(self.path)
            collected.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Receiver)
    collected = Collected(server.server_port)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collected
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
