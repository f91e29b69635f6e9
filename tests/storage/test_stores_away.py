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
from idp.commands import main
from idp.database import Database
from idp.ephemeral import Ephemeral, EphemeralValue, SqlEphemeral
from idp.ephemeral_redis import RedisEphemeral
from idp.errors import StoreUnavailable
from tests.machine.postgres import Postgres
from tests.machine.processes import LOOPBACK, stop_server, wait_until
from tests.machine.redis_server import RedisServer
from tests.security.browsing import every_address
from tests.security.browsing_acts import NAMES, Acts
from tests.storage.conftest import upgrade
from tests.world import World

NOW = 1_795_000_000.0
SOON = pytest.mark.timeout(30)  # a wait for the store's own default would be far longer
Store = Ephemeral | RedisEphemeral
QUESTIONS: list[Callable[[Store], object]] = [
    lambda store: store.put("key", "value", 60.0, NOW),
    lambda store: store.read("key", NOW),
    lambda store: store.take("key", NOW),
    lambda store: store.count("key", 60.0, NOW),
    lambda store: store.ping(),
]


def check_all_say_away(store: Store, questions: list[Callable[[Store], object]]) -> None:
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


RUINS: dict[str, Callable[[bytes], bytes]] = {
    "the header is gone": lambda kept: bytes(100) + kept[100:],
    "the first page is gone": lambda kept: bytes(4096) + kept[4096:],
    "all but the first page is gone": lambda kept: kept[:4096] + bytes(len(kept) - 4096),
    "it is cut off": lambda kept: kept[:5000],
    "it is noise": lambda kept: b"noise, " * (len(kept) // 7),
}


def ruin(url: str, damage: str) -> None:
    """In place, under the connections that are open."""
    path = Path(url.removeprefix("sqlite:///"))
    with path.open("r+b") as file:
        ruined = RUINS[damage](file.read())
        file.seek(0)
        file.write(ruined)
        file.truncate(len(ruined))


@pytest.mark.parametrize("damage", RUINS)
def test_a_sqlite_file_that_is_damaged_is_away(sqlite_url: str, damage: str) -> None:
    upgrade(sqlite_url)
    with closing(Database(sqlite_url)) as database:
        SqlEphemeral(database).put("key", "value", 60.0, NOW)
    ruin(sqlite_url, damage)
    with closing(Database(sqlite_url)) as database:
        check_all_say_away(SqlEphemeral(database), QUESTIONS)
        check_every_way_in_is_closed(database)


def test_damage_that_is_met_at_a_later_row_is_told(sqlite_url: str) -> None:
    """The driver has returned from the statement by then, and reads on."""
    upgrade(sqlite_url)
    every = sa.select(EphemeralValue.key, EphemeralValue.value)
    with closing(Database(sqlite_url)) as database:
        for number in range(400):
            SqlEphemeral(database).put(f"{number:04}", "v" * 100, 60.0, NOW)
        with database.connection() as db:
            assert len(db.rows(every)) == 400
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    kept = bytearray(path.read_bytes())
    last = kept.rindex(b"0200" + b"v" * 100) // 4096 * 4096
    kept[last : last + 4096] = b"\xff" * 4096
    path.write_bytes(kept)
    with closing(Database(sqlite_url)) as database:
        with database.connection() as db, pytest.raises(StoreUnavailable):
            db.rows(every)
        with pytest.raises(StoreUnavailable), database.session() as session:
            session.execute(every).all()


@pytest.mark.parametrize("damage", RUINS)
def test_whatever_is_asked_of_a_damaged_file_is_answered_with_503(
    world: World, damage: str
) -> None:
    acts = Acts(world)
    prepared = {name: acts.prepare[name]() for name in NAMES}
    world.held.database.close()
    ruin(str(world.held.database.url), damage)
    for name, act in prepared.items():
        answer = act()
        assert answer.status_code == 503, (name, answer.status)
        assert answer.headers["Retry-After"], name


@pytest.mark.parametrize("damage", RUINS)
def test_no_address_fails_while_the_file_is_damaged_under_it(world: World, damage: str) -> None:
    """What is read already, in memory or in the log beside the file, may still be answered."""
    browser = world.browser()
    browser.code()
    ruin(str(world.held.database.url), damage)
    for method, path in every_address(world.held):
        with browser.client.open(path, method=method) as answer:
            assert answer.status_code != 500, (method, path)


COMMANDS = ("serve", "worker", "db upgrade", "db check", "keys list", "keys rotate", "export")


@pytest.mark.parametrize("damage", RUINS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_in_a_sentence_that_the_file_is_damaged(
    command: str,
    damage: str,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = str(world.held.database.url)
    world.held.database.close()
    ruin(url, damage)
    monkeypatch.setattr("idp.logs.configure", lambda _: None)  # it outlives the test
    monkeypatch.setattr("sys.argv", ["idp", *command.split()])
    monkeypatch.setenv("LATCHKEY_DATABASE_URL", url)
    monkeypatch.setenv("LATCHKEY_KEYS_DIR", str(world.settings.keys_dir))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("idp: ")
    assert len(said.splitlines()) == 1


def test_a_statement_that_is_wrong_is_no_outage(sqlite_url: str) -> None:
    """Or a mistake of ours would be told as somebody else's, and tried again."""
    upgrade(sqlite_url)
    row = {"key": "key", "value": "", "uses": 0, "expires_at": 0.0}
    made = sa.insert(EphemeralValue).values(**{name: sa.bindparam(name) for name in row})
    with closing(Database(sqlite_url)) as database:
        with database.connection() as db:
            db.run(made, **row)
            with pytest.raises(sqlite3.IntegrityError):
                db.run(made, **row)
        with pytest.raises(sa.exc.IntegrityError), database.session() as session:
            session.execute(sa.insert(EphemeralValue).values(**row))


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
