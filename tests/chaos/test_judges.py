"""What each scenario judges beside the invariants, by forged histories."""

from __future__ import annotations

from typing import Any, cast

import pytest

from chaos.caller import NO_RETRY
from chaos.crowd import FIRST
from chaos.history import FAIL, UNKNOWN, Fault, Operation
from chaos.person import HALFWAY
from chaos.scenario import Run, Scenario
from chaos.scenarios import scenarios
from chaos.scenarios.r23_isolated_node import DATABASE, REDIS
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


SILENT: dict[str, Any] = {"faults": (Fault("silence", 10.0, 30.0),)}
NOTICED = (
    failed(12, 503, kind="ready", user=FIRST),
    operation(31, kind="ready", user=FIRST),
)


def test_r7_what_is_not_done_is_refused_by_503_that_says_when_to_come_again() -> None:
    assert judged("R7", *NOTICED, failed(12, 503), **SILENT) == 0
    assert judged("R7", *NOTICED, failed(12, 503, error=NO_RETRY), **SILENT) == 1
    assert judged("R7", *NOTICED, failed(12), **SILENT) == 1
    assert judged("R7", *NOTICED, failed(12, 0), **SILENT) == 1


def test_r7_nobody_is_kept_for_long() -> None:
    assert judged("R7", *NOTICED, operation(12, 17.5), **SILENT) == 1
    assert judged("R7", *NOTICED, operation(12, 16.5), **SILENT) == 0


def test_r7_what_is_known_is_not_found_out_by_each_request() -> None:
    assert judged("R7", *NOTICED, operation(16, 18), **SILENT) == 1
    assert judged("R7", *NOTICED, operation(12, 14), operation(16, 16.9), **SILENT) == 0


@pytest.mark.parametrize("kind", ["jwks", "discovery", "live"])
def test_r7_what_needs_no_database_is_served_throughout(kind: str) -> None:
    assert judged("R7", *NOTICED, failed(12, 503, kind=kind), **SILENT) == 1


def test_r7_a_server_that_does_not_notice_or_forgets_it_is_seen() -> None:
    assert judged("R7", operation(12, kind="ready"), **SILENT) == 1
    assert judged("R7", failed(21, 503, kind="ready"), **SILENT) == 1
    assert judged("R7", *NOTICED, operation(15, kind="ready"), **SILENT) == 1
    assert judged("R7", *NOTICED, operation(15, kind="ready", node="2"), **SILENT) == 1


def test_r7_rows_that_were_locked_for_nobody_are_seen() -> None:
    locked: dict[str, Any] = {"faults": (Fault("locks", 10.0, 30.0),)}
    assert judged("R7", **locked) == 1
    assert judged("R7", failed(12, 503), **locked) == 0


def cut_off(name: str, node: str = "1") -> dict[str, Any]:
    """The server of every operation that does not say otherwise."""
    return {"faults": (Fault(f"{name}{node}", 10.0, 30.0),)}


def test_r23_whoever_is_not_cut_off_notices_nothing() -> None:
    for name in (REDIS, DATABASE):
        assert judged("R23", *NOTICED, failed(12, 503, node="2"), **cut_off(name)) == 1
        unready = failed(12, 503, kind="ready", node="2", user=FIRST)
        assert judged("R23", *NOTICED, unready, **cut_off(name)) == 1


def test_r23_a_server_that_is_cut_off_and_ready_is_seen() -> None:
    for name in (REDIS, DATABASE):
        assert judged("R23", operation(12, kind="ready"), **cut_off(name)) == 1
        assert judged("R23", *NOTICED, operation(20, kind="ready"), **cut_off(name)) == 1
        assert judged("R23", *NOTICED, **cut_off(name)) == 0


def test_r23_a_server_without_its_database_remembers_nothing_but_keys() -> None:
    known = operation(12, kind="userinfo", user=FIRST)
    assert judged("R23", *NOTICED, known, **cut_off(DATABASE)) == 1
    assert judged("R23", *NOTICED, known, **cut_off(REDIS)) == 0
    assert judged("R23", *NOTICED, operation(12, kind="jwks"), **cut_off(DATABASE)) == 0


def published(start: float, *kids: str, **said: Any) -> Operation:
    return operation(start, kind="jwks", keys={each: {} for each in kids}, **said)


def test_r23_a_key_that_a_server_does_not_know_is_seen() -> None:
    made = operation(12, kind="rotate", node="2", register="signing keys", wrote="a b")
    for name, count in ((REDIS, 1), (DATABASE, 0)):
        assert judged("R23", *NOTICED, made, published(14, "a"), **cut_off(name)) == count
        assert judged("R23", *NOTICED, made, published(13.2, "a"), **cut_off(name)) == 0
    late = published(32, "a")
    assert judged("R23", *NOTICED, made, late, **cut_off(DATABASE)) == 1
    assert judged("R23", *NOTICED, made, published(14, "a", "b"), **cut_off(REDIS)) == 0


def test_r23_a_revoked_key_that_is_still_published_is_seen() -> None:
    over = operation(12, node="2", ends=["key a"])
    assert judged("R23", *NOTICED, over, published(14, "a", "b"), **cut_off(REDIS)) == 1
    assert judged("R23", *NOTICED, over, published(14, "b"), **cut_off(REDIS)) == 0
