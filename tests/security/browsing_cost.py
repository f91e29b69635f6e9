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
from types import FrameType, ModuleType
from typing import Any, TypeVar

from idp.endpoints.router import Router

Result = TypeVar("Result")
Text = str | bytes | bytearray

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
        sys.settrace(self._count_line)
        sys.setprofile(self._count_call)
        try:
            yield
        finally:
            sys.setprofile(None)
            sys.settrace(None)

    def _count_line(self, frame: FrameType, event: str, argument: object) -> Any:
        self.steps += 1
        return self._count_line

    def _count_call(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            text = called.__self__
            self.steps += 1 + (len(text) / CHARACTERS_A_STEP if isinstance(text, Text) else 0)


class WatchedPattern:
    """Looks like the pattern, and counts the text that it is given."""

    def __init__(self, pattern: re.Pattern[Any], meter: Meter, is_ours: bool) -> None:
        self._pattern, self._meter, self._power = pattern, meter, 2 if is_ours else 1

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._pattern, name)

        def look(*given: Any, **named: Any) -> Any:
            texts = [each for each in (*given, *named.values()) if isinstance(each, Text)]
            length = max(map(len, texts), default=0)
            self._meter.steps += length**self._power / CHARACTERS_A_STEP
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
        caller = sys._getframe(2).f_globals["__name__"]
        return WatchedPattern(compiled(pattern, flags), meter, _is_ours(caller))

    try:
        re._compile = watched  # type: ignore[attr-defined]
        for module, name, pattern in kept_patterns():
            setattr(module, name, WatchedPattern(pattern, meter, _is_ours(module.__name__)))
        yield
    finally:
        re._compile = compiled  # type: ignore[attr-defined]
        for module, name, pattern in kept_patterns():
            setattr(module, name, pattern)


@cache
def kept_patterns() -> list[tuple[ModuleType, str, re.Pattern[Any]]]:
    """Every pattern that a module keeps by name."""
    return [
        (module, name, value)
        for module in list(sys.modules.values())
        for name, value in list(vars(module).items())
        if isinstance(value, re.Pattern)
    ]


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "idp"


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
