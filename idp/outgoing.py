"""Requests to products: no redirects, nothing read but the status, and an end to waiting."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from urllib.parse import urlencode, urlsplit

CONNECT_TIMEOUT = 5.0
DEADLINE = 5.0


class Unreachable(Exception):
    """Nothing that could be an answer came in time; says what kind of trouble it was."""


def post_form(uri: str, fields: dict[str, str], deadline: float = DEADLINE) -> int:
    """The status of the answer. Once connected, the whole takes `deadline` seconds at most, however
    slowly it drips. Certificates are verified. Raises Unreachable."""
    parts = urlsplit(uri)
    is_late = threading.Event()
    try:
        connection = _connection(parts.scheme, parts.hostname or "", parts.port)
        connection.connect()
        watchdog = threading.Timer(deadline, _cut, (connection.sock, is_late))
        watchdog.start()
        try:
            status = _answer(connection, f"{parts.path or '/'}?{parts.query}".rstrip("?"), fields)
        finally:
            watchdog.cancel()
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise Unreachable(type(problem).__name__) from problem
    if is_late.is_set():
        raise Unreachable("TooSlow")
    return status


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT, context=context)
    return http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)


def _answer(connection: http.client.HTTPConnection, target: str, fields: dict[str, str]) -> int:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", target, urlencode(fields), headers)
    return connection.getresponse().status


def _cut(connected: socket.socket, is_late: threading.Event) -> None:
    """Wakes whoever reads from it."""
    is_late.set()
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        connected.close()
