"""Connections that ask for nothing keep nobody else waiting."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from idp.commands.serve import CONNECTIONS, OPEN_FILES
from tests.machine.provider_process import start_provider

WORKERS = 4
IDLE = CONNECTIONS + WORKERS  # shared out, a quarter to each, more or less
SECONDS = 10


@pytest.fixture
def allowed() -> Iterator[None]:
    """This process opens one for each, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("allowed")
def test_idle_connections_take_the_place_of_nobody(tmp_path: Path) -> None:
    running = start_provider(tmp_path, workers=WORKERS)
    address = (running.settings.host, running.settings.port)
    with ExitStack() as over:
        over.callback(running.stop)
        for _ in range(IDLE):
            over.enter_context(socket.create_connection(address, timeout=SECONDS))
        for _ in range(2 * WORKERS):
            assert requests.get(f"{running.issuer}/jwks", timeout=SECONDS).ok


ALLOWED = """
import resource, sys
from idp.commands.serve import connections_allowed
resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv[1:])))
print(connections_allowed(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""
MORE = 4 * OPEN_FILES


@pytest.mark.parametrize(
    ("limits", "connections", "limits_then"),
    [
        ((256, MORE), CONNECTIONS, (OPEN_FILES, MORE)),
        ((256, 1000), 500, (1000, 1000)),
        ((MORE, MORE), CONNECTIONS, (MORE, MORE)),
    ],
)
def test_there_are_files_for_other_things_than_connections(
    limits: tuple[int, int], connections: int, limits_then: tuple[int, int]
) -> None:
    asked = [sys.executable, "-c", ALLOWED, *map(str, limits)]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert tuple(map(int, said.split())) == (connections, *limits_then)
