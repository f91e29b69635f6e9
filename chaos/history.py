"""What was asked and answered: one line of JSON for each operation, and for each fault.

Times are seconds since the epoch, by the one clock of this machine. A secret never stands here but
as its fingerprint; tokens do, since they are verified afterwards.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

OK, FAIL, UNKNOWN = "ok", "fail", "unknown"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One request. `number` is its id, which it also carries as its address (`address_of`).

    `outcome` is ok if it was done, fail if the answer refuses it or nobody took the connection, and
    unknown if there was no answer: then it may have been done or not. `due` is when it should have
    been sent. `meant` is set where a refusal is no fault: it had to be refused, or may be because
    of what came before.

    What the invariants read:
    `spends` what is good once; `family` of refresh tokens, with the `generation` that was shown and
    the `successor` that was given, `is_strict` without any grace; `ends` what is over from now on,
    `revives` what is not any more, `shows` what this answer proves to be alive; `register` with
    what was `wrote` to it or `read` from it; `tenant` whose answer it is and `canaries` that were
    seen in it; `tokens` that were issued; `keys` that were published, by their kid; `audit` the
    tag that it is written down under if it is done.
    """

    number: int
    user: int
    kind: str
    node: str
    due: float
    start: float
    end: float
    outcome: str
    status: int = 0
    error: str = ""
    meant: bool = False
    spends: str = ""
    family: str = ""
    generation: str = ""
    successor: str = ""
    is_strict: bool = False
    ends: list[str] = field(default_factory=list)
    revives: str = ""
    shows: str = ""
    register: str = ""
    wrote: str = ""
    read: str = ""
    tenant: str = ""
    canaries: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)
    audit: str = ""

    @property
    def is_ok(self) -> bool:
        return self.outcome == OK

    @property
    def may_be_done(self) -> bool:
        """A server that failed may have done it before."""
        return self.outcome != FAIL or self.status >= 500

    @property
    def is_wrong(self) -> bool:
        """Whoever asked would have wanted another answer."""
        return self.outcome == UNKNOWN or (self.outcome == FAIL and not self.meant)

    @property
    def latency(self) -> float:
        """Seconds since it was due: a slow server does not get fewer requests (open loop)."""
        return self.end - self.due


@dataclass(frozen=True)
class Fault:
    """`end` is when it is over, and what it broke begins to heal."""

    fault: str
    start: float
    end: float


@dataclass
class History:
    operations: list[Operation] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def done(self) -> Iterator[Operation]:
        return (each for each in self.operations if each.is_ok)


class Pen:
    """Writes a history; many threads may share one. `number()` is the next operation's."""

    def __init__(self, path: Path, first: int) -> None:
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()
        self._next = first

    def number(self) -> int:
        with self._lock:
            self._next += 1
            return self._next

    def write(self, line: Operation | Fault) -> None:
        text = json.dumps(_plain(line), separators=(",", ":"))
        with self._lock:
            self._file.write(text + "\n")

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        start = time.time()
        yield
        self.write(Fault(name, start, time.time()))

    def close(self) -> None:
        self._file.close()


def read(*paths: Path) -> History:
    """What all of them tell, in the order in which it began."""
    history = History()
    for path in paths:
        for text in path.read_text().splitlines():
            line = json.loads(text)
            if "fault" in line:
                history.faults.append(Fault(**line))
            else:
                history.operations.append(Operation(**line))
    history.operations.sort(key=lambda each: each.start)
    history.faults.sort(key=lambda each: each.start)
    return history


def address_of(number: int) -> str:
    """The address (RFC 3849) that operation `number` says it comes from: it is in the audit log."""
    return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"


def number_of(address: str) -> int | None:
    """The operation that came from there."""
    parts = address.split(":")
    if parts[:2] != ["2001", "db8"] or len(parts) < 4:
        return None
    return int(parts[2] or "0", 16) << 16 | int(parts[3] or "0", 16)


def fingerprint(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()[:16]


def _plain(line: Operation | Fault) -> dict[str, Any]:
    """Without what nobody said."""
    defaults = {f.name: f.default for f in fields(line) if f.default is not MISSING}
    return {
        name: value
        for name, value in asdict(line).items()
        if value not in ([], {}) and (name not in defaults or value != defaults[name])
    }
