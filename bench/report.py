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
from bench.targets import MEMORY_MB, PASSWORD_SHARE, START_SECONDS, target
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
class Company:
    """Ours and its peers on the same class of storage; `start` in seconds (passed, and of the
    processor), `memory` in MB (at rest, and at the end)."""

    storage: str
    ours: System
    peers: list[System]
    windows: dict[tuple[str, str], list[Window]] = field(default_factory=dict)
    start: dict[str, tuple[float, float]] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)
    hash_limits: list[HashLimit] = field(default_factory=list)

    def systems(self) -> list[System]:
        return [self.ours, *self.peers]

    def add(self, workload: Workload, system: System, window: Window) -> None:
        self.windows.setdefault((workload.name, system.name), []).append(window)

    def figures(self, workload: Workload, system: System) -> Figures | None:
        windows = self.windows.get((workload.name, system.name))
        return Figures.of(windows) if windows else None

    def ratio(self, workload: Workload, peer: System) -> float:
        """The median over the windows, each beside the peer's of the same moment."""
        ours = self.windows[workload.name, self.ours.name]
        theirs = self.windows[workload.name, peer.name]
        return median(our.rate / their.rate for our, their in zip(ours, theirs, strict=True))

    def cpu_ratio(self, workload: Workload, peer: System) -> float:
        """How many times less of the processor than the peer: what the rate's ratio would be if
        nobody else used the core."""
        theirs = Figures.of(self.windows[workload.name, peer.name])
        return theirs.cpu / Figures.of(self.windows[workload.name, self.ours.name]).cpu

    def target(self, workload: Workload, peer: System) -> float | None:
        return target(peer.kind, self.storage, workload.name)

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


def print_company(company: Company, workloads: list[Workload]) -> None:
    """Each peer's line says how many times its rate is ours, and what that should be."""
    beside = " and ".join(peer.name for peer in company.peers)
    print(f"\n{company.ours.name}" + (f", beside {beside}" if beside else ""))
    print(COLUMNS)
    for workload in workloads:
        for system in company.systems():
            figures = company.figures(workload, system)
            if figures:
                print(_line(company, workload, system, figures))
    for system in company.systems():
        _print_process(company, system)


def _line(company: Company, workload: Workload, system: System, figures: Figures) -> str:
    is_ours = system is company.ours
    title = workload.title if is_ours else f"  {system.kind}"
    text = (
        f"{title:<30}{figures.per_second:>9,.0f}{figures.p50:>9.2f}{figures.p99:>9.2f}"
        f"{figures.cpu:>9,.0f}"
    )
    return text + (_beside_hash if is_ours else _beside)(company, workload, system)


def _beside_hash(company: Company, workload: Workload, _ours: System) -> str:
    share = company.password_share(workload)
    if share is None:
        return ""
    cpu, verdict = company.password_cpu_share(workload), _verdict(share, PASSWORD_SHARE)
    return f"{cpu:>7.0%}{share:>9.0%}{PASSWORD_SHARE:>8.0%}  of the hash alone: {verdict}"


def _beside(company: Company, workload: Workload, peer: System) -> str:
    ratio, wanted = company.ratio(workload, peer), company.target(workload, peer)
    text = f"{company.cpu_ratio(workload, peer):>7.2f}{ratio:>9.2f}"
    return text if wanted is None else f"{text}{wanted:>8.2f}  {_verdict(ratio, wanted)}"


def _verdict(found: float, wanted: float) -> str:
    return "reached" if found >= wanted else "MISSED"


def _print_process(company: Company, system: System) -> None:
    at_rest, under_load = company.memory[system.name]
    seconds, cpu = company.start[system.name]
    is_ours = system is company.ours
    start = f" (target {getattr(START_SECONDS, company.storage)} s)" if is_ours else ""
    memory = f" (target {MEMORY_MB:.0f} MB at rest)" if is_ours else ""
    name = "start to first answer" if is_ours else f"  {system.kind}"
    print(f"{name:<30}{seconds:>8.2f} s, {cpu:.2f} s of the processor{start}")
    name = "memory" if is_ours else f"  {system.kind}"
    print(f"{name:<30}{at_rest:>6.0f} MB at rest, {under_load:.0f} MB at the end{memory}")


def write_json(
    path: Path, facts: dict[str, Any], companies: list[Company], all_of: list[Workload]
) -> None:
    """Every figure, by storage, workload and system."""
    found = {company.ours.name: _as_json(company, all_of) for company in companies}
    path.write_bytes(orjson.dumps({**facts, "companies": found}, option=orjson.OPT_INDENT_2))


def _as_json(company: Company, workloads: list[Workload]) -> dict[str, Any]:
    return {
        "start_seconds": company.start,
        "memory_mb_at_rest_and_after": company.memory,
        "bare_hashes_per_second_and_cpu": [tuple(limit) for limit in company.hash_limits],
        "workloads": {
            workload.name: {
                "password_share": company.password_share(workload),
                **{s.name: _figures(company, workload, s) for s in company.systems()},
            }
            for workload in workloads
        },
    }


def _figures(company: Company, workload: Workload, system: System) -> dict[str, float | None]:
    figures = company.figures(workload, system)
    if figures is None:
        return {}
    if system is company.ours:
        return {**vars(figures)}
    return {
        **vars(figures),
        "ratio": company.ratio(workload, system),
        "cpu_ratio": company.cpu_ratio(workload, system),
        "target": company.target(workload, system),
    }
