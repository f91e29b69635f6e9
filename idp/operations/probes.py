"""The three questions of a supervisor or a load balancer, answered from what was last seen.

A store that hangs must keep no probe waiting, so that one thread looks again and again and the
answers say what it saw, or that it has been seeing nothing.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from idp.draining import DRAINING
from idp.errors import StoreUnavailable
from idp.operators import health
from idp.provider import Provider
from idp.store_time import limited

LOOK_EVERY = 1.0
LOOK_LATE = 5.0  # seconds after which a look that hangs is a fault itself
UNANSWERED = 30.0  # seconds without an answer after which the processes that serve are dead
PATIENCE = 5.0
NEEDED = ("database", "signing keys")  # of health.CHECKS
OF_ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
LOOKING = "The stores have not answered yet."
STARTING = "No request has been answered yet."

log = structlog.get_logger("operations")


class Answer(NamedTuple):
    """`checks` says of each what is wrong with it, None where nothing is."""

    is_yes: bool
    checks: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    checks: Mapping[str, str | None]


class Probes:
    """`answers` asks a process that serves, None in one that serves nobody. Times are seconds by
    `clock`, which only ever goes forward."""

    def __init__(
        self,
        held: Provider,
        answers: Callable[[], bool] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._held = held
        self._answers = answers
        self._clock = clock
        self._seen: _Seen | None = None
        self._has_seen_stores = False
        self._has_answered = answers is None
        self._answered_at = clock()

    def watch(self) -> None:
        """Two threads: a store that hangs says nothing of the processes that serve."""
        looks = (self.look, *((self.ask,) if self._answers else ()))
        for look in looks:
            threading.Thread(target=_again_and_again, args=(look,), daemon=True).start()

    def look(self) -> None:
        """At the stores."""
        with limited():
            checks = {f.name: f.fault for f in health.examine(self._held, NEEDED)}
            checks["ephemeral"] = self._cut_off()
        self._seen = _Seen(self._clock(), checks)
        self._has_seen_stores |= not any(checks.values())

    def _cut_off(self) -> str | None:
        """Who alone lacks Redis lacks what all others have put there."""
        try:
            self._held.ephemeral.check_not_cut_off(self._held.clock())
        except StoreUnavailable as problem:
            return problem.detail
        return None

    def ask(self) -> None:
        """Whether there is anybody who answers."""
        if self._answers and self._answers():
            self._has_answered = True
            self._answered_at = self._clock()

    def live(self) -> Answer:
        """No: end this process and start another. Stores that are away are no reason to."""
        is_alive = self._answers is None or self._clock() - self._answered_at < UNANSWERED
        return Answer(is_alive, {"server": None if is_alive else "No request is answered."})

    def ready(self) -> Answer:
        """No: send nobody here for now."""
        seen = self._seen
        if seen is None or self._clock() - seen.at > LOOK_LATE:
            return Answer(False, {"stores": LOOKING})
        starting = None if self._has_answered else STARTING
        checks = {**seen.checks, "server": starting, "stopping": _stopping()}
        return Answer(not any(checks.values()), checks)

    def started(self) -> Answer:
        """No: wait. Once it is yes it stays so."""
        if not self._has_seen_stores:
            return Answer(False, {"start": LOOKING})
        return Answer(self._has_answered, {"start": None if self._has_answered else STARTING})


def _stopping() -> str | None:
    return "This server is about to stop." if DRAINING.has_begun else None


def _again_and_again(look: Callable[[], None]) -> None:
    while True:
        try:
            look()
        except Exception:
            log.exception("probe failed")
        time.sleep(LOOK_EVERY)


def discovery_at(host: str, port: int) -> Callable[[], bool]:
    """Asks for what needs no store, by the socket that everybody asks by."""
    host = OF_ALL.get(host, host)

    def answers() -> bool:
        with closing(http.client.HTTPConnection(host, port, timeout=PATIENCE)) as connection:
            try:
                connection.request("HEAD", "/.well-known/openid-configuration")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False

    return answers
