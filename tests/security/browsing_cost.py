"""What an answer costs the provider, without what it costs a test to make the request."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from idp.endpoints.router import Router

Result = TypeVar("Result")


@dataclass
class Meter:
    """What answers have cost: seconds of processor time, and bytes while it `weighs` (slowly)."""

    weighs: bool = False
    seconds: float = 0.0
    peak: int = 0


@contextmanager
def metered() -> Iterator[Meter]:
    answer = Router.__call__
    meter = Meter()

    def measure(self: Any, environ: Any, start_response: Any) -> Any:
        if meter.weighs:
            tracemalloc.start()
        before = time.thread_time()
        try:
            return answer(self, environ, start_response)
        finally:
            meter.seconds += time.thread_time() - before
            if meter.weighs:
                meter.peak = max(meter.peak, tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()

    Router.__call__ = measure  # type: ignore[method-assign]
    try:
        yield meter
    finally:
        Router.__call__ = answer  # type: ignore[method-assign]


def cost_of(act: Callable[[], Result], limit: float) -> tuple[Result, float]:
    """What an act came to, and the seconds that it cost; asked ten times before it is too much,
    since a garbage collection, or a busy neighbour, may fall into any of them."""
    with metered() as meter:
        result = act()
    for _ in range(9):
        if meter.seconds >= limit:
            with metered() as meter:
                result = act()
    return result, meter.seconds


def peak_of(act: Callable[[], object]) -> int:
    """The most bytes that it held at once."""
    with metered() as meter:
        meter.weighs = True
        act()
    return meter.peak
