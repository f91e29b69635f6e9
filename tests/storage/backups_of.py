"""Backups of a test's world, and databases that they are restored to."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from idp.backups import backup_file, restoring, rows, taking
from idp.backups.restoring import Restored
from idp.backups.tally import Tally
from idp.database import Database
from idp.ephemeral_redis import RedisEphemeral
from tests.world import ISSUER, World

Tallies = dict[str, list[int | str]]


def backup_of(world: World, folder: Path, database: Database | None = None) -> Path:
    file, held = folder / "backup", world.held
    taking.take(database or held.database, held.secret_keys, ISSUER, file, world.clock())
    return file


def restore(
    world: World,
    file: Path,
    url: str,
    *,
    replace: bool = False,
    new_passwords: Collection[str] | None = (),
    redis: RedisEphemeral | None = None,
) -> Restored:
    keys = world.held.secret_keys
    with closing(Database(url, seal=keys.seal)) as target, backup_file.opened(file, keys) as opened:
        return restoring.restore(
            target,
            keys,
            opened,
            world.clock,
            replace=replace,
            new_passwords=new_passwords,
            redis=redis,
        )


def tallies(database: Database) -> Tallies:
    """How many rows each table has, and a digest of them."""
    with rows.snapshot(database) as connection:
        tables = [rows.read(connection, name) for name in rows.names(connection)]
        return {table.name: _counted(table.rows) for table in tables}


def _counted(batches: backup_file.Rows) -> list[int | str]:
    tally = Tally()
    for lines in batches:
        tally.add(lines)
    return tally.told
