"""R5: PostgreSQL ends, in order or at once, and comes back; the provider is left alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from chaos.evidence import Evidence
from chaos.invariants import failures_are_told
from chaos.scenario import Run, Scenario, Size

SERVING_WITHIN = 10.0
AWAY = 0.5  # seconds between its end and its start


class PostgresRestarts(Scenario):
    number = "R5"
    title = "PostgreSQL restarts"
    size = Size(rate=100, seconds=300, times=10)
    bounded = Size(rate=25, seconds=5, times=2)
    recovery = SERVING_WITHIN

    def fault(self, run: Run) -> None:
        postgres = run.town.postgres
        assert postgres is not None
        for number in run.times():
            with run.pen.fault("an immediate end" if number % 2 else "a fast end"):
                postgres.end(signal.SIGQUIT if number % 2 else signal.SIGINT)
                run.pause(AWAY)
                postgres.start()

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        yield from failures_are_told(evidence.operations)


SCENARIO = PostgresRestarts()
