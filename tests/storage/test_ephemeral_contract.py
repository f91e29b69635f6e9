"""One contract for values that expire, on every store that may keep them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from idp.database import Database
from idp.ephemeral import Ephemeral
from idp.ephemeral_stores import ephemeral
from idp.sealed import Sealed
from tests.machine.processes import LOOPBACK
from tests.storage.conftest import fresh_database
from tests.storage.crew import KEYS, PROCESSES, THREADS, Crew, Prepared, threads_at_once

NOW = 1_795_000_000.0
TTL = 60.0
Place = tuple[str, str]  # the URLs of the database and of Redis


@pytest.fixture(params=["sqlite", "postgresql", "redis", "redis is away"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    kind, redis_url = request.param, ""
    if kind == "redis":
        kind, redis_url = "sqlite", request.getfixturevalue("redis_url")
    elif kind == "redis is away":
        kind, redis_url = "sqlite", f"redis://{LOOPBACK}:{request.getfixturevalue('unused_port')}"
    return fresh_database(request, kind, tmp_path), redis_url


@pytest.fixture
def store(place: Place) -> Iterator[Ephemeral]:
    with ExitStack() as kept:
        yield opened(kept, place)


def opened(kept: ExitStack, place: Place) -> Ephemeral:
    database = Database(place[0])
    kept.callback(database.close)
    return Sealed(ephemeral(place[1], database), KEYS)


def test_a_value_is_read_as_often_as_asked(store: Ephemeral) -> None:
    store.put("key", "value", TTL, NOW)
    assert [store.read("key", NOW) for _ in range(3)] == ["value"] * 3


def test_what_was_never_put_is_not_there(store: Ephemeral) -> None:
    assert store.read("key", NOW) is None
    assert store.take("key", NOW) is None


def test_a_value_lives_until_its_last_moment_and_not_at_it(store: Ephemeral) -> None:
    store.put("key", "value", TTL, NOW)
    assert store.read("key", NOW + TTL - 0.001) == "value"
    assert store.read("key", NOW + TTL) is None


def test_a_value_is_taken_until_its_last_moment(store: Ephemeral) -> None:
    store.put("key", "value", TTL, NOW)
    assert store.take("key", NOW + TTL - 0.001) == "value"


def test_a_value_cannot_be_taken_at_its_end(store: Ephemeral) -> None:
    store.put("key", "value", TTL, NOW)
    assert store.take("key", NOW + TTL) is None


def test_the_given_clock_decides_and_not_the_store_s(store: Ephemeral) -> None:
    long_ago, far_away = 1000.0, 9_000_000_000.0
    store.put("old", "value", TTL, long_ago)
    store.put("new", "value", TTL, far_away)
    assert store.read("old", long_ago + 1) == "value"
    assert store.read("old", NOW) is None
    assert store.read("new", far_away + TTL - 1) == "value"


def test_a_fraction_of_a_second_is_a_lifetime_too(store: Ephemeral) -> None:
    store.put("key", "value", 0.5, NOW)
    assert store.read("key", NOW + 0.5) is None


def test_putting_again_replaces_the_value_and_its_end(store: Ephemeral) -> None:
    store.put("key", "first", TTL, NOW)
    store.put("key", "second", 2 * TTL, NOW + 30)
    assert store.read("key", NOW + TTL + 1) == "second"
    store.put("key", "third", 1, NOW + 31)
    assert store.read("key", NOW + 33) is None


def test_an_expired_value_makes_room_for_a_new_one(store: Ephemeral) -> None:
    store.put("key", "first", TTL, NOW)
    store.put("key", "second", TTL, NOW + 2 * TTL)
    assert store.take("key", NOW + 2 * TTL) == "second"


def test_taking_leaves_nothing(store: Ephemeral) -> None:
    store.put("key", "value", TTL, NOW)
    assert store.take("key", NOW) == "value"
    assert store.take("key", NOW) is None
    assert store.read("key", NOW) is None


def test_what_was_taken_can_be_put_and_taken_again(store: Ephemeral) -> None:
    for _ in range(2):
        store.put("key", "value", TTL, NOW)
        assert store.take("key", NOW) == "value"


def test_what_is_dropped_is_gone_and_what_never_was_is_no_fault(store: Ephemeral) -> None:
    for key in "abc":
        store.put(key, "value", TTL, NOW)
    store.drop(["a", "c", "never"], NOW)
    assert [store.read(key, NOW) for key in "abc"] == [None, "value", None]


def test_a_name_is_spent_once(store: Ephemeral) -> None:
    assert [store.spend(name, TTL, NOW) for name in "aba"] == [True, True, False]


def test_keys_do_not_touch_each_other(store: Ephemeral) -> None:
    for key in ("a", "A", "a ", "a%", "ä", "a:b"):
        store.put(key, f"of {key}", TTL, NOW)
    assert store.take("a", NOW) == "of a"
    assert [store.read(key, NOW) for key in ("A", "a ", "a%", "ä", "a:b")] == [
        "of A",
        "of a ",
        "of a%",
        "of ä",
        "of a:b",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "naïve Ünïcode ✓ 漢字 🔑 עברית",
        "e\u0301 is not é",
        'line\r\n\ttab "quote" \\ \x7f',
        "x" * 1_000_000,
    ],
    ids=["empty", "blank", "scripts", "combining", "control", "a million characters"],
)
def test_a_value_comes_back_as_it_was_put(store: Ephemeral, value: str) -> None:
    store.put("key", value, TTL, NOW)
    assert store.read("key", NOW) == value
    assert store.take("key", NOW) == value


def test_counting_starts_at_one(store: Ephemeral) -> None:
    assert [store.count("key", TTL, NOW) for _ in range(4)] == [1, 2, 3, 4]


def test_counting_goes_on_within_the_window_of_the_first(store: Ephemeral) -> None:
    assert store.count("key", TTL, NOW) == 1
    assert store.count("key", TTL, NOW + 40) == 2
    assert store.count("key", TTL, NOW + TTL - 0.001) == 3


def test_counting_starts_anew_when_the_window_ends(store: Ephemeral) -> None:
    store.count("key", TTL, NOW)
    store.count("key", TTL, NOW + 40)
    assert store.count("key", TTL, NOW + TTL) == 1
    assert store.count("key", TTL, NOW + 2 * TTL - 1) == 2


def test_counts_of_different_keys_are_apart(store: Ephemeral) -> None:
    assert [store.count(key, TTL, NOW) for key in ("a", "b", "a", "A")] == [1, 1, 2, 1]


def test_a_count_and_a_value_of_one_name_are_apart(store: Ephemeral) -> None:
    store.count("key", TTL, NOW)
    assert store.read("key", NOW) is None
    store.put("key", "value", TTL, NOW)
    assert store.count("key", TTL, NOW) == 2
    assert store.take("key", NOW) == "value"
    assert store.count("key", TTL, NOW) == 3


def test_of_many_threads_one_takes_the_value(store: Ephemeral) -> None:
    store.put("key", "value", TTL, NOW)
    taken = threads_at_once(lambda number: store.take("key", NOW))
    assert sorted(taken, key=str) == [None] * (THREADS - 1) + ["value"]


def test_of_many_threads_one_spends_the_name(store: Ephemeral) -> None:
    spent = threads_at_once(lambda number: store.spend("name", TTL, NOW))
    assert sum(spent) == 1


def test_many_threads_count_exactly(store: Ephemeral) -> None:
    counted = threads_at_once(lambda number: store.count("key", TTL, NOW))
    assert sorted(counted) == list(range(1, THREADS + 1))


def test_of_many_processes_one_takes_each_value(store: Ephemeral, place: Place, crew: Crew) -> None:
    keys = [f"key {number}" for number in range(4)]
    for key in keys:
        store.put(key, f"of {key}", TTL, NOW)
    taken = crew.race(taker, place, keys)
    assert sorted(value for values in taken for value in values) == sorted(
        f"of {key}" for key in keys
    )


def test_many_processes_count_exactly(place: Place, crew: Crew) -> None:
    counted = crew.race(counter, place, NOW)
    assert sorted(counted) == list(range(1, PROCESSES * THREADS + 1))


def test_many_processes_start_a_new_window_once(store: Ephemeral, place: Place, crew: Crew) -> None:
    for _ in range(7):
        store.count("key", TTL, NOW)
    counted = crew.race(counter, place, NOW + TTL)
    assert sorted(counted) == list(range(1, PROCESSES * THREADS + 1))


def taker(kept: ExitStack, place: Place, keys: list[str]) -> Prepared:
    store = opened(kept, place)
    return lambda: store.read("key", NOW), lambda number: [
        value for key in keys if (value := store.take(key, NOW)) is not None
    ]


def counter(kept: ExitStack, place: Place, now: float) -> Prepared:
    store = opened(kept, place)
    return lambda: store.read("key", NOW), lambda number: store.count("key", TTL, now)
