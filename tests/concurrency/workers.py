"""The processes of a server that serve, and waiting for what they come to."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.concurrency.conftest import WORKERS, Town

SECONDS = 60.0
LISTENING = "0A"


def workers(town: Town) -> list[int]:
    """The processes below the server."""
    return [pid for pid in town.running.pids if pid != town.running.server.pid]


def is_replaced(town: Town, killed: int) -> bool:
    return killed not in workers(town) and listeners(town.port) == WORKERS


def listeners(port: int) -> int:
    """How many sockets listen on it: one for each worker that is ready (Linux, SO_REUSEPORT)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == LISTENING for row in rows)


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
