"""Tables while they are filled or gone: what guards and finds their rows is put aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from idp.backups import rows

_INDEXES = """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = current_schema()::regnamespace
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"""
_FOREIGN_KEYS = """SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"""
_ROW_SECURITY = """SELECT oid::regclass::text FROM pg_class
    WHERE relforcerowsecurity AND relnamespace = current_schema()::regnamespace"""
_TRIGGERS = """SELECT DISTINCT tgrelid::regclass::text, tgfoid::regprocedure::text
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"""
_COUNTED = """SELECT table_name, column_name, its FROM information_schema.columns,
    pg_get_serial_sequence(quote_ident(table_name), column_name) its
    WHERE table_schema = current_schema() AND its IS NOT NULL"""
_SQLITE_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"


@contextmanager
def filling(connection: sa.Connection) -> Iterator[None]:
    """For tables that nobody else sees: first without the rows that their schema came with, and at
    the end with indexes, foreign keys, triggers and row-level security as before. These are in the
    way of many rows at once, and cost less when made over all of them."""
    with (_bare_sqlite if rows.is_sqlite(connection) else _bare_postgres)(connection):
        _run(connection, (f"DELETE FROM {name}" for name in rows.names(connection)))  # noqa: S608
        yield


@contextmanager
def _bare_sqlite(connection: sa.Connection) -> Iterator[None]:
    triggers = connection.exec_driver_sql(_SQLITE_TRIGGERS).all()
    _run(connection, (f"DROP TRIGGER {name}" for name, _ in triggers))
    yield
    _run(connection, (definition for _, definition in triggers))


@contextmanager
def _bare_postgres(connection: sa.Connection) -> Iterator[None]:
    indexes = connection.exec_driver_sql(_INDEXES).all()
    keys = connection.exec_driver_sql(_FOREIGN_KEYS).all()
    guarded = connection.exec_driver_sql(_ROW_SECURITY).scalars().all()
    watched = connection.exec_driver_sql(_TRIGGERS).scalars().all()
    _run(connection, (f"ALTER TABLE {table} DROP CONSTRAINT {name}" for table, name, _ in keys))
    _run(connection, (f"DROP INDEX {name}" for name, _ in indexes))
    _run(connection, (f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY" for table in guarded))
    _run(connection, (f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in watched))
    yield
    _run(connection, (f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in watched))
    _run(connection, (definition for _, definition in indexes))
    _run(connection, (f"ALTER TABLE {on} ADD CONSTRAINT {name} {its}" for on, name, its in keys))
    _run(connection, (f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" for table in guarded))
    _count_on(connection)
    _run(connection, (f"ANALYZE {name}" for name in rows.names(connection)))


def _count_on(connection: sa.Connection) -> None:
    """From the number of the newest row."""
    for table, column, sequence in connection.exec_driver_sql(_COUNTED).all():
        newest = f"SELECT coalesce(max({column}), 0) + 1 AS next FROM {table}"  # noqa: S608
        connection.exec_driver_sql(f"SELECT setval('{sequence}', next, false) FROM ({newest}) n")  # noqa: S608


def drop_all(connection: sa.Connection) -> None:
    """Every table, with all that is in it and what it was watched by."""
    tables = sa.inspect(connection).get_table_names()
    if rows.is_sqlite(connection):
        _run(connection, (f"DROP TABLE {name}" for name in tables))
        return
    functions = {function for _, function in connection.exec_driver_sql(_TRIGGERS)}
    _run(connection, (f"DROP TABLE {name} CASCADE" for name in tables))
    _run(connection, (f"DROP FUNCTION {name}" for name in functions))


def _run(connection: sa.Connection, commands: Iterable[str]) -> None:
    for command in commands:
        connection.exec_driver_sql(command)
