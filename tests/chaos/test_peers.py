"""What R12 looks at, of forged histories that it must not be content with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chaos import peers
from chaos.crowd import FIRST
from chaos.federated import AWAY, BACK
from chaos.history import FAIL, Fault, Operation
from chaos.person import SIGN_OUT
from chaos.scenarios import r12_peers as r12
from idp.secret_values import encode
from tests.chaos.forged import operation

TROUBLE = Fault("forged", 100.0, 200.0)
NUMBERS = {peers.trouble_of(number): number for number in range(len(peers.TROUBLES))}
WELL, HANGING = NUMBERS[peers.WELL], NUMBERS[peers.HANGS]
ROTATED = NUMBERS[peers.STRANGE] + len(peers.TROUBLES)


def number_of(sentences: Iterator[str]) -> int:
    return len(list(sentences))


def back(start: float, number: int, seconds: float = 0.5, **said: Any) -> Operation:
    """Somebody who comes back from that provider."""
    return operation(start, start + seconds, **{"kind": BACK, "user": FIRST + number, **said})


def refused(start: float, number: int = WELL, status: int = 503, **said: Any) -> Operation:
    return back(start, number, outcome=FAIL, status=status, **said)


@pytest.mark.parametrize("kind", [AWAY, BACK])
@pytest.mark.parametrize(("seconds", "wrong"), [(4.9, 0), (5.1, 1)])
def test_r12_whoever_is_kept_waiting_for_others_is_seen(
    kind: str, seconds: float, wrong: int
) -> None:
    told = [back(120, HANGING, seconds, kind=kind, outcome=FAIL)]
    assert number_of(r12.failed_closed(told, TROUBLE, 5.0)) == wrong


@pytest.mark.parametrize("trouble", peers.TROUBLES)
def test_r12_whoever_is_let_in_by_one_that_is_in_trouble_is_seen(trouble: str) -> None:
    number, wrong = NUMBERS[trouble], int(trouble != peers.WELL)
    assert number_of(r12.failed_closed([back(120, number)], TROUBLE, 5.0)) == wrong
    assert number_of(r12.failed_closed([back(50, number), back(210, number)], TROUBLE, 5.0)) == 0


def test_r12_new_keys_may_be_known_at_any_time() -> None:
    assert peers.is_rotated(ROTATED)
    assert number_of(r12.failed_closed([back(120, ROTATED)], TROUBLE, 5.0)) == 0


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ([refused(120)], 0),
        ([refused(120)] * 2, 1),
        ([refused(120, status=500)], 1),
        ([refused(120, status=500, meant=True)], 0),
    ],
)
def test_r12_whoever_is_refused_by_one_that_is_well_is_seen(
    more: list[Operation], wrong: int
) -> None:
    assert number_of(r12.well_ones_are_let_in([back(110, WELL)] * 9 + more)) == wrong


@pytest.mark.parametrize(
    ("number", "now", "is_over"),
    [
        *[(WELL, 1.0, True), (HANGING, 150.0, False), (HANGING, 210.0, False)],
        *[(HANGING, 212.0, True), (ROTATED, 160.0, False), (ROTATED, 162.0, True)],
    ],
)
def test_r12_what_is_left_of_a_trouble_is_forgiven_for_so_long(
    number: int, now: float, is_over: bool
) -> None:
    assert r12.is_forgotten(number, now, 100.0, 200.0) == is_over


@pytest.mark.parametrize(
    ("times", "seconds", "wrong"), [(1, 59.0, 0), (2, 59.0, 1), (2, 61.0, 0), (11, 599.0, 1)]
)
def test_r12_keys_that_are_asked_for_too_often_are_seen(
    times: int, seconds: float, wrong: int
) -> None:
    assert number_of(r12.seldom_fetched({3: times}, seconds)) == wrong


def test_r12_a_sign_out_that_waits_or_fails_is_seen() -> None:
    for each, wrong in [
        (operation(1, 1.9, kind=SIGN_OUT), 0),
        (operation(1, 2.1, kind=SIGN_OUT), 1),
        (operation(1, 1.1, FAIL, kind=SIGN_OUT), 1),
    ]:
        assert number_of(r12.signed_out([each], 1.0)) == wrong


def token(number: int, sid: str) -> list[str]:
    claims = json.dumps({"aud": peers.product_of(number), "sid": sid})
    return [f"header.{encode(claims.encode())}.signature"]


def left(*opened: int, user: int = r12.LEAVER) -> list[Operation]:
    """Somebody who signed into those, and out in a moment; each session is `s`."""
    return [
        *(operation(1, user=user, kind="redeem", tokens=token(each, "s")) for each in opened),
        operation(2, 2.0, user=user, kind=SIGN_OUT),
    ]


def heard(number: int, at: float, sid: str = "s", by: int = -1, **said: Any) -> Operation:
    node = peers.product_of(number if by < 0 else by)
    return operation(at, at, kind=peers.TOLD, node=node, tokens=token(number, sid), **said)


GARBAGE, HUGE = NUMBERS[peers.GARBAGE], NUMBERS[peers.HUGE]
EACH = (WELL, HUGE, HANGING, GARBAGE)
ALL = [heard(WELL, 3), heard(HUGE, 3), heard(HANGING, 90), heard(GARBAGE, 90)]


@pytest.mark.parametrize(
    ("tokens", "wrong"),
    [
        (ALL, 0),
        ([*ALL, heard(HANGING, 4, outcome=FAIL)], 0),
        (ALL[1:], 1),
        (ALL[:-1], 1),
        ([*ALL, heard(WELL, 4)], 1),
        ([*ALL, heard(HANGING, 91)], 1),
        ([heard(WELL, 8.1), *ALL[1:]], 1),
        ([*ALL, heard(WELL, 3, sid="of nobody who left")], 1),
        ([*ALL, heard(WELL, 3, by=HANGING)], 1),
    ],
)
def test_r12_a_product_that_is_not_told_once_and_in_time_is_seen(
    tokens: list[Operation], wrong: int
) -> None:
    operations = [*left(*EACH), *tokens]
    assert number_of(r12.told(operations, 6.0, are_all=True)) == wrong


def test_r12_who_does_not_answer_may_be_told_after_a_short_run() -> None:
    operations = left(*EACH)
    assert number_of(r12.told([*operations, *ALL[:2]], 6.0, are_all=False)) == 0
    assert number_of(r12.told([*operations, *ALL[2:]], 6.0, are_all=False)) == 2


def test_r12_nobody_has_to_be_told_where_nobody_was_signed_out() -> None:
    [*opened, over] = left(*EACH)
    assert number_of(r12.told(opened, 6.0, are_all=True)) == 0
    failed = operation(2, 2.0, FAIL, user=over.user, kind=SIGN_OUT)
    assert number_of(r12.told([*opened, failed], 6.0, are_all=True)) == 0
