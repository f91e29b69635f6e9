"""Two stores as one, while Redis is away, comes back, and is seen by one process and not by another
(security.md R4, R23)."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest

from idp import circuit_breaker
from idp.circuit_breaker import CircuitBreaker
from idp.database import Database
from idp.ephemeral import SqlEphemeral
from idp.ephemeral_redis import RedisEphemeral
from idp.ephemeral_stores import TwoStores
from idp.errors import StoreUnavailable
from tests.machine.processes import LOOPBACK
from tests.machine.redis_faults import AWAY
from tests.machine.redis_server import RedisServer
from tests.storage.conftest import fresh_database
from tests.storage.crew import threads_at_once

NOW = 1_795_000_000.0
TTL = 60.0


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "PROBE_EVERY", 0.05)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with closing(Database(fresh_database(request, "sqlite", tmp_path))) as opened:
        yield opened


@pytest.fixture
def store(database: Database, own_redis: RedisServer) -> TwoStores:
    return seeing(own_redis.url, database)


@pytest.fixture
def isolated(database: Database, unused_port: int) -> TwoStores:
    """Another process's, which does not reach Redis."""
    return seeing(f"redis://{LOOPBACK}:{unused_port}", database)


def seeing(redis_url: str, database: Database) -> TwoStores:
    return TwoStores(RedisEphemeral(redis_url), SqlEphemeral(database))


def wait_for_redis(store: TwoStores) -> None:
    deadline = time.monotonic() + 10
    while store._breaker.is_open:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("name", AWAY)
def test_fault_04_every_question_is_answered_within_a_second_and_soon_at_once(
    name: str, store: TwoStores, own_redis: RedisServer
) -> None:
    store.put("before", "value", TTL, NOW)
    with AWAY[name](own_redis):
        begun = time.monotonic()
        store.put("first", "value", TTL, NOW)
        assert time.monotonic() - begun < 1
        begun = time.monotonic()
        store.put("key", "value", TTL, NOW)
        assert store.read("before", NOW) is None
        assert [store.read(key, NOW) for key in ("first", "key")] == ["value"] * 2
        assert [store.take("key", NOW) for _ in range(2)] == ["value", None]
        assert [store.count("key", TTL, NOW) for _ in range(2)] == [1, 2]
        assert [store.spend("name", TTL, NOW) for _ in range(2)] == [True, False]
        store.drop(["first"], NOW)
        assert store.read("first", NOW) is None
        assert time.monotonic() - begun < 0.25
        store.put("later", "value", TTL, NOW)
        with pytest.raises(StoreUnavailable):
            store.ping()
    wait_for_redis(store)
    store.put("after", "value", TTL, NOW)
    assert in_redis(own_redis, "after")
    assert [store.take("later", NOW) for _ in range(2)] == ["value", None]
    assert not store.spend("name", TTL, NOW)


def in_redis(server: RedisServer, key: str) -> bool:
    return RedisEphemeral(server.url).read(key, NOW) is not None


def test_fault_04_what_was_taken_or_spent_stays_so_when_redis_is_as_it_was(
    store: TwoStores, own_redis: RedisServer
) -> None:
    """A restart from a file that was written in between."""
    store.put("key", "value", TTL, NOW)
    kept = RedisEphemeral(own_redis.url).read("key", NOW)
    assert kept
    assert store.take("key", NOW) == "value"
    assert store.spend("name", TTL, NOW)
    own_redis.empty()
    assert not store.spend("name", TTL, NOW)
    RedisEphemeral(own_redis.url).put("key", kept, TTL, NOW)
    assert store.read("key", NOW) == "value"
    assert store.take("key", NOW) is None


def test_fault_04_a_value_that_may_be_in_both_stores_is_taken_once(
    store: TwoStores, isolated: TwoStores, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = RedisEphemeral.put

    def put_unheard(*arguments: object) -> None:
        put(*arguments)  # type: ignore[arg-type]
        raise StoreUnavailable("redis: Timeout reading from socket")

    with monkeypatch.context() as unheard:
        unheard.setattr(RedisEphemeral, "put", put_unheard)
        store.put("key", "value", TTL, NOW)
    wait_for_redis(store)
    assert in_redis(own_redis, "key")
    stores = (store, isolated)
    taken = threads_at_once(lambda number: stores[number % 2].take("key", NOW))
    assert [each for each in taken if each] == ["value"]


def test_fault_23_what_one_process_puts_another_finds_and_takes_once_though_one_sees_no_redis(
    store: TwoStores, isolated: TwoStores
) -> None:
    isolated.put("key", "value", TTL, NOW)
    assert store.read("key", NOW) == "value"
    stores = (store, isolated)
    taken = threads_at_once(lambda number: stores[number % 2].take("key", NOW))
    assert [each for each in taken if each] == ["value"]
    spent = threads_at_once(lambda number: stores[number % 2].spend("name", TTL, NOW))
    assert sum(spent) == 1
    isolated.put("key", "value", TTL, NOW)
    store.drop(["key"], NOW)
    assert isolated.read("key", NOW) is None


def test_fault_23_what_is_in_redis_is_not_there_for_who_does_not_see_it(
    store: TwoStores, isolated: TwoStores
) -> None:
    """The sign-in begins anew, and what was begun before gives nothing else."""
    store.put("key", "value", TTL, NOW)
    assert isolated.read("key", NOW) is None
    assert isolated.take("key", NOW) is None
    assert store.take("key", NOW) == "value"


def test_the_database_is_not_asked_for_what_redis_has(
    store: TwoStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("key", "value", TTL, NOW)
    store.put("other", "value", TTL, NOW)
    monkeypatch.setattr(store, "_in_database", None)
    assert store.read("key", NOW) == "value"
    assert store.count("key", TTL, NOW) == 1
    store.drop(["key", "other"], NOW)


def test_of_all_who_meet_the_fault_one_begins_to_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    probes: list[float] = []

    def probe() -> None:
        probes.append(time.monotonic())
        if len(probes) < 3:
            raise StoreUnavailable("away")

    breaker = CircuitBreaker("a store", probe)
    threads_at_once(lambda number: breaker.open("it did not answer"))
    while breaker.is_open:
        time.sleep(0.01)
    assert len(probes) == 3
    assert min(b - a for a, b in itertools.pairwise(probes)) >= 0.05


def test_nobody_probes_for_a_provider_that_is_gone() -> None:
    def probe() -> None:
        raise StoreUnavailable("away")

    before = set(threading.enumerate())
    breaker = CircuitBreaker("a store", probe)
    breaker.open("it did not answer")
    [prober] = set(threading.enumerate()) - before
    del breaker
    gc.collect()
    prober.join(10)
    assert not prober.is_alive()


class First:
    """Of all that is thrown away at once: it was there first."""

    found_open: ClassVar[list[bool]] = []

    def __init__(self) -> None:
        self.itself = self
        self.connection: Any = None
        self.store: RedisEphemeral | None = None

    def __del__(self) -> None:
        self.found_open.append(self.connection.is_connected)


def test_the_connections_of_a_store_end_before_whatever_goes_with_it(
    own_redis: RedisServer,
) -> None:
    """Else some socket goes before the connection that would have closed it: a warning, wherever
    the collector happened to come by."""
    first = First()
    first.store = RedisEphemeral(own_redis.url)
    first.store.ping()
    [first.connection] = first.store._redis.connection_pool._available_connections
    del first
    gc.collect()
    assert First.found_open == [False]
