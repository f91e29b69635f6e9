"""R24: ten thousand changes while workers are killed, and the processes that do the jobs."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from chaos.evidence import Evidence
from chaos.scenario import Run, Scenario, Size
from chaos.town import wait_until
from idp.outbox import CODE, LETTER, OutboxMessage
from idp.senders import InboxMessage
from tests.machine.processes import kill

TAKEN_OVER_WITHIN = 60.0  # what one had in hand; what waits is taken by another at once
ROUND = 5.0  # in which a worker looks again
SENT_ONCE = 0.999
CHANGES = {"rename": 30, "revoke": 20, "colleague": 20, "password": 20, "new password": 10}


class Audit(Scenario):
    number = "R24"
    title = "audit and jobs"
    size = Size(rate=60, seconds=300, times=20)
    bounded = Size(rate=15, seconds=4, times=2)
    recovery = 10.0
    mix = CHANGES

    def __init__(self) -> None:
        self._begun = 0.0

    def fault(self, run: Run) -> None:
        """Each second time one that does the jobs, while another stands by."""
        self._begun = time.time()
        running = run.town.running
        running.start_outbox_worker()
        for number in run.times():
            if number % 2:
                with run.pen.fault("a killed worker of jobs"):
                    killed = running.outbox_workers.pop(0)
                    killed.kill()
                    killed.wait()
                running.start_outbox_worker()
            else:
                with run.pen.fault("a killed worker"):
                    kill(random.choice(run.town.workers()))
                wait_until(run.town.is_whole)
        spare = running.outbox_workers.pop()
        spare.terminate()
        spare.wait(30)

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """That each change has its event is I7. What a killed worker had in hand may have left."""
        with run.town.running.held.database.engine.connect() as connection:
            waits = [float(each) for each in connection.scalars(_waits(self._begun, time.time()))]
            sent, meant = (int(connection.scalar(each)) for each in _letters(self._begun))
        longest = max(waits, default=0.0)
        if longest > TAKEN_OVER_WITHIN + ROUND * run.patience:
            yield f"a message waited for {longest:.1f} s"
        if sent - meant > max((1 - SENT_ONCE) * meant, run.size.times / 2):
            yield f"{sent - meant} of {meant} letters were sent again"


def _letters(since: float) -> Iterator[Any]:
    """How many have arrived, and how many should, those included that were in hand."""
    yield sa.select(sa.func.count()).where(InboxMessage.at > since)
    yield sa.select(sa.func.count()).where(
        OutboxMessage.created_at > since,
        OutboxMessage.kind.in_((LETTER, CODE)),
        sa.or_(OutboxMessage.finished_at.is_not(None), OutboxMessage.attempts > 0),
    )


def _waits(since: float, now: float) -> Any:
    """How long each message took since then, or has taken so far if nobody has it in hand."""
    done = sa.func.coalesce(OutboxMessage.finished_at, now)
    is_free = sa.or_(OutboxMessage.finished_at.is_not(None), OutboxMessage.locked_until < now)
    return sa.select(done - OutboxMessage.created_at).where(
        OutboxMessage.created_at > since, is_free
    )


SCENARIO = Audit()
