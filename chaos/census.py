"""What a town uses up, looked at again and again: memory, files, threads and connections of each of
its processes, and the rows of its tables."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from chaos.sockets import ESTABLISHED, OURS, THEIRS, sockets_at, sockets_of
from chaos.town import Town
from chaos.trend import Point
from idp import retention
from idp.database import Base
from idp.errors import StoreUnavailable

MEMORY, FILES, THREADS, CONNECTIONS = "memory, MB", "open files", "threads", "connections"

Series = dict[tuple[str, str], list[Point]]  # of a process or table, and of what


@dataclass
class Census:
    """`overdue` has the most rows of a table that a sweep had left behind."""

    day: float
    processes: Series = field(default_factory=lambda: defaultdict(list))
    tables: Series = field(default_factory=lambda: defaultdict(list))
    overdue: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def taken(self, town: Town, every: float) -> Iterator[None]:
        """While the block runs, every so many seconds."""
        over = threading.Event()
        taker = threading.Thread(target=self._take_until, args=(town, every, over))
        taker.start()
        try:
            yield
        finally:
            over.set()
            taker.join()

    def _take_until(self, town: Town, every: float, over: threading.Event) -> None:
        while not over.wait(every):
            self._look_at_processes(town)
            try:
                self._look_at_tables(town)
            except (StoreUnavailable, sa.exc.SQLAlchemyError):
                continue  # it is being restarted

    def _look_at_processes(self, town: Town) -> None:
        now, workers = time.time(), town.workers()
        for pid in town.running.pids:
            name = f"{'worker' if pid in workers else 'process'} {pid}"
            database_port = town.postgres.port if town.postgres else 0
            for what, value in figures(pid, town.port, database_port).items():
                self.processes[name, what].append((now, value))

    def _look_at_tables(self, town: Town) -> None:
        database = town.running.held.database
        retention.sweep(database, time.time(), self.day)
        for table, count in retention.overdue(database, time.time(), self.day).items():
            self.overdue[table] = max(count, self.overdue.get(table, 0))
        with database.engine.connect() as connection:
            for each in Base.metadata.sorted_tables:
                count = connection.scalar(sa.select(sa.func.count()).select_from(each)) or 0
                self.tables[each.name, "rows"].append((time.time(), float(count)))


def figures(pid: int, port: int, database_port: int) -> dict[str, float]:
    """Of one process; nothing of one that has ended. The connections of its callers, at `port`, are
    no files of its own: more come over whenever another process is killed."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return {}
    told = dict(line.split(":", 1) for line in status.splitlines())
    if "VmRSS" not in told:
        return {}
    sockets = sockets_of(pid)
    return {
        MEMORY: int(told["VmRSS"].split()[0]) / 1024,
        FILES: float(files - len(sockets & sockets_at(port, OURS, ESTABLISHED))),
        THREADS: float(told["Threads"]),
        CONNECTIONS: float(len(sockets & sockets_at(database_port, THEIRS, ESTABLISHED))),
    }
