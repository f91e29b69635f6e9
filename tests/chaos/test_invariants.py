"""Each invariant, violated by a forged history, and what is not to be taken for a violation."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from chaos import invariants
from chaos.history import (
    FAIL,
    OK,
    UNKNOWN,
    Fault,
    Operation,
    Pen,
    address_of,
    number_of,
    read,
)
from tests.chaos.forged import operation, seen

KEY = ECKey.generate_key("P-256", {"kid": "here", "use": "sig", "alg": "ES256"})
OTHER = ECKey.generate_key("P-256", {"kid": "here", "use": "sig", "alg": "ES256"})


def told(check: invariants.Invariant, *operations: Operation, **said: Any) -> int:
    """How many violations there are."""
    return len(list(check(seen(*operations, **said))))


def test_i1_a_code_that_was_good_twice_is_seen() -> None:
    check = invariants.spent_once
    first, again = operation(1, spends="code a"), operation(2, spends="code a")
    assert told(check, first, again) == 1
    assert told(check, first, operation(2, outcome=UNKNOWN, spends="code a")) == 0
    assert told(check, first, operation(2, outcome=FAIL, spends="code a")) == 0
    assert told(check, first, operation(2, spends="code b")) == 0


def rotation(start: float, shown: str, given: str, **said: Any) -> Operation:
    return operation(start, family="f", generation=shown, successor=given, **said)


def test_i2_a_family_with_two_branches_is_seen() -> None:
    check = invariants.families_are_linear
    assert told(check, rotation(1, "a", "b"), rotation(1, "a", "c")) == 1
    assert told(check, rotation(1, "a", "b"), rotation(1, "a", "b")) == 0  # within the grace


def test_i2_a_strict_client_s_generation_that_was_good_twice_is_seen() -> None:
    check = invariants.families_are_linear
    twice = [rotation(at, "a", "b", is_strict=True) for at in (1, 2)]
    assert told(check, *twice) == 1
    assert told(check, *(rotation(at, "a", "a", is_strict=True) for at in (1, 2))) == 0


def test_i2_a_generation_that_is_good_after_its_successor_was_used_is_seen() -> None:
    check = invariants.families_are_linear
    used = [rotation(1, "a", "b"), rotation(2, "b", "c")]
    assert told(check, *used, rotation(3, "a", "b")) == 1
    assert told(check, *used, rotation(2.2, "a", "b")) == 0  # at the same time
    assert told(check, *used, rotation(3, "a", "b", outcome=FAIL)) == 0


def wrote(start: float, value: str, outcome: str = OK, **said: Any) -> Operation:
    return operation(start, outcome=outcome, register="name", wrote=value, **said)


def looked(start: float, value: str) -> Operation:
    return operation(start, register="name", read=value)


def test_i3_an_acknowledged_write_that_is_lost_is_seen() -> None:
    check = invariants.writes_are_kept
    assert told(check, looked(0, "first"), wrote(1, "a"), looked(2, "first")) == 1
    assert told(check, wrote(1, "a"), wrote(3, "b"), looked(5, "a")) == 1
    assert told(check, wrote(1, "a"), wrote(3, "b"), looked(5, "b")) == 0
    assert told(check, wrote(1, "a"), wrote(3, "b"), looked(3.1, "a")) == 0  # at the same time


@pytest.mark.parametrize("value", ["a", "b"])
def test_i3_a_write_that_was_not_answered_may_be_done_or_not(value: str) -> None:
    check = invariants.writes_are_kept
    assert told(check, wrote(1, "a"), wrote(3, "b", UNKNOWN), looked(5, value)) == 0
    assert told(check, wrote(1, "a"), wrote(3, "b", FAIL, status=503), looked(5, value)) == 0


def test_i3_a_write_that_was_refused_is_not_done() -> None:
    refused = wrote(3, "b", FAIL)
    assert told(invariants.writes_are_kept, wrote(1, "a"), refused, looked(5, "b")) == 1


def test_i4_what_is_active_again_is_seen() -> None:
    check = invariants.what_is_over_stays_over
    ended = operation(1, ends=["f"])
    assert told(check, ended, operation(2, shows="f")) == 1
    assert told(check, ended, operation(1.2, shows="f")) == 0  # at the same time
    assert told(check, operation(1, outcome=UNKNOWN, ends=["f"]), operation(2, shows="f")) == 0


def test_i4_an_explicit_new_act_makes_it_active() -> None:
    check = invariants.what_is_over_stays_over
    ended, shown = operation(1, ends=["p"]), operation(5, shows="p")
    assert told(check, ended, operation(3, revives="p"), shown) == 0
    assert told(check, ended, operation(3, revives="p", outcome=UNKNOWN), shown) == 0
    assert told(check, ended, operation(3, revives="p", outcome=FAIL), shown) == 1
    assert told(check, ended, operation(6, revives="p"), shown) == 1
    assert told(check, operation(0.1, revives="p"), ended, shown) == 1


def test_i5_another_tenant_s_canary_is_seen_wherever_it_is() -> None:
    check = invariants.nobody_sees_another_tenant
    assert told(check, operation(1, tenant="amber", canaries=["amber", "birch"])) == 1
    assert told(check, operation(1, tenant="amber", canaries=["amber"])) == 0
    assert told(check, letters=[("amber", {"birch"}), ("amber", {"amber"})]) == 1
    assert told(check, log='{"event": "canary-amber"}') == 1


def right(start: float, email: str) -> Operation:
    return operation(start, register=f"password {email}", read="right")


def test_i6_a_guess_too_many_is_seen() -> None:
    check = invariants.guesses_are_counted
    assert told(check, guesses={"a": [1.0] * 6}) == 1
    assert told(check, guesses={"a": [1.0] * 5, "b": [1.0] * 5}) == 0
    assert told(check, right(1, "a"), guesses={"a": [1.0] * 6}) == 0  # of all at once


def test_i6_whoever_gets_in_while_locked_is_seen() -> None:
    check = invariants.guesses_are_counted
    guesses = {"a": [1.0, 2.0, 3.0, 4.0, 5.0]}
    assert told(check, right(6, "a"), guesses=guesses) == 1
    assert told(check, right(4.9, "a"), guesses=guesses) == 0
    assert told(check, right(6, "b"), guesses=guesses) == 0
    assert told(check, right(2.5, "a"), right(6, "a"), guesses=guesses) == 0


@pytest.mark.parametrize(
    ("outcome", "status", "events", "is_right"),
    [
        (OK, 200, 1, True),
        (OK, 200, 0, False),
        (OK, 200, 2, False),
        (FAIL, 400, 0, True),
        (FAIL, 400, 1, False),
        (FAIL, 503, 1, True),
        (UNKNOWN, 0, 0, True),
        (UNKNOWN, 0, 1, True),
        (UNKNOWN, 0, 2, False),
    ],
)
def test_i7_a_change_without_its_event_is_seen(
    outcome: str, status: int, events: int, is_right: bool
) -> None:
    change = operation(1, outcome=outcome, status=status, audit="token.revoked")
    audit = Counter({(change.number, "token.revoked"): events, (change.number, "other"): 7})
    assert told(invariants.changes_are_audited_once, change, audit=audit) == (not is_right)


def test_i7_behind_a_proxy_all_events_of_a_kind_are_counted() -> None:
    check = invariants.changes_are_audited_once
    done, unheard = (operation(1, outcome=each, audit="x") for each in (OK, UNKNOWN))
    assert [told(check, done, unheard, events=Counter(x=each)) for each in (1, 2, 3)] == [0, 0, 1]
    assert told(check, done, events=Counter(x=0)) == 1


def test_i7_a_chain_of_the_log_that_is_not_whole_is_seen() -> None:
    assert told(invariants.changes_are_audited_once, broken_chains=["platform"]) == 1


def published(start: float, key: ECKey | None) -> Operation:
    return operation(start, keys={"here": key.as_dict(private=False)} if key else {"there": {}})


def issued(start: float, key: ECKey, life: float = 600) -> Operation:
    claims = {"exp": int(start + life)}
    return operation(start, tokens=[jwt.encode({"alg": "ES256", "kid": "here"}, claims, key)])


def test_i8_a_token_that_does_not_verify_is_seen() -> None:
    now = time.time()
    assert told(invariants.tokens_verify, published(now, KEY), issued(now, OTHER)) == 1
    assert told(invariants.tokens_verify, published(now, KEY), issued(now, KEY)) == 0


def test_i8_a_key_that_is_missing_while_its_tokens_live_is_seen() -> None:
    check, now = invariants.tokens_verify, time.time()
    there = published(now, KEY)
    gone = operation(now + 10, keys={"other": OTHER.as_dict(private=False) | {"kid": "other"}})
    assert told(check, there, issued(now, KEY), gone) == 1
    assert told(check, there, issued(now, KEY, life=5), gone) == 0
    revoked = operation(now + 9, ends=["key here"])
    assert told(check, there, issued(now, KEY), revoked, gone) == 0


def test_i9_health_that_does_not_return_in_time_is_seen() -> None:
    faults = (Fault("a kill", 10.0, 11.0), Fault("a kill", 30.0, 31.0))
    right = [operation(float(at)) for at in range(1, 50)]
    late = operation(15.0, outcome=UNKNOWN)
    assert [*invariants.health_returns(seen(*right, late, faults=faults), within=3.0)]
    assert not [*invariants.health_returns(seen(*right, late, faults=faults), within=5.0)]
    dead = [each for each in right if each.start < 31]
    never = seen(*dead, operation(40.0, outcome=FAIL), faults=faults)
    assert [*invariants.health_returns(never, within=60.0)]
    soon = (Fault("a kill", 10.0, 11.0), Fault("a kill", 12.0, 31.0))
    between = seen(operation(11.5, outcome=UNKNOWN), operation(40.0), faults=soon)
    assert not [*invariants.health_returns(between, within=5.0)]
    assert [*invariants.health_returns(between, within=0.5)]
    refused = operation(15.0, outcome=FAIL, meant=True)
    assert not [*invariants.health_returns(seen(*right, refused, faults=faults), within=3.0)]


def test_i9_what_is_in_hand_when_the_next_fault_begins_is_not_the_last_one_s() -> None:
    faults = (Fault("a break", 10, 20), Fault("another", 30, 31))
    right, cut = operation(21), operation(29.8, 31, UNKNOWN)
    assert not [*invariants.health_returns(seen(right, cut, faults=faults), within=3.0)]
    wrong = operation(29.2, 29.7, FAIL)
    assert [*invariants.health_returns(seen(right, wrong, cut, faults=faults), within=3.0)]


def test_i9_where_nothing_was_broken_nothing_has_to_return() -> None:
    assert not [*invariants.health_returns(seen(operation(1, outcome=FAIL)), within=3.0)]


def test_all_of_them_are_checked() -> None:
    assert list(invariants.INVARIANTS) == [f"I{number}" for number in range(1, 9)]
    broken = seen(
        operation(1, spends="a", audit="x"),
        operation(2, spends="a", outcome=UNKNOWN),
        operation(3, spends="a"),
        faults=(Fault("a kill", 1.5, 1.6),),
    )
    found = invariants.violations(broken, recovery=0.1)
    assert [each.partition(":")[0] for each in found] == ["I1", "I7", "I9"]


def test_a_history_is_read_as_it_was_written(tmp_path) -> None:
    pen = Pen(tmp_path / "history", 70_000)
    wrote_it = operation(1, ends=["a"], number=pen.number(), canaries=["amber"])
    with pen.fault("a kill"):
        pen.write(wrote_it)
    pen.close()
    history = read(tmp_path / "history")
    assert history.operations == [wrote_it]
    assert [each.fault for each in history.faults] == ["a kill"]
    assert number_of(address_of(wrote_it.number)) == wrote_it.number == 70_001
    assert number_of("127.0.0.1") is None
