"""The clock of a provider under test: this machine's, and as far ahead of it as it was moved."""

from __future__ import annotations

import math
import time

from idp.errors import SetupMistake

FARTHEST = 100 * 366 * 86400.0  # seconds ahead; dates end in the year 9999


class MovableClock:
    """Seconds since 1970 in UTC. It goes on by itself, and is moved forward alone: what has been
    written must not lie ahead of it."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Raises SetupMistake."""
        if not (math.isfinite(seconds) and seconds >= 0):
            raise SetupMistake("The clock moves forward only; a reset puts it back.")
        if self._ahead + seconds > FARTHEST:
            raise SetupMistake("The clock moves a hundred years ahead at most.")
        self._ahead += seconds

    def put_back(self) -> None:
        self._ahead = 0.0
