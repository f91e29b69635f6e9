"""R1: a worker is killed outright, every ten seconds; each second time the one that replaced it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from chaos.evidence import Evidence
from chaos.scenario import Run, Scenario, Size
from chaos.town import wait_until
from tests.machine.processes import kill

SERVING_WITHIN = 5.0
SHARE = 0.005


class KilledWorkers(Scenario):
    number = "R1"
    title = "killed workers"
    size = Size(rate=200, seconds=300, times=27)
    bounded = Size(rate=25, seconds=4, times=2)
    recovery = SERVING_WITHIN

    def __init__(self) -> None:
        self._slowest = 0.0

    def fault(self, run: Run) -> None:
        self._slowest = 0.0
        known: set[int] = set()
        for number in run.times():
            workers = set(run.town.workers())
            victims = workers - known if number % 2 else workers
            known = workers
            with run.pen.fault("a killed worker"):
                kill(random.choice(list(victims)))
            self._slowest = max(self._slowest, wait_until(run.town.is_whole))

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """Requests that the killed one had in hand may be lost, and no others."""
        if self._slowest > SERVING_WITHIN * run.patience:
            yield f"a worker served again after {self._slowest:.1f} s"
        wrong = [each for each in evidence.operations if each.is_wrong]
        most = run.town.threads * run.size.times
        if len(wrong) > most:
            yield f"{len(wrong)} requests failed, and {run.size.times} workers had {most} in hand"
        if run.size.seconds >= self.size.seconds and len(wrong) > SHARE * len(evidence.operations):
            yield f"{len(wrong)} of {len(evidence.operations)} requests failed"


SCENARIO = KilledWorkers()
