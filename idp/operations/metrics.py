"""What every process has counted, and how the platform is, as Prometheus reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from idp.measures import BOUNDS, COUNTED, TIMED, Kind
from idp.operations.probes import NEEDED, Probes
from idp.operators import health
from idp.provider import Provider
from idp.tokens.key_pairs import ALGORITHMS

PREFIX = "latchkey_"
GAUGES = {
    "ready": Kind("1 if this server is ready, 0 if it is not.", ()),
    "outbox_waiting": Kind("Messages that wait to be sent; the same from every process.", ()),
    "outbox_oldest_seconds": Kind("How long the oldest of them has been due.", ()),
    "outbox_given_up": Kind("Messages that nobody took in, in spite of every try.", ()),
    "worker_silent_seconds": Kind(
        "Time since a worker last swept; the same from every process.", ()
    ),
    "signing_key_age_seconds": Kind("How long the key that signs has signed.", ("alg",)),
}
Labels = tuple[str, ...]


class Collector:
    """`told` gives what each process has counted, as `Measures.told`."""

    def __init__(self, held: Provider, probes: Probes, told: Iterable[bytes]) -> None:
        self._held = held
        self._probes = probes
        self._told = [orjson.loads(text) for text in told]

    def collect(self) -> Iterator[Metric]:
        counts, timings = _summed(self._told)
        for name, kind in COUNTED.items():
            counter = CounterMetricFamily(PREFIX + name, kind.means, labels=kind.labels)
            for labels, value in counts.get(name, {}).items():
                counter.add_metric(labels, value)
            yield counter
        for name, kind in TIMED.items():
            histogram = HistogramMetricFamily(
                f"{PREFIX}{name}_seconds", kind.means, labels=kind.labels
            )
            for labels, (each, total) in timings.get(name, {}).items():
                histogram.add_metric(labels, _cumulated(each), total)
            yield histogram
        yield from self._gauges()

    def _gauges(self) -> Iterator[Metric]:
        ready = self._probes.ready()
        yield _gauge("ready", float(ready.is_yes))
        if any(ready.checks.get(each, "unseen") for each in NEEDED):
            return
        now = self._held.clock()
        load = health.load_now(self._held)
        yield _gauge("outbox_waiting", load.waiting)
        yield _gauge("outbox_oldest_seconds", max(0.0, now - (load.waiting_since or now)))
        yield _gauge("outbox_given_up", load.given_up)
        if load.worker_seen_at is not None:
            yield _gauge("worker_silent_seconds", now - load.worker_seen_at)
        yield self._ages(now)

    def _ages(self, now: float) -> Metric:
        name = "signing_key_age_seconds"
        kind = GAUGES[name]
        ages = GaugeMetricFamily(PREFIX + name, kind.means, labels=kind.labels)
        ring = self._held.key_ring.current(now)
        for alg in ALGORITHMS:
            ages.add_metric([alg], now - ring.signer(alg, now).active_from)
        return ages


def _gauge(name: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, GAUGES[name].means, value=value)


def _summed(
    told: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, Counter[Labels]], dict[str, dict[Labels, tuple[list[int], float]]]]:
    counts: dict[str, Counter[Labels]] = {}
    timings: dict[str, dict[Labels, tuple[list[int], float]]] = {}
    for each in told:
        for (name, *labels), count in each["counts"]:
            counts.setdefault(name, Counter())[tuple(labels)] += count
        for (name, *labels), buckets, total in each["timings"]:
            of_name = timings.setdefault(name, {})
            known, sum_ = of_name.get(tuple(labels), ([0] * len(buckets), 0.0))
            added = [a + b for a, b in zip(known, buckets, strict=True)]
            of_name[tuple(labels)] = (added, sum_ + total)
    return counts, timings


def _cumulated(counts: Iterable[int]) -> list[tuple[str, float]]:
    """As Prometheus has them: each bound with all that took up to it."""
    bounds, sum_ = (*map(str, BOUNDS), "+Inf"), 0
    cumulated = []
    for bound, count in zip(bounds, counts, strict=True):
        sum_ += count
        cumulated.append((bound, float(sum_)))
    return cumulated


def exposition(held: Provider, probes: Probes, told: Iterable[bytes]) -> bytes:
    """Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(Collector(held, probes, told))
    return generate_latest(registry)


def told_in(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.glob("*.json")]
