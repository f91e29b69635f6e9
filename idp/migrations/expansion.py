"""What a migration needs beside versions that serve meanwhile.

It only adds: a table, a column that may be empty or has a default. Indexes come by `add_index` and
go by `drop_index`, in a migration of nothing but such. Whatever else it does, older versions may
not live with, and it says so by `end_older_versions` (tests/house/test_migrations.py,
docs/decisions/0050).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from idp.migrations.steps import BESIDE_SERVERS

_IS_VALID = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
_IS_UNIQUE = sa.text("SELECT indisunique FROM pg_index WHERE indexrelid = to_regclass(:name)")


def add_index(name: str, table: str, columns: Sequence[str], where: str | None = None) -> None:
    """An index, of the rows that are so `where` it says. Where somebody may serve, it is made while
    others write, outside of any transaction: an earlier try that was cut off has left it whole,
    or invalid, and then it is made anew. Nobody waits for it, so it may wait for others."""
    if not context.config.attributes.get(BESIDE_SERVERS):
        _create(name, table, columns, where)
        return
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        is_valid = op.get_bind().scalar(_IS_VALID, {"name": name})
        if is_valid is False:
            op.drop_index(name, postgresql_concurrently=True)
        if not is_valid:
            _create(name, table, columns, where, postgresql_concurrently=True)


def drop_index(name: str) -> None:
    """One that made something faster and no more: without it older versions are slower, and right.
    Raises ValueError for one that also refuses."""
    if not context.config.attributes.get(BESIDE_SERVERS):
        op.drop_index(name)
        return
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        if op.get_bind().scalar(_IS_UNIQUE, {"name": name}):
            raise ValueError(f"{name} refuses what is there already: older versions may rely on it")
        op.drop_index(name, postgresql_concurrently=True, if_exists=True)


def _create(
    name: str, table: str, columns: Sequence[str], where: str | None, **options: Any
) -> None:
    which = None if where is None else sa.text(where)
    op.create_index(name, table, columns, sqlite_where=which, postgresql_where=which, **options)


def end_older_versions(revision: str) -> None:
    """From this migration on older versions serve no more."""
    ended = op.get_bind().execute(
        sa.text("UPDATE oldest_version SET revision = :revision WHERE revision < :revision"),
        {"revision": revision},
    )
    if ended.rowcount != 1:
        raise ValueError(f"{revision} does not follow the oldest version that the database names")
