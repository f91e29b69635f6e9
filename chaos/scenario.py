"""One scenario: a load, a fault in the middle of it, and what must hold.

See the package's docstring for how to write one.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from chaos.evidence import Evidence, gather
from chaos.history import Pen, read
from chaos.invariants import violations
from chaos.load import BEGUN, MIXED
from chaos.report import Result, result_of
from chaos.town import NUMBERS, WORKERS, Town, town_on_postgres

Each = TypeVar("Each")
MakeTown = Callable[..., AbstractContextManager[Town]]

QUIET_SHARE = 0.1  # of the time, before anything is broken
SECONDS_TO_END = 120.0
SETTLING = 1.0  # seconds that the load goes on after the last fault, at least
PATIENCE = 6.0  # of the tests, whose machine does much else


@dataclass(frozen=True)
class Size:
    """`rate` is visits a second for `seconds`; `times` is how often the fault is made."""

    rate: float
    seconds: float
    times: int = 1

    def scaled(self, factor: float) -> Size:
        """As long and as often as fits into a share of the time, at the same rate."""
        return Size(self.rate, self.seconds * factor, max(1, round(self.times * factor)))


@dataclass
class Run:
    """What a scenario's `fault` has in hand. `pen` writes to the same history as the load. A run
    that `is_short` is one of the tests."""

    town: Town
    size: Size
    pen: Pen
    until: float
    is_short: bool

    @property
    def now(self) -> float:
        return time.time()

    @property
    def begun(self) -> float:
        """When everybody was signed in."""
        return self.until - self.size.seconds

    @property
    def left(self) -> float:
        """Seconds for what takes its time: of a test half of all, where getting ready took too
        many."""
        left = self.until - time.time()
        return max(left, self.size.seconds / 2) if self.is_short else left

    @property
    def patience(self) -> float:
        """How many times as long as the table says everything may take."""
        return PATIENCE if self.is_short else 1.0

    def pause(self, seconds: float) -> None:
        time.sleep(max(0.0, min(seconds, self.until - time.time())))

    def times(self, until: float | None = None) -> Iterator[int]:
        """As often as the size says, evenly over what is left of the time."""
        each = ((until or self.until) - time.time()) / self.size.times
        first = time.time()
        for number in range(self.size.times):
            yield number
            self.pause(first + (number + 1) * each - time.time())

    def turns(self, of: Collection[Each], longest: float) -> Iterator[tuple[Each, float]]:
        """Each of them as often as the size says, evenly over what is left of the time; and for how
        many seconds: half of its share, at the longest so many."""
        share = (self.until - time.time()) / self.size.times / len(of)
        first = time.time()
        for number, each in enumerate([*of] * self.size.times):
            yield each, min(longest, share / 2)
            self.pause(first + (number + 1) * share - time.time())


class Scenario:
    """`size` is the table's, `bounded` what a few seconds allow. `recovery` is how many seconds
    after each fault everything is answered again. `town` makes where it happens, with `settings`
    that differ from the usual ones; those who have the same can share it."""

    number: ClassVar[str]
    title: ClassVar[str]
    size: ClassVar[Size]
    bounded: ClassVar[Size]
    recovery: ClassVar[float]
    mix: ClassVar[Mapping[str, int]] = MIXED

    settings: ClassVar[Mapping[str, Any]] = {}
    town: ClassVar[MakeTown] = staticmethod(town_on_postgres)

    def fault(self, run: Run) -> None:
        """Break things until the time is over, each within `run.pen.fault(name)`."""
        raise NotImplementedError

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """A sentence for whatever else is not as it must be."""
        yield from ()

    @contextmanager
    def made(self, folder: Path, users: int, workers: int = WORKERS) -> Iterator[Town]:
        """The town, for this scenario alone."""
        folder.mkdir(parents=True, exist_ok=True)
        with self.town(folder, users, workers=workers, **self.settings) as town:
            yield town

    def run(self, town: Town, size: Size, folder: Path) -> Result:
        """The whole of it, on a town that stands."""
        folder.mkdir(parents=True)
        load_file, own_file = folder / "load.jsonl", folder / "faults.jsonl"
        is_short = size is self.bounded
        mix = {kind: weight + is_short for kind, weight in self.mix.items()}
        plan = town.plan(rate=size.rate, mix=mix)
        pen = Pen(own_file, plan.first + NUMBERS // 2)
        (folder / "plan.json").write_bytes(plan.to_json())
        with loaded(folder / "plan.json", load_file) as load:
            until = time.time() + size.seconds
            run = Run(town, size, pen, until, is_short)
            run.pause(size.seconds * QUIET_SHARE)
            self.fault(run)
            time.sleep(max(SETTLING, until - time.time()))
            load.terminate()
            ended = load.wait(SECONDS_TO_END)
        pen.close()
        evidence = gather(town, read(load_file, own_file))
        wrong = violations(evidence, recovery=self.recovery * run.patience)
        wrong += self.judge(run, evidence)
        if ended != 0:
            wrong.append(f"the load ended with {ended}")
        return result_of(self.number, self.title, evidence, wrong)


@contextmanager
def loaded(plan: Path, history: Path) -> Iterator[subprocess.Popen[str]]:
    """The load, once everybody is signed in."""
    command = [sys.executable, "-m", "chaos.load", str(plan), str(history)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != BEGUN:
                raise RuntimeError("the load did not begin")
            yield process
        finally:
            process.kill()
