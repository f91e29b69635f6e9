"""A store that is away is said to be away, soon, by every way in; and is used again when back."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from idp import database as databases
from idp import lanes
from idp.database import Database
from idp.ephemeral import Ephemeral, EphemeralValue, RedisEphemeral, SqlEphemeral
from idp.errors import StoreUnavailable
from tests.machine.postgres import Postgres
from tests.machine.processes import LOOPBACK, stop_server, wait_until
from tests.machine.redis_server import RedisServer
from tests.storage.conftest import upgrade

NOW = 1_795_000_000.0
SOON = pytest.mark.timeout(30)  # a wait for the store's own default would be far longer
QUESTIONS: list[Callable[[Ephemeral], object]] = [
    lambda store: store.put("key", "value", 60.0, NOW),
    lambda store: store.read("key", NOW),
    lambda store: store.take("key", NOW),
    lambda store: store.count("key", 60.0, NOW),
    lambda store: store.ping(),
]


def check_all_say_away(store: Ephemeral, questions: list[Callable[[Ephemeral], object]]) -> None:
    for question in questions:
        with pytest.raises(StoreUnavailable) as refusal:
            question(store)
        assert refusal.value.status == 503
        assert "value" not in refusal.value.public_message


@SOON
def test_a_redis_that_was_stopped_is_away_until_it_is_back(own_redis: RedisServer) -> None:
    store = RedisEphemeral(own_redis.url)
    store.put("key", "value", 60.0, NOW)
    own_redis.stop()
    check_all_say_away(store, QUESTIONS)
    own_redis.start()
    assert store.read("key", NOW) is None
    assert store.count("key", 60.0, NOW) == 1


@SOON
def test_a_redis_that_hangs_is_away_until_it_goes_on(own_redis: RedisServer) -> None:
    store = RedisEphemeral(own_redis.url)
    store.put("key", "value", 60.0, NOW)
    with paused(own_redis.process.pid):
        check_all_say_away(store, QUESTIONS)
    assert store.count("another key", 60.0, NOW) == 1


@contextmanager
def paused(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@SOON
def test_a_postgresql_that_was_stopped_is_away_until_it_is_back(
    durable_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "CONNECT_TIMEOUT", 1)
    url = durable_postgres.new_database()
    upgrade(url)
    with closing(Database(url)) as database:
        store = SqlEphemeral(database)
        store.put("key", "value", 60.0, NOW)
        stop_server(durable_postgres.process, signal.SIGINT)
        check_all_say_away(store, QUESTIONS[:3])
        check_every_way_in_is_closed(database)
        start_again(durable_postgres)
        wait_until(
            lambda: answers(store), durable_postgres.process, durable_postgres.folder / "log"
        )
        assert store.read("key", NOW) == "value"


def start_again(cluster: Postgres) -> None:
    with (cluster.folder / "log").open("ab") as log:
        cluster.process = subprocess.Popen(
            cluster.process.args, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )


def answers(store: Ephemeral) -> bool:
    try:
        store.ping()
    except StoreUnavailable:
        return False
    return True


@SOON
def test_a_postgresql_that_was_never_there_is_away(
    monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setattr(databases, "CONNECT_TIMEOUT", 1)
    with closing(Database(f"postgresql://nobody@{LOOPBACK}:{unused_port}/none")) as database:
        check_every_way_in_is_closed(database)


def check_every_way_in_is_closed(database: Database) -> None:
    anything = sa.select(EphemeralValue.key)
    with pytest.raises(StoreUnavailable), database.connection() as db:
        db.rows(anything)
    with pytest.raises(StoreUnavailable), database.transaction() as db:
        db.rows(anything)
    with pytest.raises(StoreUnavailable), database.session() as session:
        session.execute(anything)


@SOON
def test_a_sqlite_file_that_another_process_keeps_to_itself_is_away_until_it_is_let_go(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BUSY_TIMEOUT_MS", 50)
    upgrade(sqlite_url)
    with closing(Database(sqlite_url)) as database:
        with kept_to_itself(sqlite_url):
            check_all_say_away(SqlEphemeral(database), QUESTIONS)
            check_every_way_in_is_closed(database)
        assert SqlEphemeral(database).count("key", 60.0, NOW) == 1


@SOON
def test_a_sqlite_file_that_is_being_written_can_still_be_read(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "BUSY_TIMEOUT_MS", 50)
    upgrade(sqlite_url)
    with closing(Database(sqlite_url)) as database:
        store = SqlEphemeral(database)
        store.put("key", "value", 60.0, NOW)
        with being_written(sqlite_url):
            assert store.read("key", NOW) == "value"
            check_all_say_away(store, [QUESTIONS[0], QUESTIONS[2], QUESTIONS[3]])


def test_a_sqlite_path_that_is_no_file_is_away(tmp_path: Path) -> None:
    (tmp_path / "latchkey.db").mkdir()
    with closing(Database(f"sqlite:///{tmp_path / 'latchkey.db'}")) as database:
        check_all_say_away(SqlEphemeral(database), QUESTIONS)
        check_every_way_in_is_closed(database)


@contextmanager
def kept_to_itself(url: str) -> Iterator[None]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def being_written(url: str) -> Iterator[None]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
