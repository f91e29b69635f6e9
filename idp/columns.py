"""What columns hold, and how a group of them is read, alike on both databases."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator


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


def joined_by_space(column: Any) -> sa.ColumnElement[str]:
    """All values of a group in one text, in no order; for keys, which have no space in them."""
    return sa.func.aggregate_strings(column, sa.literal_column("' '"))  # type: ignore[arg-type]


def joined_by_line(column: Any) -> sa.ColumnElement[str]:
    """The same for names, which have no line breaks in them."""
    return sa.func.aggregate_strings(column, sa.literal_column("'\n'"))  # type: ignore[arg-type]
