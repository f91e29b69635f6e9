"""What the threads of a process have freed is there for all of them, and is freed in time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, starmap
from pathlib import Path

import pytest
import requests

from tests.machine.processes import LOOPBACK, descendants, free_port
from tests.machine.provider_process import RunningProvider, start_provider

HEAP = 64 * 1024 * 1024  # that glibc reserves for an arena beside the first, and aligns it by that
AT_ONCE = 50


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningProvider]:
    started = start_provider(tmp_path, outbox_workers=1, operations_port=free_port())
    yield started
    started.stop()


def test_all_threads_share_one_arena(running: RunningProvider) -> None:
    with ThreadPoolExecutor(AT_ONCE) as visitors:
        paths = ["/", "/jwks", "/.well-known/openid-configuration", "/nowhere"] * AT_ONCE
        answers = visitors.map(lambda path: requests.get(running.issuer + path, timeout=30), paths)
        assert {each.status_code for each in answers} == {200, 404}
        operations = f"http://{LOOPBACK}:{running.settings.operations_port}"
        probes = [f"{operations}{path}" for path in ("/health/live", "/metrics")] * AT_ONCE
        told = visitors.map(lambda address: requests.get(address, timeout=30), probes)
        assert {each.status_code for each in told} == {200}
    serving = descendants(running.server.pid)
    assert max(map(_threads, serving)) > 2
    assert len(serving) == 2
    for pid in (running.server.pid, *serving, *(each.pid for each in running.outbox_workers)):
        assert _further_arenas(pid) == 0


NO_ARENAS = """
import ctypes
from idp.commands.serve import keep_one_arena

ctypes.CDLL = lambda library: object()
keep_one_arena()
"""


def test_a_c_library_without_arenas_is_told_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", NO_ARENAS], cwd=tmp_path, check=True)


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _further_arenas(pid: int) -> int:
    """Of each the part that is in use, and behind it what is reserved."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return sum(starmap(_is_arena, pairwise(map(_span, maps))))


def _span(line: str) -> tuple[int, int, str]:
    where, mode, *_ = line.split()
    start, end = where.split("-")
    return int(start, 16), int(end, 16), mode


def _is_arena(used: tuple[int, int, str], rest: tuple[int, int, str]) -> bool:
    (start, _, used_mode), (_, end, rest_mode) = used, rest
    modes = (used_mode, rest_mode)
    return modes == ("rw-p", "---p") and start % HEAP == 0 and end == start + HEAP


GARBAGE_OF_A_WORKER = """
import gc, weakref
gc.set_threshold(700, 10, 10)
from idp import worker
from idp.commands import serve

class Job: pass

def run(held, stop):
    done = []
    for _ in range(1000):
        done.append(Job())
        done[-1].itself = done[-1]
    gc.collect(1)
    job = weakref.ref(done.pop())
    done.clear()
    for _ in range(100_000):
        short = []
        short.append(short)
    assert job() is None

worker.run = run
serve.migrations.check_schema = serve.resealing.check_keys = lambda *held: None
serve.worker.callback()
"""


def test_a_worker_lets_no_garbage_gather(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", GARBAGE_OF_A_WORKER], cwd=tmp_path, check=True)
