"""A backup is restored: all of it in one transaction, so that what can't be restored whole leaves
everything as it was."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import sqlalchemy as sa

from idp import migrations, resealing
from idp.backups import bare_tables, epoch, rows
from idp.backups.backup_file import BackupReader
from idp.backups.tally import Tally
from idp.database import Connection, Database
from idp.ephemeral_redis import RedisEphemeral
from idp.errors import SetupMistake, StoreUnavailable
from idp.schema_version import HEAD
from idp.secret_values import SecretKeys

EVERYBODY = None


class Restored(NamedTuple):
    """`worn_out` is how many passwords open nothing until they are replaced, `unknown` the
    addresses that were named and that nobody with a password has."""

    rows: int
    worn_out: int
    unknown: list[str]


def restore(
    database: Database,
    keys: SecretKeys,
    backup: BackupReader,
    clock: Callable[[], float],
    *,
    redis: RedisEphemeral | None = None,
    replace: bool = False,
    new_passwords: Collection[str] | None = (),
) -> Restored:
    """Into an empty database, or with `replace` in the place of what is there. `redis` is emptied
    of ours at the end, or nothing is restored. `clock` is asked then too: what a server that was
    left running did meanwhile is of before. `new_passwords` are addresses, or EVERYBODY. Raises
    SetupMistake."""
    _check_revision(backup.header.revision)
    with migrations.changing(database) as connection:
        _make_room(database, connection, replace)
        migrations.upgrade_within(connection, database.seal, backup.header.revision)
        restored = _fill(connection, backup)
        migrations.check_foreign_keys(connection)
        migrations.upgrade_within(connection, database.seal)
        with database.within(connection) as db:
            resealing.check_known_keys(db, keys)
            epoch.begin(db, keys, backup.header.made_at, clock())
            worn_out, unknown = _wear_out(db, new_passwords)
        if redis:
            _empty(redis)
    return Restored(restored, worn_out, unknown)


def _empty(redis: RedisEphemeral) -> None:
    try:
        redis.forget_all()
    except StoreUnavailable as away:
        raise SetupMistake(
            f"Nothing was restored, since Redis can't be emptied of what it holds. ({away.detail})"
        ) from away


def _wear_out(db: Connection, new_passwords: Collection[str] | None) -> tuple[int, list[str]]:
    if new_passwords is EVERYBODY:
        return epoch.wear_out_all(db), []
    unknown = [each for each in new_passwords if not epoch.wear_out(db, each)]
    return len(new_passwords) - len(unknown), unknown


def _check_revision(revision: str) -> None:
    if revision > HEAD:
        raise SetupMistake(
            f"The backup is of a newer version (schema {revision}, and this one has {HEAD}):"
            " restore it with that version."
        )


def _make_room(database: Database, connection: sa.Connection, replace: bool) -> None:
    if not sa.inspect(connection).get_table_names():
        return
    if not replace:
        raise SetupMistake(
            f"The database {database.url!r} is not empty. Name an empty one, or give --replace,"
            " and everything in it is lost."
        )
    bare_tables.drop_all(connection)


def _fill(connection: sa.Connection, backup: BackupReader) -> int:
    """How many rows. What has arrived is read again and held against the file."""
    tallies = {}
    with bare_tables.filling(connection):
        for table in backup.tables():
            rows.load(connection, table)
            tallies[table.name] = table.tally
    for name in rows.names(connection):
        arrived = Tally()
        for lines in rows.read(connection, name).rows:
            arrived.add(lines)
        if arrived.told != tallies.get(name, Tally()).told:
            raise SetupMistake(f"The table {name} did not arrive as it was; nothing was restored.")
    return sum(tally.rows for tally in tallies.values())
