"""Many requests that are all on their way before the first answer is read."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlencode

SECONDS = 60.0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read

    @property
    def error(self) -> str:
        """The OAuth error code, or nothing."""
        return "" if self.status == 200 else str(self.json["error"])


class Unanswered(Exception):
    """The connection ended before the answer did: the request may have been heard or not."""


def form(path: str, headers: Mapping[str, str], **fields: str) -> bytes:
    """A POST as it goes over the wire."""
    body = urlencode(fields)
    sent = {
        **headers,
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
    }
    return _written("POST", path, sent) + body.encode()


def page(path: str, headers: Mapping[str, str]) -> bytes:
    """A GET as it goes over the wire."""
    return _written("GET", path, headers)


def _written(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def fire(port: int, requests: Iterable[bytes]) -> list[Answer]:
    """All connections stand before anything is sent; the answers come in the requests' order."""
    requests = list(requests)
    with ExitStack() as kept:
        lines = [kept.enter_context(_connected(port)) for _ in requests]
        for line, request in zip(lines, requests, strict=True):
            line.sendall(request)
        return [_answer(line) for line in lines]


def ask(port: int, request: bytes) -> Answer:
    """One request. Raises Unanswered."""
    try:
        [answer] = fire(port, [request])
    except (OSError, HTTPException) as problem:
        raise Unanswered(str(problem)) from problem
    return answer


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), SECONDS)


def _answer(line: socket.socket) -> Answer:
    with HTTPResponse(line) as response:
        response.begin()
        return Answer(response.status, dict(response.getheaders()), response.read())
