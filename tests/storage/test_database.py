"""The database: what a transaction promises, and what the connections are really set to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import pytest
import sqlalchemy as sa

from idp import audit, limits
from idp.audit_chain import AuditEvent
from idp.database import Connection, Database
from idp.directory import users
from idp.directory.clients import ClientSecret
from idp.errors import Refusal, Unreadable
from idp.limits import AttemptLimit
from tests.storage.crew import PROCESSES, Crew, Prepared, threads_at_once

NOW = 1_795_000_000.0
KEYS = sa.select(AttemptLimit.key).order_by(AttemptLimit.key)
BY_KEY = sa.select(AttemptLimit.key).where(AttemptLimit.key == sa.bindparam("wanted"))
ADD = sa.insert(AttemptLimit).values(
    key=sa.bindparam("key"), failed=0, paused_until=0.0, last_failed_at=NOW
)
READ = sa.select(AttemptLimit.failed).where(AttemptLimit.key == "counter")
WRITE = (
    sa.update(AttemptLimit)
    .where(AttemptLimit.key == "counter")
    .values(failed=sa.bindparam("failed_now"))
)

Ways = Callable[[Database, str, BaseException | None], None]


def by_transaction(database: Database, key: str, problem: BaseException | None) -> None:
    with database.transaction() as db:
        db.run(ADD, key=key)
        if problem:
            raise problem


def by_quick_transaction(database: Database, key: str, problem: BaseException | None) -> None:
    with database.transaction(durable=False) as db:
        db.run(ADD, key=key)
        if problem:
            raise problem


def by_session(database: Database, key: str, problem: BaseException | None) -> None:
    with database.session() as session:
        session.add(AttemptLimit(key=key, failed=0, paused_until=0.0, last_failed_at=NOW))
        if problem:
            session.flush()
            raise problem


def by_both(database: Database, key: str, problem: BaseException | None) -> None:
    with database.session() as session:
        Connection.of(database, session).run(ADD, key=key)
        if problem:
            raise problem


@pytest.fixture(params=[by_transaction, by_quick_transaction, by_session, by_both])
def write(request: pytest.FixtureRequest) -> Ways:
    way: Ways = request.param
    return way


def keys_in(database: Database) -> list[str]:
    with database.connection() as db:
        return [row[0] for row in db.rows(KEYS)]


def test_what_ends_well_is_kept(database: Database, write: Ways) -> None:
    write(database, "a", None)
    assert keys_in(database) == ["a"]


def test_a_refusal_keeps_what_it_has_written(database: Database, write: Ways) -> None:
    with pytest.raises(Refusal):
        write(database, "a", Refusal("code", "words"))
    assert keys_in(database) == ["a"]


@pytest.mark.parametrize("problem", [ValueError(), KeyboardInterrupt(), SystemExit()], ids=repr)
def test_any_other_exception_leaves_nothing(
    database: Database, write: Ways, problem: BaseException
) -> None:
    with pytest.raises(type(problem)):
        write(database, "a", problem)
    assert keys_in(database) == []


def test_the_same_connection_is_good_for_more_after_each_ending(
    database: Database, write: Ways
) -> None:
    for number, problem in enumerate((None, ValueError(), Refusal("code", "words"), None)):
        try:
            write(database, str(number), problem)
        except (ValueError, Refusal):
            continue
    assert keys_in(database) == ["0", "2", "3"]


def test_nobody_sees_what_is_not_committed(database: Database) -> None:
    with database.transaction() as db:
        db.run(ADD, key="a")
        [seen] = threads_at_once(lambda number: keys_in(database), threads=1)
    assert seen == []
    assert keys_in(database) == ["a"]


def test_a_statement_outside_a_transaction_is_kept_at_once(database: Database) -> None:
    with database.connection() as db:
        db.run(ADD, key="a")
        [seen] = threads_at_once(lambda number: keys_in(database), threads=1)
    assert seen == ["a"]


def test_the_audit_tells_of_a_change_if_and_only_if_it_was_made(database: Database) -> None:
    def change(problem: BaseException | None) -> None:
        with database.transaction() as db:
            limits.reserve(db, "key", NOW, 5, 60.0)
            audit.record(db, "sign_in.failed", NOW, reason="Ünïcode \u0000 'quoted'")
            if problem:
                raise problem

    with pytest.raises(ValueError, match="no"):
        change(ValueError("no"))
    change(None)
    with database.session() as session:
        [event] = session.scalars(sa.select(AuditEvent))
        assert (event.tag, event.detail) == (
            "sign_in.failed",
            {"reason": "Ünïcode \u0000 'quoted'"},
        )
        assert session.scalar(sa.select(AttemptLimit.failed)) == 1


def test_an_audit_tag_that_nobody_has_described_stops_the_change(database: Database) -> None:
    with pytest.raises(ValueError, match="nobody has described"):
        record_undescribed(database)
    assert keys_in(database) == []


def record_undescribed(database: Database) -> None:
    with database.transaction() as db:
        db.run(ADD, key="a")
        audit.record(db, "coffee.made", NOW)


def test_a_statement_is_compiled_once_for_all_who_ask_it(database: Database) -> None:
    prepared = threads_at_once(lambda number: database.prepared(KEYS))
    assert len({each.sql for each in prepared}) == 1
    assert database.prepared(KEYS) is database.prepared(KEYS)


def test_a_prepared_statement_takes_its_values_by_name(database: Database) -> None:
    with database.connection() as db:
        for _ in range(10):  # psycopg and PostgreSQL both keep it after a few times
            assert db.row(users._BY_EMAIL, email="nobody@example.com") is None
        assert limits.reserve(db, "k", duration=60.0, threshold=5, now=NOW) == 1
        with pytest.raises(KeyError):
            db.row(users._BY_EMAIL, mail="nobody@example.com")


def test_text_is_never_read_as_sql(database: Database) -> None:
    with database.connection() as db:
        for key in ("'; DROP TABLE users; --", "%s", "%(key)s", ":key", "?", "\\", "é漢🔑"):
            db.run(ADD, key=key)
            row = db.row(
                sa.select(AttemptLimit.key).where(AttemptLimit.key == sa.bindparam("k")), k=key
            )
            assert row == (key,)


def test_no_text_is_cut_and_taken_for_another(database: Database) -> None:
    """What PostgreSQL's library would end at a null character finds nobody, and is refused."""
    person = {"email": "amara@northwind.example\x00and more"}
    with database.connection() as db:
        if database.is_sqlite:
            assert users.find_by_email(db, person["email"]) is None
        else:
            with pytest.raises(Unreadable):
                users.find_by_email(db, person["email"])
        assert users.find_by_email(db, "amara@northwind.example") is None


def test_a_foreign_key_that_points_nowhere_is_refused(database: Database) -> None:
    orphan = sa.insert(ClientSecret).values(secret_hash="h", client_id="nobody", created_at=NOW)
    driver_refuses = pytest.raises(Exception, match=r"(?i)foreign key")
    with driver_refuses, database.connection() as db:
        db.run(orphan)
    with driver_refuses, database.session() as session:
        session.execute(orphan)


def test_a_database_that_was_closed_can_be_used_again(database: Database) -> None:
    by_transaction(database, "a", None)
    database.close()
    assert keys_in(database) == ["a"]
    by_session(database, "b", None)
    assert keys_in(database) == ["a", "b"]


def test_of_many_sqlite_processes_none_loses_another_s_write(
    sqlite: Database, sqlite_url: str, crew: Crew
) -> None:
    """Each reads, then writes; BEGIN IMMEDIATE makes them take turns."""
    with sqlite.transaction() as db:
        db.run(ADD, key="counter")
    assert Counter(crew.race(incrementer, sqlite_url, threads=5)) == {"written": 5 * PROCESSES}
    with sqlite.connection() as db:
        assert db.row(READ) == (5 * PROCESSES,)


def incrementer(kept: ExitStack, url: str) -> Prepared:
    database = Database(url)
    kept.callback(database.close)

    def deed(number: int) -> str:
        with database.transaction() as db:
            [(failed,)] = db.rows(READ)
            db.run(WRITE, failed_now=failed + 1)
        return "written"

    return partial(keys_in, database), deed
