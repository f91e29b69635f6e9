"""R22: hours at half of what it can do, with lives a sixtieth as long, while parts of it fail: what
it uses up stays what it is.

A process that was killed begins anew, and so does what is known of it. After each fault there is a
rush, in which a process begins as many threads as it ever has, and connects them. Whether access is
refused in time is not asked here: with such short lives much is refused that nobody has ended.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar

from chaos.census import CONNECTIONS, FILES, MEMORY, THREADS, Census
from chaos.crowd import run_alone
from chaos.evidence import Evidence
from chaos.load import MIXED
from chaos.report import percentile
from chaos.scenario import Run, Scenario, Size
from chaos.town import Town, wait_until
from chaos.trend import GROWS, Point, Trend, trend
from chaos.wire import Line
from idp import retention
from tests.machine.processes import kill

FASTER = 60
WARM_UP_SHARE = 0.125  # a quarter of an hour of two
SAMPLES = 720
AWAY = 1.0  # seconds between the end of a store and its start
TROUBLE = 10.0  # seconds after a fault that say nothing of how fast it is at other times
RUSH = 5  # times as many at once as the processes have threads
TURNS = 5  # of each who rushes
KEYS = b"GET /jwks HTTP/1.1\r\nHost: localhost\r\n\r\n"
STRETCH = 15.0  # seconds of which the slowest of a hundred answers is one value

MORE_MEMORY = 1.0  # MB an hour, of a process
SLOWER = 0.01  # of what it was, an hour
ROOM = 0.7
A_DAY = 24.0
MOST = {MEMORY: 512.0, FILES: 1024.0, THREADS: 512.0}  # of a process, where nobody allows it more

FOR_GOOD = {"audit_events", "inbox_messages"}  # of these nothing goes
WITH_OTHERS = {"client_sessions"}  # with their session
AS_MADE = FOR_GOOD | WITH_OTHERS | retention.TABLES


class Soak(Scenario):
    number = "R22"
    title = "soak"
    size = Size(rate=50, seconds=7200, times=18)
    bounded = Size(rate=10, seconds=20, times=3)
    recovery = float("inf")
    mix: ClassVar = {kind: weight for kind, weight in MIXED.items() if kind != "userinfo"}
    settings: ClassVar = {
        "code_lifetime": 10,
        "access_token_lifetime": 60,
        "id_token_lifetime": 60,
        "session_idle_lifetime": 3600 // FASTER,
        "session_absolute_lifetime": 86400 // FASTER,
        "refresh_idle_lifetime": 14 * 86400 // FASTER,
        "refresh_absolute_lifetime": 90 * 86400 // FASTER,
    }

    def __init__(self) -> None:
        self._census = Census(retention.DAY / FASTER)
        self._lines: list[str] = []

    def fault(self, run: Run) -> None:
        """One of three in turn, PostgreSQL, Redis, a worker, so that who replaces a worker has gone
        through both others before it counts as warm; and after each as many come back at once."""
        self._census = Census(retention.DAY / FASTER)
        faults = (_restart_postgres, _restart_redis, _kill_a_worker)
        rush(run.town)
        with self._census.taken(run.town, max(1.0, run.size.seconds / SAMPLES)):
            for number in run.times():
                run.pause(run.size.seconds / run.size.times / 2)
                faults[number % len(faults)](run)
                rush(run.town)

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        self._lines = []
        warm_up = run.size.seconds * WARM_UP_SHARE
        most = {**MOST, CONNECTIONS: 2.0 * run.town.running.settings.database_pool + 10}
        for (name, what), points in sorted(self._census.processes.items()):
            if found := trend(_warm(points, warm_up)):
                yield from self._of_process(name, what, found, most[what])
        for (table, _), points in self._census.tables.items():
            if found := trend(_warm(points, warm_up)):
                yield from self._of_table(table, found)
        if found := trend(_warm(_slowest(evidence), warm_up)):
            yield from self._told("answers", "p99, ms", found, found.verdict(SLOWER * found.level))
        for table, count in self._census.overdue.items():
            yield f"{table}: {count} rows were left by a sweep that should have gone"
        for each in evidence.operations:
            if each.status >= 500 and each.status != 503:
                yield f"operation {each.number} ({each.kind}) is {each.status} {each.error}"
        print("\n".join(self._lines), flush=True)

    def _of_process(self, name: str, what: str, found: Trend, most: float) -> Iterator[str]:
        verdict = found.verdict(MORE_MEMORY) if what == MEMORY else found.is_flat()
        yield from self._told(name, what, found, verdict)
        if found.after(A_DAY) > ROOM * most:
            yield f"{name}: {what} would be {found.after(A_DAY):.0f} of {most:.0f} in a day"

    def _of_table(self, table: str, found: Trend) -> Iterator[str]:
        """One that is swept has a row for each that was made in the time that it is kept."""
        if found.level or found.slope:
            verdict = "as made" if table in AS_MADE else found.is_flat()
            yield from self._told(table, "rows", found, verdict)

    def _told(self, name: str, what: str, found: Trend, verdict: str) -> Iterator[str]:
        slope = f"{found.slope:+10.2f} ± {found.margin:8.2f} an hour"
        self._lines.append(f"  {name:<26}{what:<14}{found.level:10.1f} {slope}  {verdict}")
        if verdict == GROWS:
            yield f"{name}: {what} grows by {slope.strip()}"


def _warm(points: list[Point], warm_up: float) -> list[Point]:
    """What begins anew warms up anew."""
    first = min((at for at, _ in points), default=0.0)
    return [each for each in points if each[0] >= first + warm_up]


def _slowest(evidence: Evidence) -> list[Point]:
    """The 99th of a hundred answers, stretch by stretch, but where something was just broken."""
    times = sorted(
        (each.start, each.latency)
        for each in evidence.operations
        if not any(f.start - 1 < each.start < f.end + TROUBLE for f in evidence.faults)
    )
    stretches: dict[int, list[float]] = defaultdict(list)
    for at, took in times:
        stretches[int(at / STRETCH)].append(took)
    return [(STRETCH * at, percentile(took, 0.99)) for at, took in stretches.items()]


def rush(town: Town) -> None:
    """A process begins another thread when more wait than it has, and keeps it: that it has begun
    the last of them only hours after the first would look like growth without end."""
    run_alone(_rush(town))


async def _rush(town: Town) -> None:
    settings = town.running.settings
    lines = [Line(town.port) for _ in range(RUSH * settings.workers * settings.threads)]
    for _ in range(TURNS):
        await asyncio.gather(*(line.ask(KEYS) for line in lines))
    for line in lines:
        line.close()


def _kill_a_worker(run: Run) -> None:
    with run.pen.fault("a killed worker"):
        kill(random.choice(run.town.workers()))
    wait_until(run.town.is_whole)


def _restart_redis(run: Run) -> None:
    assert run.town.redis is not None
    with run.pen.fault("Redis away, and empty again"):
        run.town.redis.stop()
        run.pause(AWAY)
        run.town.redis.start()


def _restart_postgres(run: Run) -> None:
    assert run.town.postgres is not None
    with run.pen.fault("PostgreSQL away"):
        run.town.postgres.end(signal.SIGINT)
        run.pause(AWAY)
        run.town.postgres.start()


SCENARIO = Soak()
