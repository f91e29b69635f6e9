"""The arithmetic of a soak: what grows is seen to, and what only varies is not taken for it."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path
from typing import Any

import pytest

from chaos.census import CONNECTIONS, FILES, MEMORY, THREADS, Census, figures
from chaos.evidence import Evidence
from chaos.history import OK, Fault, History, Operation
from chaos.scenario import Run, Size
from chaos.scenarios.r22_soak import SCENARIO, TROUBLE, _slowest, rush
from chaos.town import Town, town_on_sqlite, wait_until
from chaos.trend import GROWS, HOLDS, HOUR, OPEN, Point, trend
from tests.machine.processes import LOOPBACK

HOURS = 1.75
EVERY = 10.0


def points(start: float, an_hour: float = 0.0, noise: float = 0.0, hours: float = HOURS) -> Any:
    chance = random.Random(7)
    count = int(hours * HOUR / EVERY)
    return [
        (number * EVERY, start + an_hour * number * EVERY / HOUR + chance.gauss(0, noise))
        for number in range(count)
    ]


def test_a_line_is_found_with_how_sure_it_is() -> None:
    found = trend(points(100.0, 3.0))
    assert found is not None
    assert found.slope == pytest.approx(3.0)
    assert found.margin == pytest.approx(0.0, abs=1e-6)
    assert found.level == pytest.approx(100 + 3 * HOURS, rel=1e-3)
    by_hand = trend([(0.0, 1.0), (HOUR, 3.0), (2 * HOUR, 2.0), (3 * HOUR, 4.0), (4 * HOUR, 5.0)])
    assert by_hand is not None
    # slope 0.9, residuals 1.9 over 3 degrees of freedom, t = 3.182
    assert by_hand.slope == pytest.approx(0.9)
    assert by_hand.margin == pytest.approx(3.182 * (1.9 / 3 / 10) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
    ("an_hour", "noise", "hours", "verdict"),
    [
        (0.0, 0.0, HOURS, HOLDS),
        (0.9, 0.01, HOURS, HOLDS),
        (2.0, 0.1, HOURS, GROWS),
        (2.0, 30.0, 0.1, OPEN),
        (-5.0, 0.1, HOURS, HOLDS),
    ],
)
def test_memory_may_grow_by_a_megabyte_an_hour(
    an_hour: float, noise: float, hours: float, verdict: str
) -> None:
    found = trend(points(90.0, an_hour, noise, hours))
    assert found is not None
    assert found.verdict(1.0) == verdict


def test_what_is_flat_may_vary_and_fall_and_not_rise() -> None:
    for an_hour, noise, verdict in ((0, 0, HOLDS), (0, 3, HOLDS), (-4, 1, HOLDS), (2, 0.5, GROWS)):
        found = trend(points(40.0, an_hour, noise))
        assert found is not None
        assert found.is_flat() == verdict, (an_hour, noise)


def test_what_is_alike_from_one_moment_to_the_next_does_not_look_surer() -> None:
    """A walk by chance, looked at often: by each value alone its line would be almost certain."""
    surely = 0
    for seed in range(40):
        chance, value, walk = random.Random(seed), 0.0, list[Point]()
        for number in range(600):
            value += chance.gauss(-value / 20, 1)
            walk.append((number * EVERY, value))
        found = trend(walk)
        assert found is not None
        surely += found.is_flat() == GROWS
    assert surely <= 6


def test_of_too_few_values_nothing_is_told() -> None:
    assert trend([]) is None
    assert trend([(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]) is None


def operation(at: float, took: float, status: int = 200) -> Operation:
    about: Any = {"number": 1, "user": 1, "kind": "forged", "node": "1", "outcome": OK}
    return Operation(**about, due=at, start=at, end=at + took, status=status)


def wrong(census: Census, *operations: Operation) -> list[str]:
    """What a soak of two hours says of it."""

    class Settings:
        database_pool = 8

    class Running:
        settings = Settings

    class Town:
        running = Running

    scenario = type(SCENARIO)()
    scenario._census = census
    run: Any = Run(Town, Size(50, 2 * HOUR), None, 2 * HOUR, False)  # type: ignore[arg-type]
    return list(scenario.judge(run, Evidence(History(list(operations)))))


@pytest.mark.parametrize(
    ("what", "series", "sentence"),
    [
        (MEMORY, points(90, 3, 0.2, 2), "memory, MB grows by"),
        (FILES, points(40, 1, 0.2, 2), "open files grows by"),
        (THREADS, points(30, 0.5, 0.1, 2), "threads grows by"),
        (CONNECTIONS, points(9, 0.5, 0.1, 2), "connections grows by"),
        (MEMORY, points(400, 0, 0.1, 2), "would be 400 of 512 in a day"),
        (MEMORY, points(345, 0.9, 0.01, 2), "would be 368 of 512 in a day"),
        (CONNECTIONS, points(20, 0, 0, 2), "would be 20 of 26 in a day"),
        (MEMORY, points(90, 0.5, 0.2, 2), None),
        (FILES, points(40, 0, 2, 2), None),
    ],
)
def test_a_leak_of_a_process_is_told(what: str, series: Any, sentence: str | None) -> None:
    census = Census(1440.0)
    census.processes["worker 7", what] = series
    found = wrong(census)
    assert bool(found) == bool(sentence), found
    assert not sentence or any(sentence in each for each in found)


def test_the_beginning_of_a_process_is_left_out() -> None:
    census = Census(1440.0)
    census.processes["worker 7", MEMORY] = [
        (at, 60.0 + min(at, 800.0) / 4) for at, _ in points(0, hours=2)
    ]
    assert wrong(census) == []


def test_a_table_that_grows_is_told_unless_its_rows_are_kept() -> None:
    for table, is_told in (("users", True), ("grants", False), ("audit_events", False)):
        census = Census(1440.0)
        census.tables[table, "rows"] = points(60, 500, 1, 2)
        assert bool(wrong(census)) == is_told, table
    left = Census(1440.0, overdue={"grants": 3})
    assert wrong(left) == ["grants: 3 rows were left by a sweep that should have gone"]


def test_slower_answers_are_told_but_for_those_in_trouble() -> None:
    even = [operation(at, 0.1) for at in range(0, 7200, 5)]
    assert wrong(Census(1440.0), *even) == []
    slower = [operation(at, 0.1 + at / 7200 / 20) for at in range(0, 7200, 5)]
    assert any("p99, ms grows" in each for each in wrong(Census(1440.0), *slower))
    broken = [operation(at, 0.1, 500) for at in range(0, 7200, 5)]
    assert len(wrong(Census(1440.0), *broken)) == len(broken)
    after = [operation(at, 9.0) for at in range(100, 110)]
    fault = Fault("a fault", 99.0, 109.0 - TROUBLE + 1.5)
    seen = _slowest(Evidence(History([*even, *after], [fault])))
    assert {round(took) for _, took in seen} == {100}


def test_a_process_is_looked_at_as_it_is() -> None:
    own = figures(os.getpid(), 8000, 5432)
    assert own[MEMORY] > 10
    assert own[THREADS] >= 1
    assert own[FILES] >= 3
    assert figures(2**22 + 1, 8000, 5432) == {}


def test_whoever_keeps_a_connection_is_no_open_file_and_who_left_one_is() -> None:
    with socket.create_server((LOOPBACK, 0)) as listening:
        port = listening.getsockname()[1]

        def files() -> float:
            return figures(os.getpid(), port, 0)[FILES]

        before = files()
        with socket.create_connection((LOOPBACK, port)) as caller:
            taken, _ = listening.accept()
            with taken:
                assert figures(os.getpid(), 0, port)[CONNECTIONS] == 1
                assert files() == before + 1, "the caller's end is"
                caller.shutdown(socket.SHUT_WR)
                assert files() == before + 2
                assert figures(os.getpid(), 0, port)[CONNECTIONS] == 0


def test_after_a_rush_a_process_begins_no_more_threads(tmp_path: Path) -> None:
    with town_on_sqlite(tmp_path, 1, workers=2) as town:
        wait_until(town.is_whole)
        before = _threads(town)
        rush(town)
        after = _threads(town)
        assert min(after) >= min(before) + town.threads - 1
        assert len(set(after)) == 1
        rush(town)
        assert _threads(town) == after


def _threads(town: Town) -> list[float]:
    return [figures(pid, 0, 0)[THREADS] for pid in town.workers()]
