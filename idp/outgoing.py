"""Requests to products: no redirects, nothing read but the status, and an end to waiting."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from urllib.parse import urlencode, urlsplit

DEADLINE = 10.0
READ_TIMEOUT = 5.0


class Unreachable(Exception):
    """Nothing that could be an answer came in time; says what kind of trouble it was."""


def post_form(uri: str, fields: dict[str, str], deadline: float = DEADLINE) -> int:
    """The status of the answer. However slowly it drips, the whole takes `deadline` seconds at
    most. Certificates are verified. Raises Unreachable."""
    parts = urlsplit(uri)
    try:
        connection = _connection(parts.scheme, parts.hostname or "", parts.port)
        connection.connect()
        watchdog = threading.Timer(deadline, _cut, (connection.sock,))
        watchdog.start()
        try:
            return _answer(connection, f"{parts.path or '/'}?{parts.query}".rstrip("?"), fields)
        finally:
            watchdog.cancel()
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise Unreachable(type(problem).__name__) from problem


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=READ_TIMEOUT, context=context)
    return http.client.HTTPConnection(host, port, timeout=READ_TIMEOUT)


def _answer(connection: http.client.HTTPConnection, target: str, fields: dict[str, str]) -> int:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", target, urlencode(fields), headers)
    return connection.getresponse().status


def _cut(connected: socket.socket) -> None:
    """Wakes whoever reads from it."""
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        connected.close()
