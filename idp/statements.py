"""Statements, written in SQLAlchemy Core, as the driver takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import sqlalchemy as sa


class Upsert:
    """An INSERT … ON CONFLICT, built for whichever database runs it: `build(insert)`."""

    def __init__(self, build: Callable[[Callable[..., Any]], sa.Executable]) -> None:
        self.build = build


Statement = sa.Executable | Upsert


class Prepared(NamedTuple):
    """A compiled statement: its text, the order of its parameters, and its constants."""

    sql: str
    names: tuple[str, ...]
    constants: dict[str, Any]


def prepare(statement: Statement, dialect: sa.Dialect) -> Prepared:
    if isinstance(statement, Upsert):
        statement = statement.build(_dialect_insert(dialect.name))
    compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return Prepared(str(compiled), tuple(compiled.positiontup), constants)


def _dialect_insert(dialect: str) -> Callable[..., Any]:
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert
    from sqlalchemy.dialects.postgresql import insert as postgres_insert

    return postgres_insert
