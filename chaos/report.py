"""What came of each scenario, as a table and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chaos.evidence import Evidence
from chaos.history import FAIL, UNKNOWN, Operation
from chaos.invariants import recoveries

SHOWN = 8
HEAD = (
    *("scenario", "operations", "ok", "refused", "failed", "unknown", "faults", "recovery s"),
    *("p50 before", "during", "p95 before", "during", "verdict"),
)


@dataclass(frozen=True)
class Result:
    """`refused` are those that had to be, or may have been. Latencies in milliseconds, before the
    first fault and from it on; `recovery` is the longest of all faults, in seconds. `statuses`
    counts the wrong answers. `wrong` has a sentence for all that should not be."""

    scenario: str
    title: str
    operations: int
    ok: int
    refused: int
    failed: int
    unknown: int
    faults: int
    recovery: float | None
    p50_before: float
    p50_during: float
    p95_before: float
    p95_during: float
    statuses: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def row(self) -> tuple[str, ...]:
        recovery = "–" if self.recovery is None else f"{self.recovery:.1f}"
        counts = (self.operations, self.ok, self.refused, self.failed, self.unknown, self.faults)
        times = (self.p50_before, self.p50_during, self.p95_before, self.p95_during)
        verdict = f"{len(self.wrong)} wrong" if self.wrong else "holds"
        name = f"{self.scenario} {self.title}"
        return (name, *map(str, counts), recovery, *(f"{each:.0f}" for each in times), verdict)


def result_of(scenario: str, title: str, evidence: Evidence, wrong: list[str]) -> Result:
    operations = evidence.operations
    first = min((each.start for each in evidence.faults), default=float("inf"))
    before = [each.latency for each in operations if each.start < first]
    during = [each.latency for each in operations if each.start >= first]
    times = [each for _, each, _ in recoveries(evidence.history) if each is not None]
    said = [each for each in operations if each.is_wrong]
    return Result(
        scenario=scenario,
        title=title,
        operations=len(operations),
        ok=sum(each.is_ok for each in operations),
        refused=sum(not each.is_ok and not each.is_wrong for each in operations),
        failed=sum(each.is_wrong and each.outcome == FAIL for each in operations),
        unknown=sum(each.outcome == UNKNOWN for each in operations),
        faults=len(evidence.faults),
        recovery=max(times, default=None),
        p50_before=percentile(before, 0.5),
        p50_during=percentile(during, 0.5),
        p95_before=percentile(before, 0.95),
        p95_during=percentile(during, 0.95),
        statuses=dict(Counter(map(_said, said)).most_common()),
        wrong=wrong,
    )


def table(results: Sequence[Result]) -> str:
    rows = [HEAD, *(each.row for each in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def told(result: Result) -> str:
    """What was wrong, the first of it in full."""
    lines = [f"  {each}" for each in result.wrong[:SHOWN]]
    if len(result.wrong) > SHOWN:
        lines.append(f"  and {len(result.wrong) - SHOWN} more")
    statuses = ", ".join(f"{name}: {count}" for name, count in result.statuses.items())
    return "\n".join([*lines, *([f"  wrong answers: {statuses}"] if statuses else [])])


def write(results: Sequence[Result], path: Path) -> None:
    path.write_text(json.dumps([asdict(each) for each in results], indent=2) + "\n")


def _said(operation: Operation) -> str:
    answer = f"{operation.status} {operation.error}" if operation.status else operation.error
    return f"{operation.kind} {answer}".strip()


def percentile(latencies: Iterable[float], share: float) -> float:
    """Milliseconds."""
    ordered = sorted(latencies)
    return ordered[int(share * (len(ordered) - 1))] * 1e3 if ordered else 0.0
