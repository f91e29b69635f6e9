"""Processes of `idp` that need not import what others have imported before them.

Most of what it takes to start one are imports, the same each time. So a process of its own makes
them once for each pytest process, and is asked to fork: `forge().start(arguments, environment,
log)`. Whoever is born of it is a single thread with what a new one would hold, and dies with it.
"""

from __future__ import annotations

import array
import atexit
import ctypes
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from idp.commands import all_kept, main
from tests.machine.processes import start_server, stop_server

MESSAGE = 64 * 1024
IMPORTED = ("idp.commands.serve", "idp.app", "idp.worker", "granian.server")
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Forged:
    """What a test does with a process that it has started: as `subprocess.Popen`."""

    def __init__(self, forge: Forge, pid: int, args: Sequence[str]) -> None:
        self._forge = forge
        self._watched = os.pidfd_open(pid)
        self.pid = pid
        self.args = args
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        """It stays a zombie, whose number nobody else is given, until the forge is asked for it."""
        if self.returncode is None and select.select([self._watched], [], [], timeout)[0]:
            self.returncode = self._forge.ask(end=self.pid)
            os.close(self._watched)
        return self.returncode


class Forge:
    def __init__(self, log: Path) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            program = [sys.executable, "-m", "tests.machine.forge", str(number)]
            self._process = start_server(program, log, pass_fds=[number])
        atexit.register(self._close)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Forged:
        """`idp` with these arguments and this environment alone, writing to `log`."""
        with log.open("ab") as output:
            pid = self.ask(
                output.fileno(), arguments=list(arguments), environment=dict(environment)
            )
        return Forged(self, pid, ["idp", *arguments])

    def ask(self, *descriptors: int, **question: Any) -> int:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        self._line.sendmsg([json.dumps(question).encode()], [rights] if descriptors else [])
        return int(self._line.recv(MESSAGE))

    def _close(self) -> None:
        self._line.close()
        stop_server(self._process, signal.SIGTERM)


@cache
def forge() -> Forge:
    """This pytest process's own."""
    return Forge(Path(os.devnull))


def serve(line: socket.socket) -> None:
    """Until whoever asks is gone."""
    while True:
        question, descriptors, _, _ = socket.recv_fds(line, MESSAGE, 1)
        if not question:
            return
        asked = json.loads(question)
        if "end" in asked:
            answer = os.waitstatus_to_exitcode(os.waitpid(asked["end"], 0)[1])
        else:
            answer = _fork(line, descriptors[0], asked)
            os.close(descriptors[0])
        line.send(str(answer).encode())


def _fork(line: socket.socket, log: int, asked: dict[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(parent, log, asked)
    return pid


def _become(parent: int, log: int, asked: dict[str, Any]) -> NoReturn:
    """What it ends by goes up to where every Python process ends."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("The forge ended meanwhile.")
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["idp", *asked["arguments"]]
    main()
    sys.exit()


if __name__ == "__main__":
    with all_kept():
        for name in IMPORTED:
            importlib.import_module(name)
    serve(socket.socket(fileno=int(sys.argv[1])))
