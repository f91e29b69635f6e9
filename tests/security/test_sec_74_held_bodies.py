"""S74: who sends half a request holds no more than a part of the threads, and not for long.

A real server on real sockets: one process of eight threads.
"""

from __future__ import annotations

import io
import math
import select
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from idp.connections import OPEN_FILES, Connections
from idp.endpoints import bodies
from idp.endpoints.bodies import LOOK_EVERY, PATIENCE, PRESSED, Arriving, Bodies, CutShort
from idp.endpoints.router import Environ, StartResponse
from tests.machine.provider_process import RunningProvider, start_provider
from tests.world import World

SECONDS = PATIENCE - 1  # a busy machine may need them; nobody has been given up by then
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
    return requests.get(running.issuer + path, timeout=SECONDS).status_code


def asks_for_a_token(running: RunningProvider) -> int:
    return requests.post(f"{running.issuer}/token", data=TOKEN, timeout=SECONDS).status_code


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
            assert time.monotonic() - started < SECONDS
        assert status == 401


def test_sec_74_what_was_cut_short_is_not_asked_for_again() -> None:
    parts = [b"x"]

    def reads(environ: Environ, start_response: StartResponse) -> list[bytes]:
        with pytest.raises(CutShort):
            environ["wsgi.input"].read(10)
        return []

    environ = {"CONTENT_LENGTH": "10", "wsgi.input": SimpleNamespace(read=lambda size: parts.pop())}
    assert Bodies(reads, 1, 1)(environ, lambda *told: None) == []


def test_sec_74_what_nobody_reads_waits_for_no_room_and_takes_one_place() -> None:
    """And a body in many parts is as old as its first."""
    inside: list[int] = []
    bounded = Bodies(lambda environ, start_response: [], 1, 1)

    def read(size: int) -> bytes:
        inside.append(len(bounded._arriving))
        assert not bounded.begin_at_once(Arriving(bounded, None, "", 1))
        refused = {"CONTENT_LENGTH": "10", "wsgi.input": SimpleNamespace(read=pytest.fail)}
        assert bounded(refused, lambda *told: None) == []
        return b"x" * size

    length = 3 * bodies.CHUNK
    environ = {"CONTENT_LENGTH": str(length), "wsgi.input": SimpleNamespace(read=read)}
    assert bounded(environ, lambda *told: None) == []
    assert inside == [1, 1, 1]
    assert not bounded._arriving
    body = Arriving(bounded, SimpleNamespace(read=lambda size: b"x" * size), "", 10)
    body.read(3)
    begun = body.begun
    body.read(3)
    assert body.begun == begun < math.inf


class Waits(io.RawIOBase):
    """A body that is on its way until it is let go."""

    def __init__(self) -> None:
        self.is_read, self.is_let_go = threading.Event(), threading.Event()

    def read(self, size: int = -1) -> bytes:
        self.is_read.set()
        assert self.is_let_go.wait(30)
        return b"x=1"


def test_sec_74_who_finds_no_room_is_told_to_come_again(world: World) -> None:
    waits, bounded = Waits(), Bodies(world.app, 1, world.settings.port)
    environ = EnvironBuilder("/token", method="POST").get_environ()
    environ.update({"wsgi.input": waits, "CONTENT_LENGTH": "3"})
    waiting = threading.Thread(target=run_wsgi_app, args=(bounded, environ))
    waiting.start()
    assert waits.is_read.wait(30)
    visitor = Client(bounded)
    assert visitor.get("/jwks").status_code == 200
    refused, page = (visitor.post(path, data=TOKEN) for path in ("/token", "/login/password"))
    waits.is_let_go.set()
    waiting.join()
    assert (refused.status_code, refused.json and refused.json["error"]) == (
        503,
        "temporarily_unavailable",
    )
    assert page.status_code == 503
    assert refused.headers["Retry-After"] == page.headers["Retry-After"]
    assert visitor.post("/token", data=TOKEN).status_code == 401


def test_sec_74_as_many_as_there_are_threads_are_read_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bodies that are there: who has to wait a moment for another's is not sent away."""
    monkeypatch.setattr(bodies, "IS_THERE", 30.0)
    first, bounded = Waits(), Bodies(world.app, 1, world.settings.port)
    environ = EnvironBuilder("/token", method="POST").get_environ()
    environ.update({"wsgi.input": first, "CONTENT_LENGTH": "3"})
    waiting = threading.Thread(target=run_wsgi_app, args=(bounded, environ))
    waiting.start()
    assert first.is_read.wait(30)
    threading.Timer(0.05, first.is_let_go.set).start()
    assert Client(bounded).post("/token", data=TOKEN).status_code == 401
    waiting.join()


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
        assert visitor.get(f"{running.issuer}/jwks", timeout=SECONDS).status_code == 200
        for half in sockets:
            half.settimeout(SECONDS)
            assert b" 408 " in half.recv(65_536)
        assert visitor.get(f"{running.issuer}/jwks", timeout=SECONDS).status_code == 200


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
    half.settimeout(SECONDS)
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
        sender.settimeout(SECONDS)
        sender.connect((running.settings.host, running.settings.port))
        sender.sendall(MANY_BEFORE + HALF % b"/token")
        yield sender


def _take_slowly(sockets: list[socket.socket], is_over: threading.Event) -> None:
    while not is_over.wait(LOOK_EVERY):
        for each in sockets:
            with suppress(OSError):
                each.recv(4 * SMALL, socket.MSG_DONTWAIT)


@pytest.mark.parametrize("came_to_us", [True, False])
def test_sec_74_only_what_came_to_us_is_ended(came_to_us: bool) -> None:
    """What we connected to ourselves has the same address, where all is on one machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        other = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
        with other, accepted:
            other.settimeout(SECONDS)
            port = listening.getsockname()[1] if came_to_us else other.getsockname()[1]
            connections = Connections(port)
            connections.look(1.0)
            connections.end_stuck("127.0.0.1", 0.9)
            connections.end_stuck("192.0.2.1", 1.0)
            assert not any(map(_has_news, (accepted, other)))
            connections.end_stuck("127.0.0.1", 1.0)
            ended, spared = (accepted, other) if came_to_us else (other, accepted)
            assert ended.recv(1) == b""
            spared.setblocking(False)
            with pytest.raises(BlockingIOError):
                spared.recv(1)


def _has_news(held: socket.socket) -> bool:
    return bool(select.select([held], [], [], 0)[0])


LOCK = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0).execute('BEGIN IMMEDIATE')"


def test_sec_74_looking_for_connections_lets_go_of_no_lock(tmp_path: Path) -> None:
    """SQLite's locks are the process's, and any descriptor of the file that is closed drops them:
    two transactions would write at once."""
    file = tmp_path / "locked.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE counted (number)")
        database.execute("BEGIN IMMEDIATE")
        before = len(list(OPEN_FILES.iterdir()))
        Connections(1).look(0)
        Connections(1).end_stuck("127.0.0.1", 0)
        Connections(1).end_slow(0)
        assert len(list(OPEN_FILES.iterdir())) == before
        another = subprocess.run(
            [sys.executable, "-c", LOCK, file], capture_output=True, text=True, check=False
        )
        assert "database is locked" in another.stderr


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
    with socket.create_connection(address, timeout=SECONDS) as sender:
        sender.sendall((HALF % b"/token").replace(b"60000\r\n", b"%d\r\n%b" % (length, more)))
        yield sender


@pytest.mark.parametrize("length", [bodies.CHUNK + 1, bodies.TO_THROW_AWAY])
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
    [(bodies.TO_THROW_AWAY + 2, b""), (bodies.TO_THROW_AWAY, b"Expect: 100-continue\r\n")],
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
    with socket.create_connection(address, timeout=SECONDS) as cut_short:
        cut_short.sendall(CHUNKED % path)
        cut_short.shutdown(socket.SHUT_WR)
        assert cut_short.recv(65_536).startswith(b"HTTP/1.1 411 ")


BLIND_FOR_A_WHILE = """
import os, resource, threading, time
from idp.endpoints.bodies import LOOK_EVERY, Bodies

bodies = Bodies(lambda environ, start_response: [], 1, 1)
bodies._look = lambda now, look=bodies._look: (looks.append(now), look(now))
looks, opened = [], []
bodies._arriving[0] = type("Body", (), {"peer": "127.0.0.1", "since": 0.0, "until": 1e12})
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
try:
    while True:
        opened.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    bodies.watch()
while len(looks) < 3:
    assert threading.active_count() == 2
    time.sleep(LOOK_EVERY)
"""


def test_sec_74_whoever_watches_goes_on_when_descriptors_have_run_out() -> None:
    """Who opens as many connections as there may be would otherwise be rid of it for good."""
    subprocess.run([sys.executable, "-c", BLIND_FOR_A_WHILE], timeout=30, check=True)


LOOKS_FOR_SLOW_ONES = """
import threading
from idp.endpoints import bodies

bodies.LOOK_EVERY = 0.01
watched, looked = bodies.Bodies(lambda environ, start_response: [], 1, 1), threading.Event()
watched._connections.end_slow = lambda now: looked.set()
watched.watch()
assert looked.wait(10)
"""


def test_sec_74_answers_that_are_taken_slowly_are_looked_for() -> None:
    subprocess.run([sys.executable, "-c", LOOKS_FOR_SLOW_ONES], timeout=30, check=True)
