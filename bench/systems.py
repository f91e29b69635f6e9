"""The systems that are measured, each a server of its own on the measured core."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from bench import process_figures
from bench.driver import HOST, Window
from bench.messages import get
from bench.workloads import DISCOVERY, Visit, Workload
from tests.machine.processes import start_server, stop_server

SECONDS_TO_START = 30.0


@dataclass
class System:
    """A server by its command, pinned to `core`. `kind` names a peer, as the targets do; a peer
    has not all workloads, and may want to be asked in its own way (`visit`)."""

    name: str
    environment: dict[str, str]
    command: Sequence[str | Path]
    port: int
    core: int
    folder: Path
    kind: str = ""
    lacks: frozenset[str] = frozenset()
    visit: Visit = field(default_factory=Visit)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.visit.port = self.port

    def has(self, workload: Workload) -> bool:
        return not (self.kind and workload.is_ours_alone) and workload.name not in self.lacks

    def start(self) -> float:
        """Seconds from the command to the first answer."""
        values = [f"{name}={value}" for name, value in self.environment.items()]
        command = ["taskset", "--cpu-list", str(self.core), "env", *values, *self.command]
        started = time.perf_counter()
        self.process = start_server(command, self.log)
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() > started + SECONDS_TO_START:
                raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text()}")
            time.sleep(0.005)
        return time.perf_counter() - started

    def stop(self) -> None:
        if self.process is not None:
            stop_server(self.process, signal.SIGTERM)
            self.process = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.port}.log"

    @property
    def memory_mb(self) -> float:
        assert self.process is not None
        return process_figures.memory_mb(self.process.pid)

    @property
    def most_mb(self) -> float:
        """The most that its processes ever had, each by itself."""
        assert self.process is not None
        return process_figures.most_mb(self.process.pid)

    def cpu_seconds(self) -> float:
        """Used so far."""
        assert self.process is not None
        return process_figures.cpu_meter(self.process.pid)()

    def measure(self, workload: Workload, seconds: float) -> Window:
        assert self.process is not None
        workload.prepare(self.visit)
        return self.visit.drive(
            workload.flows(self.visit),
            seconds * workload.stretch,
            workload.requests_per_round,
            process_figures.cpu_meter(self.process.pid),
        )

    def _answers(self) -> bool:
        connection = HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", self.visit.asked(get(DISCOVERY)).split()[1].decode())
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def python_module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]
