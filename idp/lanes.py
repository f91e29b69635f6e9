"""Ways to a database's driver: who may use which connection when, and the ORM's engines.
`database.py` asks; nobody else.

A lane lends a driver's connection that has `execute(sql, values)`, whose answer has `description`,
`fetchall()` and `rowcount`. Each statement is its own transaction unless a BEGIN goes before it.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from idp.errors import SetupMistake, StoreUnavailable, Unreadable

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

BUSY_TIMEOUT_MS = 5000
CONNECT_TIMEOUT = 5
OF_EVERY_TENANT = "-c latchkey.tenants=*"  # migrations/row_security.py
READ_ONLY = "latchkey_read_only"
KEEPALIVE_AFTER = 60  # seconds; a firewall that forgets a silent connection says nothing


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


class Room:
    """For so many threads at once. Whoever is in comes in again without waiting: all of them might
    wait for each other."""

    class _Own(threading.local):
        times = 0

    def __init__(self, size: int, patience: float) -> None:
        self._free = threading.Semaphore(size)
        self._patience = patience
        self._own = self._Own()

    def enter(self) -> None:
        if not self._own.times and not self._free.acquire(timeout=self._patience):
            raise StoreUnavailable("database: every connection is in use")
        self._own.times += 1

    def leave(self) -> None:
        self._own.times -= 1
        if not self._own.times:
            self._free.release()


class PostgresLanes:
    """Connections for `pool` threads at once, opened when they are needed, lent to one at a time.
    PostgreSQL groups commits by itself, so there is one lane."""

    begin = "BEGIN"

    def __init__(self, url: sa.URL, pool: int, connect_timeout: int) -> None:
        import psycopg

        self.outages: tuple[type[Exception], ...] = (
            *(psycopg.OperationalError, psycopg.InterfaceError),
            psycopg.InternalError,  # damaged, or only reading until it takes over
        )
        self.mistakes: tuple[type[Exception], ...] = (psycopg.errors.InFailedSqlTransaction,)
        self.turn: Turn | None = None
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connect_timeout = connect_timeout
        self._room = Room(pool, connect_timeout)
        self._idle: list[PreparedConnection] = []

    def take(self, durable: bool) -> Any:
        del durable
        self._room.enter()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _open(self) -> PreparedConnection:
        import psycopg

        try:
            return PreparedConnection(
                psycopg.connect(
                    self._conninfo,
                    autocommit=True,
                    connect_timeout=self._connect_timeout,
                    keepalives_idle=KEEPALIVE_AFTER,
                    options=OF_EVERY_TENANT,
                )
            )
        except self.outages as problem:
            self._room.leave()
            raise StoreUnavailable(f"database: {problem}") from problem
        except BaseException:
            self._room.leave()
            raise

    def give_back(self, driver: Any) -> None:
        """When one was lost, the others that lie idle most likely were too."""
        if driver.is_usable:
            self._idle.append(driver)
        else:
            driver.close()
            self.close()
        self._room.leave()

    def as_lent(self, driver: Any) -> Any:
        """One of the engine's, as if it were lent here."""
        return driver

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


class PreparedConnection:
    """Runs each statement by libpq's prepared statements, and reads rows by psycopg's loaders: half
    of what its cursor costs, which works out anew each time what this one keeps."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._pg = connection.pgconn
        self._names: dict[str, bytes] = {}
        self._readers: dict[str, Any] = {}

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Answer:
        """`sql` has `%s` for each of the values, which are text, numbers, booleans or None."""
        name = self._names.get(sql) or self._prepare(sql, values)
        given: Any = [None if each is None else _ENCODERS[type(each)](each) for each in values]
        result = self._sound(self._pg.exec_prepared(name, given, None, _BINARY))
        if result.status != _ROWS:
            return Answer([], result.command_tuples or 0)
        return Answer(self._rows(sql, result), result.ntuples)

    def _prepare(self, sql: str, values: Sequence[Any]) -> bytes:
        """PostgreSQL finds the types out, but for the sum of two floats it wants them named."""
        types = [_FLOAT8 if isinstance(each, float) else _ANY for each in values]
        name = b"latchkey%d" % len(self._names)
        self._sound(self._pg.prepare(name, _numbered(sql).encode(), types))
        self._names[sql] = name
        return name

    def _rows(self, sql: str, result: PGresult) -> list[tuple[Any, ...]]:
        reader = self._readers.get(sql)
        if reader is None:
            from psycopg.adapt import Transformer

            reader = self._readers[sql] = Transformer(self._connection)
            reader.set_pgresult(result)
        else:
            reader.set_pgresult(result, set_loaders=False)
        rows: list[tuple[Any, ...]] = reader.load_rows(0, result.ntuples, tuple)
        return rows

    def _sound(self, result: PGresult) -> PGresult:
        """Raises psycopg's own exceptions, so that nobody above has to know libpq."""
        if result.status in (_DONE, _ROWS):
            return result
        import psycopg

        if self._pg.status != _CONNECTED:
            raise psycopg.OperationalError(self._pg.get_error_message())
        raise psycopg.errors.error_from_result(result)

    @property
    def is_usable(self) -> bool:
        """Connected, and in no transaction that somebody has left open."""
        return self._pg.status == _CONNECTED and self._pg.transaction_status == _IDLE

    def close(self) -> None:
        self._connection.close()


class Answer:
    """What a cursor says after a statement."""

    __slots__ = ("_rows", "rowcount")
    description = True  # reading rows is always allowed; it may be that there are none

    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


# libpq's numbers: of a result's format and status, of a connection and a transaction.
_BINARY = 1
_DONE, _ROWS = 1, 2
_CONNECTED = _IDLE = 0
_ANY, _FLOAT8 = 0, 701  # a parameter's type (pg_type)


def _text(value: str) -> bytes:
    """libpq ends a text at its first null character: what follows would count for nothing. Raises
    Unreadable."""
    encoded = value.encode()
    if b"\0" in encoded:
        raise Unreadable
    return encoded


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    str: _text,
    int: lambda number: b"%d" % number,
    float: lambda number: repr(number).encode(),
    bool: lambda truth: b"t" if truth else b"f",
}


def _numbered(sql: str) -> str:
    """`$1`, `$2`, … as PostgreSQL knows them, where SQLAlchemy writes `%s`."""
    numbers = itertools.count(1)
    return re.sub("%s|%%", lambda found: f"${next(numbers)}" if found[0] == "%s" else "%", sql)


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


def postgres_engine(url: sa.URL, pool: int) -> sa.Engine:
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        paramstyle="format",
        pool_size=pool,
        pool_timeout=CONNECT_TIMEOUT,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT, "options": OF_EVERY_TENANT},
    )
