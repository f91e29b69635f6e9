"""The figures of a run: collected, put beside their targets, printed and written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from bench.driver import Window
from bench.hash_limit import HashLimit
from bench.systems import System
from bench.targets import MEMORY_MB, PASSWORD_SHARE, START_SECONDS, TARGETS
from bench.workloads import Workload

HEADINGS = ("per s", "p50 ms", "p99 ms", "CPU µs")
COLUMNS = " " * 30 + "".join(f"{name:>9}" for name in HEADINGS) + "  x CPU   x peer  target"


@dataclass
class Figures:
    """Medians of a workload's windows. Latencies in milliseconds, `cpu` of the server in
    microseconds per round."""

    per_second: float
    p50: float
    p99: float
    cpu: float

    @classmethod
    def of(cls, windows: list[Window]) -> Figures:
        return cls(
            median(window.rate for window in windows),
            median(window.percentile(0.5) for window in windows),
            median(window.percentile(0.99) for window in windows),
            median(window.cpu_per_round for window in windows),
        )


@dataclass
class Pair:
    """Ours and the peer on the same class of storage; `start` in seconds (passed, and of the
    processor), `memory` in MB (at rest, and at the end)."""

    storage: str
    ours: System
    peer: System | None
    windows: dict[tuple[str, str], list[Window]] = field(default_factory=dict)
    start: dict[str, tuple[float, float]] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)
    hash_limits: list[HashLimit] = field(default_factory=list)

    def systems(self) -> list[System]:
        return [self.ours, self.peer] if self.peer else [self.ours]

    def add(self, workload: Workload, system: System, window: Window) -> None:
        self.windows.setdefault((workload.name, system.name), []).append(window)

    def figures(self, workload: Workload, system: System) -> Figures | None:
        windows = self.windows.get((workload.name, system.name))
        return Figures.of(windows) if windows else None

    def ratio(self, workload: Workload) -> float | None:
        """The median over the windows, each beside the peer's of the same moment."""
        if self.peer is None or (workload.name, self.peer.name) not in self.windows:
            return None
        ours = self.windows[workload.name, self.ours.name]
        theirs = self.windows[workload.name, self.peer.name]
        return median(our.rate / their.rate for our, their in zip(ours, theirs, strict=True))

    def cpu_ratio(self, workload: Workload) -> float | None:
        """How many times less of the processor than the peer: what the rate's ratio would be if
        nobody else used the core."""
        if self.peer is None or (workload.name, self.peer.name) not in self.windows:
            return None
        theirs = Figures.of(self.windows[workload.name, self.peer.name])
        return theirs.cpu / Figures.of(self.windows[workload.name, self.ours.name]).cpu

    def target(self, workload: Workload) -> float | None:
        found = TARGETS.get(workload.name)
        return getattr(found, self.storage) if found else None

    def password_share(self, workload: Workload) -> float | None:
        """Of the sign-ins that the bare hash would allow."""
        windows = self.windows.get((workload.name, self.ours.name), [])
        if workload.name != "password" or not windows:
            return None
        pairs = zip(windows, self.hash_limits, strict=True)
        return median(window.rate / limit.rate for window, limit in pairs)

    def password_cpu_share(self, workload: Workload) -> float:
        """The hash's part of the processor time of a sign-in."""
        hashing = median(limit.cpu for limit in self.hash_limits)
        return hashing / Figures.of(self.windows[workload.name, self.ours.name]).cpu


def print_pair(pair: Pair, workloads: list[Workload]) -> None:
    print(f"\n{pair.ours.name}" + (f", beside {pair.peer.name}" if pair.peer else ""))
    print(COLUMNS)
    for workload in workloads:
        for system in pair.systems():
            figures = pair.figures(workload, system)
            if figures:
                print(_line(pair, workload, system, figures))
    for system in pair.systems():
        _print_process(pair, system)


def _line(pair: Pair, workload: Workload, system: System, figures: Figures) -> str:
    title = workload.title if system is pair.ours else "  the peer"
    text = (
        f"{title:<30}{figures.per_second:>9,.0f}{figures.p50:>9.2f}{figures.p99:>9.2f}"
        f"{figures.cpu:>9,.0f}"
    )
    return text + _beside_target(pair, workload) if system is pair.ours else text


def _beside_target(pair: Pair, workload: Workload) -> str:
    share = pair.password_share(workload)
    if share is not None:
        verdict = _verdict(share, PASSWORD_SHARE)
        cpu = pair.password_cpu_share(workload)
        return f"{cpu:>7.0%}{share:>9.0%}{PASSWORD_SHARE:>8.0%}  of the hash alone: {verdict}"
    ratio, target = pair.ratio(workload), pair.target(workload)
    if ratio is None:
        return ""
    beside = f"{pair.cpu_ratio(workload):>7.2f}{ratio:>9.2f}"
    if target is None:
        return beside
    return f"{beside}{target:>8.2f}  {_verdict(ratio, target)}"


def _verdict(found: float, target: float) -> str:
    return "reached" if found >= target else "MISSED"


def _print_process(pair: Pair, system: System) -> None:
    at_rest, under_load = pair.memory[system.name]
    seconds, cpu = pair.start[system.name]
    name = "start to first answer" if system is pair.ours else "  the peer's"
    beside = f" (target {getattr(START_SECONDS, pair.storage)} s)" if system is pair.ours else ""
    print(f"{name:<30}{seconds:>8.2f} s, {cpu:.2f} s of the processor{beside}")
    name = "memory" if system is pair.ours else "  the peer's"
    beside = f" (target {MEMORY_MB:.0f} MB at rest)" if system is pair.ours else ""
    print(f"{name:<30}{at_rest:>6.0f} MB at rest, {under_load:.0f} MB at the end{beside}")


def write_json(
    path: Path, facts: dict[str, Any], pairs: list[Pair], all_of: list[Workload]
) -> None:
    """Every figure, by storage, workload and system."""
    found = {pair.ours.name: _as_json(pair, all_of) for pair in pairs}
    path.write_bytes(orjson.dumps({**facts, "pairs": found}, option=orjson.OPT_INDENT_2))


def _as_json(pair: Pair, workloads: list[Workload]) -> dict[str, Any]:
    return {
        "start_seconds": pair.start,
        "memory_mb_at_rest_and_after": pair.memory,
        "bare_hashes_per_second_and_cpu": [tuple(limit) for limit in pair.hash_limits],
        "workloads": {
            workload.name: {
                "ratio": pair.ratio(workload),
                "cpu_ratio": pair.cpu_ratio(workload),
                "target": pair.target(workload),
                "password_share": pair.password_share(workload),
                **{s.name: vars(f) for s in pair.systems() if (f := pair.figures(workload, s))},
            }
            for workload in workloads
        },
    }
