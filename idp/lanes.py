"""Ways to a database's driver: who may use which connection when, and the ORM's engines. Here those
of SQLite; PostgreSQL's are in `postgres_lanes.py`. `database.py` asks; nobody else.

A lane lends a driver's connection that has `execute(sql, values)`, whose answer has `description`,
`fetchall()` and `rowcount`. Each statement is its own transaction unless a BEGIN goes before it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa

from idp.errors import SetupMistake, StoreUnavailable

BUSY_TIMEOUT_MS = 5000
CONNECT_TIMEOUT = 3
READ_ONLY = "latchkey_read_only"
STATEMENTS = 512  # that a connection keeps as SQLite has read them


class Turn:
    """One writer at a time in this process. SQLite lets others wait by sleeping and trying again,
    for longer each time; those who wait here are woken when it is their turn."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._acquire, self.leave = lock.acquire, lock.release

    def is_free(self) -> bool:
        """It is ours, if it was."""
        return self._acquire(blocking=False)

    def __enter__(self) -> None:
        if not self._acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise StoreUnavailable("database: another thread has been writing for too long")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()


class SqliteLanes:
    """One connection for whoever writes, since there is one at a time: of all that was written it
    knows without reading the file again, where each other connection forgets what it has read. Who
    only reads may ask it too while nobody else does, if the answer is sure to be short; others are
    lent the reader that was given back last, and wait for no writer. None is a thread's own: a
    server's threads come and go, and each would leave its reader behind until garbage is looked
    for, since a driver's connection and its cache refer to each other."""

    begin = "BEGIN IMMEDIATE"
    outages: tuple[type[Exception], ...] = (sqlite3.DatabaseError,)
    mistakes: tuple[type[Exception], ...] = (  # of these outages, the kinds that are our own
        *(sqlite3.IntegrityError, sqlite3.ProgrammingError),
        *(sqlite3.DataError, sqlite3.NotSupportedError),
    )

    def __init__(self, path: str) -> None:
        self._path = path
        self.turn = Turn()
        self._writing: sqlite3.Connection | None = None
        self._is_durable = True
        self._readers: list[sqlite3.Connection] = []
        self._each_alone = {durable: _EachAlone(self, durable) for durable in (True, False)}

    def take(self, durable: bool, whole: bool = False) -> Any:
        """For statements that are each a transaction, or for a `whole` one."""
        if not whole:
            return self._each_alone[durable]
        self.turn.__enter__()
        try:
            return self._writer(durable)
        except BaseException:
            self.turn.leave()
            raise

    def give_back(self, driver: Any) -> None:
        """One that nobody could end the transaction of is not used again."""
        if isinstance(driver, _EachAlone):
            return
        try:
            if driver.in_transaction:
                self._writing = None
                driver.close()
        finally:
            self.turn.leave()

    def run(self, sql: str, values: Sequence[Any], durable: bool) -> Answer:
        if not sql.startswith("SELECT"):
            with self.turn:
                return _answer(self._writer(durable), sql, values)
        if durable or not self.turn.is_free():
            return self._read(sql, values)
        try:
            return _answer(self._writing or self._writer(durable), sql, values)
        finally:
            self.turn.leave()

    def _writer(self, durable: bool) -> sqlite3.Connection:
        if self._writing is None:
            self._writing = self._open(durable)
        elif self._is_durable != durable:
            with _outages_told():
                set_sqlite_synchronous(self._writing, durable)
        self._is_durable = durable
        return self._writing

    def _read(self, sql: str, values: Sequence[Any]) -> Answer:
        try:
            reader = self._readers.pop()
        except IndexError:
            reader = self._open(durable=False)
        try:
            found = _answer(reader, sql, values)
        except BaseException:
            reader.close()  # it may be in the middle of its answer, and would go on seeing what was
            raise
        self._readers.append(reader)
        return found

    def as_lent(self, driver: Any) -> Any:
        """One of the engine's, as if it were lent here."""
        return driver

    def _open(self, durable: bool) -> sqlite3.Connection:
        with _outages_told():
            connection = sqlite3.connect(
                self._path,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=STATEMENTS,
            )
            try:
                set_sqlite_pragmas(connection, durable)
            except BaseException:
                connection.close()
                raise
        return connection

    def close(self) -> None:
        idle = [*self._readers, *([self._writing] if self._writing else [])]
        self._writing, self._readers = None, []
        for connection in idle:
            connection.close()


class _EachAlone:
    """Runs each statement in a transaction of its own."""

    __slots__ = ("_durable", "_lanes")

    def __init__(self, lanes: SqliteLanes, durable: bool) -> None:
        self._lanes = lanes
        self._durable = durable

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Answer:
        return self._lanes.run(sql, values, self._durable)


class Answer:
    """What a cursor says after a statement, once it is read."""

    __slots__ = ("_rows", "rowcount")
    description = True  # reading rows is always allowed; it may be that there are none

    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


def _answer(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> Answer:
    cursor = connection.execute(sql, values)
    return Answer(cursor.fetchall() if cursor.description else [], cursor.rowcount)


@contextmanager
def _outages_told() -> Iterator[None]:
    """For what nobody has asked for yet."""
    try:
        yield
    except sqlite3.DatabaseError as problem:
        raise StoreUnavailable(f"database: {problem}") from problem


def set_sqlite_pragmas(connection: sqlite3.Connection, durable: bool = True) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    set_sqlite_synchronous(connection, durable)


def set_sqlite_synchronous(connection: sqlite3.Connection, durable: bool) -> None:
    """Whether a commit waits for the disk."""
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")


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
        set_sqlite_pragmas(connection)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        is_reader = connection.get_execution_options().get(READ_ONLY)
        connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")

    return engine
