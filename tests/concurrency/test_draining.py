"""A server is told to stop while it is asked: nobody is cut off (security.md R3)."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from tests.concurrency.conftest import Town, started
from tests.concurrency.workers import wait_until
from tests.machine.processes import free_port

DRAIN = 2


@pytest.fixture
def watched_town(tmp_path: Path) -> Iterator[Town]:
    running = started(tmp_path, operations_port=free_port(), drain=DRAIN)
    yield Town(running)
    running.stop()


@pytest.fixture
def patient_town(tmp_path: Path) -> Iterator[Town]:
    running = started(tmp_path, operations_port=free_port(), drain=3600)
    yield Town(running)
    running.stop()


def probe(town: Town, name: str) -> requests.Response:
    port = town.running.settings.operations_port
    return requests.get(f"http://127.0.0.1:{port}/health/{name}", timeout=5)


def is_ready(town: Town) -> bool:
    try:
        return probe(town, "ready").ok
    except requests.ConnectionError:
        return False


def test_a_second_signal_is_not_waited_for(patient_town: Town) -> None:
    server = patient_town.running.server
    wait_until(lambda: is_ready(patient_town))
    server.terminate()
    wait_until(lambda: not is_ready(patient_town))
    server.terminate()
    assert server.wait(30) == 0


def test_the_port_of_operations_answers_nothing_else(watched_town: Town) -> None:
    wait_until(lambda: is_ready(watched_town))
    port = watched_town.running.settings.operations_port
    assert "latchkey_ready 1.0" in told(watched_town)
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall(b"GET http://[/metrics HTTP/1.1\r\n\r\n")
        assert line.recv(4096) == b""
    assert '"event": "unanswered"' in watched_town.running.log.read_text()
    assert "----" not in watched_town.running.log.read_text()
    for path in ("/", "/jwks", "/health", "/health/live/", "/health/../authorize"):
        assert requests.get(f"http://127.0.0.1:{port}{path}", timeout=5).status_code == 404
    for path in ("/health/live", "/metrics"):
        at_the_door = requests.get(watched_town.running.issuer + path, timeout=5)
        assert at_the_door.status_code == 404


def test_what_each_process_counts_is_told_together(watched_town: Town) -> None:
    town = watched_town
    for _ in range(40):  # by connections of their own, so that both processes have some
        requests.get(f"{town.running.issuer}/userinfo", timeout=5)
    wait_until(lambda: 'endpoint="/userinfo",status="401"} 40.0' in told(town))


def told(town: Town) -> str:
    port = town.running.settings.operations_port
    return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text


def test_the_port_of_operations_ends_with_those_that_it_tells_of(watched_town: Town) -> None:
    """It, by itself, never ends; and those end with the first of them, though that was killed."""
    town = watched_town
    wait_until(lambda: is_ready(town))
    server, *below = town.running.pids
    [operations] = [pid for pid in below if ignores(pid, signal.SIGTERM)]
    os.kill(operations, signal.SIGTERM)
    assert is_served(town)
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: not is_served(town))


def ignores(pid: int, number: signal.Signals) -> bool:
    [ignored] = re.findall(
        r"^SigIgn:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    return bool(int(ignored, 16) >> (number - 1) & 1)


def is_served(town: Town) -> bool:
    try:
        return bool(probe(town, "live"))
    except (requests.ConnectionError, ChunkedEncodingError):  # killed before or while it answers
        return False
