"""Whether something grows: a straight line through what was measured, and how sure it is.

What is measured one moment after the other is alike, so that a line through each single value would
look surer than it is: values are averaged over stretches of time first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

HOUR = 3600.0
STRETCHES = 30
FEWEST = 4

Point = tuple[float, float]  # seconds, value

HOLDS, GROWS, OPEN = "holds", "grows", "not known yet"


@dataclass(frozen=True)
class Trend:
    """`level` is where the line ends; `slope` is per hour, and with 95 % certainty no more than
    `margin` away from that."""

    level: float
    slope: float
    margin: float

    @property
    def least(self) -> float:
        return self.slope - self.margin

    @property
    def most(self) -> float:
        return self.slope + self.margin

    def verdict(self, allowed: float) -> str:
        """Whether it grows by more than is allowed in an hour: what can be told so far."""
        if self.least > allowed:
            return GROWS
        return HOLDS if self.most <= allowed else OPEN

    def is_flat(self) -> str:
        """Whether it may as well not grow at all."""
        return GROWS if self.least > 0 else HOLDS

    def after(self, hours: float) -> float:
        """Where it will be, if what it surely grows by goes on."""
        return self.level + hours * (self.slope if self.least > 0 else 0.0)


def trend(points: Sequence[Point]) -> Trend | None:
    """By least squares; None of too few points."""
    averaged = _stretches(points)
    if len(averaged) < FEWEST:
        return None
    middle, mean = fmean(x for x, _ in averaged), fmean(y for _, y in averaged)
    spread = sum((x - middle) ** 2 for x, _ in averaged)
    slope = sum((x - middle) * (y - mean) for x, y in averaged) / spread
    rest = sum((y - mean - slope * (x - middle)) ** 2 for x, y in averaged)
    freedom = len(averaged) - 2
    error = math.sqrt(rest / freedom / spread)
    end = max(x for x, _ in points)
    level = mean + slope * (end - middle)
    return Trend(level, slope * HOUR, _quantile(freedom) * error * HOUR)


def _stretches(points: Sequence[Point]) -> list[Point]:
    """At most STRETCHES, each as long as the others."""
    if len(points) <= STRETCHES:
        return list(points)
    ordered = sorted(points)
    size = math.ceil(len(ordered) / STRETCHES)
    return [_mean(ordered[at : at + size]) for at in range(0, len(ordered), size)]


def _mean(points: Iterable[Point]) -> Point:
    times, values = zip(*points, strict=True)
    return fmean(times), fmean(values)


def _quantile(freedom: int) -> float:
    """97.5 % of Student's t: by its expansion around the normal distribution's."""
    z = 1.959964
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
