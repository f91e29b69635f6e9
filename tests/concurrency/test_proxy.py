"""What the proxy of deploy/nginx.conf makes of a server that fails: nobody is refused for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import requests

from tests.machine.nginx import deployed_nginx
from tests.machine.processes import LOOPBACK, free_port


class Server(ThreadingHTTPServer):
    """Answers 200, but fails as the path wants it where `is_well` is not set."""

    def __init__(self, is_well: bool) -> None:
        super().__init__((LOOPBACK, free_port()), Answer)
        self.is_well = is_well
        self.asked: list[str] = []


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        failure = "" if self.server.is_well else self.path
        if failure == "/cut-off":
            self.close_connection = True
            return
        self.send_response(503 if failure == "/busy" else 200)
        self.send_header("Content-Length", "0")
        if failure == "/far-too-long":
            self.send_header("Location", "x" * 100_000)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(is_well: bool) -> Iterator[Server]:
    with Server(is_well) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield server
        finally:
            server.shutdown()


@contextmanager
def proxy(first: int, second: int) -> Iterator[str]:
    entrance = free_port()
    with deployed_nginx(entrance, {"idp-1": first, "idp-2": second}):
        yield f"http://{LOOPBACK}:{entrance}"


@pytest.mark.parametrize("failure", ["cut-off", "busy", "far-too-long"])
def test_a_server_that_has_failed_is_asked_again_at_once(failure: str) -> None:
    """The other one is not there."""
    with serving(is_well=False) as server, proxy(server.server_port, free_port()) as url:
        for _ in range(3):
            assert requests.get(f"{url}/{failure}", timeout=5).status_code >= 500
            assert requests.get(f"{url}/jwks", timeout=5).status_code == 200
        assert server.asked == [f"/{failure}", "/jwks"] * 3


@pytest.mark.parametrize("failure", ["cut-off", "busy"])
def test_the_other_server_answers_what_one_has_failed_at(failure: str) -> None:
    with (
        serving(is_well=False) as one,
        serving(is_well=True) as another,
        proxy(one.server_port, another.server_port) as url,
    ):
        for _ in range(4):
            assert requests.get(f"{url}/{failure}", timeout=5).status_code == 200
        assert one.asked
        assert len(another.asked) == 4
