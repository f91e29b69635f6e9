"""What is damaged in a database: whatever was broken, nothing may be."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from chaos.town import Town
from tests.machine.postgres import find_postgres_program
from tests.machine.processes import LOOPBACK


def damage_of(town: Town) -> Iterator[str]:
    """In whichever the town has."""
    if town.postgres is None:
        return damage_in(Path(town.database))
    return _damage_at(town.postgres.port, town.database)


def damage_in(file: Path) -> Iterator[str]:
    """In a file of SQLite's."""
    with closing(sqlite3.connect(file)) as connection:
        try:
            found = connection.execute("PRAGMA integrity_check").fetchall()
            if found != [("ok",)]:
                yield f"{file} is damaged: {found}"
            if connection.execute("PRAGMA foreign_key_check").fetchall():
                yield f"{file} has rows whose others are gone"
        except sqlite3.DatabaseError as problem:
            yield f"{file} is damaged: {problem}"


def _damage_at(port: int, database: str) -> Iterator[str]:
    """Each table, and each index against its table."""
    where = ["--host", LOOPBACK, "--port", str(port), "--username", "postgres", database]
    check = [find_postgres_program("pg_amcheck"), "--install-missing", "--heapallindexed"]
    looked = subprocess.run([*map(str, check), *where], capture_output=True, text=True, check=False)
    if looked.returncode:
        yield f"{database} is damaged: {looked.stdout}{looked.stderr}"
