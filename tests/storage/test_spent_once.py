"""What may happen so often and no oftener, however many ask at once: tries, and names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import pytest

from idp import limits, used_once
from idp.database import Database
from tests.storage.crew import PROCESSES, THREADS, Crew, Prepared, threads_at_once

NOW = 1_795_000_000.0
PAUSE = 1800.0
EVERYBODY = PROCESSES * THREADS


def five_of(everybody: int) -> Counter[int | None]:
    """One try of each number, and nothing for all the others."""
    return Counter([1, 2, 3, 4, 5] + [None] * (everybody - 5))


def reserve(database: Database, now: float, key: str = "amara", threshold: int = 5) -> int | None:
    with database.transaction() as db:
        return limits.reserve(db, key, now, threshold, PAUSE)


def clear(database: Database, key: str = "amara") -> None:
    with database.transaction() as db:
        limits.clear(db, key)


@pytest.mark.parametrize("threshold", [3, 5, 10])
def test_tries_are_numbered_up_to_the_threshold_and_then_refused(
    database: Database, threshold: int
) -> None:
    tries = [reserve(database, NOW, threshold=threshold) for _ in range(threshold + 3)]
    assert tries == [*range(1, threshold + 1), None, None, None]


def test_a_pause_lasts_from_the_last_try_until_its_end(database: Database) -> None:
    for second in range(5):
        reserve(database, NOW + second)
    assert reserve(database, NOW + 4 + PAUSE - 0.001) is None
    assert reserve(database, NOW + 4 + PAUSE) == 1


def test_asking_during_a_pause_makes_it_no_longer(database: Database) -> None:
    for _ in range(5):
        reserve(database, NOW)
    for minute in range(1, 30):
        assert reserve(database, NOW + minute * 60) is None
    assert reserve(database, NOW + PAUSE) == 1


def test_after_a_pause_there_are_as_many_tries_as_before_it(database: Database) -> None:
    for _ in range(5):
        reserve(database, NOW)
    later = [reserve(database, NOW + PAUSE + 1) for _ in range(6)]
    assert later == [1, 2, 3, 4, 5, None]


def test_tries_lapse_when_nothing_went_wrong_for_as_long_as_a_pause(database: Database) -> None:
    for _ in range(4):
        reserve(database, NOW)
    assert reserve(database, NOW + PAUSE) == 1


def test_tries_do_not_lapse_while_they_go_on(database: Database) -> None:
    gap = PAUSE - 1
    tries = [reserve(database, NOW + number * gap) for number in range(6)]
    assert tries == [1, 2, 3, 4, 5, None]


def test_a_success_forgets_the_failures_before_it(database: Database) -> None:
    for _ in range(4):
        reserve(database, NOW)
    clear(database)
    assert [reserve(database, NOW) for _ in range(6)] == [1, 2, 3, 4, 5, None]


def test_a_pause_can_be_lifted(database: Database) -> None:
    for _ in range(6):
        reserve(database, NOW)
    clear(database)
    assert reserve(database, NOW) == 1


def test_keys_have_counters_of_their_own(database: Database) -> None:
    for _ in range(6):
        reserve(database, NOW, "amara")
    assert reserve(database, NOW, "ben") == 1
    clear(database, "ben")
    assert reserve(database, NOW, "amara") is None


def test_of_many_threads_five_get_a_try(database: Database) -> None:
    tries = threads_at_once(lambda number: reserve(database, NOW))
    assert Counter(tries) == five_of(THREADS)


@pytest.mark.parametrize("way", ["transaction", "connection"])
def test_of_many_processes_five_get_a_try(schema_url: str, crew: Crew, way: str) -> None:
    tries = crew.race(reserver, schema_url, way, NOW)
    assert Counter(tries) == five_of(EVERYBODY)


def test_of_many_processes_five_get_a_try_at_the_end_of_a_pause(
    database: Database, schema_url: str, crew: Crew
) -> None:
    for _ in range(5):
        reserve(database, NOW)
    tries = crew.race(reserver, schema_url, "transaction", NOW + PAUSE)
    assert Counter(tries) == five_of(EVERYBODY)


def reserver(kept: ExitStack, url: str, way: str, now: float) -> Prepared:
    enter = opened(kept, url, way)

    def deed(number: int) -> int | None:
        with enter() as db:
            return limits.reserve(db, "amara", now, 5, PAUSE)

    return partial(look, enter), deed


def look(enter: Callable) -> None:
    with enter() as db:
        limits.clear(db, "nobody")


def opened(kept: ExitStack, url: str, way: str) -> Callable:
    database = Database(url)
    kept.callback(database.close)
    enter: Callable = getattr(database, way)
    return enter


def test_a_name_can_be_spent_once(database: Database) -> None:
    with database.connection() as db:
        assert used_once.spend(db, "assertion lms jti-1", NOW + 300, NOW)
        assert not used_once.spend(db, "assertion lms jti-1", NOW + 300, NOW)
        assert used_once.spend(db, "assertion lms jti-2", NOW + 300, NOW)
        assert used_once.spend(db, "assertion payments jti-1", NOW + 300, NOW)


def test_a_spent_name_stays_spent_whatever_end_is_claimed_for_it(database: Database) -> None:
    with database.connection() as db:
        assert used_once.spend(db, "name", NOW + 300, NOW)
        assert not used_once.spend(db, "name", NOW + 600, NOW)
        assert not used_once.spend(db, "name", NOW - 600, NOW)


def test_a_name_may_be_long_and_of_any_script(database: Database) -> None:
    with database.connection() as db:
        for name in ("x" * 100_000, "漢字 🔑", "nul \x00 nul", ""):
            assert used_once.spend(db, name, NOW, NOW)
            assert not used_once.spend(db, name, NOW, NOW)


def test_of_many_threads_one_spends_the_name(database: Database) -> None:
    def spend(number: int) -> bool:
        with database.connection() as db:
            return used_once.spend(db, "name", NOW + 300 + number, NOW)

    assert Counter(threads_at_once(spend)) == {True: 1, False: THREADS - 1}


@pytest.mark.parametrize("way", ["transaction", "connection"])
def test_of_many_processes_one_spends_each_name(schema_url: str, crew: Crew, way: str) -> None:
    names = [f"name {number}" for number in range(5)]
    spent = crew.race(spender, schema_url, way, names)
    assert Counter(name for each in spent for name in each) == dict.fromkeys(names, 1)


def spender(kept: ExitStack, url: str, way: str, names: list[str]) -> Prepared:
    enter = opened(kept, url, way)

    def deed(number: int) -> list[str]:
        with enter() as db:
            return [name for name in names if used_once.spend(db, name, NOW + 300, NOW)]

    return partial(look, enter), deed
