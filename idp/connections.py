"""This process's own connections, as the kernel sees them: ended when a request never arrives, or
an answer is not taken.

The server tells nobody which connection a request came by, so the one to end is found by whom it is
with and since when it has waited (tcp(7), TCP_INFO; Linux). Where there is no such table of open
files, none is found and none ended.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PEER = "latchkey.peer"  # in the environ: the address that the connection of a request is with
OPEN_FILES = Path("/proc/self/fd")
SO_COOKIE = 57  # names a socket for as long as the machine runs
_INFO_SIZE = 160
_AGES = struct.Struct("=44xI4xI")  # tcpi_last_data_sent, tcpi_last_data_recv: milliseconds
_COUNTS = struct.Struct("=152xII")  # tcpi_data_segs_in, tcpi_data_segs_out
_OUTSTANDING = struct.Struct("=24xI116xI")  # tcpi_unacked, tcpi_notsent_bytes


class Connection(NamedTuple):
    """`quiet` is the seconds since we last sent anything; `is_waiting` for an answer of ours;
    `is_taking` one that has not all arrived."""

    cookie: bytes
    answers: int
    quiet: float
    is_waiting: bool
    is_taking: bool


class Connections:
    """Those that came to `port`, and what was seen of them at the looks before this one: call
    `look` a few times a second. What we connected to ourselves, a database say, is none of them.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._waiting: dict[tuple[bytes, int], float] = {}
        self._taking: set[bytes] = set()

    def look(self, now: float) -> None:
        """Note since when each connection has waited for the same answer."""
        seen = {
            (each.cookie, each.answers): now
            for held in self._held()
            if (each := _seen(held)) is not None and each.is_waiting
        }
        self._waiting = {key: self._waiting.get(key, now) for key in seen}

    def end_waiting(self, peer: str, earliest: float, latest: float) -> None:
        """Those with `peer` that have waited since a look between the two times."""
        for held in self._held(peer):
            found = _seen(held)
            since = found and self._waiting.get((found.cookie, found.answers))
            if since is not None and earliest <= since <= latest:
                _end(held)

    def end_stuck(self, peer: str, seconds: float) -> None:
        """Those with `peer` that we have sent nothing for so long, idle ones too; and those that
        still take what we sent: behind it another request may have begun, and while they are slow
        there is no telling since when."""
        for held in self._held(peer):
            found = _seen(held)
            if found is not None and (found.quiet >= seconds or found.is_taking):
                _end(held)

    def end_taking(self, peer: str) -> None:
        """Those with `peer` that take what we sent, and did at the call before this one: call it
        once a second. What they have not taken is lost."""
        taking = set()
        for held in self._held(peer):
            found = _seen(held)
            if found is not None and found.is_taking:
                taking.add(found.cookie)
                if found.cookie in self._taking:
                    _end(held, socket.SHUT_RDWR)
        self._taking = taking

    def _held(self, peer: str | None = None) -> Iterator[socket.socket]:
        for held in _held_sockets():
            own, other = _ends(held)
            if own == self._port and peer in (other, None):
                yield held


def _held_sockets() -> Iterator[socket.socket]:
    """Each in turn, under a number of its own, so that it can't become another meanwhile."""
    for link in list(OPEN_FILES.iterdir()) if OPEN_FILES.is_dir() else ():
        with suppress(OSError):
            own = _own_number(int(link.name))
            if own is not None:
                with socket.socket(fileno=own) as held:
                    yield held


def _own_number(number: int) -> int | None:
    """None for what is no socket: to close a file under any number drops every lock that this
    process has on it (fcntl(2)), and SQLite's are such locks. So one that came in between is left
    open."""
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        return None
    own = os.dup(number)
    return own if stat.S_ISSOCK(os.fstat(own).st_mode) else None


def _end(held: socket.socket, how: int = socket.SHUT_RD) -> None:
    """Where only reading ends, an answer may still be written. The other side may be quicker."""
    with suppress(OSError):
        held.shutdown(how)


def _ends(held: socket.socket) -> tuple[int | None, str]:
    """Our port and their address; no port where there is no connection."""
    try:
        own, other = held.getsockname(), held.getpeername()
    except OSError:
        return None, ""
    is_internet = isinstance(own, tuple) and isinstance(other, tuple)
    return (own[1], address_of(other[0])) if is_internet else (None, "")


def address_of(text: str) -> str:
    """An IPv4 address is the same one when IPv6 carries it (RFC 4291 section 2.5.5.2)."""
    return text.removeprefix("::ffff:")


def _seen(held: socket.socket) -> Connection | None:
    """None for what is no TCP connection."""
    try:
        info = held.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
        cookie = held.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8)
    except OSError:
        return None
    if len(info) < _INFO_SIZE:
        return None
    (sent, received), (asked, answers) = _AGES.unpack_from(info), _COUNTS.unpack_from(info)
    is_waiting = bool(asked) and (not answers or received < sent)
    is_taking = any(_OUTSTANDING.unpack_from(info))
    return Connection(cookie, answers, sent / 1000, is_waiting, is_taking)
