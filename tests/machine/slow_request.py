"""A request whose body comes late, as over a bad line."""

from __future__ import annotations

import socket

from tests.machine.processes import LOOPBACK


class SlowRequest:
    """It has begun when this is made, and is answered at its `end`."""

    def __init__(self, port: int, authorization: str) -> None:
        self._line = socket.create_connection((LOOPBACK, port), 20)
        head = [
            "POST /introspect HTTP/1.1",
            "Host: localhost",
            f"Authorization: {authorization}",
            "Content-Type: application/x-www-form-urlencoded",
            "Content-Length: 11",
        ]
        self._line.sendall("\r\n".join(head).encode() + b"\r\n\r\ntoken")

    def end(self) -> bytes:
        """The beginning of the answer."""
        with self._line:
            self._line.sendall(b"=12345")
            return self._line.recv(4096)
