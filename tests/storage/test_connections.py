"""What each connection is really set to, and how many there are."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp import lanes
from idp.database import Base, Connection, Database
from idp.directory.catalog_version import Versioned
from idp.errors import SetupMistake, StoreUnavailable
from idp.postgres_lanes import Room
from tests.machine.postgres import Postgres
from tests.storage.crew import threads_at_once
from tests.world import START

NOTES = sa.table("notes", sa.column("number", sa.Integer))
PRAGMAS = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")


@pytest.fixture
def noted(sqlite: Database) -> Database:
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (number INTEGER)")
        connection.execute(sa.insert(NOTES).values(number=1))
    return sqlite


def test_sqlite_waits_for_the_disk_where_it_says_so(noted: Database) -> None:
    for durable in (True, False, False, True):
        with noted.transaction(durable) as db:
            assert pragmas(db) == ["wal", 2 if durable else 1, lanes.BUSY_TIMEOUT_MS, 1]
        with noted.connection(durable) as db:
            db.run(sa.delete(NOTES))
            assert synchronous(noted) == (2 if durable else 1)
    assert lanes.BUSY_TIMEOUT_MS >= 5000


def pragmas(db: Connection) -> list[Any]:
    return [db._driver.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS]


def synchronous(sqlite: Database) -> int:
    """Of the connection that writes, as it was left."""
    writing = cast(lanes.SqliteLanes, sqlite.lanes)._writing
    assert writing
    found: int = writing.execute("PRAGMA synchronous").fetchone()[0]
    return found


def test_sqlite_s_pages_always_wait_for_the_disk(sqlite: Database) -> None:
    with sqlite.session() as session:
        found = [session.scalar(sa.text(f"PRAGMA {name}")) for name in PRAGMAS]
    assert found == ["wal", 2, lanes.BUSY_TIMEOUT_MS, 1]


@pytest.mark.parametrize("durable", [True, False])
def test_a_sqlite_transaction_takes_the_write_lock_at_its_beginning(
    sqlite: Database, durable: bool
) -> None:
    with sqlite.transaction(durable=durable):
        assert not may_write(sqlite)
    assert may_write(sqlite)


def test_a_sqlite_session_takes_the_write_lock_at_its_beginning(sqlite: Database) -> None:
    with sqlite.session() as session:
        session.connection()
        assert not may_write(sqlite)
    assert may_write(sqlite)


def may_write(database: Database) -> bool:
    """For somebody in another process."""
    with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 0")
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True


@pytest.mark.parametrize("durable", [True, False])
def test_who_reads_waits_for_no_writer_on_sqlite(noted: Database, durable: bool) -> None:
    """And sees what was committed."""
    with noted.transaction() as db:
        db.run(sa.update(NOTES).values(number=2))
        assert number_in(noted, durable) == 1
        assert threads_at_once(lambda number: number_in(noted, durable), threads=2) == [1, 1]
    assert number_in(noted, durable) == 2


def number_in(database: Database, durable: bool) -> Any:
    with database.connection(durable) as db:
        return db.rows(sa.select(NOTES.c.number))[0][0]


def test_what_may_take_long_is_never_read_where_others_want_to_write(noted: Database) -> None:
    lane = cast(lanes.SqliteLanes, noted.lanes)
    number_in(noted, durable=True)
    assert lane._writing is None
    number_in(noted, durable=False)
    assert lane._writing is not None


def test_a_sqlite_connection_is_left_to_the_next_whatever_happens_to_who_had_it(
    noted: Database,
) -> None:
    with noted.connection(durable=False) as db:
        for wrong in (sa.text("SELECT missing"), sa.text("DELETE FROM missing")):
            with pytest.raises(StoreUnavailable):
                db.run(wrong)
            assert number_in(noted, durable=False) == 1
            assert may_write(noted)


def test_a_sqlite_connection_that_is_left_in_a_transaction_is_not_used_again(
    noted: Database,
) -> None:
    left = noted.lanes.take(durable=True, whole=True)
    left.execute("BEGIN IMMEDIATE")
    left.execute("UPDATE notes SET number = 2")
    noted.lanes.give_back(left)
    assert may_write(noted)
    assert number_in(noted, durable=False) == 1
    with noted.transaction() as db:
        assert db.run(sa.update(NOTES).values(number=3)) == 1
    assert number_in(noted, durable=True) == 3


def test_a_sqlite_file_that_fails_before_anything_is_asked_of_it_is_away(
    noted: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_connection: sqlite3.Connection, _durable: bool) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with noted.transaction(durable=True):
        monkeypatch.setattr(lanes, "set_sqlite_synchronous", fails)
    with pytest.raises(StoreUnavailable), noted.transaction(durable=False):
        raise AssertionError("it began")
    monkeypatch.undo()
    with noted.transaction(durable=False) as db:
        assert db.run(sa.update(NOTES).values(number=2)) == 1


def test_postgresql_has_no_more_connections_than_its_pool(postgres_url: Callable) -> None:
    url = postgres_url()
    with closing(Database(url, pool=2)) as database:
        threads_at_once(lambda number: ask_slowly(database), threads=8)
        with psycopg.connect(url) as other:
            row = other.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
    assert row == (2,)


def ask_slowly(database: Database) -> None:
    with database.connection() as db:
        db._driver.execute("SELECT pg_sleep(0.01)")


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_and_passing_ones_are_refused(url: str) -> None:
    with pytest.raises(SetupMistake):
        Database(url)


def test_a_session_that_only_reads_keeps_no_sqlite_writer_waiting(sqlite: Database) -> None:
    with sqlite.reading_engine().connect() as reader:
        assert reader.scalar(sa.text("SELECT count(*) FROM users")) == 0
        assert may_write(sqlite)


def test_each_kind_of_value_comes_back_as_it_went(database: Database) -> None:
    """Text with what SQL and drivers have a meaning for, both ends of the numbers, and nothing."""
    kinds: list[tuple[Any, list[Any]]] = [
        (sa.Text, ["", "%s %% $1 'ünï' \\ \n", None]),
        (sa.BigInteger, [0, -(2**63), 2**63 - 1, None]),
        (sa.Double, [0.0, -1.5e300, 1795000000.123456, None]),
        (sa.Boolean, [True, False, None]),
    ]
    with database.connection() as db:
        for kind, values in kinds:
            echo = sa.select(sa.cast(sa.bindparam("value"), kind))
            for value in [*values, *reversed(values)]:
                assert db.row(echo, value=value) == (value,)


def test_a_value_of_no_kind_that_a_database_knows_is_refused(postgres_url: Callable) -> None:
    with closing(Database(postgres_url())) as database, database.connection() as db:
        with pytest.raises(KeyError):
            db.row(sa.select(sa.cast(sa.bindparam("value"), sa.Text)), value=["a", "b"])
        assert db.row(sa.select(sa.literal_column("1"))) == (1,)


def test_a_postgresql_connection_that_was_left_in_a_transaction_is_lent_to_nobody(
    postgres_url: Callable,
) -> None:
    with closing(Database(postgres_url(), pool=1)) as database:
        with database.connection() as db:
            first = db._driver
            first.execute("BEGIN")
        with database.connection() as db:
            assert db._driver is not first
            assert db.row(sa.select(sa.literal_column("1"))) == (1,)


def test_who_waits_too_long_for_a_connection_is_told_so(
    postgres_url: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.database.CONNECT_TIMEOUT", 1)
    with closing(Database(postgres_url(), pool=1)) as database, database.connection():
        told = threads_at_once(lambda number: why_not_connected(database), threads=2)
    assert told == ["database: every connection is in use"] * 2


def why_not_connected(database: Database) -> str:
    try:
        with database.connection():
            return ""
    except StoreUnavailable as refusal:
        return refusal.detail


def test_whoever_holds_a_connection_is_kept_waiting_for_no_other(postgres_url: Callable) -> None:
    """Else all who hold one wait for each other, until each has waited too long."""
    all_hold_one = threading.Barrier(2)
    with closing(Database(postgres_url(), pool=2)) as database:

        def take_another(number: int) -> str:
            with database.connection():
                all_hold_one.wait(30)
                return why_not_connected(database)

        assert threads_at_once(take_another, threads=2) == ["", ""]
        assert threads_at_once(lambda number: why_not_connected(database), threads=2) == ["", ""]


def test_whoever_waits_for_a_connection_keeps_the_catalog_from_nobody(
    postgres_url: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, found = threading.Event(), list[int]()
    with closing(Database(postgres_url(), pool=1)) as database:
        Base.metadata.create_all(database.engine)
        catalog, enter = Versioned(database, lambda _: 7), Room.enter

        def told_first(room: Room) -> None:
            waiting.set()
            enter(room)

        monkeypatch.setattr(Room, "enter", told_first)
        with database.connection():
            waiting.clear()
            other = threading.Thread(target=lambda: found.append(catalog.current(START)))
            other.start()
            assert waiting.wait(30)
            assert catalog.current(START) == 7
        other.join(30)
    assert found == [7]


def test_sqlite_s_writers_of_one_process_wait_for_their_turn_and_not_for_ever(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BUSY_TIMEOUT_MS", 50)

    def write(number: int) -> str:
        try:
            with sqlite.connection(durable=False) as db:
                db.run(sa.text("DELETE FROM users"))
        except StoreUnavailable as refusal:
            return refusal.detail
        return ""

    with sqlite.transaction():
        assert (
            threads_at_once(write, threads=2)
            == ["database: another thread has been writing for too long"] * 2
        )
    assert threads_at_once(write, threads=2) == ["", ""]


def test_of_several_postgresql_servers_the_one_that_is_there_is_found(
    postgres_url: Callable, unused_port: int
) -> None:
    url = sa.make_url(postgres_url())
    either = url.set(host=None, port=None).render_as_string() + f"?host={url.host},{url.host}"
    for ports in (f"{unused_port},{url.port}", f"{url.port},{unused_port}", f"{url.port}"):
        with closing(Database(f"{either}&port={ports}")) as database:
            for _ in range(2):
                with database.connection() as db:
                    assert db.rows(sa.select(sa.func.inet_server_port())) == [(url.port,)]
                database.close()
    with pytest.raises(SetupMistake, match="names 2 hosts and 3 ports"):
        Database(f"{either}&port=1,2,3")


def test_a_page_that_has_read_is_not_lost_with_its_connection(
    postgres: Postgres, postgres_url: Callable
) -> None:
    """Its session ends once the answer is made, where nobody tells of an outage."""
    url = postgres_url()
    with closing(Database(url)) as database:
        session = Session(database.reading_engine())
        cut(postgres, url, session)
        session.close()
        with database.session() as another:
            assert another.scalar(OWN)


OWN = sa.text("SELECT pg_backend_pid()")


def cut(postgres: Postgres, url: str, session: Session) -> None:
    """Its connection, by the server."""
    with postgres.as_superuser(url) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [session.scalar(OWN)])
