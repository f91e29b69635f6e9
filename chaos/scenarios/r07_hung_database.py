"""R7: PostgreSQL is silent, far away, or has its rows locked, for all servers at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import ClassVar

import psycopg

from chaos.crowd import ORDINARY, Crowd, run_alone
from chaos.evidence import Evidence
from chaos.history import Fault, Operation
from chaos.invariants import failures_are_told
from chaos.nodes import (
    LIVE,
    PROBES,
    READY,
    Nodes,
    Watch,
    status_of,
    town_of_nodes,
    unnoticed,
)
from chaos.products import Products
from chaos.registry import WEB
from chaos.report import percentile
from chaos.scenario import Run, Scenario, Size
from chaos.town import wait_until

SILENCE, DISTANCE, LOCKS = "silence", "distance", "locks"
LONGEST = 30.0
LEAST = {SILENCE: 8.0, DISTANCE: 1.0, LOCKS: 8.0}  # what waits without a limit is seen to
LATENCY = 0.2
AT_ONCE = 20
WELL_WITHIN = 10.0
DEADLINE, SOON, SLACK = 5.0, 1.0, 2.5  # the tests' machine does much else
PUBLIC = ("jwks", "discovery")


class HungDatabase(Scenario):
    number = "R7"
    title = "hung database"
    size = Size(rate=100, seconds=300)
    bounded = Size(rate=8, seconds=19)
    recovery = WELL_WITHIN
    mix: ClassVar = {**ORDINARY, "discovery": 10}
    town = staticmethod(town_of_nodes)

    def fault(self, run: Run) -> None:
        town = run.town
        assert isinstance(town, Nodes)
        faults: dict[str, Callable[[Run, Nodes], AbstractContextManager[None]]] = {
            SILENCE: _silent,
            DISTANCE: _distant,
            LOCKS: _locked,
        }
        with Watch(town.nodes, run.pen):
            for name, seconds in run.turns(faults, LONGEST):
                with ExitStack() as broken:
                    broken.enter_context(run.pen.fault(name))
                    broken.enter_context(faults[name](run, town))
                    time.sleep(max(seconds, LEAST[name]))
                wait_until(lambda: all(status_of(each, READY) == 200 for each in town.nodes))

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """All that is asked is answered soon: as it should be, or by 503. What needs no database is
        served throughout. All servers notice silence, live on, and are well without help (I9)."""
        asked = [each for each in evidence.operations if each.kind not in PROBES]
        yield from failures_are_told(asked)
        for each in asked:
            took = each.end - each.start
            if took > DEADLINE + SLACK * run.is_short:
                yield f"operation {each.number} ({each.kind}) took {took:.1f} s"
        for each in (each for each in evidence.operations if each.is_wrong):
            if each.kind in (*PUBLIC, LIVE):
                yield f"{each.kind} is {each.status} {each.error} at {each.node}"
        for fault in evidence.faults:
            if fault.fault == SILENCE:
                yield from unnoticed(fault, evidence.operations)
                yield from _waits(fault, asked, SOON + SLACK / 2 * run.is_short)
            if fault.fault == LOCKS and not any(
                each.status == 503 and fault.start < each.start < fault.end for each in asked
            ):
                yield "nobody was refused for rows that were locked"


@contextmanager
def _silent(_: Run, town: Nodes) -> Iterator[None]:
    with ExitStack() as all_ways:
        for node in town.nodes:
            all_ways.enter_context(node.database.hanging())
        yield


@contextmanager
def _distant(_: Run, town: Nodes) -> Iterator[None]:
    with ExitStack() as all_ways:
        for node in town.nodes:
            all_ways.enter_context(node.database.slow(LATENCY / 2))
        yield


@contextmanager
def _locked(run: Run, town: Nodes) -> Iterator[None]:
    """With many who ask for what is locked in the same moment."""
    crowd = Crowd(town, run.pen, AT_ONCE)
    with psycopg.connect(town.url) as other:
        run_alone(_wait_for_locks(crowd, other))
        yield
        other.rollback()


async def _wait_for_locks(crowd: Crowd, other: psycopg.Connection) -> None:
    family = await crowd.family(WEB)

    async def look(products: Products) -> None:
        await products.introspect(family)

    other.execute("LOCK TABLE grants IN ACCESS EXCLUSIVE MODE")
    await crowd.at_once(*[look] * AT_ONCE)
    crowd.close()


def _waits(silence: Fault, asked: list[Operation], soon: float) -> Iterator[str]:
    """Once a server knows, it need not find out again for each request."""
    known = [
        each.end - each.start
        for each in asked
        if silence.start + DEADLINE < each.start and each.end < silence.end
    ]
    usual = percentile(known, 0.5) / 1e3
    if usual > soon:
        yield f"a request takes {usual:.1f} s while the database is known to be silent"


SCENARIO = HungDatabase()
