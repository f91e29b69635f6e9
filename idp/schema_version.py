"""Which revision of the schema a database has, and whether this version may serve it. How one
becomes the other is `migrations`' matter.

A version serves its own revision, and a newer one that lets it: the database names the oldest
revision whose version may still serve, and a migration that older versions can't live with raises
that (`migrations/expansion.py`). What can't be read is a no (docs/decisions/0050).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Base, Database
from idp.errors import SetupMistake, StoreUnavailable

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def revisions(versions: Path) -> list[str]:
    """Of the migrations in a folder, in their order."""
    return sorted(path.stem.partition("_")[0] for path in versions.glob("0*.py"))


HEAD = revisions(VERSIONS)[-1]
_REVISION = re.compile(r"\d{4}", re.ASCII)


class OldestVersion(Base):
    """One row: the revision of the oldest version that may serve this schema."""

    __tablename__ = "oldest_version"

    revision: Mapped[str] = mapped_column(primary_key=True)


class Schema(NamedTuple):
    """What a database says of itself: its revision, None for an empty one, and the oldest version,
    None where it doesn't say."""

    revision: str | None
    oldest: str | None = None

    def told(self, own: str = HEAD) -> str:
        """Of one that may be served."""
        if self.revision == own:
            return "The database has the newest schema."
        return (
            f"The database is at revision {self.revision}, newer than this version's {own}, and"
            " lets it serve."
        )

    def fault(self, own: str = HEAD) -> str | None:
        """Why the version of revision `own` may not serve it; None where it may."""
        if self.revision == own:
            return None
        if self.revision is None or self.revision < own:
            return (
                f"The database is at revision {self.revision or 'none'}, not {own}:"
                " run `idp db upgrade`."
            )
        return self._fault_of_older(own)

    def _fault_of_older(self, own: str) -> str | None:
        newer = f"The database is at revision {self.revision}, and this version knows {own}:"
        if not (_is_revision(self.revision) and _is_revision(self.oldest)):
            return f"{newer} it does not say which versions may serve it."
        if str(self.oldest) > own:
            return f"{newer} only versions that know {self.oldest} may serve it. Start a newer one."
        return None


def _is_revision(text: str | None) -> bool:
    return bool(text and _REVISION.fullmatch(text))


def check_schema(database: Database) -> None:
    """Raises SetupMistake unless this version may serve the database."""
    fault = schema_of(database).fault()
    if fault:
        raise SetupMistake(fault)


def schema_of(database: Database) -> Schema:
    """Raises SetupMistake where no database answers."""
    with usable(database), database.engine.connect() as connection:
        return read_schema(connection)


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


def read_schema(connection: sa.Connection) -> Schema:
    return Schema(
        current_revision(connection), _find_only(connection, "oldest_version", "revision")
    )


def current_revision(connection: sa.Connection) -> str | None:
    """The revision that the database is at, or None for an empty one."""
    return _find_only(connection, "alembic_version", "version_num")


def _find_only(connection: sa.Connection, table: str, column: str) -> str | None:
    """What its one row says. Raises SetupMistake where there are several."""
    if not sa.inspect(connection).has_table(table):
        return None
    rows = sa.select(sa.column(column, sa.Text())).select_from(sa.table(table))
    values = connection.scalars(rows).all()
    if len(values) > 1:
        raise SetupMistake(f"The database's table {table} says several things: {values}.")
    return values[0] if values else None
