"""R5: PostgreSQL ends, in order or at once, and comes back; the provider is left alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from chaos.caller import NO_RETRY
from chaos.evidence import Evidence
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
        """What fails, fails by 503 with Retry-After."""
        for each in evidence.operations:
            if each.status >= 500 and (each.status != 503 or each.error.endswith(NO_RETRY)):
                yield f"operation {each.number} ({each.kind}) is {each.status} {each.error}"
            if each.is_wrong and each.status == 0:
                yield f"operation {each.number} ({each.kind}) was not answered: {each.error}"


SCENARIO = PostgresRestarts()
