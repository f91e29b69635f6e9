"""What a server's processes have used: processor time and memory, from /proc."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _parent(entry)
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return found


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def cpu_meter(root: int) -> Callable[[], float]:
    """A reader of the seconds that all threads of the tree have run, user and kernel together."""
    processes = tree(root)

    def seconds() -> float:
        return sum(map(_cpu_seconds, processes))

    return seconds


def _cpu_seconds(process: int) -> float:
    """utime and stime of /proc/<pid>/stat: 10 ms a tick."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(root: int) -> float:
    """Resident memory of the tree, pages that processes share counted once (PSS)."""
    return sum(map(_pss_kb, tree(root))) / 1024


def _pss_kb(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def most_mb(root: int) -> float:
    """The most that each process of the tree has had resident, shared pages counted by each."""
    return sum(status_mb(process, "VmHWM") for process in tree(root))


def status_mb(process: int, line: str) -> float:
    """Of /proc/<pid>/status: VmRSS is what is resident, VmHWM the most that ever was."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith(line)) / 1024
