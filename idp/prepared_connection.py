"""Statements on one of PostgreSQL's connections, prepared once and read fast.

An answer is waited for no longer than whoever asks has time (`store_time.py`).
"""

from __future__ import annotations

import itertools
import re
import select
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from idp.circuit_breaker import CircuitBreaker
from idp.errors import StoreUnavailable, Unreadable
from idp.lanes import Answer
from idp.store_time import HUNG, Waiting

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult


class PreparedConnection:
    """Runs each statement by libpq's prepared statements, and reads rows by psycopg's loaders: half
    of what its cursor costs, which works out anew each time what this one keeps."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        breaker: CircuitBreaker | None = None,
        is_limited: bool = False,
    ) -> None:
        self.is_limited = is_limited  # by the server, in what each statement may take
        self._connection = connection
        self._breaker = breaker
        self._pg = connection.pgconn
        self._arrival, self._either = select.poll(), select.poll()
        self._arrival.register(self._pg.socket, select.POLLIN)
        self._either.register(self._pg.socket, select.POLLIN | select.POLLOUT)
        self._names: dict[str, bytes] = {}
        self._readers: dict[str, Any] = {}

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Answer:
        """`sql` has `%s` for each of the values, which are text, numbers, booleans or None."""
        check_answers(self._breaker)
        name = self._names.get(sql) or self._prepare(sql, values)
        given: Any = [None if each is None else _ENCODERS[type(each)](each) for each in values]
        self._pg.send_query_prepared(name, given, None, _BINARY)
        result = self._answer()
        if result.status != _ROWS:
            return Answer([], result.command_tuples or 0)
        return Answer(self._rows(sql, result), result.ntuples)

    def ask_once(self, sql: str) -> str:
        """The one text that a statement answers with; it is not prepared."""
        self._pg.send_query_params(sql.encode(), None)
        return (self._answer().get_value(0, 0) or b"").decode()

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
        """What is large is sent bit by bit, as the way takes it; `consume_input` sends too."""
        left, ways = wait.left, self._either if self._pg.flush() else self._arrival
        if not ways.poll(None if left is None else left * 1000):
            self._connection.close()
            raise unanswered(wait, self._breaker)
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
        reader.set_pgresult(None, set_loaders=False)  # or it keeps the answer until the next one
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


def check_answers(breaker: CircuitBreaker | None) -> None:
    """Whoever waited in line behind one that hung need not find it out again."""
    if breaker and breaker.is_open:
        raise StoreUnavailable("database: it does not answer")


def unanswered(wait: Waiting, breaker: CircuitBreaker | None) -> Exception:
    import psycopg

    if breaker and wait.has_lasted(HUNG):
        breaker.open("it does not answer")
    return psycopg.OperationalError("no answer in time")
