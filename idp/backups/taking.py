"""A backup is taken: everything as it is at one moment, while the provider runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from idp.backups import backup_file, rows
from idp.backups.backup_file import Header
from idp.database import Database
from idp.errors import SetupMistake
from idp.schema_version import current_revision
from idp.secret_values import SecretKeys


class Taken(NamedTuple):
    tables: int
    size: int  # bytes


def take(database: Database, keys: SecretKeys, issuer: str, file: Path, now: float) -> Taken:
    """What was in `file` is replaced once the new one is whole and on the disk."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with database.outages_told(), os.fdopen(descriptor, "wb") as raw:
            tables = _write(database, keys, issuer, raw, now)
            raw.flush()
            os.fsync(raw.fileno())
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return Taken(tables, file.stat().st_size)


def _write(database: Database, keys: SecretKeys, issuer: str, raw: BinaryIO, now: float) -> int:
    """How many tables."""
    with rows.snapshot(database) as connection:
        revision = current_revision(connection)
        if revision is None:
            raise SetupMistake("There is nothing to back up: the database is empty.")
        names = rows.names(connection)
        tables = (rows.read(connection, name) for name in names)
        backup_file.write(raw, keys, Header(revision, issuer, now), tables)
    return len(names)
