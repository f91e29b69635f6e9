"""Ways to a database's driver: who may use which connection when, and the ORM's engines. Here those
of SQLite; PostgreSQL's are in `postgres_lanes.py`. `database.py` asks; nobody else.

A lane lends a driver's connection that has `execute(sql, values)`, whose answer has `description`,
`fetchall()` and `rowcount`. Each statement is its own transaction unless a BEGIN goes before it.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from idp.errors import SetupMistake, StoreUnavailable

BUSY_TIMEOUT_MS = 5000
CONNECT_TIMEOUT = 3
READ_ONLY = "latchkey_read_only"


class Turn:
    """One writer at a time in this process. SQLite lets others wait by sleeping and trying again,
    for longer each time; those who wait here are woken when it is their turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise StoreUnavailable("database: another thread has been writing for too long")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()


class SqliteLanes:
    """Two connections for each thread: one that waits for the disk at commit, one that doesn't."""

    begin = "BEGIN IMMEDIATE"
    outages: tuple[type[Exception], ...] = (sqlite3.DatabaseError,)
    mistakes: tuple[type[Exception], ...] = (  # of these outages, the kinds that are our own
        *(sqlite3.IntegrityError, sqlite3.ProgrammingError),
        *(sqlite3.DataError, sqlite3.NotSupportedError),
    )

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()
        self.turn: Turn | None = Turn()

    def take(self, durable: bool) -> Any:
        local = self._local
        try:
            return local.durable if durable else local.quick
        except AttributeError:
            name = "durable" if durable else "quick"
            setattr(local, name, self._open("FULL" if durable else "NORMAL"))
            return getattr(local, name)

    def give_back(self, driver: Any) -> None:
        """It stays the thread's own."""

    def as_lent(self, driver: Any) -> Any:
        """One of the engine's, as if it were lent here."""
        return driver

    def _open(self, synchronous: str) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        except sqlite3.OperationalError as problem:
            raise StoreUnavailable(f"database: {problem}") from problem
        try:
            set_sqlite_pragmas(connection, synchronous)
        except sqlite3.DatabaseError as problem:
            connection.close()
            raise StoreUnavailable(f"database: {problem}") from problem
        return connection

    def close(self) -> None:
        for connection in vars(self._local).values():
            connection.close()
        self._local = threading.local()


def set_sqlite_pragmas(connection: sqlite3.Connection, synchronous: str) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")


def sqlite_engine(url: sa.URL) -> sa.Engine:
    """WAL, synchronous=FULL, BEGIN IMMEDIATE: a commit that was answered is on the disk."""
    if not url.database or url.database == ":memory:":
        raise SetupMistake("LATCHKEY_DATABASE_URL needs a file: sqlite:///data/latchkey.db")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url,
        pool_timeout=CONNECT_TIMEOUT,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        set_sqlite_pragmas(connection, "FULL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        is_reader = connection.get_execution_options().get(READ_ONLY)
        connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")

    return engine
