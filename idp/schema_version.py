"""Which revision of the schema a database has, and which this version wants. How one becomes the
other is `migrations`' matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from idp.database import Database
from idp.errors import SetupMistake, StoreUnavailable

_VERSIONS = Path(__file__).parent / "migrations" / "versions"
HEAD = max(path.stem.partition("_")[0] for path in _VERSIONS.glob("0*.py"))


def check_current(database: Database) -> None:
    """Raises SetupMistake unless the schema is the newest."""
    with usable(database), database.engine.connect() as connection:
        found = current_revision(connection)
    if found != HEAD:
        raise SetupMistake(
            f"The database is at revision {found or 'none'}, not {HEAD}: run `idp db upgrade`."
        )


@contextmanager
def usable(database: Database) -> Iterator[None]:
    """Raises SetupMistake where no database answers: it is the first that a start looks at."""
    try:
        with database.outages_told():
            yield
    except StoreUnavailable as away:
        raise SetupMistake(
            f"{database.url} can't be used. Is it there, ours to write, and whole? ({away.detail})"
        ) from away


def current_revision(connection: sa.Connection) -> str | None:
    """The revision that the database is at, or None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
