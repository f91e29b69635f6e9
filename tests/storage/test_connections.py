"""How many connections there are, what each is set to, and what goes by it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from idp.database import Base, Database
from idp.directory.catalog_version import Versioned
from idp.errors import SetupMistake, StoreUnavailable
from idp.postgres_lanes import PostgresLanes, Room
from idp.store_time import limited
from tests.machine.postgres import Postgres
from tests.storage.crew import threads_at_once
from tests.world import START


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


def test_a_value_that_is_larger_than_the_way_takes_at_once_arrives(postgres_url: Callable) -> None:
    letters = sa.select(sa.func.length(sa.cast(sa.bindparam("value"), sa.Text)))
    with closing(Database(postgres_url())) as database, limited(), database.connection() as db:
        assert db.row(letters, value="x" * 10_000_000) == (10_000_000,)


def test_a_connection_keeps_nothing_of_what_it_was_answered(postgres_url: Callable) -> None:
    """Else each of them has the last rows of each statement, and a process grows for hours."""
    numbers = sa.select(sa.func.generate_series(1, 1000))
    with closing(Database(postgres_url())) as database, database.connection() as db:
        for _ in range(2):
            assert len(db.rows(numbers)) == 1000
            assert [each.pgresult for each in db._driver._readers.values()] == [None]


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


def test_two_who_close_what_lies_idle_do_not_fail_each_other(postgres_url: Callable) -> None:
    with closing(Database(postgres_url(), pool=1)) as database:
        lane = cast(PostgresLanes, database.lanes)
        lane._idle[False] = TakenMeanwhile()
        for _ in range(2):
            with database.connection() as db:
                db._driver.execute("BEGIN")


class TakenMeanwhile(list[Any]):
    """Of which another takes the last just after somebody has looked."""

    def __len__(self) -> int:
        self.clear()
        return 1


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


@pytest.mark.parametrize("hosts", [1, 2])
def test_what_a_url_says_of_its_connections_is_heard_but_where_we_say_otherwise(
    postgres_url: Callable, hosts: int
) -> None:
    url = sa.make_url(postgres_url())
    which = {"host": ",".join([str(url.host)] * hosts), "port": str(url.port)}
    said = {"application_name": "ours", "connect_timeout": "0", "options": "-c work_mem=1MB"}
    of_several = url.set(host=None, port=None).update_query_dict({**which, **said})
    with closing(Database(of_several.render_as_string(False))) as database:
        with database.connection() as db:
            assert db.rows(SETTINGS) == [("ours", "*")]
        with database.session() as session:
            assert session.execute(SETTINGS).all() == [("ours", "*")]


SETTINGS = sa.select(
    sa.func.current_setting("application_name"), sa.func.current_setting("latchkey.tenants")
)


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
