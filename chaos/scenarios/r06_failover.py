"""R6: the primary is killed, its synchronous standby takes over, and the old one comes back as if
it still were what it was."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from chaos.evidence import Evidence
from chaos.invariants import failures_are_told
from chaos.load import MIXED
from chaos.scenario import Run, Scenario, Size
from chaos.town import Town, wait_until
from idp.database import Database
from idp.errors import StoreUnavailable
from idp.postgres_primary import TIMELINE
from tests.machine.postgres import OWNER, Postgres, start_standby
from tests.machine.processes import LOOPBACK

SERVING_WITHIN = 10.0
AWAY = 1.0  # seconds in which nobody writes
IN_STEP = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
USED = """
    SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del), 0)
    FROM pg_stat_user_tables
"""
PORT = sa.select(sa.func.inet_server_port())


class Failover(Scenario):
    number = "R6"
    title = "failover"
    size = Size(rate=100, seconds=300, times=5)
    bounded = Size(rate=15, seconds=4, times=1)
    recovery = SERVING_WITHIN
    mix = MIXED | {"new password": 4}

    def __init__(self) -> None:
        self._wrong: list[str] = []

    def fault(self, run: Run) -> None:
        self._wrong.clear()
        slot = (run.until - run.now) / run.size.times
        for _ in run.times():
            old = _primary(run.town)
            standby = _followed(run.town)
            self._wrong += _reads_of(run.town, standby)
            with run.pen.fault("a killed primary"):
                old.end(signal.SIGKILL)
                time.sleep(AWAY)
                standby.promote()
            run.town.postgres = standby
            wait_until(lambda: _is_known_to_all(run.town))
            run.pause(slot / 4)
            with _back(old):
                with run.pen.fault("a restart beside a stale primary"):
                    standby.end(signal.SIGINT)
                    time.sleep(AWAY)
                    standby.start()
                run.pause(slot / 4)
                self._wrong += _uses_of(run.town, old)

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        yield from self._wrong
        yield from failures_are_told(evidence.operations)


def _followed(town: Town) -> Postgres:
    """By a standby at the other port, which has each commit before it is answered."""
    primary = _primary(town)
    [other] = set(town.ports_of_postgres) - {primary.port}
    standby = start_standby(primary, other)
    town.clusters.append(standby)
    primary.set(synchronous_standby_names="*")
    wait_until(lambda: bool(_ask(town, primary, IN_STEP) == 1))
    return standby


def _is_known_to_all(town: Town) -> bool:
    """Whoever has not met the new primary can't know that the old one was replaced."""
    timeline = int(_ask(town, _primary(town), TIMELINE), 16)
    met = town.running.log.read_text().count(f'"timeline": {timeline},')
    return met >= town.running.settings.workers


def _reads_of(town: Town, standby: Postgres) -> Iterator[str]:
    """Before it takes over it is not read: neither by whoever knows both, nor by whoever knows of
    no other."""
    if used := _ask(town, standby, USED):
        yield f"a standby was read {used} times"
    url = f"postgresql://{OWNER}@{LOOPBACK}:{standby.port}/{town.database}"
    with suppress(StoreUnavailable), closing(Database(url)) as alone, alone.connection() as db:
        yield f"a standby answers {db.rows(PORT)}"


@contextmanager
def _back(stale: Postgres) -> Iterator[None]:
    """It waits for no standby, but would do at once whatever it were told."""
    stale.start()
    stale.set(synchronous_standby_names="")
    yield
    stale.end(signal.SIGINT)


def _uses_of(town: Town, stale: Postgres) -> Iterator[str]:
    """Nobody goes back to it, and least of all who begins only now."""
    with closing(Database(town.running.settings.database_url)) as new, new.connection() as db:
        if db.rows(PORT) != [(_primary(town).port,)]:
            yield "whoever begins now goes to a stale primary"
    if used := _ask(town, stale, USED):
        yield f"a stale primary was used {used} times"


def _primary(town: Town) -> Postgres:
    assert town.postgres is not None
    return town.postgres


def _ask(town: Town, server: Postgres, question: str) -> Any:
    """The first of its answers."""
    with server.as_superuser(town.database) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


SCENARIO = Failover()
