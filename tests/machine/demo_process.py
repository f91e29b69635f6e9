"""`idp demo` as a person starts it, in a folder of its own."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.machine.processes import (
    Process,
    free_port,
    listens,
    start_server,
    stop_server,
    wait_until,
)

PORTS = 4
OUR_OWN = Path(sys.executable).with_name("idp")
READY = "Ctrl-C stops everything."


@dataclass
class Demo:
    """Addresses as the demo prints them."""

    port: int
    process: Process
    log: Path

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def lms(self) -> str:
        return f"http://localhost:{self.port + 1}"

    @property
    def payments(self) -> str:
        return f"http://localhost:{self.port + 2}"

    @property
    def connections(self) -> str:
        return f"http://localhost:{self.port + 3}"

    def words(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    def listens(self) -> bool:
        """Whether anybody is left at its ports."""
        return any(listens(self.port + number) for number in range(PORTS))

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        stop_server(self.process, signal.SIGINT)
        return int(self.process.returncode)


def start_demo(folder: Path, program: Path = OUR_OWN) -> Demo:
    """Returns when it has said that it runs."""
    demo = begin_demo(folder, program)
    wait_until(lambda: READY in demo.words(), demo.process, demo.log)
    return demo


def begin_demo(folder: Path, program: Path = OUR_OWN) -> Demo:
    """Returns at once."""
    port = free_port(PORTS)
    log = folder / "demo.log"
    log.unlink(missing_ok=True)
    command: list[str | Path] = ["env", "--chdir", folder, program, "demo", "--port", str(port)]
    return Demo(port, start_server(command, log), log)
