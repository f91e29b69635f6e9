"""Security R19: a queue is fair. Who asks for much is in nobody's way but their own."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256

import pytest

from idp.credentials.fair_queue import FULL, MADE_ROOM, TOO_SLOW, FairQueue, NoPlace

LONG = 30.0
ASKERS, EACH = 16, 200
WORK = bytes(100_000)  # lets other threads run meanwhile


class Watched(FairQueue):
    """Says when somebody has joined, or was turned away."""

    def __init__(self, slots: int, places: int) -> None:
        super().__init__(slots, places)
        self.joined = threading.Event()

    def _join(self, group: str) -> object:  # type: ignore[override]
        try:
            return super()._join(group)
        finally:
            self.joined.set()


class Crowd:
    """In front of one slot, which is taken until `let_on`. Whoever comes has a name of two letters,
    the first of them their group's."""

    def __init__(self, places: int) -> None:
        self.served: list[str] = []
        self.refused: dict[str, str] = {}
        self._queue = Watched(1, places)
        self._taken = ExitStack()
        self._taken.enter_context(self._queue.turn("nobody", LONG))
        self._threads: list[threading.Thread] = []

    def come(self, names: str, patience: float = LONG) -> None:
        """One after the other."""
        for name in names.split():
            self._queue.joined.clear()
            thread = threading.Thread(target=self._ask, args=(name, patience))
            thread.start()
            self._threads.append(thread)
            assert self._queue.joined.wait(LONG)

    def let_on(self) -> list[str]:
        """Who had a turn, in order."""
        self._taken.close()
        for thread in self._threads:
            thread.join(LONG)
            assert not thread.is_alive()
        return self.served

    def _ask(self, name: str, patience: float) -> None:
        try:
            with self._queue.turn(name[0], patience):
                self.served.append(name)
        except NoPlace as why:
            self.refused[name] = str(why)


def test_whoever_came_first_has_their_turn_first() -> None:
    crowd = Crowd(3)
    crowd.come("a1 a2 a3")
    assert crowd.let_on() == ["a1", "a2", "a3"]


def test_each_group_has_a_turn_before_one_has_its_second() -> None:
    crowd = Crowd(7)
    crowd.come("a1 a2 a3 a4 b1 b2 c1")
    assert crowd.let_on() == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


def test_a_full_queue_of_one_group_refuses_it() -> None:
    crowd = Crowd(2)
    crowd.come("a1 a2 a3 a4")
    assert crowd.let_on() == ["a1", "a2"]
    assert crowd.refused == {"a3": FULL, "a4": FULL}


def test_a_full_queue_makes_room_for_another_group() -> None:
    crowd = Crowd(5)
    crowd.come("a1 a2 a3 a4 a5 b1")
    assert crowd.let_on() == ["a1", "b1", "a2", "a3", "a4"]
    assert crowd.refused == {"a5": MADE_ROOM}


def test_room_is_made_for_a_group_until_it_has_as_much_as_another() -> None:
    crowd = Crowd(4)
    crowd.come("a1 a2 a3 a4 b1 b2 b3")
    assert crowd.let_on() == ["a1", "b1", "a2", "b2"]
    assert crowd.refused == {"a4": MADE_ROOM, "a3": MADE_ROOM, "b3": FULL}


def test_the_group_that_has_most_makes_room() -> None:
    crowd = Crowd(5)
    crowd.come("a1 a2 b1 b2 b3 c1")
    assert crowd.let_on() == ["a1", "b1", "c1", "a2", "b2"]
    assert crowd.refused == {"b3": MADE_ROOM}


def test_nobody_makes_room_where_each_group_has_one() -> None:
    crowd = Crowd(3)
    crowd.come("a1 b1 c1 d1")
    assert crowd.let_on() == ["a1", "b1", "c1"]
    assert crowd.refused == {"d1": FULL}


def test_whoever_has_waited_too_long_leaves_their_place_to_others() -> None:
    crowd = Crowd(1)
    crowd.come("a1", patience=0.0)
    crowd._threads[0].join(LONG)
    crowd.come("b1")
    assert crowd.let_on() == ["b1"]
    assert crowd.refused == {"a1": TOO_SLOW}


def test_without_places_whoever_finds_no_slot_is_refused() -> None:
    crowd = Crowd(0)
    crowd.come("a1")
    assert crowd.refused == {"a1": FULL}


def test_a_slot_is_free_again_even_after_a_failure() -> None:
    queue = FairQueue(1, 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), queue.turn("a", LONG):
            raise ZeroDivisionError


@pytest.mark.parametrize("slots", [1, 3])
def test_no_more_than_the_slots_are_used_at_once_and_none_is_lost(slots: int) -> None:
    queue, within, most = FairQueue(slots, 4), [0], [0]
    counting = threading.Lock()

    def enter(change: int) -> None:
        with counting:
            within[0] += change
            most[0] = max(most[0], within[0])

    def ask(number: int) -> Counter[str]:
        chance, told = random.Random(number), Counter[str]()
        for _ in range(EACH):
            try:
                with queue.turn(chance.choice("aaaabc"), chance.choice([0.0, 0.0005, LONG])):
                    enter(1)
                    sha256(WORK).digest()
                    enter(-1)
                told["served"] += 1
            except NoPlace as why:
                told[str(why)] += 1
        return told

    with ThreadPoolExecutor(ASKERS) as askers:
        told = sum(askers.map(ask, range(ASKERS)), Counter[str]())
    assert told.total() == ASKERS * EACH
    assert {"served", FULL} <= told.keys() <= {"served", FULL, TOO_SLOW, MADE_ROOM}
    assert 1 <= most[0] <= slots
    assert not queue.waiting
    with ExitStack() as taken:
        for _ in range(slots):
            taken.enter_context(queue.turn("a", 0.0))
        with pytest.raises(NoPlace):
            taken.enter_context(queue.turn("a", 0.0))
