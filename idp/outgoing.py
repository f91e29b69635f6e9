"""Requests to others: no redirects, no more read than was meant to be, and an end to waiting."""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

DEADLINE = 5.0
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Addresses = list[tuple[int, Any]]


class Unreachable(Exception):
    """Nothing that could be an answer came in time; says what kind of trouble it was. What
    `may_have_arrived` was on its way already."""

    def __init__(self, trouble: str, *, may_have_arrived: bool) -> None:
        super().__init__(trouble)
        self.may_have_arrived = may_have_arrived


class Answer(NamedTuple):
    """`body` is its beginning, as much as was asked for."""

    status: int
    body: bytes


def post_form(uri: str, fields: dict[str, str], deadline: float = DEADLINE) -> int:
    """The status of the answer, of which nothing else is read. Raises Unreachable."""
    return ask(uri, fields, deadline=deadline).status


def ask(
    uri: str,
    fields: dict[str, str] | None = None,
    *,
    headers: Mapping[str, str] = NO_HEADERS,
    most: int = 0,
    deadline: float = DEADLINE,
) -> Answer:
    """Post a form, or get what is there without one, and read `most` bytes of what comes back. All
    of it takes `deadline` seconds at most: the look-up of its name, however many addresses it has,
    and an answer that drips. Certificates are verified. Raises Unreachable."""
    parts, until = urlsplit(uri), monotonic() + deadline
    is_https, is_sent = parts.scheme == "https", False
    try:
        host, port = parts.hostname or "", parts.port or (443 if is_https else 80)
        connected = _connected(host, port, until)
        if is_https:
            connected = _with_tls(connected, host)
        with _cut_off(connected, until) as is_late:
            if isinstance(connected, ssl.SSLSocket):
                connected.do_handshake()
            target = f"{parts.path or '/'}?{parts.query}".rstrip("?")
            connection = http.client.HTTPConnection(parts.netloc.rpartition("@")[2])
            connection.sock, is_sent = connected, True
            _send(connection, target, fields, headers)
            answered = connection.getresponse()
            answer = Answer(answered.status, answered.read(most) if most else b"")
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise Unreachable(type(problem).__name__, may_have_arrived=is_sent) from problem
    if is_late.is_set():
        raise Unreachable("TooSlow", may_have_arrived=is_sent)
    return answer


def _send(
    connection: http.client.HTTPConnection,
    target: str,
    fields: dict[str, str] | None,
    headers: Mapping[str, str],
) -> None:
    if fields is None:
        connection.request("GET", target, headers=headers)
    else:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", target, urlencode(fields), {**headers, **form})


def _connected(host: str, port: int, until: float) -> socket.socket:
    """To the first of its addresses that takes us."""
    trouble: OSError = TimeoutError()
    for family, address in _looked_up(host, port, until):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(until))
            connection.connect(address)
        except OSError as problem:
            connection.close()
            trouble = problem
        else:
            return connection
    raise trouble


def _looked_up(host: str, port: int, until: float) -> Addresses:
    """By a thread of its own: a resolver can't be told to hurry, but it can be left behind."""
    answers: queue.Queue[Addresses | OSError | ValueError] = queue.Queue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([(family, address) for family, _, _, _, address in found])
        except (OSError, ValueError) as problem:
            answers.put(problem)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = answers.get(timeout=_left(until))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _left(until: float) -> float:
    """Seconds. Raises TimeoutError when there are none."""
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _with_tls(connected: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    try:
        return context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        connected.close()
        raise


@contextmanager
def _cut_off(connected: socket.socket, until: float) -> Iterator[threading.Event]:
    """Whoever reads or writes is woken at `until`, however lively it is; the event says that it was
    so. Closed at the end."""
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        with suppress(OSError):
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    watchdog = threading.Timer(max(0.0, until - monotonic()), cut)
    watchdog.start()
    try:
        yield is_late
    finally:
        watchdog.cancel()
        connected.close()
