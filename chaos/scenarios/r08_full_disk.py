"""R8: the disks of the database, of the log and of temporary files are full, one after the other;
on PostgreSQL that of all tables, and that of the audit log alone."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from psycopg import sql

from chaos.damage import damage_of
from chaos.evidence import Evidence
from chaos.history import Fault
from chaos.invariants import failures_are_told
from chaos.load import MIXED
from chaos.scenario import Run, Scenario, Size
from chaos.town import Town, town_on_postgres, town_on_sqlite
from tests.machine.processes import unprivileged_user
from tests.machine.small_disk import SmallDisk, small_disk

SERVING_WITHIN = 10.0
SHARE = 0.7  # of its time, in which a disk is full
DATA, LOG, TEMP, AUDIT = "data", "log", "temporary files", "audit"
SPARED = {LOG, TEMP}  # without which everything is done
READING = {"jwks", "discovery", "userinfo"}
LOG_FILE = "provider.log"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"

Disks = Mapping[str, SmallDisk]


@dataclass
class SmallTown(Town):
    disks: Disks = field(default_factory=dict)


@contextmanager
def town_on_small_disks(folder: Path, users: int, **settings: Any) -> Iterator[Town]:
    """One for each; and how much they hold is all that is small about it."""
    with ExitStack() as held:
        disks = {place: held.enter_context(small_disk()) for place in (DATA, LOG, TEMP)}
        (folder / LOG_FILE).symlink_to(disks[LOG].folder / LOG_FILE)
        url = f"sqlite:///{disks[DATA].folder}/latchkey.db"
        with patch.dict(os.environ, TMPDIR=str(disks[TEMP].folder)):
            town = held.enter_context(town_on_sqlite(folder, users, database_url=url, **settings))
        yield SmallTown(**vars(town), disks=disks)


class FullDisks(Scenario):
    number = "R8"
    title = "full disks"
    size = Size(rate=60, seconds=700, times=3)
    bounded = Size(rate=20, seconds=8, times=3)
    recovery = SERVING_WITHIN
    mix = MIXED | {"new password": 4, "colleague": 4}
    town = staticmethod(town_on_small_disks)

    def fault(self, run: Run) -> None:
        with self._disks(run.town) as disks:
            slot = run.size.seconds / run.size.times
            for (place, disk), _ in zip(cycle(disks.items()), run.times(), strict=False):
                self._fill(run.town, place, disk)
                with run.pen.fault(place):
                    time.sleep(slot * SHARE)
                    disk.free()

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        yield from failures_are_told(evidence.operations)
        yield from damage_of(run.town)
        for fault in evidence.faults:
            yield from _wrong_during(fault, evidence)

    def _disks(self, town: Town) -> AbstractContextManager[Disks]:
        assert isinstance(town, SmallTown)
        return nullcontext(town.disks)

    def _fill(self, town: Town, place: str, disk: SmallDisk) -> None:
        """What a file has taken is room still: the write-ahead log gives it back before."""
        if place == DATA:
            with closing(sqlite3.connect(town.database)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        disk.fill()
        if place == LOG:
            disk.fill(LOG_FILE)


def _wrong_during(fault: Fault, evidence: Evidence) -> Iterator[str]:
    """Whoever only reads is served, and those who write are not, or it was not full."""
    within = [each for each in evidence.operations if fault.start < each.start < fault.end]
    wrong = [each for each in within if each.is_wrong]
    if fault.fault not in SPARED and not wrong:
        yield f"{fault.fault}: it was full, and everything was done"
    for each in wrong:
        if fault.fault in SPARED or each.kind in READING:
            yield f"{fault.fault}: operation {each.number} ({each.kind}) is {each.status}"


class FullTables(FullDisks):
    number = "R8-POSTGRES"
    title = "full disks, on PostgreSQL"
    size = Size(rate=60, seconds=470, times=2)
    bounded = Size(rate=20, seconds=4, times=2)
    town = staticmethod(town_on_postgres)

    @contextmanager
    def _disks(self, town: Town) -> Iterator[Disks]:
        """Tables lie there meanwhile, and their pages are soon full."""
        assert town.postgres is not None
        with ExitStack() as held:
            owner = unprivileged_user()
            disks = {place: held.enter_context(small_disk(owner)) for place in (DATA, AUDIT)}
            database = held.enter_context(town.postgres.as_superuser(town.database))
            for place, disk in disks.items():
                where = (sql.Identifier(place), sql.Literal(str(disk.folder)))
                database.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(*where))
            _move(database, DATA, AUDIT, "SET (fillfactor = 10)")
            yield disks
            _move(database, "pg_default", "pg_default", "RESET (fillfactor)")
            for place in disks:
                database.execute(sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(place)))

    def _fill(self, town: Town, place: str, disk: SmallDisk) -> None:
        del town, place
        disk.fill()


def _move(database: psycopg.Connection, most: str, audit: str, pages: str) -> None:
    for (name,) in database.execute(TABLES).fetchall():
        where = audit if name.startswith("audit") else most
        move = sql.SQL("ALTER TABLE {} SET TABLESPACE {}, " + pages)
        database.execute(move.format(sql.Identifier(name), sql.Identifier(where)))


SCENARIO = FullDisks()
MORE = (FullTables(),)
