"""This process's own connections, as the kernel sees them: ended when a request never arrives, or
an answer is not taken.

The server tells nobody which connection a request came by, so the one to end is found by whom it is
with and since when it has waited (tcp(7), TCP_INFO; Linux). Where there is no such table of open
files, none is found and none ended.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

OPEN_FILES = Path("/proc/self/fd")
SO_COOKIE = 57  # names a socket for as long as the machine runs
_INFO_SIZE = 160
_AGES = struct.Struct("=44xI4xI")  # tcpi_last_data_sent, tcpi_last_data_recv: milliseconds
_ACKED = struct.Struct("=120xQ")  # tcpi_bytes_acked
_COUNTS = struct.Struct("=152xII")  # tcpi_data_segs_in, tcpi_data_segs_out
STRETCH, SLOWEST = 30.0, 4 * 1024  # seconds, and bytes a second in which an answer is taken


class Connection(NamedTuple):
    """`is_waiting` for an answer of ours; of what we wrote, `taken` bytes have arrived, and `left`
    have not."""

    cookie: bytes
    answers: int
    is_waiting: bool
    taken: int
    left: int


class Connections:
    """Those that came to `port`, and what was seen of them at the looks before this one: call
    `look` a few times a second. What we connected to ourselves, a database say, is none of them.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._waiting: dict[tuple[bytes, int], float] = {}
        self._written: dict[tuple[bytes, int], float] = {}
        self._taking: dict[bytes, tuple[float, int]] = {}

    def look(self, now: float) -> None:
        """Note since when each connection has waited for the same answer, and since when nothing
        was written to it."""
        seen = [each for held in self._held() if (each := _seen(held)) is not None]
        waiting = {(each.cookie, each.answers) for each in seen if each.is_waiting}
        written = {(each.cookie, each.taken + each.left) for each in seen}
        self._waiting = {key: self._waiting.get(key, now) for key in waiting}
        self._written = {key: self._written.get(key, now) for key in written}

    def end_waiting(self, peer: str, earliest: float, latest: float) -> None:
        """Those with `peer` that have waited since a look between the two times."""
        for held in self._held(peer):
            found = _seen(held)
            since = found and self._waiting.get((found.cookie, found.answers))
            if since is not None and earliest <= since <= latest:
                _end(held)

    def end_stuck(self, peer: str, since: float) -> None:
        """Those with `peer` to which nothing was written since a look at that time, idle ones too.
        Something may still be on its way there: behind what is taken slowly another request may
        have begun."""
        for held in self._held(peer):
            found = _seen(held)
            written = found and self._written.get((found.cookie, found.taken + found.left))
            if written is not None and written <= since:
                _end(held)

    def end_slow(self, now: float) -> None:
        """Those that take an answer so slowly that they may never have it, whoever they are with:
        call it a few times a minute. What has not arrived is lost."""
        taking = {}
        for held in self._held():
            found = _seen(held)
            if found is None or not found.left:
                continue
            since, taken = self._taking.get(found.cookie, (now, found.taken))
            if now - since >= STRETCH:
                if found.taken - taken < STRETCH * SLOWEST:
                    _end(held, socket.SHUT_RDWR)
                since, taken = now, found.taken
            taking[found.cookie] = since, taken
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
        left = int.from_bytes(fcntl.ioctl(held, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return None
    if len(info) < _INFO_SIZE:
        return None
    (sent, received), (asked, answers) = _AGES.unpack_from(info), _COUNTS.unpack_from(info)
    is_waiting = bool(asked) and (not answers or received < sent)
    [taken] = _ACKED.unpack_from(info)
    return Connection(cookie, answers, is_waiting, taken, left)
