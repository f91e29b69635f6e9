"""The database: declarative base, engine, and a short way to the driver.

Two ways in. Pages that read and admins that write use a SQLAlchemy `Session`. Everything that is
asked often uses `Connection`: a statement written in SQLAlchemy Core, compiled once, run on the
driver's own connection. `Connection.of(session)` joins the two in one transaction.

Times are seconds since 1970 in UTC as double precision floats, everywhere. Lists and objects are
JSON text.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from idp.errors import Refusal, SetupMistake, StoreUnavailable

if TYPE_CHECKING:
    import psycopg

BUSY_TIMEOUT_MS = 5000
CONNECT_TIMEOUT = 5
OF_EVERY_TENANT = "-c latchkey.tenants=*"  # migrations/row_security.py
READ_ONLY = "latchkey_read_only"


class JsonText(TypeDecorator[Any]):
    """JSON kept as text, so that both databases and both ways in see the same thing."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        return None if value is None else orjson.loads(value)


# By code point on both databases, so that a page's end and a word's beginning mean one thing.
ByteText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


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


class Upsert:
    """An INSERT … ON CONFLICT, built for whichever database runs it: `build(insert)`."""

    def __init__(self, build: Callable[[Callable[..., Any]], sa.Executable]) -> None:
        self.build = build


Statement = sa.Executable | Upsert
Prepared = tuple[str, tuple[str, ...], dict[str, Any]]


class Connection:
    """A driver's connection that runs prepared Core statements with named parameters."""

    def __init__(self, database: Database, driver: Any) -> None:
        self._database = database
        self._driver = driver

    @classmethod
    def of(cls, database: Database, session: Session) -> Connection:
        """The same transaction as an ORM session's, for rules that serve both."""
        return cls(database, session.connection().connection.dbapi_connection)

    def rows(self, statement: Statement, **values: Any) -> list[tuple[Any, ...]]:
        return list(self._execute(statement, values).fetchall())

    def row(self, statement: Statement, **values: Any) -> tuple[Any, ...] | None:
        """The first row, or None. Use it for RETURNING too: None means that nothing changed."""
        found = self._execute(statement, values).fetchall()
        return found[0] if found else None

    def run(self, statement: Statement, **values: Any) -> int:
        """How many rows the statement changed."""
        return int(self._execute(statement, values).rowcount)

    def _execute(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        sql, names, constants = self._database.prepared(statement)
        if constants:
            values = {**constants, **values}
        try:
            return self._driver.execute(sql, [values[name] for name in names])
        except self._database.outages as problem:
            raise StoreUnavailable(f"database: {problem}") from problem


class Database:
    """One database by URL: `sqlite:///file` or `postgresql://…`."""

    def __init__(self, url: str, pool: int = 8) -> None:
        self.url = sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if not self.is_sqlite and self.url.get_backend_name() != "postgresql":
            raise SetupMistake(
                f"LATCHKEY_DATABASE_URL must be sqlite or postgresql, not {self.url!r}."
            )
        self._prepared: dict[Statement, Prepared] = {}
        self._lanes: _SqliteLanes | _PostgresLanes
        if self.is_sqlite:
            self.engine = _sqlite_engine(self.url)
            self._lanes = _SqliteLanes(str(self.url.database))
            self.outages: tuple[type[Exception], ...] = (sqlite3.OperationalError,)
        else:
            self.engine = _postgres_engine(self.url, pool)
            self._lanes = _PostgresLanes(self.url, pool)
            self.outages = self._lanes.outages

    def prepared(self, statement: Statement) -> Prepared:
        """The statement's text, the order of its parameters, and its constants; compiled once."""
        found = self._prepared.get(statement)
        if found is None:
            found = self._prepared[statement] = self._compile(statement)
        return found

    def _compile(self, statement: Statement) -> Prepared:
        if isinstance(statement, Upsert):
            statement = statement.build(_dialect_insert(self.engine.dialect.name))
        compiled: Any = statement.compile(dialect=self.engine.dialect)  # type: ignore[attr-defined]
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), tuple(compiled.positiontup), constants

    @contextmanager
    def connection(self, durable: bool = True) -> Iterator[Connection]:
        """Each statement is its own transaction.

        `durable=False` is for what may be lost in a power cut but not in a crash (a code, a
        rotation): SQLite then commits without waiting for the disk.
        """
        with self._lanes.borrow(durable) as driver:
            yield Connection(self, driver)

    @contextmanager
    def transaction(self, durable: bool = True) -> Iterator[Connection]:
        """All or nothing, but a `Refusal` commits what it has written; a store that went away in
        the middle is no refusal of ours, and leaves nothing."""
        with self._lanes.borrow(durable) as driver:
            self._driver_command(driver, "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")
            try:
                yield Connection(self, driver)
            except StoreUnavailable:
                self._driver_command(driver, "ROLLBACK")
                raise
            except Refusal:
                self._driver_command(driver, "COMMIT")
                raise
            except BaseException:
                self._driver_command(driver, "ROLLBACK")
                raise
            self._driver_command(driver, "COMMIT")

    def reading_engine(self) -> sa.Engine:
        """For sessions that only read, and so keep no writer waiting (SQLite)."""
        return self.engine.execution_options(**{READ_ONLY: True})

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[Session]:
        """An ORM session with the same rule: a `Refusal` commits, anything else rolls back."""
        try:
            with Session(self.reading_engine() if read_only else self.engine) as session:
                try:
                    yield session
                except StoreUnavailable:
                    raise
                except Refusal:
                    session.commit()
                    raise
                session.commit()
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as problem:
            raise StoreUnavailable(f"database: {problem.orig}") from problem

    def close(self) -> None:
        self._lanes.close()
        self.engine.dispose()

    def _driver_command(self, driver: Any, command: str) -> None:
        try:
            driver.execute(command)
        except self.outages as problem:
            raise StoreUnavailable(f"database: {problem}") from problem


def joined_by_space(column: Any) -> sa.ColumnElement[str]:
    """All values of a group in one text, in no order; for keys, which have no space in them."""
    return sa.func.aggregate_strings(column, sa.literal_column("' '"))  # type: ignore[arg-type]


def joined_by_line(column: Any) -> sa.ColumnElement[str]:
    """The same for names, which have no line breaks in them."""
    return sa.func.aggregate_strings(column, sa.literal_column("'\n'"))  # type: ignore[arg-type]


class _SqliteLanes:
    """Two connections for each thread: one that waits for the disk at commit, one that doesn't."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    @contextmanager
    def borrow(self, durable: bool) -> Iterator[sqlite3.Connection]:
        name = "durable" if durable else "quick"
        connection = getattr(self._local, name, None)
        if connection is None:
            connection = self._open("FULL" if durable else "NORMAL")
            setattr(self._local, name, connection)
        yield connection

    def _open(self, synchronous: str) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            _set_sqlite_pragmas(connection, synchronous)
        except sqlite3.OperationalError as problem:
            raise StoreUnavailable(f"database: {problem}") from problem
        return connection

    def close(self) -> None:
        for connection in vars(self._local).values():
            connection.close()
        self._local = threading.local()


class _PostgresLanes:
    """psycopg's pool, in autocommit mode with prepared statements."""

    def __init__(self, url: sa.URL, pool: int) -> None:
        import psycopg
        import psycopg_pool

        self.outages: tuple[type[Exception], ...] = (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            psycopg_pool.PoolTimeout,
        )
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._new_pool: Callable[[], psycopg_pool.ConnectionPool] = partial(
            psycopg_pool.ConnectionPool,
            conninfo,
            connection_class=_one_cursor_connection(),
            min_size=1,
            max_size=pool,
            timeout=CONNECT_TIMEOUT,
            open=False,
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                "connect_timeout": CONNECT_TIMEOUT,
                "options": OF_EVERY_TENANT,
            },
        )
        self._pool = self._new_pool()
        self._opening = threading.Lock()

    @contextmanager
    def borrow(self, durable: bool) -> Iterator[Any]:
        del durable  # PostgreSQL groups commits by itself
        pool = self._pool
        if pool.closed:
            with self._opening:
                pool.open()
        try:
            driver = pool.getconn()
        except self.outages as problem:
            raise StoreUnavailable(f"database: {problem}") from problem
        try:
            yield driver
        finally:
            pool.putconn(driver)

    def close(self) -> None:
        """A pool that was closed can't be opened again, so the next who asks gets a new one."""
        self._pool.close()
        self._pool = self._new_pool()


def _one_cursor_connection() -> type[psycopg.Connection[Any]]:
    """A connection that runs every statement by the same cursor, which has learnt how to read the
    columns already; `Connection` takes all rows before it runs the next."""
    import psycopg

    class OneCursorConnection(psycopg.Connection[Any]):
        _cursor: psycopg.Cursor[Any] | None = None

        def execute(self, *statement: Any, **options: Any) -> psycopg.Cursor[Any]:
            if self._cursor is None or self._cursor.closed:
                self._cursor = self.cursor()
            return self._cursor.execute(*statement, **options)

    return OneCursorConnection


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    """WAL, synchronous=FULL, BEGIN IMMEDIATE: a commit that was answered is on the disk."""
    if not url.database or url.database == ":memory:":
        raise SetupMistake("LATCHKEY_DATABASE_URL needs a file: sqlite:///data/latchkey.db")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        _set_sqlite_pragmas(connection, "FULL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        is_reader = connection.get_execution_options().get(READ_ONLY)
        connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")

    return engine


def _set_sqlite_pragmas(connection: sqlite3.Connection, synchronous: str) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")


def _postgres_engine(url: sa.URL, pool: int) -> sa.Engine:
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        paramstyle="format",
        pool_size=pool,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT, "options": OF_EVERY_TENANT},
    )


def _dialect_insert(dialect: str) -> Callable[..., Any]:
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert
    from sqlalchemy.dialects.postgresql import insert as postgres_insert

    return postgres_insert
