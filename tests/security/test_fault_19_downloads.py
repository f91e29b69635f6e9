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
from queue import Queue
from types import SimpleNamespace
from typing import cast

import pytest
import requests

from idp import audit
from idp.connections import Connections
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
def asking(running: RunningProvider, token: str) -> Iterator[socket.socket]:
    """Somebody who asks for the platform's log and takes nothing of it yet."""
    head = f"GET /api/v1{TABLES['platform']} HTTP/1.1\r\nHost: localhost\r\n"
    with socket.socket() as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asked.settimeout(SECONDS)
        asked.connect((running.settings.host, running.settings.port))
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


def test_fault_19_files_are_given_in_no_other_way() -> None:
    pages = [path.read_text() for path in (ROOT / "idp" / "web").rglob("*.py")]
    giving = [text for text in pages if re.search(r"\bsend_file\(|Response\(_lines", text)]
    assert len(giving) == 3
    assert all("downloads.download(" in text for text in giving)


def _fails(*of_what: object) -> None:
    raise Busy("a test")


def test_fault_19_who_takes_too_little_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(downloads, "PATIENCE", 0.0)
    asked: Queue[str] = Queue()
    pace = downloads._Pace(cast(Connections, SimpleNamespace(end_taking=asked.put)), "192.0.2.1")
    pace.begin()
    try:
        assert asked.get(timeout=SECONDS) == "192.0.2.1"
    finally:
        pace.end()


def test_fault_19_there_is_more_time_for_more() -> None:
    pace = downloads._Pace(Connections(1), "192.0.2.1")
    begun = time.monotonic()
    pace.begin()
    pace.count(b"x" * downloads.BYTES_A_SECOND)
    assert not pace.is_behind(begun + downloads.PATIENCE + 1)
    assert pace.is_behind(time.monotonic() + downloads.PATIENCE + 1)
    pace.end()


def test_fault_19_only_what_is_not_taken_is_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as over:
        connections = Connections(listening.getsockname()[1])
        (_, to_slow), (quick, to_quick) = (_connected(listening, over) for _ in range(2))
        for to_each in (to_slow, to_quick):
            _fill(to_each)
        connections.end_taking("127.0.0.1")
        while _takes(quick):
            pass
        assert not _is_ended(to_slow)
        connections.end_taking("192.0.2.1")
        connections.end_taking("127.0.0.1")
        assert not _is_ended(to_slow)
        connections.end_taking("127.0.0.1")
        assert _is_ended(to_slow)
        assert not _is_ended(to_quick)


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
