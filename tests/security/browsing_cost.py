"""What an answer costs the provider, without what it costs a test to make the request: counted,
so that a busy machine finds the same."""

from __future__ import annotations

import re
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import Any, ClassVar, TypeVar

from idp.endpoints.router import Router

Result = TypeVar("Result")
TEXT = (str, bytes, bytearray)

CHARACTERS_A_STEP = 50  # that C goes over while Python runs one line


@dataclass
class Meter:
    """What answers have cost: the most bytes at once where it `weighs`, and otherwise steps.

    A step is a line of Python that is run, a call of C, or CHARACTERS_A_STEP of the text whose
    method is called, or that a pattern is given. A pattern of our own is taken to go over its text
    once for each character, as it may: it must be given none that is long.
    """

    weighs: bool = False
    steps: float = 0
    peak: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._weighing() if self.weighs else self._counting():
            yield

    @contextmanager
    def _weighing(self) -> Iterator[None]:
        tracemalloc.start()
        try:
            yield
        finally:
            self.peak = max(self.peak, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """By functions that look nothing up: they are called more often than what they count."""
        steps, text_types = 0.0, TEXT

        def count_line(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal steps
            steps += 1
            return count_line

        def count_call(frame: FrameType, event: str, called: Any) -> None:
            nonlocal steps
            if event == "c_call":
                steps += 1
                if isinstance(called.__self__, text_types):
                    steps += len(called.__self__) / CHARACTERS_A_STEP

        sys.settrace(count_line)
        sys.setprofile(count_call)
        try:
            yield
        finally:
            sys.setprofile(None)
            sys.settrace(None)
            self.steps += steps


class WatchedPattern:
    """Looks like the pattern, and counts the text that it is given, for who measures now."""

    meter: ClassVar[Meter]

    def __init__(self, pattern: re.Pattern[Any], module: str) -> None:
        is_ours = module.partition(".")[0] == "idp"
        self._pattern, self._power = pattern, 2 if is_ours else 1

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._pattern, name)

        def look(*given: Any, **named: Any) -> Any:
            texts = [each for each in (*given, *named.values()) if isinstance(each, TEXT)]
            length = max(map(len, texts), default=0)
            self.meter.steps += length**self._power / CHARACTERS_A_STEP
            return found(*given, **named)

        return look if callable(found) else found


@contextmanager
def metered(weighs: bool = False) -> Iterator[Meter]:
    answer = Router.__call__
    meter = Meter(weighs)

    def measure(self: Any, environ: Any, start_response: Any) -> Any:
        with meter.running():
            return answer(self, environ, start_response)

    Router.__call__ = measure  # type: ignore[method-assign]
    try:
        with nullcontext() if weighs else watched_patterns(meter):
            yield meter
    finally:
        Router.__call__ = answer  # type: ignore[method-assign]


@contextmanager
def watched_patterns(meter: Meter) -> Iterator[None]:
    compiled = re._compile  # type: ignore[attr-defined] # what re.match() and its like go through

    def watched(pattern: Any, flags: int) -> WatchedPattern:
        return WatchedPattern(compiled(pattern, flags), sys._getframe(2).f_globals["__name__"])

    WatchedPattern.meter = meter
    try:
        re._compile = watched  # type: ignore[attr-defined]
        for names, name, _, watching in kept_patterns():
            names[name] = watching
        yield
    finally:
        re._compile = compiled  # type: ignore[attr-defined]
        for names, name, pattern, _ in kept_patterns():
            names[name] = pattern


@cache
def kept_patterns() -> list[tuple[dict[str, Any], str, re.Pattern[Any], WatchedPattern]]:
    """Every pattern that a module keeps by name: where, and what watches it."""
    return [
        (vars(module), name, value, WatchedPattern(value, module.__name__))
        for module in list(sys.modules.values())
        for name, value in list(vars(module).items())
        if isinstance(value, re.Pattern)
    ]


def cost_of(act: Callable[[], Result], limit: float) -> tuple[Result, float]:
    """What an act came to, and its steps; asked once more before it is too much, since a first
    time may make what is kept."""
    with metered() as meter:
        result = act()
    if meter.steps >= limit:
        with metered() as meter:
            result = act()
    return result, meter.steps


def peak_of(act: Callable[[], object]) -> int:
    """The most bytes that it held at once."""
    with metered(weighs=True) as meter:
        act()
    return meter.peak
