"""R2: the server is killed outright with all its processes, and started again, fifty times."""

from __future__ import annotations

import random
from collections.abc import Iterator

from chaos.evidence import Evidence
from chaos.scenario import Run, Scenario, Size
from chaos.town import timed

READY_WITHIN = 10.0


class KilledServer(Scenario):
    number = "R2"
    title = "killed server"
    size = Size(rate=100, seconds=600, times=50)
    bounded = Size(rate=25, seconds=4, times=1)
    recovery = READY_WITHIN

    def __init__(self) -> None:
        self._slowest = 0.0

    def fault(self, run: Run) -> None:
        self._slowest = 0.0
        slot = (run.until - run.now) / run.size.times
        for _ in run.times():
            run.pause(random.uniform(0, slot / 4))
            with run.pen.fault("a killed server"):
                run.town.running.kill_server()
            self._slowest = max(self._slowest, timed(run.town.running.start_server))

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        if self._slowest > READY_WITHIN * run.patience:
            yield f"the server was ready after {self._slowest:.1f} s"


SCENARIO = KilledServer()
