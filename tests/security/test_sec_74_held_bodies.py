"""S74: who sends half a request holds no more than a part of the threads, and not for long.

A real server on real sockets: one process of twelve threads.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from idp.endpoints import bodies
from idp.endpoints.bodies import LOOK_EVERY, PATIENCE, PRESSED
from tests.machine.provider_process import RunningProvider, start_provider

IN_TIME = PATIENCE - 1  # a busy machine may need them; nobody has been given up by then
HALF = (
    b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 60000\r\n\r\nx"
)
WHOLE_BEFORE = b"GET /jwks HTTP/1.1\r\nHost: localhost\r\n\r\n"
THREADS_FOR_BODIES = 10
TOKEN = {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "wrong"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    started = start_provider(tmp_path_factory.mktemp("held"))
    yield started
    started.stop()


@contextmanager
def held(
    running: RunningProvider, count: int, path: bytes = b"/token", before: bytes = b""
) -> Iterator[list[socket.socket]]:
    """So many connections with half a request each."""
    with ExitStack() as open_ones:
        sockets = []
        for _ in range(count):
            address = (running.settings.host, running.settings.port)
            each = open_ones.enter_context(socket.create_connection(address, timeout=30))
            each.sendall(before + HALF % path)
            sockets.append(each)
        yield sockets


def answers(running: RunningProvider, path: str) -> int:
    return requests.get(running.issuer + path, timeout=IN_TIME).status_code


def asks_for_a_token(running: RunningProvider) -> int:
    return requests.post(f"{running.issuer}/token", data=TOKEN, timeout=IN_TIME).status_code


@pytest.mark.parametrize("count", [8, 50])
@pytest.mark.parametrize("path", [b"/token", b"/login/password", b"/manage/acme/imports"])
def test_sec_74_half_sent_bodies_stop_nobody_else(
    running: RunningProvider, count: int, path: bytes
) -> None:
    started = time.monotonic()
    with held(running, count, path):
        assert answers(running, "/jwks") == 200
        assert answers(running, "/") == 200
        while (status := asks_for_a_token(running)) == 503:
            assert time.monotonic() - started < IN_TIME
        assert status == 401


@pytest.mark.parametrize("before", [b"", WHOLE_BEFORE], ids=["alone", "behind a whole request"])
@pytest.mark.parametrize("trickles", [False, True], ids=["silent", "a byte now and then"])
def test_sec_74_a_body_that_never_comes_is_given_up(
    running: RunningProvider, before: bytes, trickles: bool
) -> None:
    started = time.monotonic()
    with held(running, 1, before=before) as [half]:
        half.settimeout(0.5)
        while not _has_ended(half, trickles):
            assert time.monotonic() - started < 3 * PATIENCE
            assert asks_for_a_token(running) == 401
        assert time.monotonic() - started > PATIENCE - 1


def _has_ended(half: socket.socket, trickles: bool) -> bool:
    try:
        if trickles:
            half.sendall(b"x")
        answer = half.recv(65_536)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return not answer or b" 408 " in answer


def test_sec_74_a_sign_in_that_waits_beside_them_is_not_given_up(running: RunningProvider) -> None:
    """A connection that was idle, or has been answered, is another one's."""
    with requests.Session() as visitor, held(running, THREADS_FOR_BODIES) as sockets:
        assert visitor.get(f"{running.issuer}/jwks", timeout=IN_TIME).status_code == 200
        for half in sockets:
            half.settimeout(IN_TIME)
            assert b" 408 " in half.recv(65_536)
        assert visitor.get(f"{running.issuer}/jwks", timeout=IN_TIME).status_code == 200


def test_sec_74_who_has_waited_longest_is_given_up_alone(running: RunningProvider) -> None:
    """As many uploads as there may be are no attack: one makes room for the next."""
    with ExitStack() as uploads:
        oldest, *others = [
            _waited(uploads.enter_context(held(running, 1))[0], seconds=PRESSED)
            for _ in range(THREADS_FOR_BODIES)
        ]
        assert b" 408 " in oldest.recv(65_536)
        for each in others:
            _waited(each, seconds=2 * LOOK_EVERY)


def _waited(half: socket.socket, seconds: float) -> socket.socket:
    """It is not ended in that time."""
    half.settimeout(seconds)
    with pytest.raises(TimeoutError):
        half.recv(1)
    half.settimeout(IN_TIME)
    return half


MANY_BEFORE, SMALL = 1000 * WHOLE_BEFORE, 4096  # whose answers fill what the kernel keeps of them


def test_sec_74_half_a_request_behind_answers_that_are_taken_slowly_is_given_up(
    running: RunningProvider,
) -> None:
    """Something is always being sent on its connection, so that it is never quiet."""
    with ExitStack() as over:
        sockets = [over.enter_context(_taking_little(running)) for _ in range(THREADS_FOR_BODIES)]
        is_over = threading.Event()
        taking = threading.Thread(target=_take_slowly, args=(sockets, is_over))
        taking.start()
        over.callback(taking.join)
        over.callback(is_over.set)
        latest = time.monotonic() + PATIENCE
        while asks_for_a_token(running) != 503 and time.monotonic() < latest:
            pass
        full = time.monotonic()
        while asks_for_a_token(running) == 503:
            assert time.monotonic() - full < PATIENCE / 2


@contextmanager
def _taking_little(running: RunningProvider) -> Iterator[socket.socket]:
    with socket.socket() as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        sender.settimeout(IN_TIME)
        sender.connect((running.settings.host, running.settings.port))
        sender.sendall(MANY_BEFORE + HALF % b"/token")
        yield sender


def _take_slowly(sockets: list[socket.socket], is_over: threading.Event) -> None:
    while not is_over.wait(LOOK_EVERY):
        for each in sockets:
            with suppress(OSError):
                each.recv(4 * SMALL, socket.MSG_DONTWAIT)


def test_sec_74_a_body_that_was_cut_short_is_not_read_as_a_whole_one(
    running: RunningProvider,
) -> None:
    with held(running, 1, b"/token") as [half]:
        half.shutdown(socket.SHUT_WR)
        answer = half.recv(65_536)
        assert not answer or b" 408 " in answer
    assert "Traceback" not in Path(running.log).read_text()


AFTER = b"GET /jwks HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def announced(running: RunningProvider, length: int, more: bytes = b"") -> Iterator[socket.socket]:
    """A connection with the head of a request whose body is to come."""
    address = (running.settings.host, running.settings.port)
    with socket.create_connection(address, timeout=IN_TIME) as sender:
        sender.sendall((HALF % b"/token").replace(b"60000\r\n", b"%d\r\n%b" % (length, more)))
        yield sender


@pytest.mark.parametrize("length", [bodies.CHUNK + 1, bodies.LARGEST])
def test_sec_74_whoever_sends_too_much_hears_so_and_may_go_on(
    running: RunningProvider, length: int
) -> None:
    """Their connection does not end while they send, which would take the answer with it."""
    with announced(running, length) as sender:
        _waited(sender, seconds=0.3)
        sender.sendall(b"x" * (length - 1))
        assert sender.recv(65_536).startswith(b"HTTP/1.1 413 ")
        sender.sendall(AFTER)
        assert sender.recv(65_536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("length", "more"),
    [(bodies.LARGEST + 2, b""), (bodies.LARGEST, b"Expect: 100-continue\r\n")],
    ids=["far too much", "who asks whether to send it"],
)
def test_sec_74_what_nobody_will_read_is_refused_at_once(
    running: RunningProvider, length: int, more: bytes
) -> None:
    started = time.monotonic()
    with announced(running, length, more) as sender:
        assert sender.recv(65_536).startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - started < PATIENCE / 2


CHUNKED = (
    b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n"
)


@pytest.mark.parametrize("path", [b"/token", b"/authorize", b"/login/password", b"/api/v1/whoami"])
def test_sec_74_a_body_of_no_known_length_is_not_read_at_all(
    running: RunningProvider, path: bytes
) -> None:
    """Whether its end came, the server tells nobody: what was cut short would pass for whole."""
    address = (running.settings.host, running.settings.port)
    with socket.create_connection(address, timeout=IN_TIME) as cut_short:
        cut_short.sendall(CHUNKED % path)
        cut_short.shutdown(socket.SHUT_WR)
        assert cut_short.recv(65_536).startswith(b"HTTP/1.1 411 ")
