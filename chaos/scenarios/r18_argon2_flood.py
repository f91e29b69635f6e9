"""R18: passwords pour in from two hundred addresses, some of them of a megabyte."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from bench.process_figures import status_mb
from chaos.crowd import FIRST, ORDINARY, run_alone
from chaos.evidence import Evidence
from chaos.flood import SENT, Flood
from chaos.history import Operation
from chaos.invariants import none_failed
from chaos.registry import TENANTS
from chaos.report import percentile
from chaos.scenario import Run, Scenario, Size
from chaos.waits import SHARE, slowed
from idp.settings import Settings

ADDRESSES, EACH = 200, 5  # a short flood comes from fewer, each of which sends as many at least
HUGE, HUGE_EVERY = "x" * 2**20, 25
WRONG, TOO_LARGE, TOO_MANY, BUSY = 400, 413, 429, 503
CUT_OFF = {"ConnectionResetError", "IncompleteReadError"}
MAY_BE_LOST = 0.1  # of what is too large
TOLD_WITHIN, SLOWER = 100.0, 2.0  # ms; times
TEST_TOLD_WITHIN = 5000.0  # ms, whatever else its machine does
ROOM = 40.0  # MB by which a process in use grows, whatever it hashes
NEEDED = {"redeem", "refresh", "jwks"}
STRICT: Mapping[str, Any] = {  # hashes as they ship; for what R19 looks at, few tries of a company
    "tries_per_tenant": 10,
    "argon2_memory_kib": Settings().argon2_memory_kib,
    "argon2_time_cost": Settings().argon2_time_cost,
}


class PasswordFlood(Scenario):
    """Five hundred a second, of nobody who exists: the work for them is the same."""

    number = "R18"
    title = "a flood of passwords"
    size = Size(rate=20, seconds=600, times=270_000)
    bounded = Size(rate=10, seconds=3, times=300)
    recovery = 10.0
    mix = ORDINARY
    settings = STRICT

    def __init__(self) -> None:
        self._before: dict[int, float] = {}
        self._after: dict[int, float] = {}

    def fault(self, run: Run) -> None:
        self._before = _memory(run, "VmRSS")
        run_alone(self._flood(run))
        self._after = _memory(run, "VmHWM")

    async def _flood(self, run: Run) -> None:
        addresses = min(ADDRESSES, run.size.times // EACH)
        people = [(f"nobody{number}@chaos.example", TENANTS[0]) for number in range(addresses)]
        flood = Flood(run, people)
        await flood.stand()
        with run.pen.fault("a flood"):
            await flood.pour(run.size.times, run, _password)

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """Whoever signs in meanwhile is told to come back, and is nobody's fault."""
        settings = run.town.running.settings
        hashes = settings.argon2_slots * settings.argon2_memory_kib / 1024
        yield from grown(self._before, self._after, hashes)
        yield from answered(evidence, run.is_short)
        needed = [each for each in evidence.operations if each.user < FIRST and each.kind in NEEDED]
        yield from slowed("tokens and keys", needed, evidence.faults, SLOWER, run)
        yield from none_failed(needed)


def grown(before: dict[int, float], after: dict[int, float], hashes: float) -> Iterator[str]:
    """No process has ended, nor hashed more at once than it may: each hash has memory of its own,
    those at once `hashes` MB."""
    if after.keys() != before.keys():
        yield f"of the processes {sorted(before)} there are {sorted(after)}"
    for pid in before.keys() & after.keys():
        if after[pid] - before[pid] > hashes + ROOM:
            yield f"process {pid} grew from {before[pid]:.0f} to {after[pid]:.0f} MB"


def answered(evidence: Evidence, is_short: bool) -> Iterator[str]:
    """Each password is looked at, or refused at once, as those of a megabyte always are. They are
    thrown away where there is room for that, and where there is none the answer may be lost. What
    is at once to a test, whose machine does much else, is sooner than those that are looked at."""
    flood = [each for each in evidence.operations if each.user >= FIRST and each.kind == SENT]
    told = Counter(each.status for each in flood)
    lost = sum(each.error in CUT_OFF for each in flood)
    if told.keys() - {WRONG, TOO_LARGE, TOO_MANY, BUSY, 0} or told[0] != lost:
        yield f"the flood was answered {dict(told)}"
    if lost > MAY_BE_LOST * told[TOO_LARGE]:
        yield f"{lost} heard nothing, and {told[TOO_LARGE]} that they sent too much"
    for status in (WRONG, TOO_LARGE, BUSY):
        if not told[status]:
            yield f"no password of the flood was answered {status}"
    waited = _wait(flood, {TOO_LARGE, TOO_MANY, BUSY})
    allowed = TOLD_WITHIN
    if is_short:
        looked_at = _wait(flood, {WRONG}) if told[WRONG] else math.inf
        allowed = min(looked_at, TEST_TOLD_WITHIN)
    if waited > allowed:
        yield f"whoever was refused waited {waited:.0f} ms (p95), and {allowed:.0f} are allowed"


def _wait(flood: Iterable[Operation], statuses: Collection[int]) -> float:
    return percentile((each.end - each.start for each in flood if each.status in statuses), SHARE)


def _password(place: int) -> str:
    return HUGE if place % HUGE_EVERY == 0 else f"a guess {place} of many"


def _memory(run: Run, line: str) -> dict[int, float]:
    return {pid: status_mb(pid, line) for pid in run.town.workers()}


SCENARIO = PasswordFlood()
