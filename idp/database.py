"""The database: declarative base, engine, and a short way to the driver.

Two ways in. Pages that read and admins that write use a SQLAlchemy `Session`. Everything that is
asked often uses `Connection`: a statement written in SQLAlchemy Core, compiled once, run on the
driver's own connection. `Connection.of(session)` joins the two in one transaction.

Times are seconds since 1970 in UTC as double precision floats, everywhere. Lists and objects are
JSON text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import DeclarativeBase, Session

from idp.errors import Refusal, SetupMistake, StoreUnavailable
from idp.lanes import (
    CONNECT_TIMEOUT,
    READ_ONLY,
    SqliteLanes,
    sqlite_engine,
)
from idp.last_writes import LAST_WRITES, LastWrites, WritingSession
from idp.postgres_lanes import PostgresLanes, postgres_engine
from idp.statements import Prepared, Statement, prepare


class Base(DeclarativeBase):
    """All tables; constraint names are fixed so that Alembic can find them on both databases."""

    registry = orm.registry(
        metadata=sa.MetaData(
            naming_convention={
                "ix": "ix_%(column_0_label)s",
                "uq": "uq_%(table_name)s_%(column_0_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={float: sa.Double(), str: sa.Text()},
    )


Seal = Callable[[str], str]


class Connection:
    """A driver's connection that runs prepared Core statements with named parameters.

    `last_writes` is what a transaction has still to write at its end; None outside of one.
    """

    def __init__(
        self,
        database: Database,
        driver: Any,
        last_writes: LastWrites[Connection] | None = None,
    ) -> None:
        self._database = database
        self._driver = driver
        self._last_writes = last_writes

    @classmethod
    def of(cls, database: Database, session: Session) -> Connection:
        """The same transaction as an ORM session's, for rules that serve both."""
        driver = session.connection().connection.dbapi_connection
        lent = database.lanes.as_lent(driver)
        return cls(database, lent, last_writes=session.info.get(LAST_WRITES))

    def seal(self, text: str) -> str:
        """What only a holder of our keys can say of `text`."""
        return self._database.seal(text)

    def defer(self, write: Callable[[Connection, list[Any]], None], note: Any) -> None:
        """Have `write` called with all its notes just before COMMIT. Raises RuntimeError outside a
        transaction of ours."""
        if self._last_writes is None:
            raise RuntimeError("this can only be written in a transaction")
        self._last_writes.add(write, note)

    def write_deferred(self) -> None:
        if self._last_writes is not None:
            self._last_writes.write(self)

    def rows(self, statement: Statement, **values: Any) -> list[tuple[Any, ...]]:
        return self._execute(statement, values)[0]

    def row(self, statement: Statement, **values: Any) -> tuple[Any, ...] | None:
        """The first row, or None. Use it for RETURNING too: None means that nothing changed."""
        found = self._execute(statement, values)[0]
        return found[0] if found else None

    def run(self, statement: Statement, **values: Any) -> int:
        """How many rows the statement changed."""
        return self._execute(statement, values)[1]

    def _execute(
        self, statement: Statement, values: Mapping[str, Any]
    ) -> tuple[list[tuple[Any, ...]], int]:
        """All rows, and how many there are or were changed."""
        prepared = self._database.prepared(statement)
        if prepared.constants:
            values = {**prepared.constants, **values}
        given = [values[name] for name in prepared.names]
        try:
            cursor = self._driver.execute(prepared.sql, given)
            return cursor.fetchall() if cursor.description else [], cursor.rowcount
        except self._database.outages as problem:
            self._database.tell(problem)
            raise


class _Lent:
    """A connection for as long as a `with` lasts; a generator would cost three times as much."""

    __slots__ = ("_database", "_driver", "_durable")

    def __init__(self, database: Database, durable: bool) -> None:
        self._database = database
        self._durable = durable

    def __enter__(self) -> Connection:
        self._driver = self._database.lanes.take(self._durable)
        return Connection(self._database, self._driver)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.lanes.give_back(self._driver)


def _no_seal(_text: str) -> str:
    raise SetupMistake("The database was opened without the keys that seal what is written there.")


class Database:
    """One database by URL: `sqlite:///file` or `postgresql://…`.

    `seal` vouches for a text by a key that is not in the database (`Connection.seal`).
    """

    def __init__(self, url: str, pool: int = 8, seal: Seal = _no_seal) -> None:
        self.url = sa.make_url(url)
        self.seal = seal
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if not self.is_sqlite and self.url.get_backend_name() != "postgresql":
            raise SetupMistake(
                f"LATCHKEY_DATABASE_URL must be sqlite or postgresql, not {self.url!r}."
            )
        self._prepared: dict[Statement, Prepared] = {}
        self.lanes: SqliteLanes | PostgresLanes
        if self.is_sqlite:
            self.engine = sqlite_engine(self.url)
            self.lanes = SqliteLanes(str(self.url.database))
        else:
            self.lanes = PostgresLanes(self.url, pool, CONNECT_TIMEOUT)
            self.engine = postgres_engine(self.url, pool, self.lanes)
        self.outages = self.lanes.outages

    def prepared(self, statement: Statement) -> Prepared:
        """Compiled once, at its first use."""
        found = self._prepared.get(statement)
        if found is None:
            found = self._prepared[statement] = self._compile(statement)
        return found

    def _compile(self, statement: Statement) -> Prepared:
        return prepare(statement, self.engine.dialect)

    def connection(self, durable: bool = True) -> AbstractContextManager[Connection]:
        """Each statement is its own transaction.

        `durable=False` is for what may be lost in a power cut but not in a crash (a code, a
        rotation): SQLite then commits without waiting for the disk.
        """
        return _Lent(self, durable)

    @contextmanager
    def transaction(self, durable: bool = True) -> Iterator[Connection]:
        """All or nothing, but a `Refusal` commits what it has written; a store that went away in
        the middle is no refusal of ours, and leaves nothing."""
        driver = self.lanes.take(durable, whole=True)
        try:
            yield from self._within(Connection(self, driver, last_writes=LastWrites()), driver)
        finally:
            self.lanes.give_back(driver)

    def _within(self, db: Connection, driver: Any) -> Iterator[Connection]:
        refusal: Refusal | None = None
        self._driver_command(driver, self.lanes.begin)
        try:
            try:
                yield db
            except StoreUnavailable:
                raise
            except Refusal as kept:
                refusal = kept
            db.write_deferred()
        except BaseException:
            self._driver_command(driver, "ROLLBACK")
            raise
        self._driver_command(driver, "COMMIT")
        if refusal:
            raise refusal

    @contextmanager
    def within(self, connection: sa.Connection) -> Iterator[Connection]:
        """The transaction that a connection of the engine is in, for rules, up to its end."""
        driver = connection.connection.dbapi_connection
        db = Connection(self, driver, last_writes=LastWrites())
        yield db
        db.write_deferred()

    def reading_engine(self) -> sa.Engine:
        """For sessions that only read, and so keep no writer waiting (SQLite)."""
        return self.engine.execution_options(**{READ_ONLY: True})

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[Session]:
        """An ORM session with the same rule: a `Refusal` commits, anything else rolls back."""
        with self.outages_told(), self._session(read_only) as session:
            try:
                yield session
            except StoreUnavailable:
                raise
            except Refusal:
                session.commit()
                raise
            session.commit()

    def _session(self, read_only: bool) -> Session:
        if read_only:
            return Session(self.reading_engine())
        return WritingSession(self.engine, lambda it: Connection.of(self, it).write_deferred())

    @contextmanager
    def outages_told(self) -> Iterator[None]:
        """For what goes by the engine."""
        try:
            yield
        except sa.exc.SQLAlchemyError as problem:
            self.tell(problem)
            raise

    def tell(self, problem: BaseException | None) -> None:
        """Raises StoreUnavailable for an outage."""
        away = self.outage(problem)
        if away:
            raise away from problem

    def outage(self, problem: BaseException | None) -> StoreUnavailable | None:
        """A refusal if it is the store that failed, and not what was asked of it: it is away, has
        no room for one more, or is damaged. SQLAlchemy wraps what the driver says."""
        if isinstance(problem, sa.exc.TimeoutError):
            return StoreUnavailable("database: every connection is in use")
        if isinstance(problem, sa.exc.DBAPIError):
            return self.outage(problem.orig)
        if isinstance(problem, self.outages) and not isinstance(problem, self.lanes.mistakes):
            return StoreUnavailable(f"database: {problem}")
        return None

    def close(self) -> None:
        self.lanes.close()
        self.engine.dispose()

    def _driver_command(self, driver: Any, command: str) -> None:
        try:
            driver.execute(command)
        except self.outages as problem:
            self.tell(problem)
            raise
