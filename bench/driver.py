"""The load: a closed loop of keep-alive connections, by raw sockets and epoll in one thread.

A visitor repeats *rounds* of one or more requests. Its flow is a generator that yields the bytes of
a request and gets the answer back. The same driver serves every workload and every system, so their
figures can be compared.
"""

from __future__ import annotations

import gc
import re
import select
import socket
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

HOST = "127.0.0.1"
WARM_UP = 0.2
SILENCE = 30.0

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Answer(NamedTuple):
    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The first of that name, or nothing."""
        found = re.search(rb"\r\n%s: *([^\r]*)" % name, self.head, re.IGNORECASE)
        return found[1] if found else b""


Flow = Generator[bytes, Answer, None]


class Unexpected(RuntimeError):
    """An answer that no flow can go on from: a figure made of such answers would be worthless."""


@dataclass
class Window:
    """What was seen while the clock ran: latencies and `cpu` of the server, in seconds."""

    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def cpu_per_round(self) -> float:
        """Microseconds."""
        return self.cpu / max(1, len(self.latencies)) * 1e6

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


class _Visitor:
    """One connection and its flow."""

    __slots__ = ("answered", "buffer", "flow", "socket", "started")

    def __init__(self, flow: Flow, port: int) -> None:
        self.flow = flow
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.answered = 0
        self.started = 0.0

    def receive(self) -> Answer | None:
        """The answer, once it is whole."""
        data = self.socket.recv(262144)
        if not data:
            raise Unexpected("the server closed the connection")
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return None
        self.buffer = b""
        return Answer(int(head[9:12]), head, body)


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    if found:
        return int(found[1])
    if _CHUNKED.search(head):
        raise Unexpected("an answer in chunks, which this driver does not read")
    return 0


class _Clock:
    """When the window opens and closes; rounds outside of it are not counted."""

    def __init__(self, seconds: float | None, cpu_seconds: Callable[[], float]) -> None:
        self._cpu_seconds = cpu_seconds
        self.window = Window()
        self.opens_at = time.perf_counter() + (WARM_UP if seconds else 0.0)
        self.closes_at = self.opens_at + (seconds or float("inf"))
        self.is_open = False
        self.is_over = False

    def look(self, now: float) -> None:
        if not self.is_open and now >= self.opens_at:
            self.is_open, self.opens_at = True, now
            self.window.cpu = -self._cpu_seconds()
        if self.is_open and not self.is_over and now >= self.closes_at:
            self.close(now)

    def close(self, now: float) -> None:
        self.is_over = True
        self.window.seconds = now - self.opens_at
        self.window.cpu += self._cpu_seconds()

    def count(self, started: float, now: float) -> None:
        if self.is_open and not self.is_over:
            self.window.latencies.append(now - started)


def drive(
    flows: Sequence[Flow],
    port: int,
    seconds: float | None,
    requests_per_round: int = 1,
    cpu_seconds: Callable[[], float] = lambda: 0.0,
) -> Window:
    """Run until the time is over or a flow has ended (with `seconds` None: until all have), and
    let every round end."""
    visitors = {}
    poll = select.epoll()
    for flow in flows:
        visitor = _Visitor(flow, port)
        visitors[visitor.socket.fileno()] = visitor
        poll.register(visitor.socket.fileno(), select.EPOLLIN)
    gc.disable()
    try:
        return _loop(visitors, poll, _Clock(seconds, cpu_seconds), requests_per_round, seconds)
    finally:
        gc.enable()
        poll.close()
        for visitor in visitors.values():
            visitor.socket.close()


def _loop(
    visitors: dict[int, _Visitor],
    poll: select.epoll,
    clock: _Clock,
    requests_per_round: int,
    seconds: float | None,
) -> Window:
    now = time.perf_counter()
    busy = set(visitors)
    for visitor in visitors.values():
        visitor.started = now
        visitor.socket.sendall(next(visitor.flow))
    clock.look(now)
    while busy:
        events = poll.poll(SILENCE)
        if not events:
            raise Unexpected(f"no answer for {SILENCE} seconds")
        for number, _ in events:
            visitor = visitors[number]
            answer = visitor.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            clock.look(now)
            visitor.answered += 1
            is_round = visitor.answered == requests_per_round
            if is_round:
                clock.count(visitor.started, now)
                visitor.answered, visitor.started = 0, now
            request = _next(visitor, answer)
            if request is None and seconds and clock.is_open and not clock.is_over:
                clock.close(now)
            if request is None or (is_round and clock.is_over):
                busy.discard(number)
            else:
                visitor.socket.sendall(request)
    if seconds and not clock.window.latencies:
        raise Unexpected("not one round ended within the window")
    return clock.window


def _next(visitor: _Visitor, answer: Answer) -> bytes | None:
    try:
        return visitor.flow.send(answer)
    except StopIteration:
        return None
