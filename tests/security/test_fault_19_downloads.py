"""R19: whoever downloads a long log, and takes it slowly, keeps nobody else waiting.

A real server on real sockets, and a log that is longer than what the kernel keeps of an answer.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest
import requests
from flask import Response
from werkzeug.test import EnvironBuilder, run_wsgi_app

from idp import audit
from idp.app import create_pages
from idp.connections import STRETCH, Connections
from idp.directory import history
from idp.errors import Busy
from idp.provider import Provider
from idp.web import downloads
from tests.console.calling import platforms_machine, tenants_machine
from tests.machine.provider_process import RunningProvider, start_provider
from tests.world import ADDRESSES, World, apply_demo

ROOT = Path(__file__).parents[2]
SECONDS = 10.0
THREADS = 12
EVENTS, LENGTH = 8000, 2000
TABLES = {"platform": "/platform/audit-table", "northwind": "/tenants/northwind/audit-table"}


def furnish(held: Provider) -> None:
    apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
    with held.database.transaction() as db:
        for number in range(EVENTS):
            audit.record(db, "setup.applied", number, what="x" * LENGTH)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    started = start_provider(tmp_path_factory.mktemp("downloads"), furnish, threads=THREADS)
    yield started
    started.stop()


def token_of(running: RunningProvider, client: str) -> str:
    secret = (running.settings.keys_dir / "clients" / f"{client}.secret").read_text().strip()
    form = {"grant_type": "client_credentials"}
    answer = requests.post(f"{running.issuer}/token", form, auth=(client, secret), timeout=SECONDS)
    token: str = answer.json()["access_token"]
    return token


@contextmanager
def _taking_little(running: RunningProvider) -> Iterator[socket.socket]:
    with socket.socket() as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asked.settimeout(SECONDS)
        asked.connect((running.settings.host, running.settings.port))
        yield asked


@contextmanager
def asking(running: RunningProvider, token: str) -> Iterator[socket.socket]:
    """Somebody who asks for the platform's log and takes nothing of it yet."""
    head = f"GET /api/v1{TABLES['platform']} HTTP/1.1\r\nHost: localhost\r\n"
    with _taking_little(running) as asked:
        asked.sendall(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
        yield asked


def test_fault_19_slow_downloads_keep_nobody_else_waiting(running: RunningProvider) -> None:
    token = token_of(running, "platform-automation")
    with ExitStack() as open_ones:
        asked = [open_ones.enter_context(asking(running, token)) for _ in range(2 * THREADS)]
        answers = sorted(each.recv(12) for each in asked)
        assert answers == [b"HTTP/1.1 200"] + [b"HTTP/1.1 503"] * (2 * THREADS - 1)
        for _ in range(3):
            assert requests.get(f"{running.issuer}/jwks", timeout=SECONDS).ok
            assert token_of(running, "platform-automation")
    started = time.monotonic()
    while not _is_given(running, token):
        assert time.monotonic() - started < SECONDS, "the place of who went away is not free"
    assert _is_given(running, token)


def _is_given(running: RunningProvider, token: str) -> bool:
    named = {"Authorization": f"Bearer {token}"}
    address = f"{running.issuer}/api/v1{TABLES['platform']}"
    answer = requests.get(address, headers=named, timeout=SECONDS)
    assert answer.status_code in (200, 503)
    return answer.ok and len(answer.content) > EVENTS * LENGTH


def test_fault_19_each_log_is_given_to_one_at_a_time(world: World) -> None:
    """And what is given to one company keeps no other from its own."""
    operators, company = platforms_machine(world), tenants_machine(world)
    first = operators.get(TABLES["platform"])
    refused = operators.get(TABLES["platform"].replace("table", "evidence"))
    assert (first.status_code, refused.status_code) == (200, 503)
    assert refused.headers["Retry-After"]
    assert company.get(TABLES["northwind"]).status_code == 200
    first.close()
    assert operators.get(TABLES["platform"]).status_code == 200


def test_fault_19_no_more_are_given_at_once_than_threads_can_be_spared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "ONE_IN", world.settings.threads)
    operators, company = platforms_machine(world), tenants_machine(world)
    first = operators.get(TABLES["platform"])
    assert company.get(TABLES["northwind"]).status_code == 503
    first.close()
    assert company.get(TABLES["northwind"]).status_code == 200


def test_fault_19_what_is_not_given_takes_no_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    operators, path = platforms_machine(world), TABLES["platform"]
    with monkeypatch.context() as failing:
        failing.setattr(history, "every_event", _fails)
        assert operators.get(path).status_code == 503
    assert operators("HEAD", path).status_code == 200
    assert operators.get(path).status_code == 200


def test_fault_19_what_fails_gives_its_place_back_at_once(world: World) -> None:
    """However long somebody remembers how it failed."""
    with create_pages(world.held).app_context():
        with pytest.raises(Busy) as remembered:
            downloads.download("northwind", _fails)
        assert downloads.download("northwind", Response).status_code == 200
    assert remembered.traceback


def test_fault_19_files_are_given_in_no_other_way() -> None:
    pages = [path.read_text() for path in (ROOT / "idp" / "web").rglob("*.py")]
    giving = [text for text in pages if re.search(r"\bsend_file\(|Response\(_lines", text)]
    assert len(giving) == 3
    assert all("downloads.download(" in text for text in giving)


def _fails(*of_what: object) -> NoReturn:
    raise Busy("a test")


@pytest.mark.parametrize("path", ["/bootstrap/static/css/bootstrap.min.css", "/static/theme.css"])
def test_fault_19_other_answers_are_given_whole(world: World, path: str) -> None:
    """No thread waits with them for whoever takes them."""
    answer = run_wsgi_app(world.app, EnvironBuilder(path).get_environ())
    [part, *rest] = answer[0]
    assert not rest
    assert answer[1] == "200 OK"
    assert int(answer[2]["Content-Length"]) == len(part) > 8192
    head = run_wsgi_app(world.app, EnvironBuilder(path, method="HEAD").get_environ())
    assert [*head[0]] == []
    assert head[2]["Content-Length"] == answer[2]["Content-Length"]
    few = EnvironBuilder(path, headers=[("Range", "bytes=10-19999")]).get_environ()
    parts, status, headers = run_wsgi_app(world.app, few)
    assert [*parts] == [part[10:20_000]]
    assert (status, headers["Content-Length"]) == ("206 PARTIAL CONTENT", "19990")
    same = EnvironBuilder(path, headers=[("If-None-Match", answer[2]["ETag"])]).get_environ()
    assert run_wsgi_app(world.app, same)[1] == "304 NOT MODIFIED"


def test_fault_19_who_takes_no_static_file_keeps_nobody_else_waiting(
    running: RunningProvider,
) -> None:
    """By connections that ask for more of them than the kernel keeps."""
    head = b"GET /bootstrap/static/css/bootstrap.min.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as open_ones:
        for _ in range(2 * THREADS):
            asked = open_ones.enter_context(_taking_little(running))
            asked.sendall(60 * head)
            assert asked.recv(12) == b"HTTP/1.1 200"
        for _ in range(3):
            assert requests.get(f"{running.issuer}/jwks", timeout=SECONDS).ok
            assert token_of(running, "platform-automation")


def test_fault_19_what_is_taken_too_slowly_is_ended() -> None:
    """And what is taken fast enough, or has all been taken, is not."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as over:
        connections = Connections(listening.getsockname()[1])
        pairs = [_connected(listening, over) for _ in range(4)]
        (_, to_slow), (quick, to_quick), (done, to_done), (_, to_idle) = pairs
        for to_each in (to_slow, to_quick, to_done):
            _fill(to_each)
        connections.end_slow(0.0)
        while _takes(done) or _takes(quick):
            pass
        _fill(to_quick)
        connections.end_slow(STRETCH - 1)
        assert not any(map(_is_ended, (to_slow, to_quick)))
        connections.end_slow(STRETCH)
        assert _is_ended(to_slow)
        assert not any(map(_is_ended, (to_quick, to_done, to_idle)))
        connections.end_slow(2 * STRETCH)
        assert _is_ended(to_quick)
        assert not any(map(_is_ended, (to_done, to_idle)))


def _connected(listening: socket.socket, over: ExitStack) -> tuple[socket.socket, socket.socket]:
    """The other end, and ours."""
    other = over.enter_context(socket.create_connection(listening.getsockname()))
    own = over.enter_context(listening.accept()[0])
    own.setblocking(False)
    other.settimeout(0.1)
    return other, own


def _fill(own: socket.socket) -> None:
    with suppress(BlockingIOError):
        while own.send(b"x" * 65_536):
            pass


def _takes(other: socket.socket) -> bool:
    try:
        return bool(other.recv(2**20))
    except TimeoutError:
        return False


def _is_ended(own: socket.socket) -> bool:
    try:
        own.send(b"x")
    except BrokenPipeError:
        return True
    except BlockingIOError:
        return False
    return False
