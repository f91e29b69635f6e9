"""The sockets of a process, by their inodes (Linux, proc_pid_net(5))."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

OURS, THEIRS = 1, 2  # columns: the end that is here, and the other
ESTABLISHED, LISTENING = "01", "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def sockets_of(pid: int) -> set[str]:
    """None of a process that has ended."""
    found = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if is_socket := _SOCKET.match(str(link.readlink())):
                    found.add(is_socket[1])
    return found


def sockets_at(port: int, end: int, state: str) -> set[str]:
    """Of all processes."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return {row[9] for row in rows if row[3] == state and row[end].endswith(f":{port:04X}")}
