"""A furnished PostgreSQL database that one test after the other finds as if it were new.

A copy for each test costs more than most tests do: its files, and what each new connection has to
learn of them. So one is kept with its connections, and only its rows are put back. Where a test has
changed more than rows, or has left something open, it is given up for another copy.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
from sqlalchemy.pool import QueuePool

from idp.database import Database, Seal
from idp.postgres_lanes import PostgresLanes
from tests.machine.postgres import Postgres, database_name

USES = 200  # indexes grow
NAMES = """SELECT oid::regclass::text, pg_relation_size(oid) FROM pg_class
    WHERE relkind = %s AND relnamespace = 'public'::regnamespace"""
TABLES, SEQUENCES = "r", "S"
# Whoever changes a table, a column, a rule or a setting leaves a newer row in one of these.
SHAPE = " UNION ALL ".join(
    f"SELECT count(*), max(xmin::text::bigint) FROM {catalog} WHERE {condition}"
    for catalog, condition in (
        ("pg_class", "oid >= 16384 AND relkind IN ('r', 'i', 'S', 'v')"),
        ("pg_attribute", "attrelid >= 16384 AND attnum > 0"),
        *((f"pg_{kind}", "true") for kind in ("constraint", "trigger", "policy")),
        ("pg_proc", "oid >= 16384"),
        ("pg_database", "datname = current_database()"),
        ("pg_db_role_setting", "true"),
    )
)
# The number that the next transaction that writes will have, in any database of the cluster.
NEXT = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
CONNECTIONS = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'"""


class KeptPostgres:
    """One copy at a time of the database at `furnished`."""

    def __init__(self, cluster: Postgres, furnished: str) -> None:
        self._cluster = cluster
        self._furnished = furnished
        self._copy: _Copy | None = None

    @property
    def url(self) -> str:
        if self._copy is None:
            self._copy = _Copy(self._cluster, self._furnished)
        return self._copy.url

    def database(self, url: str, pool: int, seal: Seal) -> Database:
        """The one with its connections, as `Database(url, pool, seal)` would be new."""
        assert self._copy, "ask for its URL first"
        assert (url, pool) == (self._copy.url, self._copy.pool)
        self._copy.database.seal = seal
        return self._copy.database

    def is_as_copied(self) -> bool:
        """Nobody has written since it was made or put back."""
        return self._copy is not None and self._copy.is_as_copied()

    def put_back(self) -> None:
        if self._copy and not self._copy.is_as_new():
            self.give_up()

    def give_up(self) -> None:
        if self._copy:
            self._copy.close()
            self._cluster.drop_database(self._copy.url)
            self._copy = None


class _Copy:
    pool = 8

    def __init__(self, cluster: Postgres, furnished: str) -> None:
        self.url = cluster.new_database(furnished)
        self._folder = cluster.folder / "data"
        self.database = Database(self.url, self.pool)
        self._uses = 0
        self._own = cluster.as_superuser(self.url)
        self._own.execute("SET lock_timeout = '2s'; SET session_replication_role = replica")
        self._sizes = self._named(TABLES)
        self._keep_rows()
        self._shape = self._own.execute(SHAPE).fetchall()
        self._next = self._own.execute(NEXT).fetchall()

    def is_as_copied(self) -> bool:
        return self._own.execute(NEXT).fetchall() == self._next

    def is_as_new(self) -> bool:
        """False if it can't be made so."""
        self._uses += 1
        try:
            if self._uses == USES or not self._is_left_by_all():
                return False
            if self._own.execute(SHAPE).fetchall() != self._shape:
                return False
            self._restore()
            self._next = self._own.execute(NEXT).fetchall()
        except psycopg.Error:
            return False
        return True

    def close(self) -> None:
        self.database.close()
        self._own.close()

    def _is_left_by_all(self) -> bool:
        """Each connection is this one, or lies idle with the database's own."""
        [(found,)] = self._own.execute(CONNECTIONS).fetchall()
        lanes, pool = self.database.lanes, self.database.engine.pool
        assert isinstance(lanes, PostgresLanes)
        assert isinstance(pool, QueuePool)
        idle = sum(map(len, lanes._idle.values()))
        return bool(found == 1 + idle + pool.checkedin())

    def _restore(self) -> None:
        """Where a table has grown, rows of several connections would not lie in the order in which
        they come."""
        self._own.execute("SELECT pg_temp.empty_all()")
        grown = [name for name, size in self._named(TABLES).items() if size > self._sizes[name]]
        if grown:
            self._own.execute(f"VACUUM {', '.join(grown)}")
        self._own.execute("SELECT pg_temp.fill_all()")

    def _keep_rows(self) -> None:
        """In files of the server's, and two functions that put them back, each in one round trip
        and planned once. Rows are copied, not inserted: those would come to lie anywhere between
        what was deleted."""
        full = {name: self._file_of(name) for name in self._sizes if self._has_rows(name)}
        for name, file in full.items():
            self._own.execute(f"COPY {name} TO '{file}'")
        fill = [f"COPY {name} FROM '{file}'" for name, file in full.items()]
        self._make("empty_all", [f"DELETE FROM {name}" for name in self._sizes])
        self._make("fill_all", [*fill, *map(self._told, self._named(SEQUENCES))])

    def _file_of(self, table: str) -> Path:
        return self._folder / f"{database_name(self.url)}.{table}.rows"

    def _make(self, name: str, statements: list[str]) -> None:
        body = "".join(f"{each}; " for each in statements)
        self._own.execute(
            f"CREATE FUNCTION pg_temp.{name}() RETURNS void LANGUAGE plpgsql"
            f" AS $$ BEGIN {body} END $$"
        )

    def _named(self, kind: str) -> dict[str, int]:
        """With their sizes."""
        return dict(self._own.execute(NAMES, [kind]).fetchall())

    def _has_rows(self, name: str) -> bool:
        [(found,)] = self._own.execute(f"SELECT EXISTS (SELECT FROM {name})").fetchall()
        return bool(found)

    def _told(self, sequence: str) -> str:
        [(last, is_called)] = self._own.execute(f"SELECT last_value, is_called FROM {sequence}")
        return f"PERFORM setval('{sequence}', {last}, {is_called})"
