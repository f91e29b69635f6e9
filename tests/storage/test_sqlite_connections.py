"""What each connection to SQLite is really set to, and who has it when."""

from __future__ import annotations

import gc
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from idp import lanes
from idp.database import Connection, Database
from idp.errors import StoreUnavailable
from tests.storage.crew import threads_at_once

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


def test_threads_that_end_leave_no_reader_behind(
    noted: Database, request: pytest.FixtureRequest
) -> None:
    """A server's threads come and go, and garbage is looked for seldom."""
    file, readers = str(noted.url.database), 2
    gc.disable()
    request.addfinalizer(gc.enable)
    before = times_open(file)
    for _ in range(5):
        assert threads_at_once(lambda number: number_in(noted, durable=True), readers) == [1, 1]
    assert times_open(file) - before <= readers


def test_a_reader_that_failed_in_the_middle_of_its_answer_is_lent_to_nobody(
    noted: Database,
) -> None:
    """While somebody still looks at what went wrong it would go on seeing what was."""
    broken = sa.text("SELECT number, CAST(x'ff' AS TEXT) FROM notes")
    with noted.connection() as db, pytest.raises(StoreUnavailable) as failure:
        db.rows(broken)
    with noted.transaction() as db:
        db.run(sa.update(NOTES).values(number=2))
    assert number_in(noted, durable=True) == 2
    assert failure.value


def times_open(file: str) -> int:
    links = Path("/proc/self/fd").iterdir()
    return sum(link.is_symlink() and str(link.readlink()) == file for link in links)


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


def test_a_session_that_only_reads_keeps_no_sqlite_writer_waiting(sqlite: Database) -> None:
    with sqlite.reading_engine().connect() as reader:
        assert reader.scalar(sa.text("SELECT count(*) FROM users")) == 0
        assert may_write(sqlite)


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
