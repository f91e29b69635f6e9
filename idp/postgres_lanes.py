"""Ways to PostgreSQL: connections that are lent, and the ORM's engine (`lanes.py`).

Whoever has a limited time (`store_time.py`) waits no longer, though the server or the way to it
hangs. It has a little less for each statement of theirs, so that one that is only slow says so and
the connection stays sound.
"""

from __future__ import annotations

import math
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from idp.circuit_breaker import CircuitBreaker
from idp.errors import StoreUnavailable
from idp.lanes import CONNECT_TIMEOUT
from idp.postgres_primary import PostgresPrimary
from idp.prepared_connection import PreparedConnection, check_answers, unanswered
from idp.store_time import STORE_TIME, Waiting, limited

if TYPE_CHECKING:
    import psycopg

    from idp.postgres_primary import Opened

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
        self.free = size
        self._patience = patience
        self._moved_at = -math.inf
        self._own = self._Own()

    def enter(self) -> None:
        if not self._own.times:
            with self._lock:
                if not self.free:
                    self._wait()
                self.free -= 1
                self._moved_at = monotonic()
        self._own.times += 1

    def _wait(self) -> None:
        self._waiting += 1
        try:
            with Waiting() as wait:
                until = monotonic() + wait.at_most(self._patience)
                while not self.free:
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
                self.free += 1
                self._moved_at = monotonic()
                if self._waiting:
                    self._changed.notify()


class PostgresLanes:
    """Connections for `pool` threads at once, opened when they are needed, lent to one at a time.
    PostgreSQL groups commits by itself, so there is one lane. Who has all the time is lent none
    that ends what takes long, and whose time is limited none that does not."""

    begin = "BEGIN"

    def __init__(self, url: sa.URL, pool: int, connect_timeout: int) -> None:
        import psycopg

        self.outages: tuple[type[Exception], ...] = (
            *(psycopg.OperationalError, psycopg.InterfaceError),
            psycopg.InternalError,  # damaged, or only reading until it takes over
        )
        self.mistakes: tuple[type[Exception], ...] = (psycopg.errors.InFailedSqlTransaction,)
        self.breaker = CircuitBreaker("database", self._probe)
        self._primary = PostgresPrimary(url)
        self._connect_timeout = connect_timeout
        self._room = Room(pool, connect_timeout)
        self._idle: dict[bool, list[PreparedConnection]] = {True: [], False: []}  # LIMITED or not

    def take(self, durable: bool, whole: bool = False) -> Any:
        del durable, whole
        self._room.enter()
        try:
            return self._idle[STORE_TIME.is_limited].pop()
        except IndexError:
            return self._open(STORE_TIME.is_limited)

    def _open(self, is_limited: bool) -> PreparedConnection:
        """In the place of one of the other kind, where there would be more than `pool`."""
        import psycopg

        others = self._idle[not is_limited]
        try:
            with suppress(IndexError):
                if len(others) > self._room.free:
                    others.pop().close()
            return PreparedConnection(self.connected(psycopg.Connection), self.breaker, is_limited)
        except self.outages as problem:
            self._room.leave()
            raise StoreUnavailable(f"database: {problem}") from problem
        except BaseException:
            self._room.leave()
            raise

    def connected(self, of: type[Opened]) -> Opened:
        """A new connection, which is nobody's yet. Raises StoreUnavailable, `outages`."""
        check_answers(self.breaker)
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
        return self._primary.connect(
            of,
            seconds,
            autocommit=True,
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
            self._idle[driver.is_limited].append(driver)
        else:
            driver.close()
            self.close()
        self._room.leave()

    def as_lent(self, driver: Any) -> Any:
        """One of the engine's, as if it were lent here."""
        return driver

    def close(self) -> None:
        for idle in self._idle.values():
            with suppress(IndexError):
                while True:
                    idle.pop().close()


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
                    raise unanswered(wait, lanes.breaker) from None

        def rollback(self) -> None:
            """Of one that is gone there is nothing to take back: who only read has read."""
            try:
                super().rollback()
            except psycopg.OperationalError:
                if not self.closed:
                    raise

    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg", query={}),  # whom to ask, the lanes know
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
