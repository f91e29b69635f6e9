"""Starting and ending the real servers that tests talk to.

Each server is a child of the pytest process that asked for it, listens on loopback alone, and dies
with that process even when it is killed outright.
"""

import contextlib
import functools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

MEMORY, GIGABYTE = Path("/dev/shm"), 2**30
LOOPBACK = "127.0.0.1"
SECONDS_TO_START = 60.0
PORTS = range(10_000, 32_768)  # below those that Linux gives to connections
STRETCH = 512  # of them are one process's
SECONDS_TO_STOP = 15.0


class Process(Protocol):
    """What a test needs of a process that it has started; `subprocess.Popen` is one."""

    pid: int
    returncode: int | Any
    args: Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class MissingTool(RuntimeError):
    """A program that the tests need is not on this machine. The message says what to install."""


def free_port(in_a_row: int = 1) -> int:
    """The first of so many loopback ports that nobody uses now, that no other process which asks
    here is given (two of our servers can listen on one port, and would share its callers), and that
    connections are not given by themselves: one that asks whether the server is there yet may be
    given that very port, and then talks to itself."""
    return _lease_of(os.getpid()).take(in_a_row)


class _Lease:
    """A stretch of ports that is one process's until it ends: it holds a socket of that name."""

    def __init__(self) -> None:
        held = socket.socket(socket.AF_UNIX)
        first = next(first for first in _stretches() if _is_named(held, first))
        held.detach()  # from what Python would close, or complain of, before the process ends
        self._ports = range(first, first + STRETCH)
        self._next = first

    def take(self, in_a_row: int) -> int:
        for _ in self._ports:
            first = self._next if self._next + in_a_row <= self._ports.stop else self._ports.start
            self._next = first + in_a_row
            if all(_is_free(first + number) for number in range(in_a_row)):
                return first
        raise RuntimeError(f"none of the {STRETCH} ports of this process is free")


def _is_named(held: socket.socket, first: int) -> bool:
    try:
        held.bind(f"\0latchkey-ports-{first}")
    except OSError:
        return False
    return True


def _stretches() -> list[int]:
    firsts = list(range(PORTS.start, PORTS.stop - STRETCH, STRETCH))
    random.shuffle(firsts)
    return firsts


@functools.cache
def _lease_of(pid: int) -> _Lease:
    return _Lease()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Whether anybody takes a connection there."""
    with socket.socket() as caller:
        return caller.connect_ex((LOOPBACK, port)) == 0


def start_server(
    command: Sequence[str | Path],
    log: Path,
    *,
    stop_signal: str = "TERM",
    user: str | None = None,
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Run `command` in the background, writing to `log`; it gets `stop_signal` if we die first."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [*_tied_to_this_process(stop_signal, user), *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
            env=environment,
        )


def stop_server(process: Process, stop_signal: int) -> None:
    """End the server by its own id and wait for it."""
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def descendants(pid: int) -> list[int]:
    """Children of children too: a server that is killed leaves its workers to nobody."""
    found: list[int] = []
    for task in tasks(pid):
        try:
            children = [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
        found += [each for child in children for each in (child, *descendants(child))]
    return found


def tasks(pid: int) -> list[Path]:
    """Its threads; a process that has just ended has none."""
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def kill(pid: int) -> None:
    """Outright, unless it has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until(ready: Callable[[], bool], process: Process, log: Path) -> None:
    """Return once `ready()` answers True. Raises RuntimeError with the log if it never does."""
    deadline = time.monotonic() + SECONDS_TO_START
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(
                f"{process.args!r} did not start:\n{log.read_text(errors='replace')}"
            )
        time.sleep(0.02)


def private_folder(prefix: str, user: str | None = None, *, in_memory: bool = False) -> Path:
    """A new folder of mode 0700 under /tmp, owned by `user`: pytest's own are closed to others. One
    that may be forgotten is kept `in_memory`, where there is room."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_memory() if in_memory else None))
    if user is not None:
        shutil.chown(folder, user)
    return folder


def _memory() -> Path | None:
    """Where files cost no disk: with a gigabyte to spare, and programs may be there too."""
    if not MEMORY.is_dir():
        return None
    there = os.statvfs(MEMORY)
    is_fit = not there.f_flag & os.ST_NOEXEC and there.f_bavail * there.f_frsize >= GIGABYTE
    return MEMORY if is_fit else None


def unprivileged_user() -> str | None:
    """Whom a server that refuses to run as root must run as; None when we are not root."""
    return "nobody" if os.geteuid() == 0 else None


def _tied_to_this_process(stop_signal: str, user: str | None) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise MissingTool(
            "setpriv (Debian package util-linux) is needed to start servers for the tests."
        )
    return [setpriv, f"--pdeathsig={stop_signal}", *_identity(user), "--"]


def _identity(user: str | None) -> list[str]:
    if user is None:
        return []
    return [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
