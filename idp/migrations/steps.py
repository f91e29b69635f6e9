"""From one revision of the schema to the next, while versions that it lets serve go on serving.

Each step is a transaction that waits for a table LOCK_TIMEOUT at most, since whoever comes to that
table meanwhile waits behind it; then it lets them all go first, and tries again. An upgrade that
was cut off goes on with the step that is not done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from idp.database import Database, Seal
from idp.errors import SetupMistake
from idp.schema_version import VERSIONS, current_revision, read_schema, revisions, usable

FIRST_BESIDE_SERVERS = "0058"  # no version before it serves a schema that is not its own
LOCK = 0x1A7C
BESIDE_SERVERS = "beside servers"  # an attribute of Alembic's config
LOCK_TIMEOUT = 0.5
TRIES = 10
PAUSE = 2.0
_TAKE_LOCK = sa.text(f"SELECT pg_try_advisory_lock({LOCK})")
_KEPT_WAITING = {"55P03", "40P01"}  # lock_not_available, deadlock_detected

# Alembic is imported where it is used: a start with the newest schema does without it.
if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(database: Database, versions: Path = VERSIONS) -> None:
    """To the newest schema of `versions`; a newer one that lets these serve stays as it is. Several
    processes may ask at once: one does the work. Raises SetupMistake."""
    known = revisions(versions)
    with alone(database) as connection:
        with connection.begin():
            found = current_revision(connection)
        for revision in _steps(found, known):
            _step(connection, database.seal, versions, revision, serves=found is not None)
        with connection.begin():
            fault = read_schema(connection).fault(known[-1])
    if fault:
        raise SetupMistake(fault)


def _steps(found: str | None, known: list[str]) -> list[str]:
    """The revisions that it stops at. Where nobody serves one step goes all the way."""
    if found is None:
        return known[-1:]
    return [each for each in known if each > found and each >= FIRST_BESIDE_SERVERS]


def _step(
    connection: sa.Connection, seal: Seal, versions: Path, revision: str, *, serves: bool
) -> None:
    """All of it or nothing. Raises SetupMistake if others never let go of a table."""
    for _ in range(TRIES):
        try:
            _limit_waiting(connection)
            with _at_once(connection):
                upgrade_within(connection, seal, revision, versions=versions, beside_servers=serves)
        except sa.exc.OperationalError as problem:
            if getattr(problem.orig, "sqlstate", None) not in _KEPT_WAITING:
                raise
            connection.rollback()
            sleep(PAUSE)
        else:
            return
    raise SetupMistake(
        f"Revision {revision} could not be reached: a backup, a report or a forgotten transaction"
        f" has held a table that it changes, {TRIES} times for longer than {LOCK_TIMEOUT:g} s. All"
        " before it is done, nothing of it is, and whoever serves goes on. Let that end, and run"
        " `idp db upgrade` again (docs/operate.md, Upgrading)."
    )


def _at_once(connection: sa.Connection) -> AbstractContextManager[object]:
    """SQLite's lock is that of its transaction: before it is held, another may do the same step."""
    return connection.begin() if _is_sqlite(connection) else nullcontext()


def _limit_waiting(connection: sa.Connection) -> None:
    if not _is_sqlite(connection):
        with connection.begin():
            connection.execute(sa.text(f"SET lock_timeout = {round(LOCK_TIMEOUT * 1000)}"))


@contextmanager
def changing(database: Database) -> Iterator[sa.Connection]:
    """A transaction for changes of a schema that nobody uses yet."""
    with alone(database) as connection, connection.begin():
        yield connection


@contextmanager
def alone(database: Database) -> Iterator[sa.Connection]:
    """A connection for changes of the schema, which one process makes at a time. Its lock is asked
    for again and again: an index that is made beside others would wait for whoever waits in a
    statement, and they for it. It is the session's, so that it outlives a process that is killed
    for as long as PostgreSQL still does what it was told."""
    with (
        usable(database),
        database.engine.connect() as connection,
        (_without_foreign_keys if database.is_sqlite else _locked)(connection),
    ):
        yield connection


@contextmanager
def _locked(connection: sa.Connection) -> Iterator[None]:
    while not _takes_lock(connection):
        sleep(0.1)
    try:
        yield
    finally:
        connection.invalidate()  # what is set and locked ends with it


def _takes_lock(connection: sa.Connection) -> bool:
    with connection.begin():
        return bool(connection.scalar(_TAKE_LOCK))


@contextmanager
def _without_foreign_keys(connection: sa.Connection) -> Iterator[None]:
    """SQLite changes a table by copying it and dropping the old one, which would take along all
    rows that refer to it. The switch is deaf inside a transaction."""
    driver: Any = connection.connection.dbapi_connection
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def upgrade_within(
    connection: sa.Connection,
    seal: Seal,
    revision: str = "head",
    *,
    versions: Path = VERSIONS,
    beside_servers: bool = False,
) -> None:
    """To that revision, in the transaction that the connection is in, or else in one of its own."""
    from alembic import command

    config = _config(versions)
    config.attributes.update(
        connection=connection,
        seal=seal,
        **{BESIDE_SERVERS: beside_servers and not _is_sqlite(connection)},
    )
    command.upgrade(config, revision)


def check_foreign_keys(connection: sa.Connection) -> None:
    """Raises SetupMistake for a row that refers to nothing, and so undoes the upgrade."""
    if _is_sqlite(connection):
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if lost:
            raise SetupMistake(f"{len(lost)} rows refer to what is not there; nothing was changed.")


def _is_sqlite(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _config(versions: Path) -> Config:
    from alembic.config import Config

    config = Config()
    for option, folder in (
        ("script_location", Path(__file__).parent),
        ("version_locations", versions),
    ):
        config.set_main_option(option, str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
