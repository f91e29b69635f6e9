"""Whether those waited who had nothing to do with what was broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chaos.history import Fault, Operation
from chaos.report import percentile
from chaos.scenario import Run

SHARE = 0.95
ROUGH = 100.0  # ms for each time of more patience: the quiet share of a short run is a few answers


def slowed(
    what: str,
    operations: Iterable[Operation],
    faults: Sequence[Fault],
    most: float,
    run: Run,
) -> Iterator[str]:
    """A sentence if they took more than `most` times as long (p95) between the first fault's start
    and the last one's end as they did once everybody was signed in."""
    if not faults:
        return
    first, over = faults[0].start, max(each.end for each in faults)
    quiet, loud = [], []
    for each in operations:
        if run.begun < each.start < first:
            quiet.append(each.latency)
        elif first <= each.start < over:
            loud.append(each.latency)
    before, during = percentile(quiet, SHARE), percentile(loud, SHARE)
    if during > before * most * run.patience + ROUGH * (run.patience - 1):
        yield f"{what} took {during:.0f} ms (p95) and {before:.0f} before"
