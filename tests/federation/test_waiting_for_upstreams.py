"""How many of us wait for other providers at once: never all, and not all for the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest

from idp import turns
from idp.federation.upstream import Away, Metadata
from idp.settings import UPSTREAM_THREADS
from idp.turns import AT_ONCE, FOR_ONE
from tests.federation.party import BACK
from tests.federation.reaching import LONG, NOW, Reaching
from tests.machine.upstream import Fault, running_upstream

TOO_MANY = "too many are waiting"
FOR_EVER = 3 * LONG


class Crowd:
    """People of ours who ask providers that hang, until `let_go`."""

    def __init__(self, stack: ExitStack) -> None:
        self.pool = stack.enter_context(ThreadPoolExecutor(2 * UPSTREAM_THREADS))
        self.here: list[Reaching] = []
        for _ in range(2):
            provider = stack.enter_context(running_upstream(BACK))
            provider.fault = Fault.DISCOVERY_HANGS
            known = self.here[0].upstreams if self.here else None
            self.here.append(Reaching(provider, known))
        self.one, self.other = self.here

    def ask(self, there: Reaching) -> Future[Metadata]:
        return self.pool.submit(there.metadata, NOW, FOR_EVER)

    def hold(self, there: Reaching, number: int) -> list[Future[Metadata]]:
        """Once so many of it are being answered."""
        asking = [self.ask(there) for _ in range(number)]
        self.until(lambda: there.provider.asked["discovery"] == number)
        return asking

    def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self.one.provider.is_quiet_within(0.01)

    def places_taken(self) -> int:
        return UPSTREAM_THREADS - self.one.turns.threads._value

    def let_go(self) -> None:
        """Who hangs is cut off; who asks from now on gets an answer."""
        for there in self.here:
            there.provider.fault = None
            there.provider.down()
            there.provider.up()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    with ExitStack() as stack:
        made = Crowd(stack)
        stack.callback(made.let_go)
        yield made


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stands in line stays there."""
    monkeypatch.setattr(turns, "LINE_WAIT", FOR_EVER)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LINE_WAIT", 0.01)


def is_turned_away(asking: Future[Metadata]) -> bool:
    """At once, not after it stood in line."""
    return TOO_MANY in str(asking.exception(LONG))


def done(asking: list[Future[Metadata]]) -> int:
    return sum(each.done() for each in asking)


@pytest.mark.usefixtures("impatient")
def test_two_at_once_are_answered_by_one_provider(crowd: Crowd) -> None:
    held = crowd.hold(crowd.one, AT_ONCE)
    assert is_turned_away(crowd.ask(crowd.one)), "after it stood in line"
    assert crowd.one.provider.asked["discovery"] == AT_ONCE
    assert not any(each.done() for each in held)


@pytest.mark.usefixtures("patient")
def test_in_line_there_is_room_for_few_and_their_turn_comes(crowd: Crowd) -> None:
    held = crowd.hold(crowd.one, AT_ONCE)
    in_line = crowd.ask(crowd.one)
    crowd.until(lambda: crowd.places_taken() == AT_ONCE + 1 or in_line.done())
    assert is_turned_away(crowd.ask(crowd.one))
    assert not any(each.done() for each in [*held, in_line])
    crowd.let_go()
    assert not is_turned_away(in_line)


@pytest.mark.usefixtures("patient")
def test_one_provider_that_hangs_stops_no_other(crowd: Crowd) -> None:
    held = crowd.hold(crowd.one, AT_ONCE)
    more = [crowd.ask(crowd.one) for _ in range(FOR_ONE)]
    crowd.until(lambda: crowd.places_taken() + done(more) == len(held) + len(more))
    crowd.other.provider.fault = None
    assert crowd.ask(crowd.other).result(LONG)


@pytest.mark.usefixtures("patient")
def test_of_all_threads_a_few_wait_however_many_providers_hang(crowd: Crowd) -> None:
    crowd.hold(crowd.one, AT_ONCE)
    crowd.hold(crowd.other, AT_ONCE)
    assert AT_ONCE * 2 == UPSTREAM_THREADS
    assert is_turned_away(crowd.ask(crowd.one))
    assert is_turned_away(crowd.ask(crowd.other))


@pytest.mark.usefixtures("impatient")
def test_the_providers_of_one_company_are_waited_for_like_one(crowd: Crowd) -> None:
    """Whoever names many would hold up everybody else's."""
    for there in crowd.here:
        there.known = replace(there.known, tenant_id="northwind")
    crowd.hold(crowd.one, AT_ONCE)
    assert is_turned_away(crowd.ask(crowd.other))
    crowd.other.provider.fault = None
    crowd.other.known = replace(crowd.other.known, tenant_id="southwind")
    assert crowd.ask(crowd.other).result(LONG)


@pytest.mark.usefixtures("impatient")
def test_whoever_is_done_makes_room(crowd: Crowd) -> None:
    for there in crowd.here:
        there.provider.fault = None
        there.provider.down()
    for _ in range(2 * UPSTREAM_THREADS):
        for there in crowd.here:
            with pytest.raises(Away, match=r"ConnectionRefusedError|just now"):
                there.metadata()
    for there in crowd.here:
        there.provider.up()
        for _ in range(2 * UPSTREAM_THREADS):
            assert there.kids(now=NOW + 60)
