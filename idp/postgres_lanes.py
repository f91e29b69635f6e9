"""Ways to PostgreSQL: connections that are lent, and the ORM's engine (`lanes.py`).

Whoever has a limited time (`store_time.py`) waits no longer, though the server or the way to it
hangs. It has a little less for each statement of theirs, so that one that is only slow says so and
the connection stays sound.
"""

from __future__ import annotations

import itertools
import math
import re
import select
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from idp.circuit_breaker import CircuitBreaker
from idp.errors import StoreUnavailable, Unreadable
from idp.lanes import CONNECT_TIMEOUT, Turn
from idp.store_time import HUNG, STORE_TIME, Waiting, limited

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

    Opened = TypeVar("Opened", bound=psycopg.Connection[Any])

OF_EVERY_TENANT = "-c latchkey.tenants=*"  # migrations/row_security.py
LIMITED = " -c statement_timeout=2500 -c idle_in_transaction_session_timeout=10000"
# where a host is gone, or a firewall has forgotten a connection
SURE_TO_END: dict[str, Any] = {
    "keepalives_idle": 60,
    "keepalives_interval": 5,
    "tcp_user_timeout": 10_000,
}
STUCK = 2.0  # seconds in which nobody has left: whoever waits then waits for nothing
PROBE_SECONDS = 2.0


class Room:
    """For so many threads at once. Whoever is in comes in again without waiting: all of them might
    wait for each other. Whoever waits for a place does so for `patience` seconds, and no longer
    once nobody has left for STUCK."""

    class _Own(threading.local):
        times = 0

    def __init__(self, size: int, patience: float) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        self._free = size
        self._patience = patience
        self._moved_at = -math.inf
        self._own = self._Own()

    def enter(self) -> None:
        if not self._own.times:
            with self._lock:
                if not self._free:
                    self._wait()
                self._free -= 1
                self._moved_at = monotonic()
        self._own.times += 1

    def _wait(self) -> None:
        self._waiting += 1
        try:
            with Waiting() as wait:
                until = monotonic() + wait.at_most(self._patience)
                while not self._free:
                    left = min(until, self._moved_at + STUCK) - monotonic()
                    if left <= 0:
                        raise StoreUnavailable("database: every connection is in use")
                    self._changed.wait(left)
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        self._own.times -= 1
        if not self._own.times:
            with self._lock:
                self._free += 1
                self._moved_at = monotonic()
                if self._waiting:
                    self._changed.notify()


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
        self.breaker = CircuitBreaker("database", self._probe)
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
            return PreparedConnection(self.connected(psycopg.Connection), self.breaker)
        except self.outages as problem:
            self._room.leave()
            raise StoreUnavailable(f"database: {problem}") from problem
        except BaseException:
            self._room.leave()
            raise

    def connected(self, of: type[Opened]) -> Opened:
        """A new connection, which is nobody's yet. Raises StoreUnavailable, `outages`."""
        _check_answers(self.breaker)
        with Waiting() as wait:
            if wait.at_most(1.0) < 1.0:
                raise StoreUnavailable("database: no time is left to connect")
            seconds = wait.at_most(self._connect_timeout)
            try:
                return self._connect(of, seconds, LIMITED if STORE_TIME.is_limited else "")
            except self.outages:
                if wait.has_lasted(self._connect_timeout):
                    self.breaker.open("it takes no connection")
                raise

    def _connect(self, of: type[Opened], seconds: float, limits: str) -> Opened:
        return of.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=math.ceil(seconds),
            options=OF_EVERY_TENANT + limits,
            **SURE_TO_END,
        )

    def _probe(self) -> None:
        """As the breaker does, whoever else has how much time."""
        import psycopg

        try:
            with limited(PROBE_SECONDS):
                found = PreparedConnection(self._connect(psycopg.Connection, PROBE_SECONDS, ""))
                try:
                    found.execute("SELECT 1")
                finally:
                    found.close()
        except self.outages as problem:
            raise StoreUnavailable(f"database: {problem}") from problem

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

    def __init__(
        self, connection: psycopg.Connection[Any], breaker: CircuitBreaker | None = None
    ) -> None:
        self._connection = connection
        self._breaker = breaker
        self._pg = connection.pgconn
        self._arrival = select.poll()
        self._arrival.register(self._pg.socket, select.POLLIN)
        self._names: dict[str, bytes] = {}
        self._readers: dict[str, Any] = {}

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Answer:
        """`sql` has `%s` for each of the values, which are text, numbers, booleans or None."""
        _check_answers(self._breaker)
        name = self._names.get(sql) or self._prepare(sql, values)
        given: Any = [None if each is None else _ENCODERS[type(each)](each) for each in values]
        self._pg.send_query_prepared(name, given, None, _BINARY)
        result = self._answer()
        if result.status != _ROWS:
            return Answer([], result.command_tuples or 0)
        return Answer(self._rows(sql, result), result.ntuples)

    def _prepare(self, sql: str, values: Sequence[Any]) -> bytes:
        """PostgreSQL finds the types out, but for the sum of two floats it wants them named."""
        types = [_FLOAT8 if isinstance(each, float) else _ANY for each in values]
        name = b"latchkey%d" % len(self._names)
        self._pg.send_prepare(name, _numbered(sql).encode(), types)
        self._answer()
        self._names[sql] = name
        return name

    def _answer(self) -> PGresult:
        """To what was sent. Raises psycopg's own exceptions, so that nobody above has to know
        libpq."""
        last = None
        with Waiting() as wait:
            while True:
                while self._pg.is_busy():
                    self._wait_for_more(wait)
                result = self._pg.get_result()
                if result is None:
                    return self._sound(last)
                last = result

    def _wait_for_more(self, wait: Waiting) -> None:
        left = wait.left
        if not self._arrival.poll(None if left is None else left * 1000):
            self._connection.close()
            raise _unanswered(wait, self._breaker)
        self._pg.consume_input()

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

    def _sound(self, result: PGresult | None) -> PGresult:
        if result and result.status in (_DONE, _ROWS):
            return result
        import psycopg

        if result is None or self._pg.status != _CONNECTED:
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


def _check_answers(breaker: CircuitBreaker | None) -> None:
    """Whoever waited in line behind one that hung need not find it out again."""
    if breaker and breaker.is_open:
        raise StoreUnavailable("database: it does not answer")


def _unanswered(wait: Waiting, breaker: CircuitBreaker | None) -> Exception:
    import psycopg

    if breaker and wait.has_lasted(HUNG):
        breaker.open("it does not answer")
    return psycopg.OperationalError("no answer in time")


def postgres_engine(url: sa.URL, pool: int, lanes: PostgresLanes) -> sa.Engine:
    import psycopg

    class Patient(psycopg.Connection[Any]):
        """psycopg waits here for every answer."""

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            with Waiting() as wait:
                try:
                    if lanes.breaker.is_open:
                        raise psycopg.OperationalError("it does not answer")
                    return super().wait(gen, interval, wait.left if timeout is None else timeout)
                except psycopg.OperationalError:
                    if not wait.is_over:
                        raise
                    self.close()
                    raise _unanswered(wait, lanes.breaker) from None

    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        paramstyle="format",
        pool_size=pool,
        pool_timeout=CONNECT_TIMEOUT,
        pool_pre_ping=True,
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "do_connect")
    def _connect(*_: object) -> psycopg.Connection[Any]:
        connection = lanes.connected(Patient)
        connection.autocommit = False
        return connection

    return engine
