"""S50: guessing codes is bounded, whatever somebody changes between two guesses."""

from __future__ import annotations

from collections import Counter

from idp.credentials.second_factor_tries import OFF, PAUSED, WRONG, SecondFactorRefused
from tests.console.people_of import letters
from tests.credentials.proving import (
    code_of,
    enrol_app,
    enter,
    new_codes,
    recover,
    refused,
    wrong_code,
)
from tests.storage.crew import threads_at_once
from tests.world import BEN, World

PAUSE = 1800.0


def test_sec_50_five_wrong_codes_pause_all_second_factors(either_world: World) -> None:
    secret, codes = enrol_app(either_world), new_codes(either_world)
    either_world.run("DELETE FROM outbox")
    for _ in range(5):
        assert refused(enter, either_world, wrong_code(secret, either_world.clock())) == WRONG
    assert refused(enter, either_world, code_of(secret, either_world.clock())) == PAUSED
    assert refused(recover, either_world, codes[0]) == PAUSED
    (paused,) = either_world.audit("second_factor.paused")
    assert (paused["tries"], paused["until"]) == (5, either_world.clock() + PAUSE)
    assert [letter["template"] for letter in letters(either_world)] == ["second_factor/paused"]
    either_world.clock.move(PAUSE - 1)
    assert refused(enter, either_world, code_of(secret, either_world.clock())) == PAUSED
    either_world.clock.move(1)
    assert enter(either_world, code_of(secret, either_world.clock()))


def test_sec_50_switching_between_methods_starts_nothing_anew(either_world: World) -> None:
    secret = enrol_app(either_world)
    codes = new_codes(either_world)
    for number in range(5):
        prove = (enter, recover)[number % 2]
        assert refused(prove, either_world, "not a code") == WRONG
    assert refused(enter, either_world, code_of(secret, either_world.clock())) == PAUSED
    assert refused(recover, either_world, codes[0]) == PAUSED


def test_sec_50_of_a_hundred_guesses_at_once_five_are_evaluated(either_world: World) -> None:
    secret = enrol_app(either_world)
    wrong = wrong_code(secret, either_world.clock())

    def deed(number: int) -> str:
        try:
            return enter(either_world, wrong).method
        except SecondFactorRefused as refusal:
            return refusal.reason

    came: Counter[str] = Counter()
    for _ in range(4):
        came += Counter(threads_at_once(deed, 25))
    assert came == {WRONG: 5, PAUSED: 95}
    assert len(either_world.audit("second_factor.paused")) == 1


def test_sec_50_a_right_code_starts_the_count_anew_and_the_fifth_may_be_right(
    world: World,
) -> None:
    secret = enrol_app(world)
    for _ in range(3):
        for _ in range(4):
            assert refused(enter, world, "not a code") == WRONG
        assert enter(world, code_of(secret, world.clock()))
        world.clock.move(30)
    assert world.audit("second_factor.paused") == []


def test_sec_50_a_hundred_wrong_codes_in_a_row_switch_a_factor_off_until_it_is_set_up_anew(
    either_world: World,
) -> None:
    secret, codes = enrol_app(either_world), new_codes(either_world)
    for number in range(100):
        if number % 5 == 0:
            either_world.clock.move(PAUSE)
        assert refused(enter, either_world, "not a code") == WRONG
    either_world.clock.move(PAUSE)
    assert refused(enter, either_world, code_of(secret, either_world.clock())) == OFF
    assert len(either_world.audit("second_factor.switched_off")) == 1
    assert recover(either_world, codes[0]).method == "recovery"  # the others go on
    either_world.clock.move(30)
    assert refused(enter, either_world, code_of(secret, either_world.clock())) == OFF
    anew = enrol_app(either_world)
    assert enter(either_world, code_of(anew, either_world.clock()))


def test_sec_50_success_by_another_factor_does_not_start_a_factors_own_count_anew(
    world: World,
) -> None:
    secret, codes = enrol_app(world), new_codes(world)
    for number in range(100):
        if number % 20 == 4:
            assert recover(world, codes[number // 20])
        elif number % 4 == 0:
            world.clock.move(PAUSE)
        assert refused(enter, world, "not a code") == WRONG
    world.clock.move(PAUSE)
    assert refused(enter, world, code_of(secret, world.clock())) == OFF


def test_sec_50_one_persons_guesses_pause_nobody_else(world: World) -> None:
    enrol_app(world)
    his = enrol_app(world, BEN)
    for _ in range(6):
        refused(enter, world, "not a code")
    assert enter(world, code_of(his, world.clock()), BEN)
    assert [event["actor"] for event in world.audit("second_factor.failed")] == [
        world.audit("second_factor.paused")[0]["actor"]
    ] * 6
