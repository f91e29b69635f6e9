"""Whoever has a limited time waits no longer, by either way in (security.md R7)."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, cast

import psycopg
import pytest
import sqlalchemy as sa

from idp import circuit_breaker, postgres_lanes, postgres_primary, prepared_connection, store_time
from idp import database as databases
from idp.app import with_store_time
from idp.database import Base, Database
from idp.directory.catalog_version import Versioned
from idp.errors import StoreUnavailable
from idp.postgres_lanes import PostgresLanes
from idp.postgres_primary import PostgresPrimary
from idp.store_time import STORE_TIME, limited
from tests.machine.postgres import Postgres
from tests.machine.relay import Relay
from tests.world import START

SLOW = sa.select(sa.cast(sa.func.pg_sleep(2), sa.Text))
SEVERAL = sa.make_url("postgresql://latchkey@/latchkey?host=a,b,c&port=1,2,3")
ONE: sa.Executable = sa.select(sa.literal_column("1"))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(circuit_breaker, "PROBE_EVERY", 0.05)
    monkeypatch.setattr(databases, "CONNECT_TIMEOUT", 1)
    for module in (store_time, prepared_connection):
        monkeypatch.setattr(module, "HUNG", 1.2)
    yield
    STORE_TIME.left = math.inf


@pytest.fixture
def relay(postgres: Postgres) -> Iterator[Relay]:
    with closing(Relay(postgres.port)) as made:
        yield made


@pytest.fixture
def database(
    postgres: Postgres, relay: Relay, postgres_url: Callable[[], str]
) -> Iterator[Database]:
    url = postgres_url().replace(f":{postgres.port}/", f":{relay.port}/")
    with closing(Database(url)) as opened:
        yield opened


def is_away(database: Database) -> bool:
    assert isinstance(database.lanes, PostgresLanes)
    return database.lanes.breaker.is_open


def by_a_connection(database: Database) -> None:
    with database.connection() as db:
        assert db.row(ONE) == (1,)


def by_a_transaction(database: Database) -> None:
    with database.transaction() as db:
        assert db.row(ONE) == (1,)


def by_a_session(database: Database) -> None:
    with database.session() as session:
        assert session.scalar(ONE) == 1


def refused_after(ask: Callable[[Database], None], database: Database) -> float:
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable):
        ask(database)
    return time.monotonic() - begun


WAYS = (by_a_connection, by_a_transaction, by_a_session)


@pytest.mark.parametrize("ask", WAYS)
def test_fault_07_who_has_little_time_left_waits_no_longer_and_says_nothing_of_the_rest(
    ask: Callable[[Database], None], database: Database, relay: Relay
) -> None:
    STORE_TIME.begin()
    ask(database)
    with relay.hanging():
        STORE_TIME.begin(0.2)
        assert 0.1 < refused_after(ask, database) < 0.5
        assert not is_away(database)


@pytest.mark.parametrize("ask", WAYS)
def test_fault_07_one_finds_out_that_it_hangs_and_all_are_told(
    ask: Callable[[Database], None], database: Database, relay: Relay
) -> None:
    STORE_TIME.begin()
    for each in WAYS:
        each(database)
    with relay.hanging():
        STORE_TIME.begin(4.0)
        assert refused_after(ask, database) < 2
        assert is_away(database)
        for each in WAYS:
            assert refused_after(each, database) < 0.2
    deadline = time.monotonic() + 10
    while is_away(database):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    STORE_TIME.begin(4.0)
    for each in WAYS:
        each(database)


def test_fault_07_a_statement_that_takes_too_long_is_ended_by_the_server(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_lanes, "LIMITED", " -c statement_timeout=100")
    STORE_TIME.begin()
    for ask in (database.connection, database.transaction):
        with pytest.raises(StoreUnavailable, match="statement timeout"), ask() as db:
            db.row(SLOW)
    assert not is_away(database)
    by_a_connection(database)


def test_who_has_all_the_time_is_lent_no_connection_that_has_not_and_the_reverse(
    postgres_url: Callable[[], str],
) -> None:
    """A request would hang where its statement should have been ended, and a sweep be ended."""
    for pool in (1, 2):
        with closing(Database(postgres_url(), pool)) as database:
            assert timeout_and_connections(database) == ("0", 1)
            for _ in range(2):
                with limited():
                    assert timeout_and_connections(database) == ("2500ms", pool)
                assert timeout_and_connections(database) == ("0", pool)


def timeout_and_connections(database: Database) -> tuple[str, int]:
    """Of who asks, and of all."""
    own = sa.text("datname = current_database()")
    found = sa.select(sa.func.current_setting("statement_timeout"), sa.func.count())
    with database.connection() as db:
        [(timeout, count)] = db.rows(found.select_from(sa.table("pg_stat_activity")).where(own))
    return timeout, count


def test_who_has_all_the_time_is_kept_by_no_limit(database: Database) -> None:
    with database.connection() as db:
        db._driver.execute("SELECT pg_sleep(1.3)")


def test_fault_07_who_waits_where_nobody_leaves_waits_for_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_lanes, "STUCK", 0.1)
    room = postgres_lanes.Room(1, 3.0)
    room.enter()
    refused: list[float] = []

    def wait() -> None:
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            room.enter()
        refused.append(time.monotonic() - begun)

    waiter = threading.Thread(target=wait)
    waiter.start()
    waiter.join(10)
    assert refused
    assert refused[0] < 1


def test_fault_07_what_is_known_is_told_while_another_finds_out(database: Database) -> None:
    Base.metadata.create_all(database.engine)
    keys = Versioned(database, lambda _: 7)
    assert keys.current(START) == 7
    with keys._lock:
        assert keys.last_known(START + 60) == 7


class Silent:
    """A connection to servers of which none answers; who was asked, for how long at most."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, int]] = []
        self.now = 0.0
        monkeypatch.setattr(postgres_primary, "monotonic", lambda: self.now)

    def connect(self, *, port: str, connect_timeout: int, **_: object) -> Any:
        self.asked.append((port, connect_timeout))
        self.now += connect_timeout
        raise psycopg.OperationalError("connection timeout expired")


@pytest.mark.parametrize(
    ("limit", "asked"),
    [(4.0, [("1", 3), ("2", 1)]), (math.inf, [("1", 3), ("2", 3), ("3", 3)])],
)
def test_fault_07_of_several_servers_as_many_are_asked_as_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch, limit: float, asked: list[tuple[str, int]]
) -> None:
    silent = Silent(monkeypatch)
    STORE_TIME.begin(limit)
    with pytest.raises(psycopg.OperationalError):
        PostgresPrimary(SEVERAL).connect(cast(Any, silent), 3.0)
    assert silent.asked == asked


def test_a_primary_that_has_failed_is_not_asked_again_before_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent, primary = Silent(monkeypatch), PostgresPrimary(SEVERAL)
    primary._chosen = primary._servers[1]
    for order in ("213", "123"):
        silent.asked.clear()
        with pytest.raises(psycopg.OperationalError):
            primary.connect(cast(Any, silent), 3.0)
        assert [port for port, _ in silent.asked] == [*order]


def test_the_time_of_a_request_is_spent_by_all_that_it_waits_for(database: Database) -> None:
    STORE_TIME.begin()
    by_a_connection(database)
    STORE_TIME.begin(0.5)
    with database.connection() as db:
        for _ in range(2):
            db._driver.execute("SELECT pg_sleep(0.15)")
        assert STORE_TIME.left < 0.2
        begun = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            db._driver.execute("SELECT pg_sleep(2)")
        assert time.monotonic() - begun < 0.4


def test_a_request_is_limited_until_its_answer_begins_and_nothing_after_it() -> None:
    """A long export reads on; and a thread may do something else next."""
    seen: list[bool] = []

    def app(*_: object) -> list[bytes]:
        seen.append(STORE_TIME.is_limited)
        return []

    with_store_time(app)({}, print)
    assert seen == [True]
    assert not STORE_TIME.is_limited

    def breaks(*_: object) -> list[bytes]:
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        with_store_time(breaks)({}, print)
    assert not STORE_TIME.is_limited
