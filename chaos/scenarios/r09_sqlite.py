"""R9: on SQLite, workers or the whole server are killed while they write; fifty write at once; the
log is cut off."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from chaos.crowd import Crowd, run_alone
from chaos.damage import damage_in, damage_of
from chaos.evidence import Evidence
from chaos.scenario import Run, Scenario, Size
from chaos.town import Town, town_on_sqlite, wait_until
from tests.machine.processes import kill

WRITERS, SHARE = 50, 1 / 6  # of the time
CUTS = 10
LOG_HEAD, FRAME = 32, 4096 + 24  # bytes of SQLite's write-ahead log, and of a page in it


class Sqlite(Scenario):
    number = "R9"
    title = "SQLite"
    size = Size(rate=60, seconds=360, times=100)
    bounded = Size(rate=20, seconds=4, times=2)
    recovery = 10.0
    town = staticmethod(town_on_sqlite)

    def __init__(self) -> None:
        self._wrong: list[str] = []
        self._writing: tuple[float, float] = (0.0, 0.0)

    def fault(self, run: Run) -> None:
        self._wrong.clear()
        seconds = run.size.seconds * SHARE
        for number in run.times(until=run.until - seconds):
            if number % 2:
                with run.pen.fault("a killed server"):
                    run.town.running.kill_server()
                run.town.running.start_server()
            else:
                with run.pen.fault("a killed worker"):
                    kill(random.choice(run.town.workers()))
                wait_until(run.town.is_whole)
        begun = time.time()
        run_alone(_write(Crowd(run.town, run.pen, WRITERS), time.time() + seconds))
        self._writing = (begun, time.time())
        self._wrong += _cut_off(run.town, CUTS)

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """While many write and nobody is killed, everybody is served."""
        yield from self._wrong
        begun, ended = self._writing
        for each in evidence.operations:
            if begun < each.start < ended and each.status >= 500:
                yield f"operation {each.number} ({each.kind}) is {each.status} {each.error}"
        yield from damage_of(run.town)


async def _write(crowd: Crowd, until: float) -> None:
    """Each caller spends one assertion after the other: each is a durable commit."""

    async def one(number: int) -> None:
        while time.time() < until:
            await crowd.products[number].sign(twice=False)

    await asyncio.gather(*map(one, range(WRITERS)))
    crowd.close()


def _cut_off(town: Town, cuts: int) -> Iterator[str]:
    """As after a power cut: of the log that is not in the file yet, the beginning is on the disk,
    up to the middle of a page. What is left of the database is whole."""
    file = Path(town.database)
    with TemporaryDirectory(dir=file.parent) as made:
        copy, log, index = Path(made) / "copy", Path(made) / "copy-wal", Path(made) / "index"
        for _ in range(cuts):
            with _still(town):
                for whole, part in ((file, copy), (f"{file}-wal", log), (f"{file}-shm", index)):
                    shutil.copy(whole, part)
            frames = random.randint(*_frames_not_in_the_file(index))
            with log.open("r+b") as cut:
                cut.truncate(LOG_HEAD + frames * FRAME + random.randrange(FRAME))
            index.unlink()
            yield from damage_in(copy)


@contextmanager
def _still(town: Town) -> Iterator[None]:
    """Nobody goes on meanwhile."""
    pids = town.running.pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def _frames_not_in_the_file(index: Path) -> tuple[int, int]:
    """Where they begin and end, as the log's index says: frames before them are synced, since they
    are, or are about to be, in the database (mxFrame and nBackfillAttempted of walformat.html)."""
    numbers = index.read_bytes()
    [last], [copied] = struct.unpack_from("=I", numbers, 16), struct.unpack_from("=I", numbers, 128)
    return min(copied, last), last


SCENARIO = Sqlite()
