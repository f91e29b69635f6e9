"""S74: how many bodies are read at once, which connections are ended, and who looks for them.

Without a server.
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
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from idp.connections import OPEN_FILES, Connections
from idp.endpoints import bodies
from idp.endpoints.bodies import Arriving, Bodies, CutShort
from idp.endpoints.router import Environ, StartResponse
from tests.world import World

SECONDS = 30.0
TOKEN = {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "wrong"}


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
        assert self.is_let_go.wait(SECONDS)
        return b"x=1"


@contextmanager
def _on_its_way(bounded: Bodies) -> Iterator[Waits]:
    body = Waits()
    environ = EnvironBuilder("/token", method="POST").get_environ()
    environ.update({"wsgi.input": body, "CONTENT_LENGTH": "3"})
    waiting = threading.Thread(target=run_wsgi_app, args=(bounded, environ))
    waiting.start()
    try:
        assert body.is_read.wait(SECONDS)
        yield body
    finally:
        body.is_let_go.set()
        waiting.join()


def test_sec_74_who_finds_no_room_is_told_to_come_again(world: World) -> None:
    bounded = Bodies(world.app, 1, world.settings.port)
    visitor = Client(bounded)
    with _on_its_way(bounded):
        assert visitor.get("/jwks").status_code == 200
        refused, page = (visitor.post(path, data=TOKEN) for path in ("/token", "/login/password"))
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
    monkeypatch.setattr(bodies, "IS_THERE", SECONDS)
    bounded = Bodies(world.app, 1, world.settings.port)
    with _on_its_way(bounded) as first:
        threading.Timer(0.05, first.is_let_go.set).start()
        assert Client(bounded).post("/token", data=TOKEN).status_code == 401


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
