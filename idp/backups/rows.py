"""The rows of whole tables, out of a database and into one, whatever its kind and schema."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import sqlalchemy as sa

from idp.backups.backup_file import BATCH, Rows, Table
from idp.backups.tally import Tally
from idp.database import Database
from idp.errors import SetupMistake

REVISION = "alembic_version"
# What waits for its next step in seconds, and may be lost at any time (`ephemeral.py`).
LEFT_OUT = {REVISION, "ephemeral_values"}

Change = Callable[[Any], Any]


def names(connection: sa.Connection) -> list[str]:
    """Of all tables that a backup has."""
    return sorted(set(sa.inspect(connection).get_table_names()) - LEFT_OUT)


def read(connection: sa.Connection, name: str) -> Table:
    """In one pass, of what the connection's transaction sees."""
    kinds = _kinds(connection, name)
    columns = sorted(kinds)
    changes = [(number, _TO_JSON[kinds[each]]) for number, each in enumerate(columns)]
    wanted = [(number, change) for number, change in changes if change]
    return Table(name, columns, _lines(connection, name, columns, wanted), Tally())


def _lines(
    connection: sa.Connection, name: str, columns: list[str], changes: list[tuple[int, Change]]
) -> Rows:
    driver: Any = connection.connection.dbapi_connection
    # by a named cursor PostgreSQL keeps the rows until they are fetched
    cursor = driver.cursor() if is_sqlite(connection) else driver.cursor(f"backup_{name}")
    try:
        cursor.execute(f"SELECT {_listed(columns)} FROM {name}")  # noqa: S608 - names of the schema
        while batch := cursor.fetchmany(BATCH):
            yield [orjson.dumps(_changed(row, changes)) for row in batch]
    finally:
        cursor.close()


def _changed(row: tuple[Any, ...], changes: list[tuple[int, Change]]) -> list[Any]:
    values = list(row)
    for number, change in changes:
        if values[number] is not None:
            values[number] = change(values[number])
    return values


def load(connection: sa.Connection, table: Table) -> None:
    """Raises SetupMistake for a table that this schema does not have."""
    kinds = _kinds(connection, table.name)
    if sorted(kinds) != table.columns:
        raise SetupMistake(f"The backup's table {table.name} is not as its schema says.")
    changes = [(number, _FROM_JSON[kinds[each]]) for number, each in enumerate(table.columns)]
    wanted = [(number, change) for number, change in changes if change]
    rows = (_changed(orjson.loads(line), wanted) for lines in table.rows for line in lines)
    if is_sqlite(connection):
        _insert(connection, table, rows)
    else:
        _copy(connection, table, rows)


def _insert(connection: sa.Connection, table: Table, rows: Iterator[list[Any]]) -> None:
    driver: Any = connection.connection.dbapi_connection
    marks = ", ".join("?" for _ in table.columns)
    into = f"INSERT INTO {table.name} ({_listed(table.columns)}) VALUES ({marks})"  # noqa: S608
    driver.executemany(into, rows)


def _copy(connection: sa.Connection, table: Table, rows: Iterator[list[Any]]) -> None:
    driver: Any = connection.connection.dbapi_connection
    into = f"COPY {table.name} ({_listed(table.columns)}) FROM STDIN"
    with driver.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def snapshot(database: Database) -> Iterator[sa.Connection]:
    """The database as it is at one moment, while others go on writing."""
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    engine = database.reading_engine()
    with (engine if database.is_sqlite else engine.execution_options(**options)).connect() as held:
        yield held


def _kinds(connection: sa.Connection, name: str) -> dict[str, str]:
    try:
        columns = sa.inspect(connection).get_columns(name)
    except sa.exc.NoSuchTableError as problem:
        raise SetupMistake(f"The backup's table {name} is not in its schema.") from problem
    return {column["name"]: _kind(column["type"]) for column in columns}


def _kind(column: sa.types.TypeEngine[Any]) -> str:
    if isinstance(column, sa.Boolean):
        return "truth"
    return "bytes" if isinstance(column, sa.LargeBinary) else ""


# SQLite has truth as a number, and JSON has no bytes.
_TO_JSON: dict[str, Change | None] = {
    "": None,
    "truth": bool,
    "bytes": lambda value: base64.b64encode(value).decode(),
}
_FROM_JSON: dict[str, Change | None] = {"": None, "truth": None, "bytes": base64.b64decode}


def _listed(columns: list[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def is_sqlite(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"
