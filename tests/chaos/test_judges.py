"""What each scenario judges beside the invariants, by forged histories."""

from __future__ import annotations

from typing import Any, cast

from chaos.history import FAIL, UNKNOWN, Fault, Operation
from chaos.person import HALFWAY
from chaos.scenario import Run, Scenario
from chaos.scenarios import scenarios
from tests.chaos.forged import operation, seen

SCENARIOS = scenarios()
BREAK = Fault("a break", 10.0, 20.0)


def judged(number: str, *operations: Operation, **said: Any) -> int:
    """How many sentences there are, at full size, after one that was answered in half a second."""
    scenario: Scenario = SCENARIOS[number]
    run = Run(cast(Any, None), scenario.size, cast(Any, None), 100.0, is_short=False)
    evidence = seen(operation(5), *operations, **{"faults": (BREAK,), **said})
    return len(list(scenario.judge(run, evidence)))


def failed(start: float, status: int = 500, **said: Any) -> Operation:
    return operation(start, outcome=FAIL if status else UNKNOWN, status=status, **said)


def test_r4_nothing_fails() -> None:
    for status in (500, 503, 0):
        assert judged("R4", failed(10.1, status)) == 1
        assert judged("R4", failed(21, status)) == 1


def test_r4_a_sign_in_may_have_to_begin_anew_and_nothing_else() -> None:
    assert judged("R4", failed(12, 400, kind="password")) == 0
    assert judged("R4", failed(12, 400, kind="redeem")) == 1
    assert judged("R4", failed(12, 400, kind="redeem", meant=True)) == 0


def test_r4_half_of_a_sign_in_gives_nothing() -> None:
    assert judged("R4", operation(12, kind=HALFWAY, shows="person a")) == 1
    assert judged("R4", operation(12, kind=HALFWAY)) == 0


def test_r4_nobody_waits_much_longer_than_before() -> None:
    assert judged("R4", operation(12, 13.1)) == 1
    assert judged("R4", operation(12, 12.9)) == 0
